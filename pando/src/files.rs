//! Checks whether the files of this process belong to its database, because servers that share a database must share
//! their files.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use pando_clock::Clock;
use pando_database::{Database, Migration, MigrationSet, Query, Transaction, params};
use pando_objects::{Objects, ObjectsError};
use pando_resilience::Call;
use pando_telemetry::Metrics;

use crate::config::Config;
use crate::platform;

/// The table of this check.
pub(crate) const MIGRATIONS: MigrationSet = MigrationSet {
    service: "pando",
    migrations: &[Migration::new(1, "files", include_str!("../migrations/0001_files.sql"))],
};

/// How long a start waits for the store, which may be away.
const PATIENCE: Duration = Duration::from_secs(10);

static ENTER: Query = Query::write(
    "files.enter",
    "insert into files_store (id, mark, marked) values (1, $1, false) on conflict (id) do nothing",
);

/// Its row lock lets one process at a time mark a store.
static LOCK: Query =
    Query::write("files.lock", "select mark, marked from files_store where id = 1 for update");

static SET: Query = Query::write("files.set", "update files_store set mark = $1, marked = true where id = 1");

/// Refuses files that belong to another database. The first process on a new database marks its files.
pub(crate) async fn check(database: &Database, objects: &Objects, clock: &Clock, place: &str) -> Result<()> {
    let call = Call::internal("files.check", PATIENCE);
    let found = match objects.read_mark(&call).await {
        Ok(found) => found,
        Err(error @ ObjectsError::BadSetting { .. }) => return Err(error.into()),
        // Images are away then, and nothing else is. The next start looks again.
        Err(error) => {
            tracing::warn!(%error, place, "whether these files belong to the database could not be checked");
            return Ok(());
        }
    };
    let mut tx = database.transaction(&call).await?;
    let (mark, marked) = locked(&mut tx, clock).await?;
    if marked {
        return match found {
            Some(found) if found == mark => Ok(()),
            _ => bail!(
                "the files of this database are not in {place}: servers that share a database must share their files. \
                 Set objects.path or [objects.s3] to where the other servers keep them; if these are the right ones, \
                 or the others are lost, run `pando adopt-files`"
            ),
        };
    }
    let mark = match found {
        Some(found) => {
            tracing::warn!(place, "a new database takes over files that another database has used before");
            found
        }
        None => {
            objects.write_mark(&call, &mark).await.with_context(|| format!("{place} cannot be marked"))?;
            mark
        }
    };
    tx.execute(&SET, params![mark]).await?;
    tx.commit().await?;
    Ok(())
}

/// Takes the files at the place in the settings for those of the database, whatever it used before.
pub(crate) async fn adopt(config: &Config, clock: &Clock, out: &mut dyn std::io::Write) -> Result<()> {
    let metrics = Metrics::new();
    let database = Database::open(&config.database_options(), &metrics, clock).await?;
    platform::prepare_schema(config, &database).await?;
    let objects = Objects::open(&config.objects_options(), &metrics, clock)?;
    let call = Call::internal("files.adopt", PATIENCE);
    let mut tx = database.transaction(&call).await?;
    let (known, _) = locked(&mut tx, clock).await?;
    let mark = match objects.read_mark(&call).await? {
        Some(found) => found,
        None => {
            objects.write_mark(&call, &known).await?;
            known
        }
    };
    tx.execute(&SET, params![mark]).await?;
    tx.commit().await?;
    database.close().await;
    writeln!(out, "the files in {} belong to this database now", config.files_place())?;
    Ok(())
}

async fn locked(tx: &mut Transaction, clock: &Clock) -> Result<(String, bool)> {
    tx.execute(&ENTER, params![clock.fresh_id().to_string()]).await?;
    let row = tx.row(&LOCK, []).await?.context("the row of the store is missing")?;
    Ok((row.get(0)?, row.get(1)?))
}
