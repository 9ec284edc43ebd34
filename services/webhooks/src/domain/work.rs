//! The work that is done for one endpoint in the background.

use pando_queue::JobType;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Sends what is due to an endpoint.
pub(crate) const SEND: JobType<OfEndpoint> = JobType::new("webhook_send").within_ms(180_000);
/// Has what is due later sent then.
pub(crate) const WAKE: JobType<OfEndpoint> = JobType::new("webhook_wake");
/// Forgets the deliveries of an endpoint that was deleted.
pub(crate) const FORGET: JobType<OfEndpoint> = JobType::new("webhook_forget").within_ms(3_600_000);

/// An endpoint whose job it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OfEndpoint {
    pub(crate) webhook: Uuid,
}
