//! The writer: one thread with one connection runs one transaction at a time; one flush of the disk serves many
//! commits.
//!
//! SQLite at `synchronous = normal` writes a commit to its log without waiting for the disk. The writer goes on with
//! the next transaction at once, and a second thread flushes the log for all commits since its last flush before any of
//! them is acknowledged. So an acknowledged write is on the disk, and many commits share the cost of a flush. Each
//! transaction remains independent: an error or a delay in one never affects the commit of another.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pando_resilience::Deadline;
use rusqlite::ErrorCode;
use tokio::sync::oneshot;

use super::fault::fault;
use super::flusher::{Commit, Committed, Flusher};
use super::session::{Outcome, Session};
use super::turn::Turn;
use crate::options::SqliteOptions;
use crate::statement::{Statement, Step};
use crate::statistics::Waits;
use crate::{DatabaseError, Row, Token, Value};

pub(super) type Answer<T> = oneshot::Sender<Result<T, DatabaseError>>;

/// The writer thread, and the way to it.
pub(crate) struct Writer {
    line: Arc<Line>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// The disk refused to keep a write.
    failed: Arc<AtomicBool>,
}

/// Where transactions wait for the writer.
pub(super) struct Line {
    queue: Mutex<Option<Sender<Ticket>>>,
    /// Transactions that run or wait.
    load: Arc<AtomicUsize>,
    pub(super) waits: Waits,
    pub(super) checkout: Duration,
    pub(super) busy: Duration,
}

/// A transaction's place in the queue.
pub(super) struct Ticket {
    pub(super) deadline: Deadline,
    pub(super) busy: Duration,
    pub(super) turn: Arc<Turn>,
    pub(super) began: Answer<()>,
    pub(super) commands: Receiver<Command>,
    pub(super) gone: Arc<AtomicBool>,
    pub(super) load: Load,
}

/// The commands of a transaction to the writer.
pub(super) enum Command {
    /// Runs the deferred statements, and then one statement once for every set of parameters.
    Run {
        before: Vec<Step>,
        statement: Arc<Statement>,
        sets: Vec<Vec<Value>>,
        want_rows: bool,
        answer: Answer<Outcome>,
    },
    /// Runs the last statements and commits.
    Commit { steps: Vec<Step>, unflushed: bool, answer: Answer<Committed> },
}

/// One transaction more, until dropped.
pub(super) struct Load(Arc<AtomicUsize>);

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Writer {
    pub(crate) fn start(
        session: Session,
        options: &SqliteOptions,
        waits: Waits,
        checkout: Duration,
    ) -> Result<Self, DatabaseError> {
        let create = "create table if not exists pando_commits (id integer primary key, count bigint not null); \
                      insert into pando_commits (id, count) values (1, 0) on conflict (id) do nothing;";
        // In one immediate transaction: processes that open the file together wait for each other.
        session
            .connection
            .execute_batch(&format!("begin immediate; {create} commit"))
            .map_err(|error| fault("pando_commits", &error))?;
        let flusher = Flusher::start(options, &options.path)?;
        let failed = flusher.failed();
        let (queue, tickets) = channel();
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".into())
            .spawn(move || serve(&session, &tickets, flusher))
            .map_err(|error| DatabaseError::unavailable(format!("no thread for the writer: {error}")))?;
        let line = Arc::new(Line {
            queue: Mutex::new(Some(queue)),
            load: Arc::default(),
            waits,
            checkout,
            busy: Duration::from_millis(options.busy_timeout_ms),
        });
        Ok(Self { line, thread: Mutex::new(Some(thread)), failed })
    }

    /// The line of the transactions that wait for this writer.
    pub(super) fn line(&self, deadline: Deadline) -> Result<Arc<Line>, DatabaseError> {
        if deadline.is_past() {
            return Err(DatabaseError::DeadlineExceeded);
        }
        if self.line.queue.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            return Err(DatabaseError::closed());
        }
        Ok(Arc::clone(&self.line))
    }

    /// Whether transactions can still be served.
    pub(crate) fn health(&self) -> Result<(), DatabaseError> {
        if self.failed.load(Ordering::Acquire) {
            return Err(disk_refused());
        }
        match &*self.thread.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(thread) if !thread.is_finished() => Ok(()),
            Some(_) => Err(DatabaseError::unavailable("the thread that writes ended")),
            None => Err(DatabaseError::closed()),
        }
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.line.load.load(Ordering::Relaxed) > 0
    }

    /// Takes no further transaction, and hands out the thread that ends when the last one has.
    pub(crate) fn close(&self) -> Option<JoinHandle<()>> {
        self.line.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.thread.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Line {
    /// One more waits; and whether others do, or are served.
    pub(super) fn join(&self) -> (Load, bool) {
        let ahead = self.load.fetch_add(1, Ordering::Relaxed);
        (Load(Arc::clone(&self.load)), ahead > 0)
    }

    pub(super) fn send(&self, ticket: Ticket) -> Result<(), DatabaseError> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.as_ref().and_then(|queue| queue.send(ticket).ok()).ok_or_else(DatabaseError::closed)
    }
}

