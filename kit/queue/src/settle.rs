//! Settles attempts, many in one transaction, each only under its own lease.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pando_clock::Timestamp;
use pando_database::DatabaseError;
use pando_resilience::Call;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::store::claim::Claimed;
use crate::store::settle as store;
use crate::verdict::{Verdict, clean, fingerprint};
use crate::{Queue, QueueError};

/// How long one transaction of the queue may take.
pub(crate) const BUDGET: Duration = Duration::from_secs(10);
/// The pauses between attempts to settle while the database is away.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// How an attempt ended, to be written.
#[derive(Clone, Debug)]
pub(crate) struct Settlement {
    pub(crate) id: Uuid,
    pub(crate) lease: Uuid,
    pub(crate) queue: Arc<str>,
    pub(crate) kind: String,
    /// Others may begin when it ended: in a queue with a limit over all processes.
    pub(crate) frees_others: bool,
    pub(crate) verdict: Verdict,
}

impl Settlement {
    /// The end of an attempt that is still running: by default it is handed back.
    pub(crate) fn begun(queue: &str, claimed: &Claimed, frees_others: bool) -> Self {
        Self {
            id: claimed.id,
            lease: claimed.lease,
            queue: queue.into(),
            kind: claimed.kind.clone(),
            frees_others,
            verdict: Verdict::HandedBack,
        }
    }
}

/// Settles what comes, for as long as somebody may send more: while one transaction is under way, the next gathers.
pub(crate) async fn settle_all(queue: Queue, mut arrivals: mpsc::Receiver<Settlement>) {
    let batch_max = queue.options().batch_max;
    let mut batch = Vec::with_capacity(batch_max);
    while arrivals.recv_many(&mut batch, batch_max).await > 0 {
        settle_until_done(&queue, &batch).await;
        for Settlement { id, lease, .. } in batch.drain(..) {
            queue.wakes().live.leave(id, lease);
        }
    }
}

/// If settling all of them together takes too long, they are settled in halves, and in the worst case one by one.
async fn settle_until_done(queue: &Queue, batch: &[Settlement]) {
    let (mut parts, mut pause) = (vec![batch], PAUSES.0);
    while let Some(part) = parts.pop() {
        let Err(error) = queue.settle(part).await else {
            pause = PAUSES.0;
            continue;
        };
        let late = matches!(error, QueueError::Database(DatabaseError::DeadlineExceeded));
        if late && part.len() > 1 {
            tracing::warn!(attempts = part.len(), "attempts took too long to settle: in halves, then");
            let (first, second) = part.split_at(part.len() / 2);
            parts.extend([second, first]);
        } else if error.is_transient() || may_have_happened(&error) {
            tracing::warn!(%error, attempts = part.len(), "attempts could not be settled yet");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
            parts.push(part);
        } else {
            tracing::error!(%error, "attempts could not be settled together");
            settle_one_by_one(queue, part).await;
        }
    }
}

/// Settling again does nothing where it was done: every statement names the lease.
fn may_have_happened(error: &QueueError) -> bool {
    use DatabaseError::{CommitUnknown, DeadlineExceeded};
    matches!(error, QueueError::Database(CommitUnknown { .. } | DeadlineExceeded))
}

/// Settles one by one, so that an end that the database refuses does not affect the others.
async fn settle_one_by_one(queue: &Queue, batch: &[Settlement]) {
    for settlement in batch {
        if let Err(error) = queue.settle(std::slice::from_ref(settlement)).await {
            let buried = Settlement {
                verdict: Verdict::Dead(format!("its end could not be written: {error}")),
                ..settlement.clone()
            };
            if let Err(error) = queue.settle(&[buried]).await {
                // Its lease runs out, and it is rescued.
                tracing::error!(%error, job = %settlement.id, "an attempt could not be settled");
            }
        }
    }
}

impl Queue {
    /// Writes how attempts ended, in one transaction.
    pub(crate) async fn settle(&self, batch: &[Settlement]) -> Result<(), QueueError> {
        let written = batch.iter().any(|it| !matches!(it.verdict, Verdict::Settled));
        if !written {
            return Ok(());
        }
        let started = Instant::now();
        let result = self.settle_batch(batch).await;
        self.gauges().operation("settle", started, &result);
        result
    }

    async fn settle_batch(&self, batch: &[Settlement]) -> Result<(), QueueError> {
        let call = Call::internal("queue.settle", BUDGET);
        let mut tx = self.database().transaction(&call).await?;
        let now = self.clock().now();
        let (mut completed, mut handed_back) = (HashMap::new(), HashMap::new());
        let mut each = store::Each::default();
        for Settlement { id, lease, kind, verdict, .. } in batch {
            let attempt = (*id, *lease);
            match verdict {
                Verdict::Settled => {}
                Verdict::Completed(serde_json::Value::Null) => {
                    completed.entry(*lease).or_insert_with(Vec::new).push(*id);
                }
                Verdict::Completed(result) => each.complete(attempt, result.clone(), now),
                Verdict::HandedBack => handed_back.entry(*lease).or_insert_with(Vec::new).push(*id),
                Verdict::Again(run_at, error) => {
                    each.again(attempt, (now, *run_at), (error, &fingerprint(kind, error)));
                }
                Verdict::Dead(error) => {
                    each.bury(attempt, now, (&clean(error), &fingerprint(kind, error)));
                }
                Verdict::Cancelled => each.cancelled(attempt, now),
            }
        }
        let mut ended = each.write(&mut tx).await?;
        for (lease, ids) in completed {
            ended.extend(store::complete(&mut tx, lease, ids, now).await?);
        }
        for (lease, ids) in handed_back {
            ended.extend(store::hand_back(&mut tx, lease, ids, now).await?);
        }
        self.after_end(&mut tx, &ended).await?;
        tx.commit().await?;
        for job in &ended {
            self.changed(job.id);
        }
        self.ring_for(batch, now);
        Ok(())
    }

    /// Wakes whoever can go on now.
    fn ring_for(&self, batch: &[Settlement], now: Timestamp) {
        let now = now.as_micros();
        for settlement in batch {
            let due = match &settlement.verdict {
                Verdict::Again(run_at, _) => run_at.as_micros(),
                Verdict::HandedBack => now,
                _ if settlement.frees_others => now,
                _ => continue,
            };
            self.wakes().enqueued(&settlement.queue, due, now);
        }
    }
}
