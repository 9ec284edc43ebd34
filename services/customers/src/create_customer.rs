//! Creates a customer.

use pando_service::prelude::*;

use crate::Customers;
use crate::domain::customer::{Customer, Given, refused};
use crate::domain::events;
use crate::domain::faults::of_id;
use crate::domain::id::CustomerId;

impl Customers {
    /// Creates a customer, whose id the caller may choose.
    pub async fn create_customer(&self, call: &Call, given: Given) -> Result<Written<Customer>, Fault> {
        let write = self.0.base.writes.once(call, |turn| async move {
            let mut faults = Vec::new();
            given.check(None, &mut faults);
            refused(faults)?;
            let chosen = !given.id.is_empty();
            let id = given.id_or(|| CustomerId::fresh(self.0.parts.clock.fresh_id())).map_err(of_id)?;
            let customer = given.born(&id, self.0.parts.clock.now());
            let mut write = turn.begin().await?;
            self.0.store.insert(&mut write.tx, call, id.key(), &customer)?;
            let change = events::created(&id);
            // Somebody may have read before that no customer has the chosen id.
            if chosen {
                write.changed(change)
            } else {
                write.created(change)
            }
            write.remember_new(id.key(), || Ok(customer.loaded()))?;
            write.about(id.key());
            write.done(customer)
        });
        write.await
    }
}
