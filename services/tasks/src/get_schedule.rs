//! Reads schedules, and deletes them.

use pando_database::Token;
use pando_queue::Act;
use pando_resilience::Call;
use pando_service::Fault;
use serde_json::json;

use crate::domain::faults::no_schedule;
use crate::{Schedule, Tasks};

impl Tasks {
    /// The schedule of this name.
    pub async fn get_schedule(&self, call: &Call, name: &str) -> Result<Schedule, Fault> {
        let found = self.0.queue.find_recurring(call, name).await?;
        found.map(Schedule::from).ok_or_else(no_schedule)
    }

    /// A page of schedules in the order of their names, and the name to go on after when there are more.
    pub async fn list_schedules(
        &self,
        call: &Call,
        after: &str,
        limit: usize,
    ) -> Result<(Vec<Schedule>, Option<String>), Fault> {
        let found = self.0.queue.list_recurring(call, after, limit + 1).await?;
        let more = found.len() > limit;
        let schedules: Vec<Schedule> = found.into_iter().take(limit).map(Schedule::from).collect();
        let next = schedules.last().map(|schedule| schedule.name.clone()).filter(|_| more);
        Ok((schedules, next))
    }

    /// Deletes a schedule; tasks that it has stored already run.
    pub async fn delete_schedule(&self, call: &Call, name: &str) -> Result<Token, Fault> {
        let mut tx = self.0.queue.database().transaction(call).await?;
        if !self.0.queue.delete_recurring(&mut tx, call.tenant(), name).await? {
            return Err(no_schedule());
        }
        let (action, resource) = ("schedule_deleted", "schedule");
        let act = Act { action, resource, resource_id: name, details: json!({}) };
        self.0.queue.record(&mut tx, call, &act);
        Ok(tx.commit().await?)
    }
}
