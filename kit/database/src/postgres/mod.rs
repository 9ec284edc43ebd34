//! PostgreSQL: shared connections for point reads, a pool for everything else.

mod binary;
mod bulk;
mod cancel;
mod certificate;
mod channel;
mod coalesce;
mod commit;
mod connect;
mod connection;
mod encryption;
mod fault;
mod pool;
mod session;
mod shared;

use std::sync::Arc;

use pando_clock::Clock;
use pando_resilience::{Deadline, Tenant};
use pando_telemetry::Metrics;

use crate::channel::Channel;
use crate::engine::Manner;
use crate::options::DatabaseOptions;
use crate::query::Cost;
use crate::statement::Statement;
use crate::statistics::{Statistics, Waits};
use crate::stream::EngineRows;
use crate::{DatabaseError, Row, Value};
use coalesce::Coalescer;
pub(crate) use connect::Target;
use pool::Pool;
pub(crate) use session::Session;
use shared::Shared;

/// The connections to one server.
pub(crate) struct Postgres {
    shared: Arc<Shared>,
    coalescer: Coalescer,
    pool: Pool,
    target: Box<Target>,
}

impl Postgres {
    pub(crate) async fn open(
        options: &DatabaseOptions,
        metrics: &Metrics,
        clock: &Clock,
    ) -> Result<Self, DatabaseError> {
        let target = Target::new(options)?;
        if !target.prepare {
            tracing::warn!(
                "database.statements.prepare is off, as it must be behind a pooler in transaction mode: statements \
                 are parsed each time, point reads have no time limit of their own, and processes do not wake each \
                 other but look for work every queue.poll_ms"
            );
        }
        let shared = Arc::new(Shared::open(options, &target, clock).await?);
        let pool = Pool::new(&options.pool, &target, clock, Waits::new(metrics))?;
        let coalescer = Coalescer::new(Arc::clone(&shared), &options.reads);
        Ok(Self { shared, coalescer, pool, target: Box::new(target) })
    }

    pub(crate) async fn rows(
        &self,
        statement: &Statement,
        cost: Cost,
        values: &[Value],
        deadline: Deadline,
    ) -> Result<Vec<Row>, DatabaseError> {
        match cost {
            Cost::Point => self.shared.rows(statement, values, deadline).await,
            Cost::Scan => Session::open(&self.pool, deadline).await?.scan(statement, values).await,
        }
    }

    pub(crate) async fn stream(
        &self,
        statement: &Arc<Statement>,
        values: &[Value],
        deadline: Deadline,
    ) -> Result<EngineRows, DatabaseError> {
        Session::open(&self.pool, deadline).await?.stream(Arc::clone(statement), values).await
    }

    pub(crate) async fn by_key(
        &self,
        statement: &Arc<Statement>,
        key: (Option<&Tenant>, &Value),
        deadline: Deadline,
    ) -> Result<Option<Row>, DatabaseError> {
        self.coalescer.read(statement, key, deadline).await
    }

    pub(crate) async fn begin(&self, deadline: Deadline, manner: Manner) -> Result<Session, DatabaseError> {
        let session = Session::open(&self.pool, deadline).await?;
        Ok(if manner.unflushed { session.unflushed() } else { session })
    }

    /// Runs a statement that cannot be part of a transaction.
    pub(crate) async fn run_outside(&self, text: &str, deadline: Deadline) -> Result<(), DatabaseError> {
        Session::open(&self.pool, deadline).await?.run_outside(text).await
    }

    /// Behind a pooler nothing is heard: it would listen on a connection that others use next.
    pub(crate) fn channel(&self, name: &'static str, clock: &Clock) -> Channel {
        if self.target.prepare { channel::open(&self.target, name, clock) } else { Channel::silent() }
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let (max, works) = self.shared.counts();
        let mut statistics = Statistics { max, open: works, idle: works, ..Statistics::default() };
        self.pool.fill(&mut statistics);
        statistics
    }

    /// Waits for the transactions and the scans that run. Point reads keep their connection until they are answered.
    pub(crate) async fn close(&self, patience: Deadline) {
        self.pool.close(patience).await;
        self.shared.close();
    }
}
