//! Sends what is due to one endpoint. One job of an endpoint runs at a time, so its rate, its breaker and its order need no
//! lock: a hanging endpoint keeps its own job busy and no other.

mod attempt;
mod settle;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use pando_queue::{Job, JobContext, JobError, Unique};
use pando_service::prelude::*;
use serde::Serialize;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::Webhooks;
use crate::domain::endpoint::{Endpoint, WebhookStatus};
use crate::domain::work::{OfEndpoint, WAKE};
use crate::store::deliveries::{self, Due};

/// How long a job goes on before another one has its turn.
const TURN: Duration = Duration::from_secs(20);
/// How many events a job reads at once.
const ROUND_MAX: usize = 500;
/// A shorter wait is slept; for a longer one the job ends, and another one begins then.
const NAP_MAX: Duration = Duration::from_secs(1);

/// How many attempts a job made.
#[derive(Serialize)]
pub(crate) struct Sent {
    attempts: usize,
}

/// The next step after a round.
enum Next {
    /// There may be more at once.
    Round(usize),
    /// There is something to be sent at this moment.
    At(Timestamp),
    /// Nothing waits.
    Nothing,
}

impl Webhooks {
    /// The job that sends what is due to an endpoint.
    pub(crate) async fn send(self, context: JobContext, of: OfEndpoint) -> Result<Sent, JobError> {
        let (began, mut attempts) = (Instant::now(), 0);
        loop {
            let next = self.round(&context, of.webhook, began + TURN).await?;
            let at = match next {
                Next::Nothing => break,
                Next::Round(count) => {
                    attempts += count;
                    if began.elapsed() < TURN {
                        continue;
                    }
                    self.0.parts.clock.now()
                }
                Next::At(at) => at,
            };
            if began.elapsed() < TURN && self.nap(at).await {
                continue;
            }
            self.wake_at(&context, of, at).await?;
            break;
        }
        Ok(Sent { attempts })
    }

    /// Sends what is due at this moment.
    async fn round(&self, context: &JobContext, id: Uuid, until: Instant) -> Result<Next, Fault> {
        let (read, tenant) = (context.database().read_primary(context.call()), context.tenant());
        let endpoint = self.0.store.find(&read, tenant, id).await?;
        let Some(endpoint) = endpoint.filter(|endpoint| endpoint.status == WebhookStatus::Active) else {
            return Ok(Next::Nothing);
        };
        let now = self.0.parts.clock.now();
        if let Some(closed) = endpoint.record.closed_until.filter(|closed| *closed > now) {
            return Ok(Next::At(closed));
        }
        // After it was closed, one attempt finds out whether it works again.
        let is_probe = endpoint.record.failures >= i64::from(self.0.options.breaker_failures);
        let wanted = if is_probe { 1 } else { ROUND_MAX };
        let (free, _) = slots(&endpoint, now, wanted);
        if free == 0 {
            return Ok(Next::At(free_at(&endpoint)));
        }
        let of = (tenant, id);
        let due = deliveries::due(&read, of, endpoint.settings.ordered, now, free).await?;
        if due.is_empty() {
            let mut tx = context.database().transaction(context.call()).await?;
            let next = deliveries::next(&mut tx, of).await?;
            tx.rollback().await?;
            return Ok(next.map_or(Next::Nothing, |at| Next::At(at.max(now.plus_micros(1_000)))));
        }
        let count = due.len();
        let (_, next_slot) = slots(&endpoint, now, count);
        self.send_all(context, &endpoint, (due, next_slot), until).await?;
        Ok(Next::Round(count))
    }

    /// Sends events, and notes what became of them while others are on their way.
    async fn send_all(
        &self,
        context: &JobContext,
        endpoint: &Endpoint,
        (due, next_slot): (Vec<Due>, Option<Timestamp>),
        until: Instant,
    ) -> Result<(), Fault> {
        let (ended, mut arriving) = mpsc::unbounded_channel();
        let failures = AtomicU32::new(u32::try_from(endpoint.record.failures).unwrap_or(u32::MAX));
        let failures_max = self.0.options.breaker_failures;
        let sending = async {
            let attempts = futures_util::stream::iter(due).for_each_concurrent(
                endpoint.settings.concurrency.0 as usize,
                |due| {
                    let (ended, failures) = (&ended, &failures);
                    async move {
                        // A probe is the first: it may begin although the failures are many.
                        let tripped = failures.load(Ordering::Relaxed) >= failures_max
                            && endpoint.record.failures < i64::from(failures_max);
                        if tripped || Instant::now() > until {
                            return;
                        }
                        let attempted = self.attempt(context, endpoint, &due).await;
                        match attempted.error.is_empty() {
                            true => failures.store(0, Ordering::Relaxed),
                            false => drop(failures.fetch_add(1, Ordering::Relaxed)),
                        }
                        let _ = ended.send(attempted);
                    }
                },
            );
            attempts.await;
            drop(ended);
        };
        let settling = async {
            let mut batch = Vec::new();
            while arriving.recv_many(&mut batch, ROUND_MAX).await > 0 {
                self.settle(context, endpoint.id, (std::mem::take(&mut batch), next_slot)).await?;
            }
            Ok::<_, Fault>(())
        };
        let ((), settled) = futures_util::join!(sending, settling);
        settled
    }

    /// Sleeps until a moment that is near; whether it came. A scripted clock does not move meanwhile.
    async fn nap(&self, at: Timestamp) -> bool {
        let wait = at.as_micros() - self.0.parts.clock.now().as_micros();
        let wait = Duration::from_micros(u64::try_from(wait).unwrap_or_default());
        if wait > NAP_MAX {
            return false;
        }
        tokio::time::sleep(wait).await;
        self.0.parts.clock.now() >= at
    }

    /// Has the next job begin at a moment.
    async fn wake_at(&self, context: &JobContext, of: OfEndpoint, at: Timestamp) -> Result<(), Fault> {
        let key = format!("{}:{}", of.webhook, at.as_micros().div_euclid(10_000));
        let job = WAKE.job(&of)?;
        let job = Job { run_at: Some(at), unique: Some(Unique::WhileWaiting(key)), ..job };
        let mut tx = context.database().transaction(context.call()).await?;
        self.0.parts.queue.enqueue(&mut tx, job.of_tenant(context.tenant())).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// How many of the wanted attempts the rate allows now, and the next slot when they are taken.
fn slots(endpoint: &Endpoint, now: Timestamp, wanted: usize) -> (usize, Option<Timestamp>) {
    let Some(rate) = &endpoint.settings.rate_limit else { return (wanted, None) };
    let slot = endpoint.record.next_slot.map_or(0, Timestamp::as_micros);
    let (free, slot) = rate.take(slot, now.as_micros(), wanted);
    (free, Some(Timestamp::from_micros(slot)))
}

/// When the rate allows the next attempt.
fn free_at(endpoint: &Endpoint) -> Timestamp {
    let slot = endpoint.record.next_slot.map_or(0, Timestamp::as_micros);
    let free = endpoint.settings.rate_limit.map_or(slot, |rate| rate.free_at(slot));
    Timestamp::from_micros(free)
}
