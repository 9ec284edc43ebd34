//! Says of several products at once whether they can be bought.

use pando_service::prelude::*;
use uuid::Uuid;

use super::domain::stock::Availability;
use crate::Commerce;
use crate::catalog::store as catalog;

impl Commerce {
    /// Whether these products can be bought, in their order. Of one that is not offered, there are no units.
    pub async fn check_availability(
        &self,
        call: &Call,
        products: &[Uuid],
    ) -> Result<Vec<Availability>, Fault> {
        let read = self.0.parts.database.read_primary(call);
        let found = catalog::find_many(&read, call.tenant(), products.to_vec()).await?;
        let availability = |id: &Uuid| {
            let offered = found.iter().find(|product| product.id == *id && product.draft.active);
            let available = offered.map_or(0, |product| product.available);
            Availability {
                product_id: *id,
                product_name: offered.map(|product| product.draft.name.clone()).unwrap_or_default(),
                available_quantity: available,
                in_stock: available > 0,
            }
        };
        Ok(products.iter().map(availability).collect())
    }
}
