//! Transactions: all of their statements, or none.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_util::future::BoxFuture;
use uuid::Uuid;

use crate::bulk::BulkInsert;
use crate::inner::Inner;
use crate::later::Later;
use crate::postgres::Session;
use crate::sqlite::{Turn, WriterTransaction};
use crate::statement::{Statement, Step};
use crate::{BatchQuery, ComposedQuery, DatabaseError, Query, Row, Token, Value};

/// A transaction. Dropped without a commit, or past its call's deadline, it is rolled back.
///
/// After a statement failed the transaction can only be rolled back, on both engines: what is expected to meet
/// a row that exists says `on conflict … do nothing returning …`.
#[must_use = "a transaction that is dropped is rolled back"]
pub struct Transaction {
    database: Arc<Inner>,
    engine: Engine,
    failed: bool,
    /// Statements that go with the next, or with the commit.
    later: Later,
    after_commit: Vec<Box<dyn FnOnce() + Send>>,
}

/// A commit under way. If its caller goes away, it continues by itself, because it may have been sent already and other parts
/// of the program must learn of its effect. A commit that still waits for SQLite's writer is given up.
struct Ending {
    work: Option<Pin<Box<dyn Future<Output = Ended> + Send>>>,
    turn: Option<Arc<Turn>>,
}

/// The rows of the last statement, and the token.
type Ended = Result<(Vec<Row>, Token), DatabaseError>;

impl Future for Ending {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Ended> {
        let Some(work) = &mut self.work else { return Poll::Pending };
        let ended = work.as_mut().poll(context);
        if ended.is_ready() {
            self.work = None;
        }
        ended
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        // Without a runtime the transaction is rolled back, or its result is unknown.
        if let Some(work) = self.work.take()
            && !self.turn.as_ref().is_some_and(|turn| turn.give_up())
            && tokio::runtime::Handle::try_current().is_ok()
        {
            pando_telemetry::spawn("database.commit", work);
        }
    }
}

enum Engine {
    Sqlite(WriterTransaction),
    Postgres(Box<Session>),
}

impl Engine {
    async fn run(
        &mut self,
        before: Vec<Step>,
        statement: &Arc<Statement>,
        values: &[Value],
        want_rows: bool,
    ) -> Result<(Vec<Row>, u64), DatabaseError> {
        match self {
            Self::Postgres(session) => session.run(&before, statement, values, want_rows).await,
            Self::Sqlite(writer) => {
                let outcome = writer.run(before, statement, vec![values.to_vec()], want_rows).await?;
                Ok((outcome.rows, outcome.changed))
            }
        }
    }
}

impl Transaction {
    pub(crate) fn on_sqlite(database: Arc<Inner>, writer: WriterTransaction) -> Self {
        Self::new(database, Engine::Sqlite(writer))
    }

    pub(crate) fn on_postgres(database: Arc<Inner>, session: Session) -> Self {
        Self::new(database, Engine::Postgres(Box::new(session)))
    }

    fn new(database: Arc<Inner>, engine: Engine) -> Self {
        Self { database, engine, failed: false, later: Later::default(), after_commit: Vec::new() }
    }

    /// Runs a statement; how many rows it changed.
    pub async fn execute(
        &mut self,
        query: &Query,
        values: impl AsRef<[Value]>,
    ) -> Result<u64, DatabaseError> {
        let statement = self.database.book.query(query);
        self.run(&statement, values.as_ref(), false).await.map(|(_, changed)| changed)
    }

    /// Runs a statement; its rows (`returning …` included).
    pub async fn rows(
        &mut self,
        query: &Query,
        values: impl AsRef<[Value]>,
    ) -> Result<Vec<Row>, DatabaseError> {
        let statement = self.database.book.query(query);
        self.run(&statement, values.as_ref(), true).await.map(|(rows, _)| rows)
    }

    /// Runs a statement; its first row.
    pub async fn row(
        &mut self,
        query: &Query,
        values: impl AsRef<[Value]>,
    ) -> Result<Option<Row>, DatabaseError> {
        self.rows(query, values).await.map(|rows| rows.into_iter().next())
    }