fn disk_refused() -> DatabaseError {
    DatabaseError::unavailable("the disk refused to keep a write")
}

/// The way of a commit after SQLite has written it to its log.
struct Log {
    /// Where commits wait for a flush; none if SQLite flushes by itself, or if the settings do not ask for flushes.
    due: Option<SyncSender<Commit>>,
    /// How many of them do.
    waiting: Arc<AtomicUsize>,
    failed: Arc<AtomicBool>,
}

impl Log {
    /// Where to wait for a flush, if necessary. A transaction that need not be on the disk itself still waits for the commits that
    /// it may have read, so that no program acts on a commit that a power cut undoes.
    fn due(&self, unflushed: bool) -> Option<&SyncSender<Commit>> {
        self.due.as_ref().filter(|_| !unflushed || self.waiting.load(Ordering::Acquire) > 0)
    }
}

/// The writer thread.
fn serve(session: &Session, tickets: &Receiver<Ticket>, flusher: Flusher) {
    let log =
        Log { due: flusher.due.clone(), waiting: Arc::clone(&flusher.waiting), failed: flusher.failed() };
    while let Ok(ticket) = tickets.recv() {
        // A caller that gave up while it waited is passed over.
        if ticket.began.is_closed() || ticket.deadline.is_past() || !ticket.turn.come() {
            continue;
        }
        if log.failed.load(Ordering::Acquire) {
            let _ = ticket.began.send(Err(disk_refused()));
            continue;
        }
        serve_one(session, ticket, &log);
        // However the transaction ended, the next one finds no open transaction and no pending interrupt.
        session.unlimited();
        if !session.connection.is_autocommit()
            && let Err(error) = session.connection.execute_batch("rollback")
        {
            tracing::error!(%error, "a transaction could not be rolled back");
        }
    }
    drop(log);
    flusher.finish();
}

fn serve_one(session: &Session, ticket: Ticket, log: &Log) {
    let Ticket { deadline, busy, began, commands, gone, load: _load, .. } = ticket;
    session.watch(Some(gone));
    let beginning = session.limit(deadline, Instant::now(), busy).and_then(|()| {
        session.connection.execute_batch("begin immediate").map_err(|error| fault("begin", &error))
    });
    let failed = beginning.is_err();
    if began.send(beginning).is_err() || failed {
        return;
    }
    loop {
        match commands.recv_timeout(deadline.remaining()) {
            Ok(Command::Run { before, statement, sets, want_rows, answer }) => {
                let result = run_steps(session, deadline, busy, &before)
                    .and_then(|_| run(session, deadline, busy, &statement, &sets, want_rows));
                let failed = result.is_err();
                // After an error the transaction can only be rolled back, so the next one need not wait for that.
                if answer.send(result).is_err() || failed {
                    return;
                }
            }
            // Nobody waits for the answer any more: the caller believes it was rolled back, and so it is.
            Ok(Command::Commit { answer, .. }) if answer.is_closed() => return,
            Ok(Command::Commit { steps, unflushed, answer }) => {
                match run_steps(session, deadline, busy, &steps) {
                    Ok(rows) => commit(session, deadline, rows, unflushed, answer, log),
                    Err(error) => drop(answer.send(Err(error))),
                }
                return;
            }
            Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => return,
        }
    }
}

fn run(
    session: &Session,
    deadline: Deadline,
    busy: Duration,
    statement: &Statement,
    sets: &[Vec<Value>],
    want_rows: bool,
) -> Result<Outcome, DatabaseError> {
    session.limit(deadline, Instant::now(), busy)?;
    session.run_each(statement, sets.iter().map(Vec::as_slice), want_rows.then_some(statement.rows_max))
}

