//! Changes fields of a customer.

use pando_service::prelude::*;
use serde::Serialize;

use crate::Customers;
use crate::domain::customer::{Customer, Given, check_mask, refused};
use crate::domain::events;
use crate::domain::faults::{no_customer, of_id};
use crate::domain::id::CustomerId;

/// A change of a customer.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Update {
    given: Given,
    mask: Vec<String>,
}

impl Update {
    /// A change to these values of the fields that the mask names: `email`, `name`, `phone`, `metadata`, `metadata.key`; of
    /// all fields if it is empty. Equal changes are equal, however the caller wrote them.
    pub fn new(given: Given, mut mask: Vec<String>) -> Self {
        mask.sort();
        mask.dedup();
        let nothing = Given { id: given.id.clone(), ..Given::default() };
        Self { given: nothing.changed_by(&given, &mask), mask }
    }
}

impl Customers {
    /// Changes a customer. A change that changes nothing leaves the version as it is.
    pub async fn update_customer(
        &self,
        call: &Call,
        expected: &Expected,
        update: Update,
    ) -> Result<Written<Customer>, Fault> {
        let write = self.0.base.writes.once(call, |turn| async move {
            let Update { given, mask } = &update;
            let id = CustomerId::parse(&given.id).map_err(of_id)?;
            let key = id.key();
            check_mask(mask)?;
            let mut write = turn.begin().await?;
            let ticket = write.before_change(key);
            let stored =
                self.0.store.lock(&mut write.tx, call.tenant(), key).await?.ok_or_else(no_customer)?;
            let customer = &stored.customer;
            expected.check("customer", customer.version)?;
            let (before, mut faults) = (customer.given(), Vec::new());
            let after = before.clone().changed_by(given, mask);
            after.check(None, &mut faults);
            refused(faults)?;
            write.about(key);
            let fields = before.difference(&after);
            if fields.is_empty() {
                return write.done(stored.customer);
            }
            let customer = customer.grown(after, self.0.parts.clock.now());
            self.0.store.update(&mut write.tx, call.tenant(), key, &customer)?;
            self.0.store.record_change(&mut write.tx, call, &stored, &customer, self.0.history_bytes_max)?;
            write.changed(events::updated(&id, customer.version, &fields));
            write.remember(ticket, key, || Ok(customer.loaded()))?;
            write.done(customer)
        });
        write.await
    }
}