    /// Runs a statement once for each set of values, all in one trip; the rows of all of them, in order.
    pub fn rows_each<'a>(
        &'a mut self,
        query: &'a Query,
        sets: Vec<Vec<Value>>,
    ) -> BoxFuture<'a, Result<Vec<Row>, DatabaseError>> {
        Box::pin(self.run_each(query, sets))
    }

    async fn run_each(&mut self, query: &Query, sets: Vec<Vec<Value>>) -> Result<Vec<Row>, DatabaseError> {
        if sets.is_empty() {
            return Ok(Vec::new());
        }
        let statement = self.database.book.query(query);
        self.run_for_each(&statement, sets).await
    }

    async fn run_for_each(
        &mut self,
        statement: &Arc<Statement>,
        sets: Vec<Vec<Value>>,
    ) -> Result<Vec<Row>, DatabaseError> {
        if !self.database.together {
            let mut rows = Vec::new();
            for values in &sets {
                rows.extend(self.run(statement, values, true).await?.0);
            }
            return Ok(rows);
        }
        self.begin_step(statement.name)?;
        let mut steps = self.later.take();
        let result = match &mut self.engine {
            Engine::Sqlite(writer) => {
                let run =
                    async { writer.run(steps, statement, sets, true).await.map(|outcome| outcome.rows) };
                statement.measure(run).await
            }
            Engine::Postgres(session) => {
                let before = steps.len();
                let step = |values| Step { statement: Arc::clone(statement), values };
                steps.extend(sets.into_iter().map(step));
                session.run_all(&steps).await.map(|rows| rows.into_iter().skip(before).flatten().collect())
            }
        };
        self.failed = result.is_err();
        result
    }

    /// Runs a statement together with the next one, or with the commit, which saves a trip to the database. That call reports the
    /// statement's error. The number of changed rows is not returned.
    ///
    /// At most 4,096 statements and 32 MiB wait in memory. Beyond that the next call is refused: a loop that may get so far
    /// calls [`make_room`](Self::make_room) each time.
    pub fn execute_later(&mut self, query: &Query, values: impl Into<Vec<Value>>) {
        self.later.push(Step { statement: self.database.book.query(query), values: values.into() });
    }

    /// Inserts one row, like [`execute_later`](Self::execute_later). If it exists already, that is an error: `on_conflict` is
    /// about many rows.
    pub fn insert_later(&mut self, insert: &BulkInsert, row: impl Into<Vec<Value>>) {
        self.later.push(Step { statement: self.database.book.insert(insert), values: row.into() });
    }

    /// Runs the statements that wait, if they are many by now.
    pub async fn make_room(&mut self) -> Result<(), DatabaseError> {
        match self.later.pop_if_many() {
            Some(last) => self.run_step(last).await.map(drop),
            None => Ok(()),
        }
    }

    /// Inserts many rows; the keys of those that were really inserted.
    pub fn bulk_insert<'a>(
        &'a mut self,
        bulk: &'a BulkInsert,
        rows: Vec<Vec<Value>>,
    ) -> BoxFuture<'a, Result<Vec<Uuid>, DatabaseError>> {
        Box::pin(self.run_bulk(bulk, rows))
    }

    async fn run_bulk(
        &mut self,
        bulk: &BulkInsert,
        rows: Vec<Vec<Value>>,
    ) -> Result<Vec<Uuid>, DatabaseError> {
        let statement = self.database.book.bulk(bulk);
        if let Some(step) = self.later.pop() {
            self.run_step(step).await?;
        }
        self.begin_step(bulk.name)?;
        let result = match &mut self.engine {
            _ if rows.is_empty() => Ok(Vec::new()),
            Engine::Postgres(session) => statement.measure(session.bulk_insert(bulk, &rows)).await,
            Engine::Sqlite(writer) => {
                let keys = async {
                    let outcome = writer.run(Vec::new(), &statement, rows, true).await?;
                    outcome.rows.iter().map(|row| row.get(0)).collect()
                };
                statement.measure(keys).await
            }
        };
        self.failed = result.is_err();
        result
    }

    /// Runs a statement over many rows of parameters; its rows (`returning …` included).
    pub fn batch<'a>(
        &'a mut self,
        batch: &'a BatchQuery,
        rows: Vec<Vec<Value>>,
    ) -> BoxFuture<'a, Result<Vec<Row>, DatabaseError>> {
        Box::pin(self.run_batch(batch, rows))
    }

    async fn run_batch(
        &mut self,
        batch: &BatchQuery,
        rows: Vec<Vec<Value>>,
    ) -> Result<Vec<Row>, DatabaseError> {
        batch.check(&rows)?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let statement = self.database.book.batch(batch);
        if let Engine::Postgres(_) = self.engine {
            return self.run(&statement, &batch.columns_of(rows), true).await.map(|(rows, _)| rows);
        }
        self.run_for_each(&statement, rows).await
    }

    /// Runs a statement that was put together at run time; its rows (`returning …` included).
    pub async fn composed(&mut self, query: &ComposedQuery) -> Result<Vec<Row>, DatabaseError> {
        let statement = self.database.book.composed(query)?;
        self.run(&statement, query.values(), true).await.map(|(rows, _)| rows)
    }

    /// Runs `then` once this transaction is committed, for example to notify other parts of this process. It must not wait. It
    /// does not run after a rollback, but it does run after a commit with an unknown result.
    pub fn after_commit(&mut self, then: impl FnOnce() + Send + 'static) {
        self.after_commit.push(Box::new(then));
    }

    /// Commits the transaction; the token lets a later read see it. If the caller goes away meanwhile, the commit is completed and
    /// the `after_commit` closures run. Only a commit that still waits for SQLite's writer is given up.
    pub async fn commit(self) -> Result<Token, DatabaseError> {
        self.finish().await.map(|(_, token)| token)
    }

    /// Runs a last statement together with the commit; its rows, and the token. When it fails nothing was committed.
    pub async fn rows_and_commit(
        mut self,
        query: &Query,
        values: impl Into<Vec<Value>>,
    ) -> Result<(Vec<Row>, Token), DatabaseError> {
        self.execute_later(query, values);
        self.finish().await
    }

    /// Runs what is left to run, and commits; the rows of the last statement that was left.
    fn finish(self) -> BoxFuture<'static, Result<(Vec<Row>, Token), DatabaseError>> {
        Box::pin(self.run_and_commit())
    }

    async fn run_and_commit(mut self) -> Result<(Vec<Row>, Token), DatabaseError> {
        if self.failed {
            return Err(DatabaseError::TransactionFailed { name: "commit" });
        }
        self.later.check()?;
        let mut steps = self.later.take();
        let mut rows = Vec::new();
        if !self.database.together {
            for step in steps.drain(..) {
                rows = self.run_step(step).await?;
            }
        }
        let Self { database, engine, after_commit, .. } = self;
        let turn = match &engine {
            Engine::Sqlite(writer) => Some(writer.turn()),
            Engine::Postgres(_) => None,
        };
        let work = async move {
            let started = Instant::now();
            let result = match engine {
                Engine::Sqlite(writer) => writer.commit(steps).await,
                Engine::Postgres(session) => session.commit(&steps).await,
            };
            database.commit_seconds.observe_duration(started.elapsed());
            if matches!(result, Ok(_) | Err(DatabaseError::CommitUnknown { .. })) {
                after_commit.into_iter().for_each(|then| then());
            }
            result
        };
        let (last, token) = Ending { work: Some(Box::pin(work)), turn }.await?;
        Ok((if last.is_empty() { rows } else { last }, token))
    }

    /// Undoes it all.
    pub fn rollback(self) -> BoxFuture<'static, Result<(), DatabaseError>> {
        Box::pin(async {
            match self.engine {
                // The writer rolls back what ends without a commit.
                Engine::Sqlite(_) => Ok(()),
                Engine::Postgres(session) => session.rollback().await,
            }
        })
    }

    pub(crate) fn run<'a>(
        &'a mut self,
        statement: &'a Arc<Statement>,
        values: &'a [Value],
        want_rows: bool,
    ) -> BoxFuture<'a, Result<(Vec<Row>, u64), DatabaseError>> {
        Box::pin(self.run_after_others(statement, values, want_rows))
    }

    /// Runs a statement after those that waited for it.
    async fn run_after_others(
        &mut self,
        statement: &Arc<Statement>,
        values: &[Value],
        want_rows: bool,
    ) -> Result<(Vec<Row>, u64), DatabaseError> {
        self.begin_step(statement.name)?;
        let mut before = self.later.take();
        if !self.database.together {
            for Step { statement, values } in before.drain(..) {
                statement.measure(self.engine.run(Vec::new(), &statement, &values, true)).await?;
            }
        }
        let result = statement.measure(self.engine.run(before, statement, values, want_rows)).await;
        self.failed = result.is_err();
        result
    }

    async fn run_step(&mut self, step: Step) -> Result<Vec<Row>, DatabaseError> {
        self.run(&step.statement, &step.values, true).await.map(|(rows, _)| rows)
    }

    /// Until the step has succeeded the transaction counts as failed: its future may be dropped half-way.
    fn begin_step(&mut self, name: &'static str) -> Result<(), DatabaseError> {
        if self.failed {
            return Err(DatabaseError::TransactionFailed { name });
        }
        self.failed = true;
        self.later.check()
    }
}
