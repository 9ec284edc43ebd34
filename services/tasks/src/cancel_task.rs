//! Cancels a task.

use pando_resilience::Call;
use uuid::Uuid;

use crate::{Task, TaskError, Tasks};

impl Tasks {
    /// Calls a task off: at once while it waits. One that runs is stopped within moments, and is returned as it
    /// stands until then.
    pub async fn cancel_task(&self, call: &Call, id: Uuid) -> Result<Task, TaskError> {
        self.0.queue.cancel(call, id).await?;
        self.get_task(call, id).await
    }
}
