//! The database: opening it, reading from it, beginning transactions.
//!
//! A call that may wait returns a boxed future wherever it leaves this crate. The body of an `async fn` is compiled in every crate
//! that awaits it, with all that it awaits itself, down to the drivers; behind a box it is compiled once, here. A read
//! that never waits is not boxed.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use pando_clock::Clock;
use pando_resilience::{Call, Deadline, Tenant};
use pando_telemetry::{LATENCY_BUCKETS, Metrics};
use tokio::sync::Semaphore;

use crate::channel::Channel;
use crate::engine::{Engine, Manner};
use crate::inner::{Backend, Inner};
use crate::options::DatabaseOptions;
use crate::parameters::check_key;
use crate::postgres::{Postgres, Session, Target};
use crate::query::OwnedQuery;
use crate::read::Read;
use crate::sqlite::Sqlite;
use crate::statement::StatementBook;
use crate::statistics::{Statistics, publish};
use crate::{DatabaseError, Query, Row, Token, Transaction, Value};

/// How long closing waits for what runs.
const CLOSE_PATIENCE: Duration = Duration::from_secs(10);

const PING: Query = Query::point("ping", "select 1");

const COMMITS: Query = Query::point("position", "select count from pando_commits where id = 1");

const LOG_POSITION: Query = Query::point("position", "select cast(pg_current_wal_insert_lsn() as text)");

/// A database. Clones share it; when the last one is dropped its connections close.
#[derive(Clone)]
pub struct Database(Arc<Inner>);

impl Database {
    /// Opens the file, or connects to the server.
    pub async fn open(
        options: &DatabaseOptions,
        metrics: &Metrics,
        clock: &Clock,
    ) -> Result<Self, DatabaseError> {
        options.check()?;
        let engine = options.engine();
        let backend = match engine {
            Engine::Sqlite => Backend::Sqlite(Sqlite::open(options, metrics).await?),
            Engine::Postgres => Backend::Postgres(Postgres::open(options, metrics, clock).await?),
        };
        let scans = match engine {
            Engine::Sqlite => options.sqlite.scanners,
            Engine::Postgres => options.pool.max,
        };
        let inner = Arc::new(Inner {
            backend,
            book: StatementBook::new(engine, &options.statements, metrics.clone()),
            commit_seconds: metrics.histogram(
                "db_commit_duration_seconds",
                "How long commits took",
                &[],
                LATENCY_BUCKETS,
            ),
            clock: clock.clone(),
            migration_budget: Duration::from_secs(options.statements.migration_seconds),
            streams: Arc::new(Semaphore::new((scans / 2).max(1))),
            together: options.statements.together,
        });
        let seen = Arc::downgrade(&inner);
        publish(metrics, move || seen.upgrade().map(|inner| inner.statistics()));
        Ok(Self(inner))
    }

    /// Which engine it is. For start-up messages: nothing else should need to know.
    pub fn engine(&self) -> Engine {
        match self.0.backend {
            Backend::Sqlite(_) => Engine::Sqlite,
            Backend::Postgres(_) => Engine::Postgres,
        }
    }

    /// Reads that see at least what the call's consistency token asks for.
    pub fn read<'a>(&'a self, call: &'a Call) -> Read<'a> {
        // The one server that we know is the primary: it has every commit.
        self.read_primary(call)
    }

    /// Reads that see every commit.
    pub fn read_primary<'a>(&'a self, call: &'a Call) -> Read<'a> {
        Read { database: &self.0, deadline: call.deadline }
    }

    /// Begins a transaction. SQLite has one at a time: do the slow things before.
    pub async fn transaction(&self, call: &Call) -> Result<Transaction, DatabaseError> {
        self.begin(call.deadline, Manner::default()).await
    }

    /// Begins a transaction whose commit does not wait for the disk. When the server crashes right after, it may be
    /// undone although it was answered: all of it, and never one that was committed before it. For what is a promise
    /// to ourselves, like a lease.
    pub async fn transaction_unflushed(&self, call: &Call) -> Result<Transaction, DatabaseError> {
        self.begin(call.deadline, Manner { unflushed: true, ..Manner::default() }).await
    }

