//! The table of applied migrations.

use std::time::Duration;

use pando_clock::Timestamp;
use pando_resilience::{Call, Deadline};

use super::{Migration, MigrationSet};
use crate::engine::Manner;
use crate::{Database, DatabaseError, Engine, Query, Row, Transaction, params};

const CREATE: Query = Query::write(
    "migrations.create",
    "create table if not exists pando_migrations (
        service text not null,
        version bigint not null,
        name text not null,
        checksum text not null,
        applied_at timestamptz not null,
        primary key (service, version)
    )",
);
const LIST: Query = Query::scan(
    "migrations.list",
    "select service, version, checksum from pando_migrations order by service, version",
);
const INSERT: Query = Query::write(
    "migrations.insert",
    "insert into pando_migrations (service, version, name, checksum, applied_at) values ($1, $2, $3, $4, $5)",
);
const TRY_LOCK: Query = Query::write("migrations.lock", "select pg_try_advisory_xact_lock($1)");
const EXISTS_POSTGRES: Query =
    Query::scan("migrations.exists", "select to_regclass('pando_migrations') is not null");
const EXISTS_SQLITE: Query = Query::scan(
    "migrations.exists",
    "select count(*) > 0 from sqlite_schema where type = 'table' and name = 'pando_migrations'",
);

/// What PostgreSQL's advisory locks know migrating by: "pando" in ASCII.
const LOCK_NUMBER: i64 = 0x70_61_6e_64_6f;

/// How often a process looks whether another has ended its migration.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A migration that was applied some time.
pub(super) struct Applied {
    pub(super) service: String,
    pub(super) version: u32,
    pub(super) checksum: String,
}

impl TryFrom<&Row> for Applied {
    type Error = DatabaseError;

    fn try_from(row: &Row) -> Result<Self, DatabaseError> {
        let version = row.get::<i64>(1)?;
        let bad = |_| DatabaseError::BadColumn {
            column: "1".into(),
            expected: "a version",
            found: version.to_string(),
        };
        let version = u32::try_from(version).map_err(bad)?;
        Ok(Self { service: row.get(0)?, version, checksum: row.get(2)? })
    }
}

/// The applied migrations; none in a database without the table. Changes nothing.
pub(super) async fn read_applied(database: &Database, call: &Call) -> Result<Vec<Applied>, DatabaseError> {
    let exists = match database.engine() {
        Engine::Sqlite => EXISTS_SQLITE,
        Engine::Postgres => EXISTS_POSTGRES,
    };
    let read = database.read_primary(call);
    match read.row(&exists, []).await? {
        Some(row) if row.get::<bool>(0)? => {
            read.rows(&LIST, []).await?.iter().map(Applied::try_from).collect()
        }
        _ => Ok(Vec::new()),
    }
}

/// Waits until no other process migrates, and then reads the applied migrations, in a transaction that keeps the others waiting.
/// On SQLite the writer is the lock. On PostgreSQL a statement that waits for a lock would hold up an index that the other
/// process builds, so this one tries again and again.
pub(super) async fn lock_and_read(
    database: &Database,
    deadline: Deadline,
) -> Result<(Transaction, Vec<Applied>), DatabaseError> {
    loop {
        let manner = Manner { patient: true, ..Manner::default() };
        let mut transaction = database.begin(deadline, manner).await?;
        if database.engine() == Engine::Postgres {
            let row = transaction.row(&TRY_LOCK, params![LOCK_NUMBER]).await?;
            if !row.map_or(Ok(false), |row| row.get(0))? {
                transaction.rollback().await?;
                tokio::time::sleep(LOOK_EVERY).await;
                continue;
            }
        }
        transaction.execute(&CREATE, []).await?;
        let rows = transaction.rows(&LIST, []).await?;
        return Ok((transaction, rows.iter().map(Applied::try_from).collect::<Result<_, _>>()?));
    }
}

pub(super) async fn record(
    transaction: &mut Transaction,
    set: &MigrationSet,
    migration: &Migration,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    let values = params![set.service, i64::from(migration.version), migration.name, checksum(migration), now];
    transaction.execute(&INSERT, values).await.map(|_| ())
}

pub(super) fn checksum(migration: &Migration) -> String {
    blake3::hash(migration.sql.as_bytes()).to_hex().to_string()
}
