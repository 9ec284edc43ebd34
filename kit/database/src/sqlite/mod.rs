//! SQLite: one file, one writer, readers beside it.

mod fault;
mod flusher;
mod open;
mod readers;
mod session;
mod transaction;
mod turn;
mod writer;

use std::sync::Arc;
use std::time::{Duration, Instant};

use pando_resilience::Deadline;
use pando_telemetry::Metrics;

use crate::engine::Manner;
use crate::options::{DatabaseOptions, SqliteOptions};
use crate::statement::Statement;
use crate::statistics::{Statistics, Waits};
use crate::stream::EngineRows;
use crate::{DatabaseError, Row, Value};
use open::{Purpose, connect, make_file};
use readers::{Readers, Scanners};
pub(crate) use transaction::WriterTransaction;
pub(crate) use turn::Turn;
use writer::Writer;

/// The file, open.
pub(crate) struct Sqlite {
    readers: Readers,
    scanners: Arc<Scanners>,
    writer: Writer,
    waits: Waits,
}

impl Sqlite {
    pub(crate) async fn open(options: &DatabaseOptions, metrics: &Metrics) -> Result<Self, DatabaseError> {
        let (options, waits) = (options.clone(), Waits::new(metrics));
        let opening = tokio::task::spawn_blocking(move || Self::open_here(&options, waits));
        opening.await.map_err(|_| DatabaseError::unavailable("the opening thread ended"))?
    }

    fn open_here(options: &DatabaseOptions, waits: Waits) -> Result<Self, DatabaseError> {
        let checkout = Duration::from_millis(options.pool.checkout_ms);
        let path = make_file(&options.sqlite.path)?;
        let sqlite = &SqliteOptions { path, ..options.sqlite.clone() };
        let busy = Duration::from_millis(sqlite.busy_timeout_ms);
        let writer = Writer::start(connect(sqlite, Purpose::Write)?, sqlite, waits.clone(), checkout)?;
        let sessions = |count: usize| -> Result<Vec<_>, DatabaseError> {
            (0..count.max(1)).map(|_| connect(sqlite, Purpose::Read)).collect()
        };
        let readers = Readers::new(sessions(reader_count(sqlite))?, busy);
        let scanners = Scanners::new(sessions(sqlite.scanners)?, waits.clone(), checkout, busy);
        Ok(Self { readers, scanners, writer, waits })
    }

    /// A scan, on a connection of its own.
    pub(crate) async fn scan(
        &self,
        statement: &Arc<Statement>,
        values: &[Value],
        deadline: Deadline,
    ) -> Result<Vec<Row>, DatabaseError> {
        self.scanners.run(statement, values, deadline).await
    }

    /// A scan whose rows are taken one after the other.
    pub(crate) async fn stream(
        &self,
        statement: &Arc<Statement>,
        values: &[Value],
        deadline: Deadline,
    ) -> Result<EngineRows, DatabaseError> {
        self.scanners.stream(statement, values, deadline).await
    }

    /// A point read on the calling thread. It never waits, so a task that only reads would never let another run: this
    /// one does.
    pub(crate) async fn point_in_turn(
        &self,
        statement: &Statement,
        values: &[Value],
        deadline: Deadline,
        now: Instant,
    ) -> Result<Vec<Row>, DatabaseError> {
        tokio::task::coop::consume_budget().await;
        self.point(statement, values, deadline, now)
    }

    /// A point read on the calling thread.
    pub(crate) fn point(
        &self,
        statement: &Statement,
        values: &[Value],
        deadline: Deadline,
        now: Instant,
    ) -> Result<Vec<Row>, DatabaseError> {
        self.readers.run(statement, values, deadline, now)
    }

    /// Whether it still takes writes: reads alone would go on answering.
    pub(crate) fn health(&self) -> Result<(), DatabaseError> {
        self.writer.health()
    }

    pub(crate) fn begin(
        &self,
        deadline: Deadline,
        manner: Manner,
    ) -> Result<WriterTransaction, DatabaseError> {
        Ok(WriterTransaction::new(self.writer.line(deadline)?, deadline, manner))
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let (scanners, free) = self.scanners.counts();
        let open = self.readers.count() + scanners + 1;
        let in_use = scanners - free + usize::from(self.writer.is_busy());
        let mut statistics =
            Statistics { max: open, open, idle: open - in_use, in_use, ..Statistics::default() };
        self.waits.fill(&mut statistics);
        statistics
    }

    /// Waits for the transactions and the scans that run, then closes the file.
    pub(crate) async fn close(&self, patience: Deadline) {
        let thread = self.writer.close();
        self.scanners.close(patience).await;
        self.readers.close();
        if let Some(thread) = thread {
            let ending = tokio::task::spawn_blocking(move || thread.join().is_ok());
            if patience.bound(ending).await.is_err() {
                tracing::warn!("a transaction was still open when the database was closed");
            }
        }
    }
}

/// One per core, as long as that is a sensible number.
fn reader_count(options: &SqliteOptions) -> usize {
    match options.readers {
        0 => std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8),
        count => count,
    }
}
