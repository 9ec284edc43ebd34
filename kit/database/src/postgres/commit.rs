//! The end of a transaction: sends the remaining statements together with the commit, and interprets the answers.

use std::pin::{Pin, pin};
use std::time::Instant;

use futures_util::future::{MaybeDone, maybe_done};
use futures_util::{TryStreamExt, poll};
use pando_resilience::Deadline;
use tokio_postgres::error::{DbError, Severity};
use tokio_postgres::{SimpleQueryMessage, Statement as Prepared};

use super::connection::Exclusive;
use super::fault::fault;
use super::pool::Checkout;
use crate::statement::{Statement, Step};
use crate::{DatabaseError, Row, Token};

/// Why a commit did not come to its end.
pub(super) enum Undone {
    /// It did not happen.
    Certainly(DatabaseError),
    /// Nobody knows whether it happened.
    Perhaps(String),
}

impl From<DatabaseError> for Undone {
    fn from(error: DatabaseError) -> Self {
        Self::Certainly(error)
    }
}

/// How far a commit came.
#[derive(Default)]
pub(super) struct Progress {
    /// Something was sent.
    pub(super) sent: bool,
    /// Every statement went well.
    pub(super) ran: bool,
    /// The server said that the transaction is over; it also says so when it rolled back what had failed.
    pub(super) committed: bool,
    /// The server answered everything that was sent.
    pub(super) answered: bool,
    /// Of the last statement.
    pub(super) rows: Vec<Row>,
}

/// A statement, and how this connection knows it.
pub(super) type Ready<'a> = (&'a Step, Option<Prepared>);

/// Must come before `begin` is sent: a statement that must be prepared first would miss its transaction.
pub(super) async fn prepare_all<'a>(
    connection: &Exclusive,
    steps: &'a [Step],
) -> Result<Vec<Ready<'a>>, DatabaseError> {
    let mut ready = Vec::with_capacity(steps.len());
    for step in steps {
        ready.push((step, connection.statements().prepare(&step.statement).await?));
    }
    Ok(ready)
}

/// A statement that travels with others, until it is answered. Nobody else counts it when the deadline is sooner.
struct Sent<'a> {
    statement: &'a Statement,
    started: Instant,
    deadline: Deadline,
    answered: bool,
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        if !self.answered && self.deadline.is_past() {
            self.statement.record(self.started, Some(&DatabaseError::DeadlineExceeded));
        }
    }
}

/// Runs a statement that travels with others. It is sent at the first poll.
async fn send(
    connection: &Exclusive,
    step: &Step,
    prepared: Option<&Prepared>,
    deadline: Deadline,
) -> Result<Vec<Row>, DatabaseError> {
    let started = Instant::now();
    let mut sent = Sent { statement: &step.statement, started, deadline, answered: false };
    let rows = connection.statements().all_rows_of(&step.statement, prepared, &step.values).await;
    sent.answered = true;
    step.statement.record(started, rows.as_ref().err());
    rows
}

