//! Follows a task to its end.

use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::unfold;
use pando_resilience::Call;
use tokio::sync::{broadcast, watch};
use uuid::Uuid;

use crate::{Task, TaskError, Tasks};

/// How long one look may take.
const LOOK_BUDGET: Duration = Duration::from_secs(3);
/// How often a task is read again that another process may have changed.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// A stream that has nothing to say says so this often, so that nobody on the way closes it.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// What a stream of a task says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said {
    /// How the task stands now.
    Changed(Box<Task>),
    /// Nothing, and that it is still there.
    Alive,
    /// That this process ends; others know how the task goes on.
    Closing,
}

struct Watch {
    tasks: Tasks,
    id: Uuid,
    changes: broadcast::Receiver<Uuid>,
    closing: watch::Receiver<bool>,
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
    ) -> Result<impl Stream<Item = Said> + Send + use<>, TaskError> {
        let (changes, closing) = (self.0.queue.watch(), self.0.closing.subscribe());
        let task = self.get_task(call, id).await?;
        let watch =
            Watch { tasks: self.clone(), id, changes, closing, over: false, said: None, next: Some(task) };
        Ok(unfold(watch, Watch::step))
    }
}

impl Watch {
    async fn step(mut self) -> Option<(Said, Self)> {
        if self.over || self.said.as_ref().is_some_and(|task| task.status.is_end()) {
            return None;
        }
        let quiet_until = tokio::time::Instant::now() + KEEP_ALIVE;
        loop {
            let task = match self.next.take() {
                Some(task) => Some(task),
                // Swept while somebody watched: that is an end too.
                None => match self.look().await {
                    Ok(task) => Some(task),
                    Err(TaskError::NotFound) => return None,
                    // The database is away for a moment; the next look may find it.
                    Err(_) => None,
                },
            };
            if let Some(task) = task.filter(|task| self.said.as_ref() != Some(task)) {
                self.said = Some(task.clone());
                return Some((Said::Changed(Box::new(task)), self));
            }
            if *self.closing.borrow() {
                self.over = true;
                return Some((Said::Closing, self));
            }
            if tokio::time::Instant::now() >= quiet_until {
                return Some((Said::Alive, self));
            }
            tokio::select! {
                _ = tokio::time::timeout(LOOK_EVERY, self.changes.recv()) => {}
                _ = self.closing.wait_for(|closing| *closing) => {}
            }
        }
    }

    async fn look(&self) -> Result<Task, TaskError> {
        self.tasks.get_task(&Call::internal("tasks.watch", LOOK_BUDGET), self.id).await
    }
}
