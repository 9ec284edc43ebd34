//! One use of a pooled connection: a transaction or a scan. Before the connection is given to another caller, it is
//! either clean again or closed.

use std::sync::Arc;
use std::time::Duration;

use deadpool::managed::Object;
use futures_util::future::{join, join3, try_join3};
use futures_util::stream::try_unfold;
use futures_util::{FutureExt, TryStreamExt};
use pando_resilience::Deadline;
use tokio_postgres::RowStream;
use uuid::Uuid;

use super::bulk;
use super::commit::{Progress, Undone, finish, prepare_all, send_all};
use super::pool::{Checkout, Pool, SessionNote};
use crate::bulk::BulkInsert;
use crate::statement::{Statement, Step};
use crate::stream::EngineRows;
use crate::{DatabaseError, Row, Token, Value};

/// How long a clean-up step may take before the connection is given up.
const CLEANUP_PATIENCE: Duration = Duration::from_secs(2);
/// How long the server has to stop a statement after its time limit, before it gets a request to cancel.
const SERVER_STOPS_WITHIN: Duration = Duration::from_millis(200);

/// A connection in use. When it is dropped, a running statement is stopped and a transaction is rolled back.
pub(crate) struct Session {
    pool: Pool,
    checkout: Option<Checkout>,
    deadline: Deadline,
    note: SessionNote,
    /// Its commit does not wait for the disk.
    unflushed: bool,
    /// `begin` was sent, and neither `commit` nor `rollback` was answered.
    begun: bool,
    /// Something was sent whose answer has not come.
    under_way: bool,
}

impl Session {
    pub(crate) async fn open(pool: &Pool, deadline: Deadline) -> Result<Self, DatabaseError> {
        let checkout = Some(pool.checkout(deadline).await?);
        let note = pool.note();
        let pool = pool.clone();
        Ok(Self { pool, checkout, deadline, note, unflushed: false, begun: false, under_way: false })
    }

    /// The same, and its commit does not wait for the disk.
    pub(crate) fn unflushed(mut self) -> Self {
        self.unflushed = true;
        self
    }

    pub(crate) fn checkout(&self) -> Result<&Checkout, DatabaseError> {
        self.checkout.as_ref().ok_or_else(DatabaseError::closed)
    }

    /// Runs a read in a transaction of its own that ends with it: one round trip.
    pub(crate) async fn scan(
        mut self,
        statement: &Statement,
        values: &[Value],
    ) -> Result<Vec<Row>, DatabaseError> {
        self.note.runs(statement.name);
        let mut replacements = self.pool.size();
        loop {
            match self.scan_once(statement, values).await {
                Err(DatabaseError::Unavailable { .. }) if replacements > 0 && self.is_broken() => {
                    replacements -= 1;
                    self.replace().await?;
                }
                // The table changed under the prepared statement, which is prepared afresh now.
                Err(DatabaseError::Contention { .. }) => return self.scan_once(statement, values).await,
                result => return result,
            }
        }
    }

    async fn scan_once(
        &mut self,
        statement: &Statement,
        values: &[Value],
    ) -> Result<Vec<Row>, DatabaseError> {
        let begin = self.begin_text("begin read only");
        (self.begun, self.under_way) = (true, true);
        let (checkout, deadline) = (self.checkout()?, self.deadline);
        let work = async {
            let connection = &checkout.connection;
            // Before `begin`: a statement that must be prepared first would miss its transaction.
            let prepared = connection.statements().prepare(statement).await?;
            let rows = async {
                match connection.statements().rows_of(statement, prepared.as_ref(), values).await {
                    // Nobody waits for the rest of them.
                    Err(error @ DatabaseError::TooManyRows { .. }) => Err(error),
                    rows => Ok(rows),
                }
            };
            let begun = connection.batch(statement.name, &begin).map(Ok);
            let ended = connection.batch(statement.name, "commit").map(Ok);
            let (begun, rows, ended) = try_join3(begun, rows, ended).await?;
            begun?;
            let rows = rows?;
            ended.map(|()| rows)
        };
        let result = deadline.bound(work).await?;
        if !matches!(result, Err(DatabaseError::TooManyRows { .. })) {
            // All answers are in, and `commit` ends a failed transaction too.
            (self.begun, self.under_way) = (false, false);
        }
        result
    }

