//! Takes a product out of the catalog. Its row stays, because orders name it.

use pando_service::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::store;
use crate::Commerce;
use crate::domain::events;
use crate::inventory::store::{self as stock, Stock};

impl Commerce {
    /// Deletes a product.
    pub async fn delete_product(
        &self,
        call: &Call,
        id: Uuid,
        expected: &Expected,
    ) -> Result<Written<()>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let mut write = turn.begin().await?;
            let (units, current) = self.lock_product(&mut write, id).await?;
            expected.check("product", current.revision)?;
            let now = self.0.parts.clock.now();
            store::delete(&mut write.tx, call.tenant(), id, now);
            let version = units.version + 1;
            stock::update(&mut write.tx, call.tenant(), &[Stock { version, ..units }], now).await?;
            let data = json!({"sku": current.draft.sku});
            write.changed(Change { event: events::PRODUCT_DELETED, id, version, data });
            write.done(())
        });
        write.await
    }
}
