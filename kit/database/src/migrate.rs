//! Migrations: they only go forward, and each is applied once, even if several processes start at the same time.
//!
//! A migration is one transaction. On PostgreSQL, one that says `-- online` in its first lines runs each statement by itself,
//! so that a large table is changed while it is used: an index is built `concurrently`, and a table is locked for a moment
//! only. If the process dies in between, all its statements run again, so each of them must be repeatable. One that says
//! `-- finish` takes away what processes of the version before still need. It waits until the operator says that there are none,
//! except in a new database.

mod record;
mod script;

use std::time::Duration;

use futures_util::future::BoxFuture;
use pando_resilience::{Call, Deadline};

use crate::engine::Manner;
use crate::{Database, DatabaseError, Engine, Query, Transaction};
use record::{Applied, read_applied, record};
use script::{Step, is_concurrent, pieces, step, without_concurrently};

/// How long a migration waits for a table in use, and how long it lets others go on before it tries again.
const LOCK_SHORTLY: Query = Query::write("migrate.lock_shortly", "set local lock_timeout = 500");
const LOCK_PAUSE: Duration = Duration::from_secs(1);

/// One step of a service's schema.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its place in the order, from 1.
    pub version: u32,
    /// A short description of the migration.
    pub name: &'static str,
    /// Its text, for both engines. A statement that only one has stands below `-- only: postgres` or
    /// `-- only: sqlite`. It may begin with `-- online` or `-- finish`.
    pub sql: &'static str,
}

impl Migration {
    /// One step, with its text: `include_str!("../migrations/0001_trees.sql")`.
    pub const fn new(version: u32, name: &'static str, sql: &'static str) -> Self {
        Self { version, name, sql }
    }
}

/// The migrations of a service.
#[derive(Clone, Copy, Debug)]
pub struct MigrationSet {
    /// Whose they are.
    pub service: &'static str,
    /// In the order of their versions.
    pub migrations: &'static [Migration],
}

/// A migration that is not applied yet.
struct Missing<'a> {
    set: &'a MigrationSet,
    migration: &'a Migration,
    /// Whether other processes may use the tables: they were there before.
    is_in_use: bool,
}

impl Missing<'_> {
    /// Whether it is one that finishes, and other processes may need what it takes away.
    fn waits(&self) -> bool {
        self.is_in_use && step(self.migration.sql) == Step::Finish
    }

    /// Whether its statements run each by itself: nobody waits for new tables.
    fn runs_apart(&self) -> bool {
        self.is_in_use && step(self.migration.sql) != Step::Plain
    }
}

/// A migration that was applied just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedMigration {
    /// Whose it is.
    pub service: &'static str,
    /// Its number.
    pub version: u32,
    /// Its name.
    pub name: &'static str,
}

/// A migration that would be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingMigration {
    /// Whose it is.
    pub service: &'static str,
    /// Its number.
    pub version: u32,
    /// Its name.
    pub name: &'static str,
    /// The statements that would run on this engine.
    pub statements: Vec<String>,
    /// Whether it waits for [`Database::finish_migrations`].
    pub waits: bool,
}

