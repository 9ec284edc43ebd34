//! Deletes a customer and everything known of it.

use pando_service::prelude::*;

use crate::domain::events;
use crate::domain::faults::{no_customer, of_id};
use crate::domain::id::CustomerId;
use crate::{Customers, store};

impl Customers {
    /// Deletes a customer. Its id stays taken, and nothing else of it is kept.
    pub async fn delete_customer(
        &self,
        call: &Call,
        expected: &Expected,
        id: &str,
    ) -> Result<Written<()>, Fault> {
        let write = self.0.base.writes.once(call, |turn| async move {
            let id = CustomerId::parse(id).map_err(of_id)?;
            let key = id.key();
            let mut write = turn.begin().await?;
            let customer = store::lock(&mut write.tx, call.tenant(), key).await?.ok_or_else(no_customer)?;
            expected.check("customer", customer.version)?;
            let version = customer.version + 1;
            store::delete(&mut write.tx, call.tenant(), key, (version, self.0.parts.clock.now()));
            write.changed(events::deleted(&id, version));
            write.done(())
        });
        write.await
    }
}
