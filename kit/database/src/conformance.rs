//! The promises of every engine as one test suite. An engine is finished when it passes.

mod bulk;
mod composed;
mod limits;
mod together;
mod transactions;
mod values;

use std::time::Duration;

use pando_resilience::Call;

use crate::{Database, DatabaseError, Migration, MigrationSet, Query};

/// The tables of the suite.
pub const SCHEMA: MigrationSet = MigrationSet {
    service: "conformance",
    migrations: &[Migration {
        version: 1,
        name: "everything",
        sql: "
            create table samples (
                id uuid primary key,
                flag boolean,
                small smallint,
                middle integer,
                number bigint,
                real_number double precision,
                name text,
                data bytea,
                moment timestamptz,
                document jsonb
            );
            create table accounts (
                id uuid primary key,
                email_key text not null,
                balance bigint not null constraint accounts_balance_check check (balance >= 0),
                deleted_at timestamptz
            );
            create unique index accounts_email_key_key on accounts (email_key) where deleted_at is null;
            create table entries (
                id uuid primary key,
                account_id uuid not null references accounts (id) on delete cascade,
                line bigint not null,
                unique (account_id, line)
            );
            -- only: postgres
            create index samples_document on samples using gin (document);
        ",
    }],
};

/// A statement that runs for as long as it is let, on both engines.
pub const ENDLESS: Query = Query::scan(
    "endless",
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000000000) select count(*) from n",
);

/// Runs the whole suite on an empty database.
///
/// # Panics
/// Where the engine breaks a promise.
pub async fn exercise(database: &Database) -> Result<(), DatabaseError> {
    database.migrate(&[SCHEMA]).await?;
    values::exercise(database).await?;
    transactions::exercise(database).await?;
    together::exercise(database).await?;
    limits::exercise(database).await?;
    bulk::exercise(database).await?;
    composed::exercise(database).await
}

pub(crate) fn call() -> Call {
    Call::internal("conformance", Duration::from_secs(20))
}
