//! The settings, their defaults, and their meaning.

use std::path::PathBuf;

use pando_telemetry::Secret;
use pando_tls::Tls;
use serde::{Deserialize, Serialize};

use crate::{DatabaseError, Engine};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
const YEAR_SECONDS: u64 = 365 * 24 * 60 * 60;

/// Which database, and how much of it at a time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseOptions {
    /// `postgres://user:password@host:port/database`. Without it and without `host`: SQLite.
    pub url: Option<Secret>,
    /// The PostgreSQL server, when there is no `url`.
    pub host: Option<String>,
    /// Its port (5432).
    pub port: Option<u16>,
    /// The user.
    pub user: Option<String>,
    /// Their password.
    pub password: Option<Secret>,
    /// The database on the server.
    pub database: Option<String>,
    /// The name that the server shows in its list of connections (`pando`).
    pub application_name: Option<String>,
    /// `disable`, `prefer`, `require`, `verify-ca` or `verify-full`.
    pub sslmode: Option<String>,
    /// The authorities that `verify-ca` and `verify-full` trust. The program sets them, no settings file.
    #[serde(skip)]
    pub tls: Tls,
    /// The file, when the engine is SQLite.
    pub sqlite: SqliteOptions,
    /// Connections for transactions and scans.
    pub pool: PoolOptions,
    /// Connections for point reads.
    pub reads: ReadOptions,
    /// Statements and migrations.
    pub statements: StatementOptions,
}

/// The file, and how it is written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SqliteOptions {
    /// The database file; its folder is created.
    pub path: PathBuf,
    /// Whether an acknowledged write survives a power cut.
    pub synchronous: Synchronous,
    /// How many commits may wait for one flush of the disk; 1 = each has its own.
    pub group_commit_max: usize,
    /// How long to wait for another process that writes the same file.
    pub busy_timeout_ms: u64,
    /// Connections for point reads, used by the calling threads; 0 = one per core, at least 2, at most 8.
    pub readers: usize,
    /// Connections for scans, each used by a thread of its own.
    pub scanners: usize,
}

/// Where an acknowledged write is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Synchronous {
    /// It is on the disk.
    #[default]
    Full,
    /// It is with the operating system: a power cut may take the last writes back.
    Normal,
}

/// Connections for transactions and scans on PostgreSQL. `checkout_ms` is also how long a caller waits
/// for SQLite's writer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PoolOptions {
    /// Kept open when idle.
    pub min: usize,
    /// Never more.
    pub max: usize,
    /// How long a caller waits for one.
    pub checkout_ms: u64,
    /// A connection is replaced after this time, give or take a tenth.
    pub lifetime_seconds: u64,
    /// A connection above `min` is closed when it was not used for this long.
    pub idle_seconds: u64,
    /// A transaction open for longer is named in the log.
    pub leak_warning_seconds: u64,
    /// How long one attempt to connect may take.
    pub connect_ms: u64,
}

/// Point reads on PostgreSQL.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReadOptions {
    /// Shared pipelined connections.
    pub connections: usize,
    /// Whether reads by key that happen at the same time travel together.
    pub coalesce: bool,
    /// Keys in one batch at most.
    pub coalesce_keys_max: usize,
    /// Batches of one statement under way at most; further keys gather meanwhile.
    pub coalesce_batches_max: usize,
    /// The server stops a point read after this time, whatever its deadline.
    pub statement_timeout_ms: u64,
    /// How many point reads may be under way, including those whose caller has gone; further callers wait as for a connection of
    /// the pool.
    pub in_flight_max: usize,
}

/// Statements and migrations.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StatementOptions {
    /// Whether statements are prepared once per connection. Off for poolers in transaction mode.
    pub prepare: bool,
    /// Whether a statement whose result is not needed at once is sent with the next one, and the last one with the commit.
    pub together: bool,
    /// A statement that takes longer is named in the log.
    pub slow_ms: u64,
    /// How many rows a read may collect in memory; one that has more fails.
    pub rows_max: usize,
    /// How long one migration may take, waiting for other processes included.
    pub migration_seconds: u64,
}

impl DatabaseOptions {
    /// Which engine these settings ask for.
    pub fn engine(&self) -> Engine {
        if self.url.is_some() || self.host.is_some() { Engine::Postgres } else { Engine::Sqlite }
    }

