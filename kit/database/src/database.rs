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
use pando_telemetry::{Histogram, LATENCY_BUCKETS, Metrics};

use crate::channel::Channel;
use crate::options::DatabaseOptions;
use crate::parameters::check_key;
use crate::postgres::{Postgres, Session};
use crate::query::{Cost, KeyedQuery, OwnedQuery};
use crate::sqlite::Sqlite;
use crate::statement::{Statement, StatementBook};
use crate::statistics::{Statistics, publish};
use crate::stream::RowStream;
use crate::{ComposedQuery, DatabaseError, Query, Row, Token, Transaction, Value};

/// How long closing waits for what runs.
const CLOSE_PATIENCE: Duration = Duration::from_secs(10);

const PING: Query = Query::point("ping", "select 1");

const COMMITS: Query = Query::point("position", "select count from pando_commits where id = 1");

const LOG_POSITION: Query = Query::point("position", "select cast(pg_current_wal_insert_lsn() as text)");

/// PostgreSQL's own estimate, which autovacuum keeps fresh; -1 until it first looked.
const ESTIMATE: Query = Query::point(
    "estimated_rows",
    "select cast(reltuples as bigint) from pg_class where cast(relname as text) = $1 and pg_table_is_visible(oid)",
);

/// The kind of a transaction.
#[derive(Clone, Copy, Default)]
pub(crate) struct Manner {
    /// A migration, which waits for other processes until its deadline.
    pub(crate) patient: bool,
    /// The commit does not wait for the disk.
    pub(crate) unflushed: bool,
}

/// The two engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file of this process.
    Sqlite,
    /// A server.
    Postgres,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        })
    }
}

/// A database. Clones share it; when the last one is dropped its connections close.
#[derive(Clone)]
pub struct Database(Arc<Inner>);

pub(crate) struct Inner {
    backend: Backend,
    pub(crate) book: StatementBook,
    pub(crate) commit_seconds: Histogram,
    pub(crate) clock: Clock,
    pub(crate) migration_budget: Duration,
    /// Whether statements that wait for others travel with them.
    pub(crate) together: bool,
}

enum Backend {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

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

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("engine", &self.engine()).finish_non_exhaustive()
    }
}

impl Inner {
    fn statistics(&self) -> Statistics {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.statistics(),
            Backend::Postgres(postgres) => postgres.statistics(),
        }
    }
}

/// Reads outside of any transaction.
#[derive(Clone, Copy)]
pub struct Read<'a> {
    database: &'a Inner,
    deadline: Deadline,
}

