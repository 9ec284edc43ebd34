//! The background work of a queue: heartbeats, rescue of lost jobs, sweeping, counting.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use pando_database::{DatabaseError, Engine};
use pando_resilience::Call;
use tokio::sync::watch;
use uuid::Uuid;

use crate::attempt::Stop;
use crate::settle::BUDGET;
use crate::store::upkeep as store;
use crate::worker::Phase;
use crate::{JobState, Queue, QueueError};

/// How often the sweeper looks.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How often depths are counted, at most.
const COUNT_EVERY: Duration = Duration::from_secs(5);
/// How soon a heartbeat that missed a locked row is repeated.
const BEAT_AGAIN: Duration = Duration::from_secs(1);
/// How many jobs are rescued in one transaction.
const RESCUE_MAX: usize = 500;

/// Starts the tasks; they end with the worker.
pub(crate) fn start(queue: &Queue, names: Vec<String>, phase: &watch::Receiver<Phase>) {
    pando_telemetry::spawn("queue.heartbeat", beat(queue.clone(), phase.clone()));
    pando_telemetry::spawn("queue.rescue", rescue(queue.clone(), phase.clone()));
    pando_telemetry::spawn("queue.lanes", repair(queue.clone(), names.clone(), phase.clone()));
    pando_telemetry::spawn("queue.sweeper", sweep(queue.clone(), phase.clone()));
    pando_telemetry::spawn("queue.figures", count(queue.clone(), names, phase.clone()));
}

/// Waits; false when the worker is gone.
async fn pause(phase: &mut watch::Receiver<Phase>, time: Duration) -> bool {
    let until = tokio::time::Instant::now() + time;
    loop {
        tokio::select! {
            () = tokio::time::sleep_until(until) => return true,
            changed = phase.changed() => if changed.is_err() { return false },
        }
    }
}

async fn beat(queue: Queue, mut phase: watch::Receiver<Phase>) {
    let every = Duration::from_millis(queue.options().heartbeat_ms);
    let mut next = every;
    let mut believed = Instant::now();
    while pause(&mut phase, next).await {
        let began = Instant::now();
        match queue.beat().await {
            Ok(all) => {
                believed = began;
                next = if all { every } else { BEAT_AGAIN.min(every) };
            }
            Err(error) => {
                tracing::warn!(%error, "the heartbeat failed");
                next = BEAT_AGAIN.min(every);
                // From here on other processes may have taken the jobs of this one. On SQLite that cannot happen while the
                // writer of the file is busy.
                let starved = queue.database().engine() == Engine::Sqlite
                    && matches!(error, QueueError::Database(DatabaseError::PoolTimeout { .. }));
                if believed.elapsed() > queue.options().lease() && !starved {
                    for (id, _) in queue.wakes().live.all() {
                        queue.wakes().live.stop(id, Stop::Lost);
                    }
                }
            }
        }
    }
}

async fn rescue(queue: Queue, mut phase: watch::Receiver<Phase>) {
    let every = Duration::from_millis(queue.options().rescue_ms);
    while pause(&mut phase, every).await {
        if let Err(error) = queue.rescue().await {
            tracing::warn!(%error, "lost jobs could not be looked for");
        }
    }
}

/// As often as the jobs of dead workers are looked for, and less often where that takes long.
async fn repair(queue: Queue, names: Vec<String>, mut phase: watch::Receiver<Phase>) {
    let every = Duration::from_millis(queue.options().rescue_ms);
    let mut next = every;
    while pause(&mut phase, next).await {
        let started = Instant::now();
        if let Err(error) = queue.repair_lanes(&names).await {
            tracing::warn!(%error, "lanes that stand still could not be looked for");
        }
        next = every.max(started.elapsed() * 50);
    }
}

async fn sweep(queue: Queue, mut phase: watch::Receiver<Phase>) {
    while pause(&mut phase, SWEEP_EVERY).await {
        if let Err(error) = queue.sweep().await {
            tracing::warn!(%error, "old jobs could not be swept");
        }
    }
}

async fn count(queue: Queue, names: Vec<String>, mut phase: watch::Receiver<Phase>) {
    let mut every = COUNT_EVERY;
    while pause(&mut phase, every).await {
        let started = Instant::now();
        if let Err(error) = queue.count(&names).await {
            tracing::debug!(%error, "depths could not be counted");
        }
        every = COUNT_EVERY.max(started.elapsed() * 50);
    }
}

