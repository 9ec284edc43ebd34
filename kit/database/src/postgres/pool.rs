//! The pool: connections for transactions and scans, each with one user at a time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool::Runtime;
use deadpool::managed::{
    Manager, Metrics as UseMetrics, Object, Pool as Deadpool, PoolError, QueueMode, RecycleError,
    RecycleResult, TimeoutType, Timeouts,
};
use pando_clock::Clock;
use pando_resilience::Deadline;
use tokio::sync::Notify;

use super::connect::Target;
use super::connection::Exclusive;
use crate::DatabaseError;
use crate::options::PoolOptions;
use crate::statistics::{Statistics, Waits};

/// A connection out of the pool; dropped, it goes back.
pub(crate) type Checkout = Object<Maker>;

/// Connections for transactions and scans.
#[derive(Clone)]
pub(crate) struct Pool {
    pool: Deadpool<Maker>,
    options: Arc<PoolOptions>,
    waits: Waits,
    open_sessions: Arc<OpenSessions>,
}

/// Makes connections, and decides whether a used one is good for another use.
pub(crate) struct Maker {
    target: Target,
    lifetime: Duration,
    clock: Clock,
}

/// A pooled connection and the moment after which it is not used again.
pub(crate) struct Pooled {
    pub(crate) connection: Exclusive,
    dies_at: Instant,
}

impl Manager for Maker {
    type Type = Pooled;
    type Error = DatabaseError;

    async fn create(&self) -> Result<Pooled, DatabaseError> {
        let connection = Exclusive::open(&self.target).await?;
        // Nine to eleven tenths of the lifetime: connections opened together do not die together.
        let random = u32::from(self.clock.fresh_id().as_bytes()[15]);
        let lifetime = self.lifetime * 9 / 10 + self.lifetime / 5 * random / 255;
        let dies_at = Instant::now().checked_add(lifetime).unwrap_or_else(Instant::now);
        Ok(Pooled { connection, dies_at })
    }

    async fn recycle(&self, pooled: &mut Pooled, _: &UseMetrics) -> RecycleResult<DatabaseError> {
        if pooled.connection.statements().is_closed() {
            return Err(RecycleError::message("it broke"));
        }
        if Instant::now() >= pooled.dies_at {
            return Err(RecycleError::message("it is old"));
        }
        Ok(())
    }
}

impl Pool {
    pub(crate) fn new(
        options: &PoolOptions,
        target: &Target,
        clock: &Clock,
        waits: Waits,
    ) -> Result<Self, DatabaseError> {
        let lifetime = Duration::from_secs(options.lifetime_seconds);
        let maker = Maker { target: target.clone(), lifetime, clock: clock.clone() };
        let pool = Deadpool::builder(maker)
            .max_size(options.max.max(1))
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| DatabaseError::BadSetting { setting: "pool", reason: error.to_string() })?;
        let pool = Self { pool, options: Arc::new(options.clone()), waits, open_sessions: Arc::default() };
        pando_telemetry::spawn("database.pool", tend(pool.weak()));
        Ok(pool)
    }

    /// A connection, within the checkout limit and the deadline.
    pub(crate) async fn checkout(&self, deadline: Deadline) -> Result<Checkout, DatabaseError> {
        if deadline.is_past() {
            return Err(DatabaseError::DeadlineExceeded);
        }
        let timeouts = |wait: Duration| Timeouts { wait: Some(wait), create: None, recycle: None };
        match deadline.bound(self.pool.timeout_get(&timeouts(Duration::ZERO))).await? {
            Err(PoolError::Timeout(TimeoutType::Wait)) => {}
            result => return result.map_err(|error| pool_fault(error, Duration::ZERO)),
        }
        let wait = self.waits.begin();
        let patience = deadline.remaining().min(Duration::from_millis(self.options.checkout_ms));
        // Never zero: that would mean not to wait at all, which was tried.
        let patience = patience.max(Duration::from_millis(1));
        let checkout = deadline.bound(Box::pin(self.pool.timeout_get(&timeouts(patience)))).await;
        drop(wait);
        match checkout {
            Ok(result) => result.map_err(|error| pool_fault(error, patience)),
            Err(_) => Err(DatabaseError::PoolTimeout { waited: patience }),
        }
    }

    /// How many connections there may be.
    pub(crate) fn size(&self) -> usize {
        self.options.max
    }

    /// Notes that somebody began to use a connection.
    pub(crate) fn note(&self) -> SessionNote {
        self.open_sessions.add()
    }

    pub(crate) fn fill(&self, statistics: &mut Statistics) {
        let status = self.pool.status();
        statistics.max += status.max_size;
        statistics.open += status.size;
        statistics.idle += status.available;
        statistics.in_use += status.size - status.available;
        self.waits.fill(statistics);
    }

    /// Hands out nothing more, and waits until what is out came back.
    pub(crate) async fn close(&self, patience: Deadline) {
        self.pool.close();
        if patience.bound(self.open_sessions.none()).await.is_err() {
            tracing::warn!("a transaction or a scan was still open when the database was closed");
        }
    }

    fn weak(&self) -> WeakPool {
        WeakPool {
            pool: self.pool.weak(),
            options: Arc::clone(&self.options),
            open_sessions: Arc::clone(&self.open_sessions),
        }
    }
}

