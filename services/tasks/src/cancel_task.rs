//! Cancels a task.

use pando_resilience::Call;
use pando_service::Fault;
use uuid::Uuid;

use crate::domain::faults::of_task;
use crate::{Task, Tasks};

impl Tasks {
    /// Calls a task off: at once while it waits. One that runs is stopped within moments, and is returned as it
    /// stands until then.
    pub async fn cancel_task(&self, call: &Call, id: Uuid) -> Result<Task, Fault> {
        self.0.queue.cancel(call, id).await.map_err(of_task)?;
        self.get_task(call, id).await
    }
}
