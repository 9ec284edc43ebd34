//! The writer: one thread, one connection, one transaction at a time; one flush of the disk for many commits.
//!
//! SQLite at `synchronous = normal` writes a commit to its log without waiting for the disk. The writer goes on
//! to the next transaction at once, and a second thread flushes the log for all commits since its last flush
//! before any of them is answered. So an acknowledged write is on the disk, many share the price of it, and
//! every transaction is a transaction of its own: what one does, or how slowly, never touches another's commit.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pando_resilience::Deadline;
use rusqlite::ErrorCode;
use tokio::sync::oneshot;

use super::fault::fault;
use super::flusher::{Commit, Flusher};
use super::readers::Leaving;
use super::session::{Outcome, Session};
use crate::options::SqliteOptions;
use crate::statement::Statement;
use crate::statistics::Waits;
use crate::{DatabaseError, Token, Value};

type Answer<T> = oneshot::Sender<Result<T, DatabaseError>>;

/// The way to the writer thread.
pub(crate) struct Writer {
    queue: Mutex<Option<Sender<Ticket>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// The disk refused to keep a write.
    failed: Arc<AtomicBool>,
    /// Transactions that run or wait.
    load: Arc<AtomicUsize>,
    waits: Waits,
    checkout: Duration,
    busy: Duration,
}

/// A transaction's place in the queue.
struct Ticket {
    deadline: Deadline,
    busy: Duration,
    /// Set when it is this one's turn: from then on it waits for other processes, not for this one.
    turn: Arc<AtomicBool>,
    began: Answer<()>,
    commands: Receiver<Command>,
    gone: Arc<AtomicBool>,
    _load: Load,
}

/// What a transaction asks of the writer.
enum Command {
    Run { statement: Arc<Statement>, sets: Vec<Vec<Value>>, want_rows: bool, answer: Answer<Outcome> },
    Commit { answer: Answer<Token> },
}

/// One transaction more, until dropped.
struct Load(Arc<AtomicUsize>);

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
        Ok(Self {
            queue: Mutex::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
            failed,
            load: Arc::default(),
            waits,
            checkout,
            busy: Duration::from_millis(options.busy_timeout_ms),
        })
    }

    /// Waits for the writer and begins. `patient`: a migration waits for other processes until its deadline.
    pub(crate) async fn begin(
        &self,
        deadline: Deadline,
        patient: bool,
    ) -> Result<WriterTransaction, DatabaseError> {
        if deadline.is_past() {
            return Err(DatabaseError::DeadlineExceeded);
        }
        let ahead = self.load.fetch_add(1, Ordering::Relaxed);
        let load = Load(Arc::clone(&self.load));
        let wait = (ahead > 0).then(|| self.waits.begin());
        let ((began, mut beginning), (commands, received)) = (oneshot::channel(), channel());
        let (leaving, turn) = (Leaving::default(), Arc::new(AtomicBool::new(false)));
        self.send(Ticket {
            deadline,
            busy: if patient { deadline.remaining() } else { self.busy },
            turn: Arc::clone(&turn),
            began,
            commands: received,
            gone: Arc::clone(&leaving.0),
            _load: load,
        })?;
        let patience =
            deadline.sooner(Deadline::after(if patient { deadline.remaining() } else { self.checkout }));
        let waited = patience.remaining();
        let begun = match patience.bound(&mut beginning).await {
            Ok(begun) => begun,
            Err(_) if turn.load(Ordering::Acquire) => deadline.bound(&mut beginning).await?,
            Err(_) => return Err(DatabaseError::PoolTimeout { waited }),
        };
        begun.map_err(|_| DatabaseError::closed())??;
        drop(wait);
        Ok(WriterTransaction { commands, deadline, _leaving: leaving })
    }

    fn send(&self, ticket: Ticket) -> Result<(), DatabaseError> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.as_ref().and_then(|queue| queue.send(ticket).ok()).ok_or_else(DatabaseError::closed)
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
        self.load.load(Ordering::Relaxed) > 0
    }

    /// Takes no further transaction, and hands out the thread that ends when the last one has.
    pub(crate) fn close(&self) -> Option<JoinHandle<()>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.thread.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A transaction that has the writer. Dropped: rolled back.