fn pool_fault(error: PoolError<DatabaseError>, waited: Duration) -> DatabaseError {
    match error {
        PoolError::Timeout(TimeoutType::Wait) => DatabaseError::PoolTimeout { waited },
        PoolError::Backend(error) => error,
        PoolError::Closed => DatabaseError::closed(),
        other => DatabaseError::unavailable(other.to_string()),
    }
}

struct WeakPool {
    pool: deadpool::managed::WeakPool<Maker>,
    options: Arc<PoolOptions>,
    open_sessions: Arc<OpenSessions>,
}

/// Keeps the smallest number of connections open, closes idle and old ones, and names transactions that stay open.
async fn tend(weak: WeakPool) {
    let options = weak.options;
    let leak = Duration::from_secs(options.leak_warning_seconds);
    let idle = Duration::from_secs(options.idle_seconds);
    let pause = (leak.min(idle) / 4).clamp(Duration::from_millis(100), Duration::from_secs(5));
    loop {
        let Some(pool) = weak.pool.upgrade() else { return };
        if pool.is_closed() {
            return;
        }
        let mut open = pool.status().size;
        pool.retain(|pooled, used| {
            let spent = pooled.connection.statements().is_closed() || Instant::now() >= pooled.dies_at;
            let keep = !spent && (open <= options.min || used.last_used() < idle);
            open -= usize::from(!keep);
            keep
        });
        fill_up(&pool, options.min.min(options.max)).await;
        drop(pool);
        weak.open_sessions.warn_about(leak);
        tokio::time::sleep(pause).await;
    }
}

/// Opens connections until there are `min`. If the server cannot be reached, callers that ask for a connection get the error.
async fn fill_up(pool: &Deadpool<Maker>, min: usize) {
    let at_once = Timeouts { wait: Some(Duration::ZERO), create: None, recycle: None };
    let mut held = Vec::new();
    while pool.status().size < min && held.len() < min {
        let Ok(checkout) = pool.timeout_get(&at_once).await else { return };
        held.push(checkout);
    }
}

/// The present users of connections.
#[derive(Default)]
struct OpenSessions {
    next: AtomicU64,
    open: Mutex<HashMap<u64, Arc<OpenSession>>>,
    /// Told when the last one ended.
    ended: Notify,
}

struct OpenSession {
    since: Instant,
    last: Mutex<&'static str>,
    warned: AtomicBool,
}

impl OpenSessions {
    fn add(self: &Arc<Self>) -> SessionNote {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let session = Arc::new(OpenSession {
            since: Instant::now(),
            last: Mutex::new("nothing yet"),
            warned: AtomicBool::new(false),
        });
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(number, Arc::clone(&session));
        SessionNote { number, session, sessions: Arc::clone(self) }
    }

    async fn none(&self) {
        loop {
            let ended = self.ended.notified();
            if self.open.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
                return;
            }
            ended.await;
        }
    }

    fn warn_about(&self, age: Duration) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for session in open.values() {
            let open_for = session.since.elapsed();
            if open_for >= age && !session.warned.swap(true, Ordering::Relaxed) {
                let last_statement = *session.last.lock().unwrap_or_else(PoisonError::into_inner);
                let seconds = open_for.as_secs();
                tracing::warn!(last_statement, seconds, "a database connection is not given back");
            }
        }
    }
}

/// A user of a connection; dropped when they are done.
pub(crate) struct SessionNote {
    number: u64,
    session: Arc<OpenSession>,
    sessions: Arc<OpenSessions>,
}

impl SessionNote {
    /// Which statement runs now.
    pub(crate) fn runs(&self, name: &'static str) {
        *self.session.last.lock().unwrap_or_else(PoisonError::into_inner) = name;
    }
}

impl Drop for SessionNote {
    fn drop(&mut self) {
        let mut open = self.sessions.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.remove(&self.number);
        if open.is_empty() {
            self.sessions.ended.notify_waiters();
        }
    }
}
