//! Migrations: they only go forward, and each is applied once, even if several processes start at the same time.

mod record;
mod script;

use std::time::Duration;

use futures_util::future::BoxFuture;
use pando_resilience::{Call, Deadline};

use crate::database::Manner;
use crate::{Database, DatabaseError, Engine, Query, Transaction};
use record::{Applied, read_applied, record};
use script::pieces;

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
    /// `-- only: sqlite`.
    pub sql: &'static str,
}

/// The migrations of a service.
#[derive(Clone, Copy, Debug)]
pub struct MigrationSet {
    /// Whose they are.
    pub service: &'static str,
    /// In the order of their versions.
    pub migrations: &'static [Migration],
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
}

impl Database {
    /// Applies the missing migrations, each in a transaction of its own, and returns those that this call applied.
    /// If several processes call it at once, each migration is applied by one of them, and the others wait.
    pub fn migrate<'a>(
        &'a self,
        sets: &'a [MigrationSet],
    ) -> BoxFuture<'a, Result<Vec<AppliedMigration>, DatabaseError>> {
        Box::pin(self.apply_missing(sets))
    }

    async fn apply_missing(&self, sets: &[MigrationSet]) -> Result<Vec<AppliedMigration>, DatabaseError> {
        let mut done = Vec::new();
        for (set, migration) in self.missing(sets).await? {
            if self.apply_in_time(set, migration).await? {
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
        let pending = missing.into_iter().map(|(set, migration)| PendingMigration {
            service: set.service,
            version: migration.version,
            name: migration.name,
            statements: self.statements_of(migration),
        });
        Ok(pending.collect())
    }

    /// The migrations that are not applied yet, after a check of the applied ones.
    async fn missing<'a>(
        &self,
        sets: &'a [MigrationSet],
    ) -> Result<Vec<(&'a MigrationSet, &'a Migration)>, DatabaseError> {
        sets.iter().try_for_each(check_order)?;
        let call = Call::internal("migrate", self.inner().migration_budget);
        let applied = read_applied(self, &call).await?;
        let mut missing = Vec::new();
        for set in sets {
            check_set(set, &applied)?;
            let is_missing = |migration: &&Migration| find(&applied, set, migration).is_none();
            missing.extend(set.migrations.iter().filter(is_missing).map(|migration| (set, migration)));
        }
        Ok(missing)
    }

    /// Applies one migration, and tries again if a table is in use. A statement that waits for a lock blocks all statements behind
    /// it, so the migration waits only a short time and lets the others run in between.
    async fn apply_in_time(&self, set: &MigrationSet, migration: &Migration) -> Result<bool, DatabaseError> {
        let deadline = Deadline::after(self.inner().migration_budget);
        loop {
            match self.apply(set, migration).await {
                Err(DatabaseError::MigrationFailed { source, statement, .. })
                    if matches!(*source, DatabaseError::Contention { .. }) && !deadline.is_past() =>
                {
                    tracing::info!(service = set.service, statement, "a migration waits for a table in use");
                    tokio::time::sleep(LOCK_PAUSE).await;
                }
                result => return result,
            }
        }
    }

    /// Applies one migration, unless somebody else did it first.
    async fn apply(&self, set: &MigrationSet, migration: &Migration) -> Result<bool, DatabaseError> {
        let manner = Manner { patient: true, ..Manner::default() };
        let mut transaction = self.begin(Deadline::after(self.inner().migration_budget), manner).await?;
        let applied = record::lock_and_read(self, &mut transaction).await?;
        check_set(set, &applied)?;
        if find(&applied, set, migration).is_some() {
            return Ok(false);
        }
        if self.engine() == Engine::Postgres {
            transaction.execute(&LOCK_SHORTLY, []).await?;
        }
        for text in self.statements_of(migration) {
            self.run_step(&mut transaction, set, migration, &text).await?;
        }
        record(&mut transaction, set, migration, self.inner().clock.now()).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn run_step(
        &self,
        transaction: &mut Transaction,
        set: &MigrationSet,
        migration: &Migration,
        text: &str,
    ) -> Result<(), DatabaseError> {
        let statement = self.inner().book.once_as_is("migrate", text);
        match transaction.run(&statement, &[], false).await {
            Ok(_) => Ok(()),
            Err(source) => Err(DatabaseError::MigrationFailed {
                service: set.service,
                version: migration.version,
                name: migration.name,
                statement: text.lines().next().unwrap_or_default().to_owned(),
                source: Box::new(source),
            }),
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
