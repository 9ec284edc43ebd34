//! Stores a schedule under its name, or changes the existing one.

use pando_database::Token;
use pando_http::Precondition;
use pando_queue::Act;
use pando_resilience::Call;
use pando_service::{Class, Fault};
use serde_json::{Map, Value, json};

use crate::domain::faults::no_schedule;
use crate::domain::schedule;
use crate::{Schedule, Tasks};
use pando_service::FieldError;

impl Tasks {
    /// Stores or changes a schedule. `expected` fences it: `If-Match` for a change, `If-None-Match: *` for a new one.
    pub async fn put_schedule(
        &self,
        call: &Call,
        name: &str,
        fields: &Map<String, Value>,
        expected: &Expected,
    ) -> Result<(Schedule, Token), Fault> {
        if !schedule::is_name(name) {
            let message = "must be 1 to 100 letters, digits, `_`, `-` or `.`";
            return Err(Fault::invalid(vec![FieldError::new("name", "value", message)]));
        }
        let now = self.0.queue.clock().now();
        let draft = schedule::parse(fields, &self.0.registry, &self.0.options, now)?;
        self.permit(call, &draft.job.kind)?;
        let mut tx = self.0.queue.database().transaction(call).await?;
        let named = (call.tenant(), name);
        let check = |version| expected.check(version);
        let kept = self.0.queue.put_recurring(&mut tx, named, &draft, check).await?;
        let action = if kept.version == 1 { "schedule_created" } else { "schedule_changed" };
        let details = json!({"version": kept.version});
        let act = Act { action, resource: "schedule", resource_id: name, details };
        self.0.queue.record(&mut tx, call, &act);
        let token = tx.commit().await?;
        Ok((kept.into(), token))
    }
}

/// The state of a schedule that the client expects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expected {
    /// `If-Match`.
    pub(crate) matching: Option<Precondition>,
    /// `If-None-Match: *`.
    pub(crate) absent: bool,
}

impl Expected {
    fn check(&self, version: Option<i64>) -> Result<(), Fault> {
        match version {
            Some(_) if self.absent => {
                Err(Fault::new(Class::VersionMismatch, "there is a schedule of this name already"))
            }
            Some(version) => Ok(self.matching.as_ref().map_or(Ok(()), |matching| matching.check(version))?),
            None if self.matching.as_ref().is_some_and(|matching| !matching.is_none()) => Err(no_schedule()),
            None => Ok(()),
        }
    }
}
