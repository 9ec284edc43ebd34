//! Reads the units of a product.

use pando_service::prelude::*;
use uuid::Uuid;

use super::domain::stock::StockLevel;
use super::store::levels;
use crate::Commerce;
use crate::domain::faults::no_product;

impl Commerce {
    /// The units of a product as they are now.
    pub async fn get_stock(&self, call: &Call, product: Uuid) -> Result<StockLevel, Fault> {
        let read = self.0.parts.database.read_primary(call);
        levels::level(&read, call.tenant(), product).await?.ok_or_else(no_product)
    }
}
