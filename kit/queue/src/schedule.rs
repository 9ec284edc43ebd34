//! Jobs at fixed times. Every process knows all schedules. The process that moves a schedule to its next moment
//! enqueues its job in the same transaction, so each moment gives one job, however many processes there are, and no
//! process is a leader.

use std::time::Duration;

use pando_clock::Timestamp;
use pando_resilience::Call;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cron::Cron;
use crate::settle::BUDGET;
use crate::store::schedule as store;
use crate::{Job, Queue, QueueError};

/// How often schedules are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A job that is enqueued again and again.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Its name, the same in every process.
    pub name: String,
    /// When: five fields of cron in UTC, `@hourly`, `@daily`, `@weekly`, `@monthly`, or `@every 30s`.
    pub expression: String,
    /// What.
    pub job: Job,
}

/// Enqueues scheduled jobs until it is stopped or dropped.
#[must_use = "a scheduler that is dropped stops"]
#[derive(Debug)]
pub struct Scheduler {
    stop: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl Scheduler {
    /// Starts to enqueue.
    pub fn start(queue: &Queue, schedules: Vec<Schedule>) -> Result<Self, QueueError> {
        let parsed = parse(schedules)?;
        let (stop, mut stopping) = watch::channel(());
        let queue = queue.clone();
        let task = pando_telemetry::spawn("queue.scheduler", async move {
            loop {
                for (schedule, cron) in &parsed {
                    if let Err(error) = queue.fire(schedule, cron).await {
                        tracing::warn!(schedule = schedule.name, %error, "a schedule could not be looked at");
                    }
                }
                if let Err(error) = queue.fire_recurring().await {
                    tracing::warn!(%error, "recurring jobs could not be looked at");
                }
                tokio::select! {
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                    _ = stopping.changed() => return,
                }
            }
        });
        Ok(Self { stop, task })
    }

    /// Ends.
    pub async fn stop(self) {
        self.stop.send_replace(());
        if tokio::time::timeout(BUDGET, self.task).await.is_err() {
            tracing::warn!("the scheduler did not end in time");
        }
    }
}

impl Queue {
    /// Enqueues what is due by the queue's clock, once: for tests, and for programs that have their own timer.
    pub async fn fire_schedules(&self, schedules: Vec<Schedule>) -> Result<usize, QueueError> {
        let mut fired = 0;
        for (schedule, cron) in parse(schedules)? {
            fired += usize::from(self.fire(&schedule, &cron).await?);
        }
        Ok(fired)
    }

    /// Enqueues the job of a schedule that is due, and sets its next moment. Moments that passed while no process ran
    /// bring one job together.
    async fn fire(&self, schedule: &Schedule, cron: &Cron) -> Result<bool, QueueError> {
        let now = self.clock().now();
        let call = Call::internal("queue.schedule", BUDGET);
        let known = store::find(&self.database().read_primary(&call), &schedule.name).await?;
        let Some(next) = cron.next_after(now) else { return Ok(false) };
        let due = match known {
            Some((expression, due)) if expression == schedule.expression => due,
            // New, or changed: it begins with its next moment.
            _ => {
                let mut tx = self.database().transaction(&call).await?;
                store::set(&mut tx, &schedule.name, &schedule.expression, next).await?;
                tx.commit().await?;
                return Ok(false);
            }
        };
        if due > now {
            return Ok(false);
        }
        let mut tx = self.database().transaction(&call).await?;
        if !store::advance(&mut tx, &schedule.name, (due, next), now).await? {
            // Another process was first.
            return Ok(false);
        }
        self.enqueue(&mut tx, schedule.job.clone()).await?;
        tx.commit().await?;
        Ok(true)
    }
}

fn parse(schedules: Vec<Schedule>) -> Result<Vec<(Schedule, Cron)>, QueueError> {
    let one = |schedule: Schedule| {
        schedule.job.check()?;
        let cron = Cron::parse(&schedule.expression).map_err(|reason| QueueError::BadSetting {
            setting: format!("schedules.{}", schedule.name),
            reason,
        })?;
        // One that can never come is a slip.
        if cron.next_after(Timestamp::from_micros(0)).is_none() {
            let reason = format!("{} never comes", schedule.expression);
            return Err(QueueError::BadSetting { setting: format!("schedules.{}", schedule.name), reason });
        }
        Ok((schedule, cron))
    };
    schedules.into_iter().map(one).collect()
}