impl Read<'_> {
    /// All rows of the result.
    pub async fn rows(&self, query: &Query, values: impl AsRef<[Value]>) -> Result<Vec<Row>, DatabaseError> {
        let statement = self.database.book.query(query);
        self.run(&statement, query.cost, values.as_ref()).await
    }

    /// The first row of the result.
    pub async fn row(
        &self,
        query: &Query,
        values: impl AsRef<[Value]>,
    ) -> Result<Option<Row>, DatabaseError> {
        self.rows(query, values).await.map(|rows| rows.into_iter().next())
    }

    /// All rows of a statement that was put together at run time.
    pub async fn composed(&self, query: &ComposedQuery) -> Result<Vec<Row>, DatabaseError> {
        let statement = self.database.book.composed(query)?;
        self.run(&statement, query.cost, query.values()).await
    }

    async fn run(
        &self,
        statement: &Arc<Statement>,
        cost: Cost,
        values: &[Value],
    ) -> Result<Vec<Row>, DatabaseError> {
        let (deadline, started) = (self.deadline, Instant::now());
        let result = match &self.database.backend {
            Backend::Sqlite(sqlite) if cost == Cost::Point => {
                sqlite.point_in_turn(statement, values, deadline, started).await
            }
            backend => rows_of(backend, statement, cost, values, deadline).await,
        };
        statement.record(started, result.as_ref().err());
        result
    }

    /// The rows of a statement one after the other, for a result that need not fit into memory. It holds a connection until it is
    /// dropped or at its end, at the latest until the deadline. A result of more than `limit` rows ends with an error.
    pub fn stream<'a>(
        &'a self,
        query: &'a ComposedQuery,
        limit: usize,
    ) -> BoxFuture<'a, Result<RowStream, DatabaseError>> {
        Box::pin(async move {
            let statement = self.database.book.composed(query)?;
            let rows = match &self.database.backend {
                Backend::Sqlite(sqlite) => sqlite.stream(&statement, query.values(), self.deadline).await?,
                Backend::Postgres(postgres) => {
                    postgres.stream(&statement, query.values(), self.deadline).await?
                }
            };
            Ok(RowStream::new(rows, statement, limit))
        })
    }

    /// Roughly how many rows a table has, from the engine's statistics, where it has any.
    pub fn estimated_rows<'a>(&'a self, table: &'a str) -> BoxFuture<'a, Result<Option<i64>, DatabaseError>> {
        Box::pin(async move {
            let Backend::Postgres(_) = self.database.backend else { return Ok(None) };
            let estimate = self.row(&ESTIMATE, [table.into()]).await?.map(|row| row.get(0)).transpose()?;
            Ok(estimate.filter(|estimate| *estimate >= 0))
        })
    }

    /// The row with this key; reads that happen at the same time travel together.
    pub async fn by_key(
        &self,
        query: &KeyedQuery,
        key: impl Into<Value>,
    ) -> Result<Option<Row>, DatabaseError> {
        self.keyed(query, None, key.into()).await
    }

    /// The row of a tenant with this key; reads of one tenant that happen at the same time travel together.
    pub async fn by_key_of(
        &self,
        query: &OwnedQuery,
        tenant: &Tenant,
        key: impl Into<Value>,
    ) -> Result<Option<Row>, DatabaseError> {
        self.keyed(&query.0, Some(tenant), key.into()).await
    }

    async fn keyed(
        &self,
        query: &KeyedQuery,
        owner: Option<&Tenant>,
        key: Value,
    ) -> Result<Option<Row>, DatabaseError> {
        let statement = self.database.book.keyed(query);
        let started = Instant::now();
        let result = match &self.database.backend {
            Backend::Sqlite(sqlite) => match check_key(query.name, &key) {
                Ok(()) => row_here(sqlite, &statement, (owner, key), (self.deadline, started)).await,
                Err(error) => Err(error),
            },
            Backend::Postgres(postgres) => {
                row_there(postgres, &statement, (owner, &key), self.deadline).await
            }
        };
        statement.record(started, result.as_ref().err());
        result
    }
}

fn begin_there(
    postgres: &Postgres,
    deadline: Deadline,
    manner: Manner,
) -> BoxFuture<'_, Result<Session, DatabaseError>> {
    Box::pin(postgres.begin(deadline, manner))
}

fn rows_of<'a>(
    backend: &'a Backend,
    statement: &'a Arc<Statement>,
    cost: Cost,
    values: &'a [Value],
    deadline: Deadline,
) -> BoxFuture<'a, Result<Vec<Row>, DatabaseError>> {
    match backend {
        Backend::Sqlite(sqlite) => Box::pin(sqlite.scan(statement, values, deadline)),
        Backend::Postgres(postgres) => Box::pin(postgres.rows(statement, cost, values, deadline)),
    }
}

async fn row_here(
    sqlite: &Sqlite,
    statement: &Arc<Statement>,
    (owner, key): (Option<&Tenant>, Value),
    (deadline, started): (Deadline, Instant),
) -> Result<Option<Row>, DatabaseError> {
    let found = match owner {
        None => sqlite.point_in_turn(statement, &[key], deadline, started).await,
        Some(owner) => sqlite.point_in_turn(statement, &[key, owner.into()], deadline, started).await,
    };
    found.map(|rows| rows.into_iter().next())
}

fn row_there<'a>(
    postgres: &'a Postgres,
    statement: &'a Arc<Statement>,
    key: (Option<&'a Tenant>, &'a Value),
    deadline: Deadline,
) -> BoxFuture<'a, Result<Option<Row>, DatabaseError>> {
    Box::pin(postgres.by_key(statement, key, deadline))
}
