//! Changes a product.

use pando_service::prelude::*;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::domain::product::{Product, Stored};
use super::store;
use crate::Commerce;
use crate::domain::events;
use crate::domain::faults::no_product;
use crate::inventory::ledger::{self, Kind};
use crate::inventory::store::{self as stock, Movement, Stock};

impl Commerce {
    /// Lays these fields over a product: those that are absent stay.
    pub async fn update_product(
        &self,
        call: &Call,
        id: Uuid,
        expected: &Expected,
        fields: &Map<String, Value>,
    ) -> Result<Written<Product>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let mut write = turn.begin().await?;
            let (units, current) = self.lock_product(&mut write, id).await?;
            expected.check("product", current.revision)?;
            let (draft, available) = current.draft.changed_by(fields)?;
            let now = self.0.parts.clock.now();
            let (category_id, category_name) = self.category(&mut write, &draft, now).await?;
            let next = Stored {
                draft,
                category_id,
                category_name,
                available: available.unwrap_or(current.available),
                revision: current.revision + 1,
                version: current.version + 1,
                updated_at: now,
                ..current.clone()
            };
            store::update(&mut write.tx, call.tenant(), &next);
            let counted = Stock { available: next.available, version: next.revision, ..units };
            stock::update(&mut write.tx, call.tenant(), &[counted], now).await?;
            if counted.available != units.available {
                let movement = Movement {
                    id: self.0.parts.clock.fresh_id(),
                    kind: Kind::Adjustment.name(),
                    quantity: counted.available - units.available,
                    before: units,
                    after: counted,
                    cause: None,
                    reason: "the product was changed".to_owned(),
                };
                ledger::settle(&mut write, &[movement], now).await?;
            }
            let data = json!({"sku": next.draft.sku});
            write.changed(Change { event: events::PRODUCT_UPDATED, id, version: next.revision, data });
            write.done(next.shown())
        });
        write.await
    }

    /// A product and its stock, which is locked: every change of either begins with that lock.
    pub(crate) async fn lock_product(&self, write: &mut Write, id: Uuid) -> Result<(Stock, Stored), Fault> {
        let tenant = write.call.tenant().clone();
        let units = stock::lock(&mut write.tx, &tenant, vec![id]).await?.pop().ok_or_else(no_product)?;
        let product = store::find_locked(&mut write.tx, &tenant, id).await?.ok_or_else(no_product)?;
        Ok((units, product))
    }
}
