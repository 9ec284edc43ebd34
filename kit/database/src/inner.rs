//! The inside of a database.

use std::sync::Arc;
use std::time::Duration;

use pando_clock::Clock;
use pando_telemetry::Histogram;
use tokio::sync::Semaphore;

use crate::postgres::Postgres;
use crate::sqlite::Sqlite;
use crate::statement::StatementBook;
use crate::statistics::Statistics;

/// The state that all clones of a database, its reads and its transactions share.
pub(crate) struct Inner {
    pub(crate) backend: Backend,
    pub(crate) book: StatementBook,
    pub(crate) commit_seconds: Histogram,
    pub(crate) clock: Clock,
    pub(crate) migration_budget: Duration,
    /// Half of the connections for scans: streams are as slow as their readers, and lists must not wait for those.
    pub(crate) streams: Arc<Semaphore>,
    /// Whether statements that wait for others travel with them.
    pub(crate) together: bool,
}

/// The engine at work.
pub(crate) enum Backend {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Inner {
    pub(crate) fn statistics(&self) -> Statistics {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.statistics(),
            Backend::Postgres(postgres) => postgres.statistics(),
        }
    }
}