    /// Runs a read whose rows are taken one after the other, in a transaction that ends with them. Until the first row another
    /// connection replaces a broken one, as above.
    pub(crate) async fn stream(
        mut self,
        statement: Arc<Statement>,
        values: &[Value],
    ) -> Result<EngineRows, DatabaseError> {
        self.note.runs(statement.name);
        let (mut replacements, mut stale) = (self.pool.size(), true);
        let rows = loop {
            match self.begin_stream(&statement, values).await {
                Err(DatabaseError::Unavailable { .. }) if replacements > 0 && self.is_broken() => {
                    replacements -= 1;
                    self.replace().await?;
                }
                // The table changed under the prepared statement, which is prepared afresh now.
                Err(DatabaseError::Contention { .. }) if stale => {
                    stale = false;
                    self.replace().await?;
                }
                rows => break Box::pin(rows?),
            }
        };
        Ok(Box::pin(try_unfold((self, rows, statement), async |(mut session, mut rows, statement)| {
            match session.deadline.bound(rows.try_next()).await? {
                Ok(Some(row)) => Ok(Some((Row::from_postgres(row), (session, rows, statement)))),
                Ok(None) => {
                    // All rows were read. The transaction ends when the session is dropped.
                    session.under_way = false;
                    Ok(None)
                }
                Err(error) => {
                    let failed = session.checkout()?.connection.statements().failed(&statement, &error);
                    // A server that refuses a statement goes on to the next.
                    session.under_way = error.as_db_error().is_none();
                    Err(failed)
                }
            }
        })))
    }

    async fn begin_stream(
        &mut self,
        statement: &Statement,
        values: &[Value],
    ) -> Result<RowStream, DatabaseError> {
        let begin = self.begin_text("begin read only");
        self.under_way = true;
        let (checkout, deadline) = (self.checkout()?, self.deadline);
        let work = async {
            let connection = &checkout.connection;
            let prepared = connection.statements().prepare(statement).await?;
            connection.statements().check(statement, prepared.as_ref(), values)?;
            Ok::<_, DatabaseError>(prepared)
        };
        let prepared = deadline.bound(work).await?;
        self.under_way = false;
        let prepared = prepared?;
        (self.begun, self.under_way) = (true, true);
        let checkout = self.checkout()?;
        let work = join(
            checkout.connection.batch(statement.name, &begin),
            checkout.connection.statements().stream_of(statement, prepared.as_ref(), values),
        );
        let (begun, rows) = deadline.bound(work).await?;
        if rows.is_err() {
            // Both are answered.
            self.under_way = false;
        }
        begun.and(rows)
    }

    /// Runs a statement of the transaction after the deferred ones; the first one is sent with `begin`. If that finds the
    /// connection broken, all of them run on another connection, because nothing was committed.
    pub(crate) async fn run(
        &mut self,
        before: &[Step],
        statement: &Statement,
        values: &[Value],
        want_rows: bool,
    ) -> Result<(Vec<Row>, u64), DatabaseError> {
        self.note.runs(statement.name);
        let mut replacements = if self.begun { 0 } else { self.pool.size() };
        loop {
            match self.run_once(before, statement, values, want_rows).await {
                Err(DatabaseError::Unavailable { .. }) if replacements > 0 && self.is_broken() => {
                    replacements -= 1;
                    self.replace().await?;
                }
                result => return result,
            }
        }
    }

    async fn run_once(
        &mut self,
        before: &[Step],
        statement: &Statement,
        values: &[Value],
        want_rows: bool,
    ) -> Result<(Vec<Row>, u64), DatabaseError> {
        let begin = (!self.begun).then(|| self.begin_text("begin"));
        (self.begun, self.under_way) = (true, true);
        let (checkout, deadline) = (self.checkout()?, self.deadline);
        let work = async {
            let connection = &checkout.connection;
            // Before `begin`, as above.
            let steps = prepare_all(connection, before).await?;
            let prepared = connection.statements().prepare(statement).await?;
            let main = async {
                if want_rows {
                    let rows = connection.statements().rows_of(statement, prepared.as_ref(), values).await?;
                    return Ok((rows, 0));
                }
                let changed = connection.changed(statement, prepared.as_ref(), values).await?;
                Ok((Vec::new(), changed))
            };
            let begin = async {
                match begin {
                    Some(begin) => connection.batch(statement.name, &begin).await,
                    None => Ok(()),
                }
            };
            let steps = send_all(connection, &steps, deadline);
            // Polled in this order, so sent in this order. The first that fails is what is wrong.
            let (begun, steps, result) = join3(begin, steps, main).await;
            begun?;
            steps?;
            result
        };
        let result = deadline.bound(work).await?;
        // Of too many rows the rest is still on its way.
        self.under_way = matches!(result, Err(DatabaseError::TooManyRows { .. }));
        result
    }

