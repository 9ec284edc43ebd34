//! One attempt of a job: running its handler, and stopping it when it must stop.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use pando_resilience::{Call, Tenant};
use serde_json::Value;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::store::claim::Claimed;
use crate::verdict::Verdict;
use crate::{JobContext, JobError, JobResult, Queue, Registry};

/// How long an attempt may take unless its job says otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Why an attempt is stopped from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The job was cancelled.
    Cancelled,
    /// The worker stops: another one shall run it.
    HandBack,
    /// Another worker may have it by now.
    Lost,
}

/// The messages to and from an attempt.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    stop: Mutex<Option<Stop>>,
    stopped: Notify,
    /// The attempt's own transaction settled the job.
    pub(crate) settled: AtomicBool,
}

impl Signals {
    pub(crate) fn stop(&self, why: Stop) {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        self.stopped.notify_one();
    }

    async fn stopped(&self) -> Stop {
        loop {
            if let Some(why) = *self.stop.lock().unwrap_or_else(PoisonError::into_inner) {
                return why;
            }
            self.stopped.notified().await;
        }
    }
}

/// The attempts this process has, from their claim until they are settled.
#[derive(Debug, Default)]
pub(crate) struct Live(Mutex<HashMap<Uuid, (Uuid, Arc<Signals>)>>);

impl Live {
    /// Adds an attempt. One of the same job that is still here lost it, whatever it believes.
    pub(crate) fn enter(&self, id: Uuid, lease: Uuid) -> Arc<Signals> {
        let signals = Arc::new(Signals::default());
        let before = self.lock().insert(id, (lease, Arc::clone(&signals)));
        if let Some((_, lost)) = before {
            lost.stop(Stop::Lost);
        }
        signals
    }

    pub(crate) fn leave(&self, id: Uuid, lease: Uuid) {
        let mut live = self.lock();
        if live.get(&id).is_some_and(|(held, _)| *held == lease) {
            live.remove(&id);
        }
    }

    pub(crate) fn stop(&self, id: Uuid, why: Stop) {
        if let Some((_, signals)) = self.lock().get(&id) {
            signals.stop(why);
        }
    }

    /// Every attempt, as job and lease.
    pub(crate) fn all(&self) -> Vec<(Uuid, Uuid)> {
        self.lock().iter().map(|(id, (lease, _))| (*id, *lease)).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, (Uuid, Arc<Signals>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs one attempt to whatever end it has.
pub(crate) async fn execute(
    queue: &Queue,
    registry: &Registry,
    claimed: Claimed,
    signals: Arc<Signals>,
) -> Verdict {
    let Some(kind) = registry.get(&claimed.kind) else {
        // Claims name the kinds: only a registry that changed meanwhile gets here.
        return Verdict::HandedBack;
    };
    let mut claimed = claimed;
    let started = Instant::now();
    let timeout = claimed.settings.timeout_ms.map_or(TIMEOUT, Duration::from_millis);
    let call = Call { request_id: claimed.id.to_string().into(), ..Call::internal(&claimed.kind, timeout) };
    let call = call.of_tenant(Tenant::stored(claimed.tenant.as_deref().unwrap_or_default()));
    let deadline = call.deadline;
    let payload = std::mem::take(&mut claimed.payload);
    let (attempts, settings) = ((claimed.attempts, claimed.attempts_max), claimed.settings.clone());
    let context = JobContext::new(queue.clone(), claimed, Arc::clone(&signals), call);
    let work = AssertUnwindSafe(async { kind.run(context, payload).await }).catch_unwind();
    let ended: Result<JobResult, Stop> = tokio::select! {
        biased;
        why = signals.stopped() => Err(why),
        ended = deadline.bound(work) => Ok(match ended {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(JobError::retry("the handler panicked")),
            Err(_) => Err(JobError::retry(format!("it took longer than {} ms", timeout.as_millis()))),
        }),
    };
    let settled = signals.settled.load(Ordering::Acquire);
    let verdict = match ended {
        _ if settled => Verdict::Settled,
        Err(Stop::Cancelled) => Verdict::Cancelled,
        Err(Stop::HandBack) => Verdict::HandedBack,
        Err(Stop::Lost) => Verdict::Settled,
        Ok(Ok(result)) if has_nul(&result) => Verdict::Dead("its result holds a NUL character".to_owned()),
        Ok(Ok(result)) => Verdict::Completed(result),
        Ok(Err(error)) => {
            let clock = queue.clock();
            Verdict::of_failure(&error, attempts, &settings, clock.now(), clock.fresh_id())
        }
    };
    queue.gauges().attempt(&kind.name, &verdict, settled, started.elapsed());
    verdict
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}