/// Sends all of them at the first poll, in their order, and reads the answers in that order too; the rows of all, or
/// what is wrong with the first that failed.
pub(super) async fn send_all(
    connection: &Exclusive,
    ready: &[Ready<'_>],
    deadline: Deadline,
) -> Result<Vec<Vec<Row>>, DatabaseError> {
    let mut steps = Vec::with_capacity(ready.len());
    for (step, prepared) in ready {
        let mut step = Box::pin(maybe_done(send(connection, step, prepared.as_ref(), deadline)));
        let _ = poll!(&mut step);
        steps.push(step);
    }
    let mut result = Ok(Vec::with_capacity(ready.len()));
    for mut sent in steps {
        sent.as_mut().await;
        let answer = sent.as_mut().take_output().unwrap_or_else(|| Ok(Vec::new()));
        // Those behind one that failed fail because it did.
        if let Ok(rows) = &mut result {
            match answer {
                Ok(answer) => rows.push(answer),
                Err(error) => result = Err(error),
            }
        }
    }
    result
}

/// Sends everything in one go: `begin` if need be, the statements, the commit. Then reads the answers, in this order.
pub(super) async fn finish(
    checkout: &Checkout,
    begin: Option<&str>,
    steps: &[Step],
    wrote: bool,
    deadline: Deadline,
    Progress { sent, ran, committed, answered, rows }: &mut Progress,
) -> Result<(Vec<Row>, Token), Undone> {
    let connection = &checkout.connection;
    let ready = prepare_all(connection, steps).await?;
    // A statement that has failed at its first poll, and not by an answer of the server, was not sent. In that case nothing
    // after it is sent.
    let mut begun = pin!(maybe_done(begin_with(connection, begin)));
    let _ = poll!(&mut begun);
    if let Some(error) = failed_at_once(begun.as_mut()) {
        return Err(Undone::Certainly(connection.statements().note(fault("begin", &error))));
    }
    *sent = true;
    let mut steps = Vec::with_capacity(ready.len());
    for (step, prepared) in &ready {
        let mut step = Box::pin(maybe_done(send(connection, step, prepared.as_ref(), deadline)));
        let _ = poll!(&mut step);
        let answered = matches!(step.as_mut().output_mut(), Some(Err(error)) if is_of_the_server(error));
        if !answered && let Some(error) = failed_at_once(step.as_mut()) {
            return Err(Undone::Certainly(error));
        }
        steps.push(step);
    }
    let locate = "select pg_current_wal_insert_lsn()";
    let text = if wrote { format!("commit; {locate}") } else { locate.to_owned() };
    let mut ended = pin!(maybe_done(commit_and_locate(checkout, &text, committed)));
    let _ = poll!(&mut ended);

    begun.as_mut().await;
    begun.take_output().transpose().map_err(|error| begin_failed(connection, &error))?;
    let mut failed = None;
    for mut sent in steps {
        sent.as_mut().await;
        match sent.as_mut().take_output().unwrap_or_else(|| Ok(Vec::new())) {
            Ok(last) => *rows = last,
            Err(error) if !is_of_the_server(&error) => return Err(Undone::Perhaps(error.to_string())),
            // Those behind it fail because it did.
            Err(error) => drop(failed.get_or_insert(error)),
        }
    }
    *ran = failed.is_none();
    ended.as_mut().await;
    let ended = ended.take_output().unwrap_or(Ok(None));
    *answered = ended.as_ref().map_or_else(is_refusal, |_| true);
    match (failed, ended) {
        // The server made a rollback of the commit.
        (Some(error), _) => Err(Undone::Certainly(error)),
        (None, Ok(position)) => Ok((std::mem::take(rows), position.unwrap_or_else(Token::start_of_log))),
        (None, Err(error)) if is_refusal(&error) => Err(Undone::Certainly(fault("commit", &error))),
        (None, Err(error)) => Err(Undone::Perhaps(fault("commit", &error).to_string())),
    }
}

/// The error of work that has already failed.
fn failed_at_once<F, T, E>(mut work: Pin<&mut MaybeDone<F>>) -> Option<E>
where
    F: Future<Output = Result<T, E>>,
{
    let failed = matches!(work.as_mut().output_mut(), Some(Err(_)));
    if failed { work.take_output().and_then(Result::err) } else { None }
}

async fn begin_with(connection: &Exclusive, begin: Option<&str>) -> Result<(), tokio_postgres::Error> {
    match begin {
        Some(begin) => connection.client().batch_execute(begin).await,
        None => Ok(()),
    }
}

/// The consequence of a failed `begin` for the commit that was sent with it. A server that ends the connection reads no
/// further. A pooler sends the same answer if it has lost a server that may have read everything.
fn begin_failed(connection: &Exclusive, error: &tokio_postgres::Error) -> Undone {
    let fault = connection.statements().note(fault("begin", error));
    match error.as_db_error().and_then(DbError::parsed_severity) {
        Some(Severity::Fatal | Severity::Panic) if connection.statements().is_direct() => {
            Undone::Certainly(fault)
        }
        _ => Undone::Perhaps(fault.to_string()),
    }
}

/// Whether the server refused the statement, and went on to the next.
fn is_of_the_server(error: &DatabaseError) -> bool {
    match error {
        DatabaseError::Unavailable { .. } | DatabaseError::BadParameter { .. } => false,
        DatabaseError::Query { source, .. } => source.code != "driver",
        _ => true,
    }
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
    let mut messages = pin!(messages);
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