impl Queue {
    /// Says that this process is alive, for each attempt it has; whether every one could be told.
    pub(crate) async fn beat(&self) -> Result<bool, QueueError> {
        let held = self.wakes().live.all();
        if held.is_empty() {
            return Ok(true);
        }
        let call = Call::internal("queue.heartbeat", BUDGET);
        let mut tx = self.database().transaction(&call).await?;
        let lease = i64::try_from(self.options().lease().as_micros()).unwrap_or(i64::MAX);
        let until = self.clock().now().plus_micros(lease);
        let ids: Vec<Uuid> = held.iter().map(|(id, _)| *id).collect();
        let leases: HashSet<Uuid> = held.iter().map(|(_, lease)| *lease).collect();
        let renewed = store::renew(&mut tx, ids.clone(), leases.into_iter().collect(), until).await?;
        let found = store::leases(&mut tx, ids).await?;
        tx.commit().await?;
        let found: HashMap<Uuid, (Uuid, bool)> = found.into_iter().collect();
        let mut ours = 0;
        for (id, lease) in held {
            match found.get(&id) {
                Some((holder, false)) if *holder == lease => ours += 1,
                Some((holder, true)) if *holder == lease => {
                    ours += 1;
                    self.wakes().live.stop(id, Stop::Cancelled);
                }
                // It may have ended this moment: then the signal has no receiver.
                _ => self.wakes().live.stop(id, Stop::Lost),
            }
        }
        Ok(renewed >= ours)
    }

    /// Takes back the jobs of workers that went silent; how many.
    pub(crate) async fn rescue(&self) -> Result<usize, QueueError> {
        if self.database().engine() == Engine::Sqlite {
            // Its one writer may have been busy for longer than a lease: this process's own jobs are renewed first.
            self.beat().await?;
        }
        let mut rescued = 0;
        loop {
            let call = Call::internal("queue.rescue", BUDGET);
            let mut tx = self.database().transaction(&call).await?;
            let now = self.clock().now();
            let jobs = store::rescue(&mut tx, now, RESCUE_MAX).await?;
            self.after_end(&mut tx, &jobs).await?;
            for job in &jobs {
                self.ring_after(&mut tx, &job.queue, now);
            }
            tx.commit().await?;
            rescued += jobs.len();
            if jobs.len() < RESCUE_MAX {
                if rescued > 0 {
                    tracing::warn!(jobs = rescued, "jobs of silent workers were taken back");
                }
                return Ok(rescued);
            }
        }
    }

    /// Deletes what was kept for long enough, some rows at a time; how many.
    pub async fn sweep(&self) -> Result<u64, QueueError> {
        let (options, now) = (self.options(), self.clock().now());
        let ago = |seconds: u64| {
            let micros = i64::try_from(seconds.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
            now.plus_micros(-micros)
        };
        let (done, dead) = (ago(options.done_hours * 3_600), ago(options.dead_days * 86_400));
        let mut swept = 0;
        for (state, before) in
            [(JobState::Completed, done), (JobState::Cancelled, done), (JobState::Dead, dead)]
        {
            loop {
                let call = Call::internal("queue.sweep", BUDGET);
                let mut tx = self.database().transaction(&call).await?;
                let count = store::sweep(&mut tx, state, before, now, options.sweep_batch_max).await?;
                tx.commit().await?;
                swept += count;
                if count < u64::try_from(options.sweep_batch_max).unwrap_or(u64::MAX) {
                    break;
                }
            }
        }
        swept += self.sweep_rest(done).await?;
        Ok(swept)
    }

    /// Dead letters beyond the bound, and what no job refers to any more.
    async fn sweep_rest(&self, before: pando_clock::Timestamp) -> Result<u64, QueueError> {
        let options = self.options();
        let call = Call::internal("queue.sweep", BUDGET);
        let mut tx = self.database().transaction(&call).await?;
        let mut swept = 0;
        for (queue, count) in store::dead_counts(&mut tx).await? {
            let most = u64::try_from(options.sweep_batch_max).unwrap_or(u64::MAX);
            let over = count.saturating_sub(options.dead_max).min(most);
            if over > 0 {
                tracing::warn!(%queue, over, "dead letters beyond dead_max are dropped");
                swept += store::drop_dead(&mut tx, &queue, over).await?;
            }
        }
        store::sweep_traces(&mut tx, before).await?;
        tx.commit().await?;
        Ok(swept)
    }

    /// Counts what waits, for the metrics.
    async fn count(&self, names: &[String]) -> Result<(), QueueError> {
        let call = Call::internal("queue.count", BUDGET);
        let read = self.database().read_primary(&call);
        let counts: HashMap<(String, JobState), u64> = store::counts(&read).await?.into_iter().collect();
        let oldest: HashMap<String, pando_clock::Timestamp> =
            store::oldest(&read).await?.into_iter().collect();
        let now = self.clock().now();
        for name in names {
            for state in [JobState::Scheduled, JobState::Pending, JobState::Running, JobState::Dead] {
                let count = counts.get(&(name.clone(), state)).copied().unwrap_or(0);
                self.gauges().depth(name, state, count);
            }
            let since = oldest.get(name).map_or(0, |due| now.as_micros() - due.as_micros());
            self.gauges().oldest(name, (since / 1_000_000).max(0));
        }
        Ok(())
    }
}
