//! Deletes a customer and everything known of it.

use pando_idempotency::Outcome;
use pando_service::Class;
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
            let stored =
                self.0.store.lock(&mut write.tx, call.tenant(), key).await?.ok_or_else(no_customer)?;
            expected.check("customer", stored.customer.version)?;
            let version = stored.customer.version + 1;
            store::changes::forget_all(&mut write.tx, call.tenant(), key).await?;
            store::delete(&mut write.tx, call.tenant(), key, (version, self.0.parts.clock.now()));
            // Kept answers to requests with a key tell of the customer as well.
            let (kept, about) = (&self.0.parts.idempotency, (call.tenant(), &*key.to_string()));
            kept.replace(&mut write.tx, about, &gone()).await?;
            write.changed(events::deleted(&id, version));
            write.done(())
        });
        write.await
    }
}

/// The outcome of a repeated request about a customer that was deleted.
fn gone() -> Outcome {
    Outcome::refusal(Fault::new(Class::NotFound, "the customer was deleted").to_kept(None))
}
