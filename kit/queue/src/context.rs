//! The view of a job that its handler gets, and writes that only succeed while the attempt holds its lease.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pando_clock::{Clock, Timestamp};
use pando_database::{Database, Transaction};
use pando_resilience::{Call, Tenant};
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use crate::attempt::Signals;
use crate::store::claim::Claimed;
use crate::store::settle as store;
use crate::{Queue, QueueError};

/// One attempt of a job, as its handler sees it. Cloning shares it.
#[derive(Clone)]
pub struct JobContext(Arc<Inner>);

struct Inner {
    queue: Queue,
    claimed: Claimed,
    signals: Arc<Signals>,
    call: Call,
}

impl JobContext {
    pub(crate) fn new(queue: Queue, claimed: Claimed, signals: Arc<Signals>, call: Call) -> Self {
        Self(Arc::new(Inner { queue, claimed, signals, call }))
    }

    /// The job's id. The same in every attempt: side effects that carry it can be told apart from new ones.
    pub fn id(&self) -> Uuid {
        self.0.claimed.id
    }

    /// Which kind of job it is.
    pub fn kind(&self) -> &str {
        &self.0.claimed.kind
    }

    /// Which attempt this is, from 1.
    pub fn attempt(&self) -> i64 {
        self.0.claimed.attempts
    }

    /// How many there may be.
    pub fn attempts_max(&self) -> i64 {
        self.0.claimed.attempts_max
    }

    /// When it was enqueued.
    pub fn created_at(&self) -> Timestamp {
        self.0.claimed.created_at
    }

    /// When it was due.
    pub fn run_at(&self) -> Timestamp {
        self.0.claimed.run_at
    }

    /// The tenant that owns the job.
    pub fn tenant(&self) -> &Tenant {
        self.0.call.tenant()
    }

    /// How far an earlier attempt said that it had come.
    pub fn cursor<T: DeserializeOwned>(&self) -> Option<T> {
        self.0.claimed.cursor.clone().and_then(|cursor| serde_json::from_value(cursor).ok())
    }

    /// A call with the deadline of this attempt.
    pub fn call(&self) -> &Call {
        &self.0.call
    }

    /// The database of the queue.
    pub fn database(&self) -> &Database {
        self.0.queue.database()
    }

    /// Where times and ids come from.
    pub fn clock(&self) -> &Clock {
        self.0.queue.clock()
    }

    /// The queue, to enqueue more.
    pub fn queue(&self) -> &Queue {
        &self.0.queue
    }

    /// Makes the transaction one of this attempt: it can be committed only if this attempt is the living one, and
    /// until it ends no other can begin. Every job that writes calls this, or one of the next two, first.
    pub async fn fence(&self, tx: &mut Transaction) -> Result<(), QueueError> {
        let held = store::fence(tx, self.0.claimed.id, self.0.claimed.lease).await?;
        self.only_if(held)
    }

    /// Saves how far it has come together with the work that was done: the next attempt begins there. Fences.
    pub async fn save(
        &self,
        tx: &mut Transaction,
        cursor: Value,
        progress: Option<Value>,
    ) -> Result<(), QueueError> {
        let Claimed { id, lease, .. } = self.0.claimed;
        let queue = &self.0.queue;
        let micros = i64::try_from(queue.options().lease().as_micros()).unwrap_or(i64::MAX);
        let lease_until = queue.clock().now().plus_micros(micros);
        let held = store::save(tx, id, lease, cursor, progress, lease_until).await?;
        self.only_if(held)?;
        let queue = self.0.queue.clone();
        tx.after_commit(move || queue.changed(id));
        Ok(())
    }

    /// Completes the job together with the work that was done: the effect happens exactly once. Fences.
    pub async fn complete(&self, tx: &mut Transaction, result: Value) -> Result<(), QueueError> {
        let Claimed { id, lease, .. } = self.0.claimed;
        let ended = store::complete_one(tx, (id, lease), Some(result), self.clock().now()).await?;
        self.only_if(ended.is_some())?;
        self.0.queue.after_end(tx, ended.as_slice()).await?;
        let (queue, signals) = (self.0.queue.clone(), Arc::clone(&self.0.signals));
        tx.after_commit(move || {
            signals.settled.store(true, Ordering::Release);
            queue.changed(id);
        });
        Ok(())
    }

    /// Tells whoever watches how far it has come, in a transaction of its own.
    pub async fn progress(&self, progress: Value) -> Result<(), QueueError> {
        let Claimed { id, lease, .. } = self.0.claimed;
        let mut tx = self.database().transaction(&self.0.call).await?;
        let held = store::save_progress(&mut tx, id, lease, progress).await?;
        self.only_if(held)?;
        tx.commit().await?;
        self.0.queue.changed(id);
        Ok(())
    }

    fn only_if(&self, held: bool) -> Result<(), QueueError> {
        if held { Ok(()) } else { Err(QueueError::FenceLost { id: self.0.claimed.id }) }
    }
}

impl fmt::Debug for JobContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobContext").field("id", &self.id()).field("attempt", &self.attempt()).finish()
    }
}