pub(crate) struct WriterTransaction {
    commands: Sender<Command>,
    deadline: Deadline,
    _leaving: Leaving,
}

impl WriterTransaction {
    /// Runs a statement once for every set of parameters.
    pub(crate) async fn run(
        &self,
        statement: &Arc<Statement>,
        sets: Vec<Vec<Value>>,
        want_rows: bool,
    ) -> Result<Outcome, DatabaseError> {
        let (answer, outcome) = oneshot::channel();
        let statement = Arc::clone(statement);
        self.send(Command::Run { statement, sets, want_rows, answer })?;
        self.deadline.bound(outcome).await?.map_err(|_| self.ended())?
    }

    pub(crate) async fn commit(self) -> Result<Token, DatabaseError> {
        if self.deadline.is_past() {
            return Err(DatabaseError::DeadlineExceeded);
        }
        let (answer, token) = oneshot::channel();
        self.send(Command::Commit { answer })?;
        match self.deadline.bound(token).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(self.ended()),
            Err(_) => {
                Err(DatabaseError::CommitUnknown { reason: "the deadline passed during the commit".into() })
            }
        }
    }

    fn send(&self, command: Command) -> Result<(), DatabaseError> {
        self.commands.send(command).map_err(|_| self.ended())
    }

    /// Why the writer does not listen any more.
    fn ended(&self) -> DatabaseError {
        if self.deadline.is_past() { DatabaseError::DeadlineExceeded } else { DatabaseError::closed() }
    }
}

fn disk_refused() -> DatabaseError {
    DatabaseError::unavailable("the disk refused to keep a write")
}

/// What becomes of a commit after SQLite wrote it to its log.
struct Log {
    /// Where commits wait for a flush; none when SQLite flushes by itself, or nobody asks for it.
    due: Option<SyncSender<Commit>>,
    failed: Arc<AtomicBool>,
}

/// The writer thread.
fn serve(session: &Session, tickets: &Receiver<Ticket>, flusher: Flusher) {
    let log = Log { due: flusher.due.clone(), failed: flusher.failed() };
    while let Ok(ticket) = tickets.recv() {
        // A caller that gave up while it waited is passed over.
        if ticket.began.is_closed() || ticket.deadline.is_past() {
            continue;
        }
        ticket.turn.store(true, Ordering::Release);
        if log.failed.load(Ordering::Acquire) {
            let _ = ticket.began.send(Err(disk_refused()));
            continue;
        }
        serve_one(session, ticket, &log);
        // Whatever way it ended, the next one finds no transaction open and no brake pulled.
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
    let Ticket { deadline, busy, began, commands, gone, _load, .. } = ticket;
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
            Ok(Command::Run { statement, sets, want_rows, answer }) => {
                let result = run(session, deadline, busy, &statement, &sets, want_rows);
                let failed = result.is_err();
                // After an error the transaction can only be rolled back, so the next one need not wait for that.
                if answer.send(result).is_err() || failed {
                    return;
                }
            }
            // Nobody waits for the answer any more: the caller believes it was rolled back, and so it is.
            Ok(Command::Commit { answer }) if answer.is_closed() => return,
            Ok(Command::Commit { answer }) => return commit(session, deadline, answer, log),
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
    session.run_each(statement, sets.iter().map(Vec::as_slice), want_rows)
}

fn commit(session: &Session, deadline: Deadline, answer: Answer<Token>, log: &Log) {
    // Looked at here for the last time: what is refused now is rolled back for certain.
    let refused = if log.failed.load(Ordering::Acquire) { Some(disk_refused()) } else { None };
    let refused = refused.or_else(|| deadline.is_past().then_some(DatabaseError::DeadlineExceeded));
    if let Some(refused) = refused {
        let _ = answer.send(Err(refused));
        return;
    }
    // From here on it is not stopped half-way: nobody could say whether it had happened.
    session.unlimited();
    let result = raise_and_commit(session, &log.failed);
    match (result, &log.due) {
        (Ok(token), Some(due)) => {
            if let Err(refused) = due.send(Commit { token, answer }) {
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
                tracing::error!(%error, "a commit could not be written: no further write is taken");
                DatabaseError::CommitUnknown { reason: format!("writing the log failed: {error}") }
            }
            _ => failed(error),
        },
    )?;
    Ok(Token::sqlite(count.unsigned_abs()))
}
