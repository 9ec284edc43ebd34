//! Empties a cart.

use pando_service::prelude::*;

use super::domain::buyer::Buyer;
use super::store::{self, Held};
use crate::Commerce;

impl Commerce {
    /// Takes all lines out of a cart. A buyer without a cart has an empty one.
    pub async fn clear_cart(&self, call: &Call, buyer: &Buyer) -> Result<Written<()>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let mut write = turn.begin().await?;
            let now = self.0.parts.clock.now();
            if let Some(cart) = store::lock(&mut write.tx, call.tenant(), buyer, now).await? {
                self.empty(&mut write, cart, now);
            }
            write.done(())
        });
        write.await
    }

    /// Takes all lines out of a held cart.
    pub(crate) fn empty(&self, write: &mut Write, cart: Held, now: Timestamp) {
        let tenant = write.call.tenant().clone();
        store::remove_lines(&mut write.tx, &tenant, cart.id);
        self.save_cart(write, Held { units: 0, ..cart }, ("cart_emptied", now));
    }
}
