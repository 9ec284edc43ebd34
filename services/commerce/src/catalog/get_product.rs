//! Reads one product, from memory if possible.

use pando_service::prelude::*;
use uuid::Uuid;

use super::domain::product::Stored;
use super::store;
use crate::Commerce;
use crate::domain::faults::no_product;

impl Commerce {
    /// The product of this id.
    pub async fn get_product(&self, call: &Call, id: Uuid) -> Result<Kept, Fault> {
        let database = self.0.parts.database.clone();
        let load = move |call: Call| async move {
            store::find(&database.read(&call), call.tenant(), id).await?.as_ref().map(kept).transpose()
        };
        self.0.memory.read(call, (id, ""), load).await?.ok_or_else(no_product)
    }

    /// A product of a tenant that this process holds, if it is as new as the token asks for.
    pub(crate) fn recall_product(&self, tenant: &Tenant, id: &str, token: Option<&str>) -> Option<Kept> {
        self.0.memory.recall(tenant, id, token)
    }
}

/// A product as the cache keeps it: as the answer has it.
fn kept(product: &Stored) -> Result<Loaded, Fault> {
    let answer = serde_json::json!({"data": product.shown(), "message": "the product"});
    Ok(Loaded::new(product.revision, serde_json::to_vec(&answer)?))
}
