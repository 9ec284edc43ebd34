//! Reads a task, at once or when it has ended.

use std::time::Duration;

use pando_resilience::{Call, Deadline};
use pando_service::Fault;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use uuid::Uuid;

use crate::domain::faults::no_task;
use crate::domain::pace::Pace;
use crate::{Task, Tasks};

/// The part of a deadline that is reserved for the answer itself.
const RESERVE: Duration = Duration::from_millis(200);

impl Tasks {
    /// The task of this id.
    pub async fn get_task(&self, call: &Call, id: Uuid) -> Result<Task, Fault> {
        self.0.queue.find(call, id).await?.map(Task::from).ok_or_else(no_task)
    }

    /// The task when it has ended, or as it stands when the wait is over, or when waits are ended.
    pub async fn wait_for_task(&self, call: &Call, id: Uuid, wait: Duration) -> Result<Task, Fault> {
        let wait = wait.min(Duration::from_millis(self.0.options.wait_ms_max));
        let until = Deadline::after(wait.min(call.deadline.remaining().saturating_sub(RESERVE)));
        // Before the first read, so that no later change is missed.
        let mut changes = self.0.queue.watch();
        let mut closing = self.0.closing.subscribe();
        let mut pace = Pace::from(Instant::now());
        loop {
            let closed = *closing.borrow();
            let task = self.get_task(call, id).await?;
            if task.status.is_end() || until.is_past() || closed {
                return Ok(task);
            }
            let pause = pace.pause(&task, Instant::now(), self.0.queue.clock().now());
            let look_at = until.sooner(Deadline::after(pause));
            // A change by another process is not announced; the next read finds it.
            let _ = look_at
                .bound(async {
                    tokio::select! {
                        () = changed(&mut changes, id) => {}
                        _ = closing.wait_for(|closing| *closing) => {}
                    }
                })
                .await;
        }
    }
}

/// Returns when this process has changed the task, or may have.
pub(crate) async fn changed(changes: &mut Receiver<Uuid>, id: Uuid) {
    loop {
        match changes.recv().await {
            Ok(changed) if changed != id => {}
            Ok(_) | Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
