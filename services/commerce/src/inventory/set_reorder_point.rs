//! Changes the number of available units at which the shop hears that few are left.

use pando_service::prelude::*;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::domain::stock::{StockLevel, read_reorder_point};
use super::store::{self, Stock};
use super::{ledger, move_stock};
use crate::Commerce;
use crate::domain::events;

impl Commerce {
    /// Changes the reorder point of a product; its stock afterwards.
    pub async fn set_reorder_point(
        &self,
        call: &Call,
        product: Uuid,
        fields: &Map<String, Value>,
    ) -> Result<Written<StockLevel>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let reorder_point = read_reorder_point(fields)?;
            let mut write = turn.begin().await?;
            let (before, found) = self.lock_product(&mut write, product).await?;
            let after = Stock { reorder_point, version: before.version + 1, ..before };
            store::set_reorder_point(&mut write.tx, call.tenant(), &after, self.0.parts.clock.now());
            let data =
                json!({"available": after.available, "reserved": after.reserved, "kind": "REORDER_POINT"});
            let (id, version) = (product, after.version);
            write.changed(Change { event: events::STOCK_CHANGED, id, version, data });
            ledger::tell_low_stock(&mut write, &before, &after);
            write.done(move_stock::level(after, found.draft.name))
        });
        write.await
    }
}
