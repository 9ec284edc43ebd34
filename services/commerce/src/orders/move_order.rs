//! Says that an order is packed, has left, or has arrived.

use pando_service::prelude::*;
use pando_service::{BadText, Violations};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::domain::order::{Order, Stored};
use super::domain::status::{OrderStatus, Step};
use super::store;
use super::transition::no_order;
use crate::Commerce;

const TRACKING_CHARS_MAX: usize = 100;
const REASON_CHARS_MAX: usize = 200;

/// The states that a person can put a paid order into.
const WORDS: [(&str, OrderStatus); 3] = [
    ("PROCESSING", OrderStatus::Processing),
    ("SHIPPED", OrderStatus::Shipped),
    ("DELIVERED", OrderStatus::Delivered),
];

/// A state that a caller asks for.
#[derive(Clone, Debug)]
pub(crate) struct Moved {
    status: OrderStatus,
    tracking: String,
    reason: String,
}

impl Moved {
    /// The state that these fields ask for, or every bad field.
    pub(crate) fn read(fields: &Map<String, Value>) -> Result<Self, Violations> {
        let mut reader = FieldReader::new(fields);
        let status = reader.required_text("status").and_then(|name| {
            let found = WORDS.iter().find(|(word, _)| *word == name).map(|(_, status)| *status);
            let bad = || BadText::value("must be PROCESSING, SHIPPED or DELIVERED");
            reader.check("status", found.ok_or_else(bad))
        });
        let tracking = reader.text("trackingNumber", TRACKING_CHARS_MAX);
        let reason = reader.text("reason", REASON_CHARS_MAX);
        for (field, text) in [("trackingNumber", &tracking), ("reason", &reason)] {
            if text.contains('\0') {
                reader.refuse(field, "value", "must not have the character NUL");
            }
        }
        reader.finish()?;
        let status = status.ok_or_else(|| Violations::one("status", "required", "is required"))?;
        Ok(Self { status, tracking, reason })
    }
}

impl Commerce {
    /// Moves a paid order on.
    pub(crate) async fn move_order(
        &self,
        call: &Call,
        id: Uuid,
        moved: &Moved,
    ) -> Result<Written<Order>, Fault> {
        let write = self.0.writes.once_patiently(call, |turn| async move {
            let mut write = turn.begin().await?;
            let order = store::lock(&mut write.tx, call.tenant(), id).await?.ok_or_else(no_order)?;
            let tracking =
                if moved.tracking.is_empty() { order.tracking.clone() } else { moved.tracking.clone() };
            let order = Stored { tracking, ..order };
            let order = self.move_to(&mut write, order, (moved.status, Step::Done), &moved.reason)?;
            let lines = store::lines_of(&mut write.tx, call.tenant(), id).await?;
            write.done(order.shown(&lines, Vec::new())?)
        });
        write.await
    }
}