/// Runs one after the other; the rows of the last.
fn run_steps(
    session: &Session,
    deadline: Deadline,
    busy: Duration,
    steps: &[Step],
) -> Result<Vec<Row>, DatabaseError> {
    let mut rows = Vec::new();
    for Step { statement, values } in steps {
        let started = Instant::now();
        let result = session
            .limit(deadline, started, busy)
            .and_then(|()| session.run_each(statement, [values.as_slice()], Some(usize::MAX)));
        statement.record(started, result.as_ref().err());
        rows = result?.rows;
    }
    Ok(rows)
}

fn commit(
    session: &Session,
    deadline: Deadline,
    rows: Vec<Row>,
    unflushed: bool,
    answer: Answer<Committed>,
    log: &Log,
) {
    // Checked here for the last time: a transaction that is refused now is certainly rolled back.
    let refused = if log.failed.load(Ordering::Acquire) { Some(disk_refused()) } else { None };
    let refused = refused.or_else(|| deadline.is_past().then_some(DatabaseError::DeadlineExceeded));
    if let Some(refused) = refused {
        let _ = answer.send(Err(refused));
        return;
    }
    // From here on the commit is not interrupted, because its result would be unknown.
    session.unlimited();
    let result = raise_and_commit(session, &log.failed).map(|token| (rows, token));
    match (result, log.due(unflushed)) {
        (Ok(done), Some(due)) => {
            log.waiting.fetch_add(1, Ordering::AcqRel);
            if let Err(refused) = due.send(Commit { done, answer }) {
                log.failed.store(true, Ordering::Release);
                let reason = "the thread that flushes the log ended".to_owned();
                let _ = refused.0.answer.send(Err(DatabaseError::CommitUnknown { reason }));
            }
        }
        (result, _) => {
            let _ = answer.send(result);
        }
    }
}

/// Counts the commit in the same transaction: the count is the token.
fn raise_and_commit(session: &Session, disk_failed: &AtomicBool) -> Result<Token, DatabaseError> {
    let failed = |error: rusqlite::Error| fault("commit", &error);
    let raise = "update pando_commits set count = count + 1 where id = 1 returning count";
    let count: i64 = session
        .connection
        .prepare_cached(raise)
        .and_then(|mut raise| raise.query_row([], |row| row.get(0)))
        .map_err(failed)?;
    session.connection.prepare_cached("commit").and_then(|mut commit| commit.raw_execute()).map_err(
        |error| match error.sqlite_error_code() {
            // The commit may be in the log, whole, without being on the disk: the next start would find it.
            Some(ErrorCode::SystemIoFailure) => {
                disk_failed.store(true, Ordering::Release);
                tracing::error!(%error, "a commit could not be written: no further write is accepted");
                DatabaseError::CommitUnknown { reason: format!("writing the log failed: {error}") }
            }
            _ => failed(error),
        },
    )?;
    Ok(Token::sqlite(count.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[test]
    fn who_does_not_wait_for_the_disk_waits_for_what_he_may_have_read() {
        let session =
            Session::new(rusqlite::Connection::open_in_memory().expect("it opens")).expect("it is one");
        session
            .connection
            .execute_batch("create table pando_commits (id integer primary key, count bigint); insert into pando_commits values (1, 0)")
            .expect("it is made");
        let (due, flusher) = sync_channel(4);
        let log = Log { due: Some(due), waiting: Arc::default(), failed: Arc::default() };
        let committed = |unflushed| {
            let (answer, answered) = oneshot::channel();
            session.connection.execute_batch("begin immediate").expect("it begins");
            commit(&session, Deadline::after(Duration::from_secs(60)), Vec::new(), unflushed, answer, &log);
            answered
        };
        assert!(committed(true).blocking_recv().expect("at once").is_ok());
        let (first, second) = (committed(false), committed(true));
        let group: Vec<Commit> = flusher.try_iter().collect();
        assert_eq!(group.len(), 2, "both wait");
        log.waiting.fetch_sub(group.len(), Ordering::AcqRel);
        for Commit { done, answer } in group {
            answer.send(Ok(done)).expect("somebody waits");
        }
        for answered in [first, second, committed(true)] {
            assert!(answered.blocking_recv().expect("answered").is_ok());
        }
    }
}
