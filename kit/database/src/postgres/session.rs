//! One use of a pooled connection: a transaction, or a scan. Whatever happens to it, the connection is clean
//! before somebody else gets it, or it is closed.

use std::time::Duration;

use deadpool::managed::Object;
use futures_util::TryStreamExt;
use futures_util::future::{join, join3};
use pando_resilience::Deadline;
use tokio_postgres::error::Severity;
use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::fault::fault;
use super::pool::{Checkout, Pool, SessionNote};
use crate::statement::Statement;
use crate::{DatabaseError, Row, Token, Value};

/// How long a clean-up step may take before the connection is given up.
const CLEANUP_PATIENCE: Duration = Duration::from_secs(2);
/// How long the server has to stop a statement whose time is over, before it is told to.
const SERVER_STOPS_WITHIN: Duration = Duration::from_millis(200);

/// A connection in use. Dropped: whatever runs is stopped, and a transaction is rolled back.
pub(crate) struct Session {
    pool: Pool,
    checkout: Option<Checkout>,
    deadline: Deadline,
    note: SessionNote,
    /// `begin` was sent, and neither `commit` nor `rollback` was answered.
    begun: bool,
    /// Something was sent whose answer has not come.
    under_way: bool,
}

impl Session {
    pub(crate) async fn open(pool: &Pool, deadline: Deadline) -> Result<Self, DatabaseError> {
        let checkout = Some(pool.checkout(deadline).await?);
        Ok(Self { pool: pool.clone(), checkout, deadline, note: pool.note(), begun: false, under_way: false })
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
            let (begun, rows, ended) = join3(
                connection.batch(statement.name, &begin),
                connection.statements().rows_of(statement, prepared.as_ref(), values),
                connection.batch(statement.name, "commit"),
            )
            .await;
            begun?;
            let rows = rows?;
            ended.map(|()| rows)
        };
        let result = deadline.bound(work).await?;
        // All answers are in, and `commit` ends a failed transaction too.
        (self.begun, self.under_way) = (false, false);
        result
    }

    /// Runs a statement of the transaction; the first one takes `begin` along. When that finds the connection
    /// broken it is run on another: whatever it did was not committed.
    pub(crate) async fn run(
        &mut self,
        statement: &Statement,
        values: &[Value],
        want_rows: bool,
    ) -> Result<(Vec<Row>, u64), DatabaseError> {
        self.note.runs(statement.name);
        let mut replacements = if self.begun { 0 } else { self.pool.size() };
        loop {
            match self.run_once(statement, values, want_rows).await {
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
        statement: &Statement,
        values: &[Value],
        want_rows: bool,
    ) -> Result<(Vec<Row>, u64), DatabaseError> {
        let begin = (!self.begun).then(|| self.begin_text("begin"));
        (self.begun, self.under_way) = (true, true);
        let (checkout, deadline) = (self.checkout()?, self.deadline);
        let work = async {
            let connection = &checkout.connection;
            let prepared = connection.statements().prepare(statement).await?;
            let main = async {
                if want_rows {
                    let rows = connection.statements().rows_of(statement, prepared.as_ref(), values).await?;
                    return Ok((rows, 0));
                }
                let changed = connection.changed(statement, prepared.as_ref(), values).await?;
                Ok((Vec::new(), changed))
            };
            match begin {
                None => main.await,
                Some(begin) => {
                    // Polled in this order, so sent in this order.
                    let (begun, result) = join(connection.batch(statement.name, &begin), main).await;
                    begun.and(result)
                }
            }
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

    /// Runs work that belongs to the transaction but is no single statement.
    pub(crate) async fn run_with<T>(
        &mut self,
        name: &'static str,
        work: impl AsyncFnOnce(&Checkout) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        self.note.runs(name);
        let begin = (!self.begun).then(|| self.begin_text("begin"));
        (self.begun, self.under_way) = (true, true);
        let (checkout, deadline) = (self.checkout()?, self.deadline);
        let work = async {
            if let Some(begin) = begin {
                checkout.connection.batch(name, &begin).await?;
            }
            work(checkout).await
        };
        let result = deadline.bound(work).await?;
        self.under_way = false;
        result
    }

    /// Commits, and asks where the log stands now in the same message.
    pub(crate) async fn commit(mut self) -> Result<Token, DatabaseError> {
        self.note.runs("commit");
        if self.deadline.is_past() {
            return Err(DatabaseError::DeadlineExceeded);
        }
        let text = if self.begun {
            "commit; select pg_current_wal_insert_lsn()"
        } else {
            "select pg_current_wal_insert_lsn()"
        };
        let wrote = self.begun;
        self.under_way = true;
        let mut committed = false;
        let work = commit_and_locate(self.checkout()?, text, &mut committed);
        let result = self.deadline.bound(work).await;
        match result {
            Ok(Ok(position)) if committed => {
                (self.begun, self.under_way) = (false, false);
                Ok(position.unwrap_or_else(Token::start_of_log))
            }
            // It is committed, whatever became of the question after it: the start of the log is never wrong.
            _ if committed => Ok(Token::start_of_log()),
            Err(_) if !wrote => Err(DatabaseError::DeadlineExceeded),
            Err(_) => Err(unknown("the deadline passed during the commit")),
            Ok(Ok(_)) => Err(unknown("the server did not say that it committed")),
            Ok(Err(error)) => {
                self.under_way = false;
                match fault("commit", &error) {
                    fault if !wrote || is_refusal(&error) => Err(fault),
                    fault => Err(unknown(&fault.to_string())),
                }
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

    /// The server stops statements by itself when the deadline is over.
    fn begin_text(&self, begin: &str) -> String {
        let left = self.deadline.remaining().as_millis().clamp(1, 2_000_000_000);
        format!("{begin}; set local statement_timeout = {left}")
    }
}

fn unknown(reason: &str) -> DatabaseError {
    DatabaseError::CommitUnknown { reason: reason.to_owned() }
}

/// Whether the server said, while it still could, that it does not commit: a check put off to the end, a lost race,
/// a statement of a trigger. Errors that end the connection come after the commit as well.
fn is_refusal(error: &tokio_postgres::Error) -> bool {
    let Some(error) = error.as_db_error() else { return false };
    let code = error.code().code();
    let before_the_commit = ["21", "22", "23", "40", "42", "44", "P0", "57014"];
    error.parsed_severity() == Some(Severity::Error)
        && code != "40003"
        && before_the_commit.iter().any(|class| code.starts_with(class))
}

/// Sets `committed` as soon as the server says so, which is before it says where its log stands.
async fn commit_and_locate(
    checkout: &Checkout,
    text: &str,
    committed: &mut bool,
) -> Result<Option<Token>, tokio_postgres::Error> {
    let messages = checkout.connection.client().simple_query_raw(text).await?;
    let mut messages = std::pin::pin!(messages);
    let mut position = None;
    while let Some(message) = messages.try_next().await? {
        match message {
            SimpleQueryMessage::CommandComplete(_) => *committed = true,
            SimpleQueryMessage::Row(row) => position = row.get(0).and_then(Token::from_lsn),
            _ => {}
        }
    }
    Ok(position)
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
    let cancel = connection.client().cancel_token();
    if !matches!(tokio::time::timeout(CLEANUP_PATIENCE, cancel.cancel_query(NoTls)).await, Ok(Ok(()))) {
        tracing::debug!("a statement could not be cancelled on the server");
    }
    connection.kill();
}
