//! Reads a monitoring of media with its alerts.

use pando_service::prelude::*;
use uuid::Uuid;

use crate::Risk;
use crate::domain::monitoring::MediaMonitoring;
use crate::store::monitorings;

impl Risk {
    /// A monitoring with its latest alerts.
    pub async fn get_monitoring(&self, call: &Call, id: Uuid) -> Result<MediaMonitoring, Fault> {
        let read = self.0.parts.database.read(call);
        let found = monitorings::find(&read, call.tenant(), id).await?.ok_or_else(no_monitoring)?;
        Ok(found.shown(monitorings::alerts(&read, call.tenant(), id).await?))
    }
}

/// The monitoring that a caller named does not exist.
pub(crate) fn no_monitoring() -> Fault {
    Fault::not_found("monitoring")
}
