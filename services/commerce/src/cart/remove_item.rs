//! Takes a product out of a cart.

use pando_service::prelude::*;
use uuid::Uuid;

use super::domain::buyer::Buyer;
use crate::Commerce;

impl Commerce {
    /// Takes a line out of a cart.
    pub async fn remove_cart_item(
        &self,
        call: &Call,
        buyer: &Buyer,
        product: Uuid,
    ) -> Result<Written<()>, Fault> {
        Ok(self.change_cart_item(call, buyer, product, (0, None)).await?.map(drop))
    }
}

/// The cart has no such line.
pub(super) fn no_item() -> Fault {
    Fault::not_found("item in this cart").named("CART_ITEM_NOT_FOUND")
}