impl Database {
    /// Applies the missing migrations and returns those that this call applied. If several processes call it at once, each
    /// migration is applied by one of them, and the others wait.
    pub fn migrate<'a>(
        &'a self,
        sets: &'a [MigrationSet],
    ) -> BoxFuture<'a, Result<Vec<AppliedMigration>, DatabaseError>> {
        Box::pin(self.apply_missing(sets, false))
    }

    /// The same, with those that take away what processes of the version before still need: there are none any more.
    pub fn finish_migrations<'a>(
        &'a self,
        sets: &'a [MigrationSet],
    ) -> BoxFuture<'a, Result<Vec<AppliedMigration>, DatabaseError>> {
        Box::pin(self.apply_missing(sets, true))
    }

    async fn apply_missing(
        &self,
        sets: &[MigrationSet],
        finish: bool,
    ) -> Result<Vec<AppliedMigration>, DatabaseError> {
        let mut done = Vec::new();
        for missing in self.missing(sets).await? {
            let Missing { set, migration, .. } = missing;
            if missing.waits() && !finish {
                let (version, name) = (migration.version, migration.name);
                tracing::info!(service = set.service, version, name, "a migration waits for `--finish`");
            } else if self.apply_in_time(&missing).await? {
                let (version, name) = (migration.version, migration.name);
                tracing::info!(service = set.service, version, name, "migration applied");
                done.push(AppliedMigration { service: set.service, version, name });
            }
        }
        Ok(done)
    }

    /// What [`Database::migrate`] would do; changes nothing.
    pub async fn pending_migrations(
        &self,
        sets: &[MigrationSet],
    ) -> Result<Vec<PendingMigration>, DatabaseError> {
        let missing = self.missing(sets).await?;
        let pending = missing.into_iter().map(|missing| PendingMigration {
            service: missing.set.service,
            version: missing.migration.version,
            name: missing.migration.name,
            statements: self.statements_of(missing.migration),
            waits: missing.waits(),
        });
        Ok(pending.collect())
    }

    /// The migrations that are not applied yet, after a check of the applied ones.
    async fn missing<'a>(&self, sets: &'a [MigrationSet]) -> Result<Vec<Missing<'a>>, DatabaseError> {
        sets.iter().try_for_each(check_order)?;
        let call = Call::internal("migrate", self.inner().migration_budget);
        let applied = read_applied(self, &call).await?;
        let mut missing = Vec::new();
        for set in sets {
            check_set(set, &applied)?;
            let is_missing = |migration: &&Migration| find(&applied, set, migration).is_none();
            // A file has no other processes that matter: they are stopped before a new version starts.
            let is_in_use = self.engine() == Engine::Postgres
                && applied.iter().any(|applied| applied.service == set.service);
            missing.extend(set.migrations.iter().filter(is_missing).map(|migration| Missing {
                set,
                migration,
                is_in_use,
            }));
        }
        Ok(missing)
    }

    /// Applies one migration, and tries again if a table is in use. A statement that waits for a lock blocks all statements behind
    /// it, so the migration waits only a short time and lets the others run in between.
    async fn apply_in_time(&self, missing: &Missing<'_>) -> Result<bool, DatabaseError> {
        let deadline = Deadline::after(self.inner().migration_budget);
        loop {
            match self.apply(missing).await {
                Err(DatabaseError::MigrationFailed { source, statement, .. })
                    if matches!(*source, DatabaseError::Contention { .. }) && !deadline.is_past() =>
                {
                    let service = missing.set.service;
                    tracing::info!(service, statement, "a migration waits for a table in use");
                    tokio::time::sleep(LOCK_PAUSE).await;
                }
                result => return result,
            }
        }
    }

    /// Applies one migration, unless somebody else did it first.
    async fn apply(&self, missing: &Missing<'_>) -> Result<bool, DatabaseError> {
        let Missing { set, migration, .. } = missing;
        let deadline = Deadline::after(self.inner().migration_budget);
        let (mut transaction, applied) = record::lock_and_read(self, deadline).await?;
        check_set(set, &applied)?;
        if find(&applied, set, migration).is_some() {
            return Ok(false);
        }
        let is_apart = missing.runs_apart();
        // It also ends the read before, whose snapshot an index that is built concurrently would wait for.
        if self.engine() == Engine::Postgres {
            transaction.execute(&LOCK_SHORTLY, []).await?;
        }
        for text in self.statements_of(migration) {
            let done = match is_apart {
                true => self.run_apart(&text, deadline).await,
                false => self.run_in(&mut transaction, &without_concurrently(&text)).await,
            };
            done.map_err(|source| DatabaseError::MigrationFailed {
                service: set.service,
                version: migration.version,
                name: migration.name,
                statement: text.lines().next().unwrap_or_default().to_owned(),
                source: Box::new(source),
            })?;
        }
        record(&mut transaction, set, migration, self.inner().clock.now()).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn run_in(&self, transaction: &mut Transaction, text: &str) -> Result<(), DatabaseError> {
        let statement = self.inner().book.once_as_is("migrate", text);
        transaction.run(&statement, &[], false).await.map(drop)
    }

    /// Runs a statement by itself, on another connection than that of the transaction which keeps other processes from migrating.
    /// One that builds an index waits for transactions without keeping anybody waiting. Another needs a lock, and tries again
    /// if it does not get it soon.
    async fn run_apart(&self, text: &str, deadline: Deadline) -> Result<(), DatabaseError> {
        if is_concurrent(text) {
            return self.run_outside(text, deadline).await;
        }
        loop {
            let manner = Manner { patient: true, ..Manner::default() };
            let mut transaction = self.begin(deadline, manner).await?;
            transaction.execute(&LOCK_SHORTLY, []).await?;
            let done = self.run_in(&mut transaction, text).await;
            match done {
                Err(DatabaseError::Contention { .. }) if !deadline.is_past() => {
                    drop(transaction);
                    tracing::info!(statement = text.lines().next(), "a migration waits for a table in use");
                    tokio::time::sleep(LOCK_PAUSE).await;
                }
                Err(error) => return Err(error),
                Ok(()) => return transaction.commit().await.map(drop),
            }
        }
    }

    fn statements_of(&self, migration: &Migration) -> Vec<String> {
        let engine = self.engine();
        let mine =
            pieces(migration.sql).into_iter().filter(|piece| piece.only.is_none_or(|only| only == engine));
        mine.map(|piece| match engine {
            Engine::Sqlite => crate::sql::for_sqlite(piece.text, false),
            Engine::Postgres => piece.text.to_owned(),
        })
        .collect()
    }
}

fn check_order(set: &MigrationSet) -> Result<(), DatabaseError> {
    if set.migrations.windows(2).all(|pair| pair[0].version < pair[1].version) {
        return Ok(());
    }
    let reason = format!("the versions of {} do not rise", set.service);
    Err(DatabaseError::BadSetting { setting: "migrations", reason })
}

fn find<'a>(applied: &'a [Applied], set: &MigrationSet, migration: &Migration) -> Option<&'a Applied> {
    applied.iter().find(|applied| applied.service == set.service && applied.version == migration.version)
}

/// Everything that was applied for this service is known, and reads as it did then.
fn check_set(set: &MigrationSet, applied: &[Applied]) -> Result<(), DatabaseError> {
    for applied in applied.iter().filter(|applied| applied.service == set.service) {
        match set.migrations.iter().find(|migration| migration.version == applied.version) {
            None => {
                let found = applied.version;
                let known = set.migrations.iter().map(|migration| migration.version).max().unwrap_or(0);
                return Err(DatabaseError::NewerSchema { service: set.service.to_owned(), found, known });
            }
            Some(migration) if record::checksum(migration) != applied.checksum => {
                let Migration { version, name, .. } = *migration;
                return Err(DatabaseError::MigrationChanged { service: set.service, version, name });
            }
            Some(_) => {}
        }
    }
    Ok(())
}