    /// Runs statements of the transaction, all in one go; the rows of each. The first ones take `begin` along, as above.
    pub(crate) async fn run_all(&mut self, steps: &[Step]) -> Result<Vec<Vec<Row>>, DatabaseError> {
        self.note.runs(steps.last().map_or("nothing", |step| step.statement.name));
        let mut replacements = if self.begun { 0 } else { self.pool.size() };
        loop {
            match self.run_all_once(steps).await {
                Err(DatabaseError::Unavailable { .. }) if replacements > 0 && self.is_broken() => {
                    replacements -= 1;
                    self.replace().await?;
                }
                result => return result,
            }
        }
    }

    async fn run_all_once(&mut self, steps: &[Step]) -> Result<Vec<Vec<Row>>, DatabaseError> {
        let begin = (!self.begun).then(|| self.begin_text("begin"));
        (self.begun, self.under_way) = (true, true);
        let (checkout, deadline) = (self.checkout()?, self.deadline);
        let work = async {
            let connection = &checkout.connection;
            let steps = prepare_all(connection, steps).await?;
            let begin = async {
                match begin {
                    Some(begin) => connection.batch("begin", &begin).await,
                    None => Ok(()),
                }
            };
            let (begun, rows) = join(begin, send_all(connection, &steps, deadline)).await;
            begun.and(rows)
        };
        let result = deadline.bound(work).await?;
        self.under_way = false;
        result
    }

    fn is_broken(&self) -> bool {
        self.checkout.as_ref().is_none_or(|checkout| checkout.connection.statements().is_closed())
    }

    /// Another connection for a broken one, which the pool finds out about by itself.
    async fn replace(&mut self) -> Result<(), DatabaseError> {
        (self.begun, self.under_way) = (false, false);
        self.checkout = None;
        self.checkout = Some(self.pool.checkout(self.deadline).await?);
        Ok(())
    }

    /// Inserts many rows; the keys of those that went in. On another connection where the first one is broken, as above.
    pub(crate) async fn bulk_insert(
        &mut self,
        bulk: &BulkInsert,
        rows: &[Vec<Value>],
    ) -> Result<Vec<Uuid>, DatabaseError> {
        self.note.runs(bulk.name);
        let mut replacements = if self.begun { 0 } else { self.pool.size() };
        loop {
            match self.bulk_insert_once(bulk, rows).await {
                Err(DatabaseError::Unavailable { .. }) if replacements > 0 && self.is_broken() => {
                    replacements -= 1;
                    self.replace().await?;
                }
                result => return result,
            }
        }
    }

    async fn bulk_insert_once(
        &mut self,
        bulk: &BulkInsert,
        rows: &[Vec<Value>],
    ) -> Result<Vec<Uuid>, DatabaseError> {
        let begin = (!self.begun).then(|| self.begin_text("begin"));
        (self.begun, self.under_way) = (true, true);
        let (checkout, deadline) = (self.checkout()?, self.deadline);
        let work = async {
            if let Some(begin) = begin {
                checkout.connection.batch(bulk.name, &begin).await?;
            }
            bulk::insert(checkout, bulk, rows).await
        };
        let result = deadline.bound(work).await?;
        self.under_way = false;
        result
    }

    /// Runs a statement that cannot be part of a transaction, such as one that builds an index concurrently.
    pub(crate) async fn run_outside(mut self, text: &str) -> Result<(), DatabaseError> {
        self.note.runs("migrate");
        self.under_way = true;
        let work = self.checkout()?.connection.batch("migrate", text);
        let result = self.deadline.bound(work).await?;
        self.under_way = false;
        result
    }

    /// Runs what is left to run, commits, and asks where the log stands now, all at once; the rows of the last
    /// statement, and the token. When that finds the connection broken before anything was sent, it is another's turn.
    pub(crate) async fn commit(mut self, steps: &[Step]) -> Result<(Vec<Row>, Token), DatabaseError> {
        self.note.runs(steps.last().map_or("commit", |step| step.statement.name));
        if self.deadline.is_past() {
            return Err(DatabaseError::DeadlineExceeded);
        }
        let mut replacements = if self.begun { 0 } else { self.pool.size() };
        loop {
            match self.commit_once(steps).await {
                Err(Undone::Certainly(DatabaseError::Unavailable { .. }))
                    if replacements > 0 && self.is_broken() =>
                {
                    replacements -= 1;
                    self.replace().await?;
                }
                Err(Undone::Certainly(error)) => return Err(error),
                Err(Undone::Perhaps(reason)) => return Err(DatabaseError::CommitUnknown { reason }),
                Ok(done) => return Ok(done),
            }
        }
    }

