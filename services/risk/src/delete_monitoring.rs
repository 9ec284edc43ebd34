//! Ends a monitoring of media, and forgets its alerts.

use pando_service::prelude::*;
use uuid::Uuid;

use crate::Risk;
use crate::get_monitoring::no_monitoring;
use crate::store::monitorings;

impl Risk {
    /// Ends a monitoring.
    pub async fn delete_monitoring(&self, call: &Call, id: Uuid) -> Result<Written<()>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let mut write = turn.begin().await?;
            if !monitorings::delete(&mut write.tx, call.tenant(), id).await? {
                return Err(no_monitoring());
            }
            let data = serde_json::json!({});
            write.acted(Change { event: "media.monitoring_deleted", id, version: 2, data });
            write.done(())
        });
        write.await
    }
}
