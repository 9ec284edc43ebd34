//! The same statements on SQLite and on PostgreSQL.
//!
//! `cargo run -p pando-database --example two_engines` writes to a file in a temporary folder;
//! with `-- postgres://user:password@host/database` it writes to a server.

use std::time::Duration;

use pando_clock::Clock;
use pando_database::{
    Database, DatabaseError, DatabaseOptions, KeyedQuery, Migration, MigrationSet, Query, Secret, params,
};
use pando_resilience::Call;
use pando_telemetry::Metrics;

const SCHEMA: MigrationSet = MigrationSet {
    service: "trees",
    migrations: &[Migration {
        version: 1,
        name: "trees",
        sql: "create table trees (id uuid primary key, name text not null, planted_at timestamptz not null);
              create unique index trees_name_key on trees (name);",
    }],
};
const PLANT: Query =
    Query::write("trees.plant", "insert into trees (id, name, planted_at) values ($1, $2, $3)");
const BY_ID: KeyedQuery = KeyedQuery::new("trees.by_id", "select id, name from trees where id = any($1)");

#[tokio::main]
#[expect(clippy::print_stdout, reason = "an example speaks to its reader")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (clock, folder) = (Clock::system(), tempfile::tempdir()?);
    let mut options = DatabaseOptions { url: std::env::args().nth(1).map(Secret::new), ..Default::default() };
    options.sqlite.path = folder.path().join("trees.db");
    let database = Database::open(&options, &Metrics::new(), &clock).await?;
    for applied in database.migrate(&[SCHEMA]).await? {
        println!("{:?}: applied {} of {}", database.engine(), applied.name, applied.service);
    }

    let call = Call::internal("example", Duration::from_secs(3));
    let (id, name) = (clock.fresh_id(), format!("aspen {}", clock.now()));
    let mut transaction = database.transaction(&call).await?;
    transaction.execute(&PLANT, params![id, &name, clock.now()]).await?;
    println!("planted; the write stands at {}", transaction.commit().await?);

    let row = database.read(&call).by_key(&BY_ID, id).await?.ok_or("it was just planted")?;
    println!("read back: {}", row.get::<String>(1)?);

    let mut again = database.transaction(&call).await?;
    match again.execute(&PLANT, params![clock.fresh_id(), &name, clock.now()]).await {
        Err(DatabaseError::UniqueViolation { constraint, .. }) => {
            println!("a second one is refused: {constraint}")
        }
        other => println!("unexpected: {other:?}"),
    }
    database.close().await;
    Ok(())
}