    /// Refuses numbers that cannot work.
    pub(crate) fn check_numbers(&self) -> Result<(), DatabaseError> {
        let (sqlite, pool, reads, statements) = (&self.sqlite, &self.pool, &self.reads, &self.statements);
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        for (setting, value, least, most) in [
            ("sqlite.group_commit_max", count(sqlite.group_commit_max), 1, 65_536),
            ("sqlite.busy_timeout_ms", sqlite.busy_timeout_ms, 0, DAY_MS),
            ("sqlite.readers", count(sqlite.readers), 0, 1_024),
            ("sqlite.scanners", count(sqlite.scanners), 1, 1_024),
            ("pool.min", count(pool.min), 0, 65_536),
            ("pool.max", count(pool.max), 1, 65_536),
            ("pool.checkout_ms", pool.checkout_ms, 1, DAY_MS),
            ("pool.lifetime_seconds", pool.lifetime_seconds, 1, YEAR_SECONDS),
            ("pool.idle_seconds", pool.idle_seconds, 0, YEAR_SECONDS),
            ("pool.leak_warning_seconds", pool.leak_warning_seconds, 0, YEAR_SECONDS),
            ("pool.connect_ms", pool.connect_ms, 1, DAY_MS),
            ("reads.connections", count(reads.connections), 1, 1_024),
            ("reads.coalesce_keys_max", count(reads.coalesce_keys_max), 1, 65_536),
            ("reads.coalesce_batches_max", count(reads.coalesce_batches_max), 1, 65_536),
            ("reads.statement_timeout_ms", reads.statement_timeout_ms, 1, DAY_MS),
            ("reads.in_flight_max", count(reads.in_flight_max), 1, 1_000_000),
            ("statements.rows_max", count(statements.rows_max), 1, 100_000_000),
            ("statements.migration_seconds", statements.migration_seconds, 1, DAY_MS / 1_000),
        ] {
            if !(least..=most).contains(&value) {
                let reason = format!("{value} is not between {least} and {most}");
                return Err(DatabaseError::BadSetting { setting, reason });
            }
        }
        Ok(())
    }
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            path: PathBuf::from("data/pando.db"),
            synchronous: Synchronous::Full,
            group_commit_max: 64,
            busy_timeout_ms: 10_000,
            readers: 0,
            scanners: 4,
        }
    }
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            min: 2,
            max: 20,
            checkout_ms: 1_000,
            lifetime_seconds: 1_800,
            idle_seconds: 300,
            leak_warning_seconds: 60,
            connect_ms: 5_000,
        }
    }
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            connections: 4,
            coalesce: true,
            coalesce_keys_max: 128,
            coalesce_batches_max: 2,
            statement_timeout_ms: 3_000,
            in_flight_max: 1_024,
        }
    }
}

impl Default for StatementOptions {
    fn default() -> Self {
        Self { prepare: true, together: true, slow_ms: 500, rows_max: 100_000, migration_seconds: 600 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_shown_to_nobody() {
        let options = DatabaseOptions {
            url: Some(Secret::new("postgres://u:opensesame@h/d")),
            password: Some(Secret::new("opensesame")),
            ..DatabaseOptions::default()
        };
        assert!(!format!("{options:?}").contains("sesame"));
        assert!(!serde_json::to_string(&options).unwrap().contains("sesame"));
    }

    #[test]
    fn numbers_that_cannot_work_are_refused_by_name() {
        DatabaseOptions::default().check_numbers().unwrap();
        for (text, setting) in [
            ("pool.lifetime_seconds = 9223372036854775807", "pool.lifetime_seconds"),
            ("pool.checkout_ms = 0", "pool.checkout_ms"),
            ("pool.max = 0", "pool.max"),
            ("sqlite.group_commit_max = 0", "sqlite.group_commit_max"),
            ("sqlite.group_commit_max = 9223372036854775807", "sqlite.group_commit_max"),
            ("sqlite.busy_timeout_ms = 9223372036854775807", "sqlite.busy_timeout_ms"),
            ("reads.statement_timeout_ms = 0", "reads.statement_timeout_ms"),
            ("statements.migration_seconds = 9223372036854775807", "statements.migration_seconds"),
        ] {
            let refused = toml::from_str::<DatabaseOptions>(text).unwrap().check_numbers();
            let Err(DatabaseError::BadSetting { setting: named, .. }) = refused else {
                panic!("{text} was taken: {refused:?}");
            };
            assert_eq!(named, setting);
        }
    }

    #[test]
    fn the_defaults_are_a_settings_file_and_unknown_names_are_refused() {
        let text = toml::to_string(&DatabaseOptions::default()).unwrap();
        toml::from_str::<DatabaseOptions>(&text).unwrap();
        assert!(toml::from_str::<DatabaseOptions>("pool.maximum = 3").is_err());
        assert_eq!(toml::from_str::<DatabaseOptions>("pool.max = 3").unwrap().pool.max, 3);
    }
}