    /// A line to the other processes that share this database, and back. Its name is one word in lower case.
    pub fn channel(&self, name: &'static str) -> Channel {
        match &self.0.backend {
            Backend::Sqlite(_) => Channel::silent(),
            Backend::Postgres(postgres) => postgres.channel(name, &self.0.clock),
        }
    }

    pub(crate) async fn begin(
        &self,
        deadline: Deadline,
        manner: Manner,
    ) -> Result<Transaction, DatabaseError> {
        let inner = Arc::clone(&self.0);
        match &self.0.backend {
            Backend::Sqlite(sqlite) => Ok(Transaction::on_sqlite(inner, sqlite.begin(deadline, manner)?)),
            Backend::Postgres(postgres) => {
                Ok(Transaction::on_postgres(inner, begin_there(postgres, deadline, manner).await?))
            }
        }
    }

    /// Runs a statement outside of any transaction, where the engine has statements that must be.
    pub(crate) async fn run_outside(&self, text: &str, deadline: Deadline) -> Result<(), DatabaseError> {
        match &self.0.backend {
            Backend::Sqlite(_) => Ok(()),
            Backend::Postgres(postgres) => Box::pin(postgres.run_outside(text, deadline)).await,
        }
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    /// How busy the connections are.
    pub fn statistics(&self) -> Statistics {
        self.0.statistics()
    }

    /// Whether it answers, and on SQLite whether it still takes writes.
    pub async fn ping(&self, call: &Call) -> Result<(), DatabaseError> {
        if let Backend::Sqlite(sqlite) = &self.0.backend {
            sqlite.health()?;
        }
        self.read_primary(call).row(&PING, []).await.map(|_| ())
    }

    /// The row of a tenant with this key, where that needs no waiting: in a file of this process. For callers who cannot wait.
    pub fn by_key_at_once(
        &self,
        query: &OwnedQuery,
        (tenant, key): (&Tenant, impl Into<Value>),
        deadline: Deadline,
    ) -> Option<Result<Option<Row>, DatabaseError>> {
        let Backend::Sqlite(sqlite) = &self.0.backend else { return None };
        let statement = self.0.book.keyed(&query.0);
        let key = key.into();
        let started = Instant::now();
        let found = check_key(query.0.name, &key)
            .and_then(|()| sqlite.point(&statement, &[key, tenant.into()], deadline, started))
            .map(|rows| rows.into_iter().next());
        statement.record(started, found.as_ref().err());
        Some(found)
    }

    /// Where the log stands: every write that was answered before has a token up to here.
    pub fn position<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Token, DatabaseError>> {
        Box::pin(async move {
            let read = self.read_primary(call);
            let token = match self.engine() {
                Engine::Sqlite => match read.row(&COMMITS, []).await? {
                    Some(row) => Some(Token::sqlite(row.get::<i64>(0)?.unsigned_abs())),
                    None => None,
                },
                Engine::Postgres => match read.row(&LOG_POSITION, []).await? {
                    Some(row) => Token::from_lsn(&row.get::<String>(0)?),
                    None => None,
                },
            };
            token.ok_or(DatabaseError::BadToken)
        })
    }

    /// Takes no further work and closes the connections. Transactions and scans that run are waited for, up to ten
    /// seconds.
    pub fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let patience = Deadline::after(CLOSE_PATIENCE);
            match &self.0.backend {
                Backend::Sqlite(sqlite) => sqlite.close(patience).await,
                Backend::Postgres(postgres) => postgres.close(patience).await,
            }
        })
    }
}

impl DatabaseOptions {
    /// Refuses settings that cannot work. Nothing is opened or connected.
    pub fn check(&self) -> Result<(), DatabaseError> {
        self.check_numbers()?;
        match self.engine() {
            Engine::Sqlite => Ok(()),
            Engine::Postgres => Target::new(self).map(drop),
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("engine", &self.engine()).finish_non_exhaustive()
    }
}

fn begin_there(
    postgres: &Postgres,
    deadline: Deadline,
    manner: Manner,
) -> BoxFuture<'_, Result<Session, DatabaseError>> {
    Box::pin(postgres.begin(deadline, manner))
}
