//! A few connections that all point reads share: no checkout, many statements under way on each.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use pando_clock::Clock;
use pando_resilience::Deadline;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::connect::Target;
use super::connection::Connection;
use crate::options::DatabaseOptions;
use crate::statement::Statement;
use crate::{DatabaseError, Row, Value};

/// The first pause before connecting again; it doubles up to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));

/// The shared connections. Dropped: they close.
pub(crate) struct Shared {
    slots: Vec<Arc<Slot>>,
    next: AtomicUsize,
    /// One place for each read under way.
    room: Arc<Semaphore>,
    /// After this time the server has stopped a read, whoever waits for it.
    stopped_after: Duration,
    /// How long a read waits for the first connection to come back.
    patience: Duration,
    changed: watch::Receiver<()>,
    /// Closed when this is dropped: the supervisors end.
    stop: watch::Sender<bool>,
}

/// The place of one connection, which its supervisor keeps filled.
struct Slot {
    current: RwLock<Result<Arc<Connection>, DatabaseError>>,
    target: Target,
    clock: Clock,
    changed: watch::Sender<()>,
}

impl Shared {
    /// Connects all of them; an unreachable server is an error here, and only a pause later.
    pub(crate) async fn open(
        options: &DatabaseOptions,
        target: &Target,
        clock: &Clock,
    ) -> Result<Self, DatabaseError> {
        let (changed, changes) = watch::channel(());
        let (stop, stopping) = watch::channel(false);
        let mut slots = Vec::new();
        for _ in 0..options.reads.connections.max(1) {
            let slot = Arc::new(Slot {
                current: RwLock::new(Err(DatabaseError::unavailable("not connected yet"))),
                target: target.for_reads(options.reads.statement_timeout_ms),
                clock: clock.clone(),
                changed: changed.clone(),
            });
            let task = slot.connect().await?;
            pando_telemetry::spawn(
                "database.supervisor",
                supervise(Arc::clone(&slot), task, stopping.clone()),
            );
            slots.push(slot);
        }
        let patience = Duration::from_millis(options.pool.checkout_ms);
        let room = Arc::new(Semaphore::new(options.reads.in_flight_max));
        let stopped_after = Duration::from_millis(options.reads.statement_timeout_ms);
        let next = AtomicUsize::new(0);
        Ok(Self { slots, next, room, stopped_after, patience, changed: changes, stop })
    }

    /// Runs a read. One that fails only because its connection broke is run again on another: after a restart of
    /// the server every connection may turn out to be broken, one after the other.
    pub(crate) async fn rows(
        &self,
        statement: &Statement,
        values: &[Value],
        deadline: Deadline,
    ) -> Result<Vec<Row>, DatabaseError> {
        let mut under_way = self.enter(deadline).await?;
        let attempts = async {
            let mut broken = 0;
            loop {
                let connection = self.connection(deadline).await?;
                match connection.rows(statement, values).await {
                    Err(DatabaseError::Unavailable { .. }) if broken < self.slots.len() => broken += 1,
                    // The table changed under the prepared statement, which is prepared afresh now.
                    Err(DatabaseError::Contention { .. }) => return connection.rows(statement, values).await,
                    result => return result,
                }
            }
        };
        let result = deadline.bound(attempts).await;
        under_way.answered = !matches!(result, Err(_) | Ok(Err(DatabaseError::TooManyRows { .. })));
        result?
    }

    /// Takes a place for a read, and waits for one if all are taken.
    async fn enter(&self, deadline: Deadline) -> Result<UnderWay, DatabaseError> {
        let entered = match Arc::clone(&self.room).try_acquire_owned() {
            Ok(place) => Ok(Ok(place)),
            Err(_) => {
                let patience = deadline.sooner(Deadline::after(self.patience));
                patience.bound(Arc::clone(&self.room).acquire_owned()).await
            }
        };
        match entered {
            Ok(Ok(place)) => {
                Ok(UnderWay { place: Some(place), stopped_after: self.stopped_after, answered: false })
            }
            _ => Err(DatabaseError::PoolTimeout { waited: self.patience }),
        }
    }

