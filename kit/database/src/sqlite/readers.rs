//! Reading the file: point reads on the calling thread, scans on threads of their own.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use futures_util::stream::unfold;
use pando_resilience::Deadline;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::session::{Outcome, Session};
use crate::statement::Statement;
use crate::statistics::Waits;
use crate::stream::EngineRows;
use crate::{DatabaseError, Row, Value};

/// A thread that reads rows for somebody is so many rows ahead at most.
const ROWS_AHEAD: usize = 64;

thread_local! {
    // Threads start their search for a free connection at different places.
    static PLACE: Cell<usize> = Cell::new(NEXT_PLACE.fetch_add(1, Ordering::Relaxed));
}

static NEXT_PLACE: AtomicUsize = AtomicUsize::new(0);

/// Connections for point reads. None of them is ever held across an await.
pub(crate) struct Readers {
    sessions: Box<[Mutex<Option<Session>>]>,
    busy: Duration,
}

impl Readers {
    pub(crate) fn new(sessions: Vec<Session>, busy: Duration) -> Self {
        let sessions = sessions.into_iter().map(|session| Mutex::new(Some(session))).collect();
        Self { sessions, busy }
    }

    /// Runs a point read on the calling thread.
    pub(crate) fn run(
        &self,
        statement: &Statement,
        values: &[Value],
        deadline: Deadline,
        now: Instant,
    ) -> Result<Vec<Row>, DatabaseError> {
        let slot = self.free();
        let session = slot.as_ref().ok_or_else(DatabaseError::closed)?;
        session.limit(deadline, now, self.busy)?;
        session.run(statement, values, true).map(|outcome| outcome.rows)
    }

    fn free(&self) -> MutexGuard<'_, Option<Session>> {
        let (count, place) = (self.sessions.len(), PLACE.get());
        for offset in 0..count {
            match self.sessions[(place + offset) % count].try_lock() {
                Ok(session) => return session,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        // As many threads as connections read at this instant: a point read takes microseconds.
        self.sessions[place % count].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn close(&self) {
        for session in &self.sessions {
            session.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.sessions.len()
    }
}

/// Connections for scans.
pub(crate) struct Scanners {
    sessions: Mutex<Vec<Session>>,
    permits: Arc<Semaphore>,
    count: usize,
    waits: Waits,
    checkout: Duration,
    busy: Duration,
}

impl Scanners {
    pub(crate) fn new(sessions: Vec<Session>, waits: Waits, checkout: Duration, busy: Duration) -> Arc<Self> {
        let count = sessions.len();
        let permits = Arc::new(Semaphore::new(count));
        Arc::new(Self { sessions: Mutex::new(sessions), permits, count, waits, checkout, busy })
    }

    /// Runs a scan on a thread that may block. It stops when the caller goes away.
    pub(crate) async fn run(
        self: &Arc<Self>,
        statement: &Arc<Statement>,
        values: &[Value],
        deadline: Deadline,
    ) -> Result<Vec<Row>, DatabaseError> {
        let permit = self.permit(deadline).await?;
        let (pool, statement, values) = (Arc::clone(self), Arc::clone(statement), values.to_vec());
        let leaving = Leaving::default();
        let gone = Arc::clone(&leaving.0);
        let work = tokio::task::spawn_blocking(move || {
            let run = |session: &Session| session.run(&statement, &values, true);
            pool.use_session(permit, gone, deadline, run).map(|Outcome { rows, .. }| rows)
        });
        work.await.map_err(|_| DatabaseError::unavailable("the scanning thread ended"))?
    }

    /// Runs a scan on such a thread, which waits while its rows are not taken.
    pub(crate) async fn stream(
        self: &Arc<Self>,
        statement: &Arc<Statement>,
        values: &[Value],
        deadline: Deadline,
    ) -> Result<EngineRows, DatabaseError> {
        // Their number was checked when the statement was composed.
        crate::parameters::check(statement.name, values.len(), values)?;
        let permit = self.permit(deadline).await?;
        let (pool, statement, values) = (Arc::clone(self), Arc::clone(statement), values.to_vec());
        let leaving = Leaving::default();
        let gone = Arc::clone(&leaving.0);
        let (sender, rows) = mpsc::channel(ROWS_AHEAD);
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || {
            let send = |row| {
                let sent = runtime.block_on(deadline.bound(sender.send(row)))?;
                sent.map_err(|_| DatabaseError::closed())
            };
            let run =
                |session: &Session| session.run_for_each(&statement, &values, |row| send(Ok(Some(row))));
            let end = pool.use_session(permit, gone, deadline, run).map(|()| None);
            // A reader that is gone, or late, needs no end.
            let _ = send(end);
        });
        Ok(Box::pin(unfold((rows, leaving, deadline), async |(mut rows, leaving, deadline)| {
            let row = match deadline.bound(rows.recv()).await {
                Ok(Some(row)) => row.transpose()?,
                // Without its end the result may be a part of it only.
                Ok(None) if deadline.is_past() => Err(DatabaseError::DeadlineExceeded),
                Ok(None) => Err(DatabaseError::unavailable("the scanning thread ended")),
                Err(late) => Err(late.into()),
            };
            Some((row, (rows, leaving, deadline)))
        })))
    }

    /// Does something with a free connection, which the permit stands for. It stops at the deadline, or when its caller is gone.
    fn use_session<T>(
        &self,
        permit: OwnedSemaphorePermit,
        gone: Arc<AtomicBool>,
        deadline: Deadline,
        work: impl FnOnce(&Session) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        let taken = self.sessions.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let session = taken.ok_or_else(DatabaseError::closed)?;
        session.watch(Some(gone));
        let result = session.limit(deadline, Instant::now(), self.busy).and_then(|()| work(&session));
        session.unlimited();
        if !self.permits.is_closed() {
            self.sessions.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        }
        drop(permit);
        result
    }

    async fn permit(&self, deadline: Deadline) -> Result<OwnedSemaphorePermit, DatabaseError> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Ok(permit);
        }
        let _wait = self.waits.begin();
        let patience = deadline.sooner(Deadline::after(self.checkout));
        let waited = deadline.remaining().min(self.checkout);
        match patience.bound(Arc::clone(&self.permits).acquire_owned()).await {
            Ok(permit) => permit.map_err(|_| DatabaseError::closed()),
            Err(_) => Err(DatabaseError::PoolTimeout { waited }),
        }
    }

    /// Waits for the scans that run, for as long as `patience`; those that come now wait behind and are refused then.
    pub(crate) async fn close(&self, patience: Deadline) {
        let all = u32::try_from(self.count).unwrap_or(u32::MAX);
        if patience.bound(self.permits.acquire_many(all)).await.is_err() {
            tracing::warn!("a scan was still running when the database was closed");
        }
        self.permits.close();
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// All of them, and those that are free.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.count, self.permits.available_permits())
    }
}

/// Set when the caller that holds it is dropped.
#[derive(Default)]
pub(crate) struct Leaving(pub(crate) Arc<AtomicBool>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