    async fn commit_once(&mut self, steps: &[Step]) -> Result<(Vec<Row>, Token), Undone> {
        let begin = (!self.begun && !steps.is_empty()).then(|| self.begin_text("begin"));
        let wrote = self.begun || begin.is_some();
        (self.begun, self.under_way) = (wrote, true);
        let mut progress = Progress::default();
        let work = finish(self.checkout()?, begin.as_deref(), steps, wrote, self.deadline, &mut progress);
        let result = self.deadline.bound(work).await;
        match result {
            Ok(Ok(done)) if progress.committed => {
                (self.begun, self.under_way) = (false, false);
                Ok(done)
            }
            Ok(Ok(_)) => Err(Undone::Perhaps("the server did not say that it committed".to_owned())),
            // It is committed, even if the question after the commit failed: a token of the start of the log is never wrong.
            _ if progress.ran && progress.committed => Ok((progress.rows, Token::start_of_log())),
            Err(_) if !(wrote && progress.sent) => Err(Undone::Certainly(DatabaseError::DeadlineExceeded)),
            Err(_) => Err(Undone::Perhaps("the deadline passed during the commit".to_owned())),
            Ok(Err(Undone::Perhaps(reason))) if !wrote => {
                Err(Undone::Certainly(DatabaseError::unavailable(reason)))
            }
            Ok(Err(undone)) => {
                if progress.answered {
                    (self.begun, self.under_way) = (false, false);
                } else if matches!(undone, Undone::Certainly(_)) {
                    // No commit was sent: it is rolled back like any other, and the connection serves on.
                    self.under_way = false;
                }
                Err(undone)
            }
        }
    }

    pub(crate) async fn rollback(mut self) -> Result<(), DatabaseError> {
        if !self.begun || self.under_way {
            // Dropping it is enough, and what is under way must be stopped first.
            return Ok(());
        }
        self.under_way = true;
        let work = self.checkout()?.connection.batch("rollback", "rollback");
        let result = self.deadline.bound(work).await?;
        if result.is_ok() {
            (self.begun, self.under_way) = (false, false);
        }
        result
    }

    /// The server itself stops statements at the deadline, and ends an abandoned transaction.
    fn begin_text(&self, begin: &str) -> String {
        let left = self.deadline.remaining().as_millis().clamp(1, 2_000_000_000);
        let unflushed = if self.unflushed { "; set local synchronous_commit = off" } else { "" };
        format!(
            "{begin}; set local statement_timeout = {left}; \
             set local idle_in_transaction_session_timeout = {left}{unflushed}"
        )
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(checkout) = self.checkout.take() else { return };
        if !self.begun && !self.under_way {
            return;
        }
        if tokio::runtime::Handle::try_current().is_err() {
            // No runtime, no clean-up: the server rolls back when the connection closes.
            return Object::take(checkout).connection.kill();
        }
        let (under_way, late) = (self.under_way, self.deadline.is_past());
        pando_telemetry::spawn("database.rollback", clean_up(checkout, under_way, late));
    }
}

/// Brings a connection back to where no transaction is open, or closes it.
async fn clean_up(checkout: Checkout, under_way: bool, late: bool) {
    let patience = match (under_way, late) {
        (false, _) => CLEANUP_PATIENCE,
        (true, true) => SERVER_STOPS_WITHIN,
        (true, false) => Duration::ZERO,
    };
    let rolled_back = tokio::time::timeout(patience, checkout.connection.batch("rollback", "rollback")).await;
    if matches!(rolled_back, Ok(Ok(()))) {
        return;
    }
    // The answer to a cancellation says nothing: it may hit whatever runs next. So nothing may run next.
    let connection = Object::take(checkout).connection;
    if !matches!(tokio::time::timeout(CLEANUP_PATIENCE, connection.statements().cancel()).await, Ok(Ok(()))) {
        tracing::debug!("a statement could not be cancelled on the server");
    }
    connection.kill();
}
