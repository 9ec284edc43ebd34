//! Follows a task to its end.

use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::unfold;
use pando_resilience::{Call, Tenant};
use pando_service::{Class, Fault};
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::domain::pace::Pace;
use crate::get_task::changed;
use crate::{Task, Tasks};

/// How long one look may take.
const LOOK_BUDGET: Duration = Duration::from_secs(3);
/// When to look again after the database was away.
const AWAY: Duration = Duration::from_secs(1);

/// The items of a stream about a task.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said {
    /// How the task stands now.
    Changed(Box<Task>),
    /// That this process ends; others know how the task goes on.
    Closing,
}

struct Watch {
    tasks: Tasks,
    tenant: Tenant,
    id: Uuid,
    changes: broadcast::Receiver<Uuid>,
    closing: watch::Receiver<bool>,
    pace: Pace,
    /// When to read the task again if no change is announced before.
    look_at: Instant,
    /// The last word was said.
    over: bool,
    said: Option<Task>,
    next: Option<Task>,
}

impl Tasks {
    /// How the task stands, each time that changes, until it has ended, or waits are ended.
    pub(crate) async fn watch_task(
        &self,
        call: &Call,
        id: Uuid,
    ) -> Result<impl Stream<Item = Said> + Send + use<>, Fault> {
        // Before the first read, so that no later change is missed.
        let (changes, closing) = (self.0.queue.watch(), self.0.closing.subscribe());
        let next = Some(self.get_task(call, id).await?);
        let (tasks, tenant, now) = (self.clone(), call.tenant().clone(), Instant::now());
        let (pace, look_at) = (Pace::from(now), now);
        let watch =
            Watch { tasks, tenant, id, changes, closing, pace, look_at, over: false, said: None, next };
        Ok(unfold(watch, Watch::step))
    }
}

impl Watch {
    async fn step(mut self) -> Option<(Said, Self)> {
        if self.over || self.said.as_ref().is_some_and(|task| task.status.is_end()) {
            return None;
        }
        loop {
            if let Some(task) = self.next.take() {
                let (now, moment) = (Instant::now(), self.tasks.0.queue.clock().now());
                let news = self.said.as_ref() != Some(&task);
                if news {
                    self.pace = Pace::from(now);
                }
                self.look_at = now + self.pace.pause(&task, now, moment);
                if news {
                    self.said = Some(task.clone());
                    return Some((Said::Changed(Box::new(task)), self));
                }
            }
            if *self.closing.borrow() {
                self.over = true;
                return Some((Said::Closing, self));
            }
            tokio::select! {
                () = changed(&mut self.changes, self.id) => {}
                () = sleep_until(self.look_at) => {}
                _ = self.closing.wait_for(|closing| *closing) => continue,
            }
            match self.look().await {
                Ok(task) => self.next = Some(task),
                // Swept while somebody watched: that is an end too.
                Err(fault) if fault.class() == Class::NotFound => return None,
                // The database is away for a moment; a later look may find it.
                Err(_) => self.look_at = Instant::now() + AWAY,
            }
        }
    }

    async fn look(&self) -> Result<Task, Fault> {
        let call = Call::internal("tasks.watch", LOOK_BUDGET).of_tenant(self.tenant.clone());
        self.tasks.get_task(&call, self.id).await
    }
}