    /// The next working connection; waits for one if there is none.
    async fn connection(&self, deadline: Deadline) -> Result<Arc<Connection>, DatabaseError> {
        if let Ok(connection) = self.pick() {
            return Ok(connection);
        }
        let mut changed = self.changed.clone();
        let patience = deadline.sooner(Deadline::after(self.patience));
        loop {
            changed.mark_unchanged();
            let reason = match self.pick() {
                Ok(connection) => return Ok(connection),
                Err(reason) => reason,
            };
            if *self.stop.borrow() || !matches!(patience.bound(changed.changed()).await, Ok(Ok(()))) {
                return Err(reason);
            }
        }
    }

    fn pick(&self) -> Result<Arc<Connection>, DatabaseError> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let mut reason = DatabaseError::closed();
        for offset in 0..self.slots.len() {
            let slot = &self.slots[(first.wrapping_add(offset)) % self.slots.len()];
            match &*slot.current.read().unwrap_or_else(PoisonError::into_inner) {
                Ok(connection) if !connection.is_closed() => return Ok(Arc::clone(connection)),
                Ok(_) => reason = DatabaseError::unavailable("the connection broke"),
                Err(error) => reason = error.clone(),
            }
        }
        Err(reason)
    }

    /// How many there are, and how many work.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let works = |slot: &&Arc<Slot>| {
            let current = slot.current.read().unwrap_or_else(PoisonError::into_inner);
            current.as_ref().is_ok_and(|connection| !connection.is_closed())
        };
        (self.slots.len(), self.slots.iter().filter(works).count())
    }

    pub(crate) fn close(&self) {
        self.stop.send_replace(true);
        for slot in &self.slots {
            slot.put(Err(DatabaseError::closed()));
        }
    }
}

impl Slot {
    async fn connect(&self) -> Result<tokio::task::JoinHandle<()>, DatabaseError> {
        let (connection, task) = Connection::open_for_reads(&self.target).await?;
        self.put(Ok(Arc::new(connection)));
        Ok(task)
    }

    fn put(&self, current: Result<Arc<Connection>, DatabaseError>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = current;
        self.changed.send_replace(());
    }
}

/// A read under way. If its caller goes away, the server continues the read, and it keeps its place until it has ended.
struct UnderWay {
    place: Option<OwnedSemaphorePermit>,
    stopped_after: Duration,
    answered: bool,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let Some(place) = self.place.take_if(|_| !self.answered) else { return };
        if tokio::runtime::Handle::try_current().is_ok() {
            let stopped_after = self.stopped_after;
            pando_telemetry::spawn("database.abandoned", async move {
                tokio::time::sleep(stopped_after).await;
                drop(place);
            });
        }
    }
}

/// Replaces the connection of a slot whenever it ends.
async fn supervise(
    slot: Arc<Slot>,
    mut connection: tokio::task::JoinHandle<()>,
    mut stopping: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            _ = &mut connection => {}
            // Told to stop, or the database was dropped.
            _ = stopping.changed() => return slot.put(Err(DatabaseError::closed())),
        }
        let mut pause = PAUSES.0;
        connection = loop {
            let attempt = tokio::select! {
                attempt = slot.connect() => attempt,
                _ = stopping.changed() => return slot.put(Err(DatabaseError::closed())),
            };
            match attempt {
                Ok(task) => break task,
                Err(error) => {
                    tracing::warn!(%error, "a shared database connection could not be renewed");
                    slot.put(Err(error));
                }
            }
            tokio::select! {
                () = tokio::time::sleep(jittered(pause, &slot.clock)) => {}
                _ = stopping.changed() => return slot.put(Err(DatabaseError::closed())),
            }
            pause = (pause * 2).min(PAUSES.1);
        };
    }
}

/// Half of the pause to all of it, so that a fleet does not come back in step.
pub(crate) fn jittered(pause: Duration, clock: &Clock) -> Duration {
    let random = clock.fresh_id().as_bytes()[15];
    pause / 2 + pause / 2 * u32::from(random) / 255
}
