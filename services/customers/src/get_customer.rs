//! Reads a customer.

use pando_service::prelude::*;

use crate::Customers;
use crate::domain::faults::no_customer;
use crate::domain::id::CustomerId;

impl Customers {
    /// A customer as its message, from memory if possible.
    pub async fn get_customer(&self, call: &Call, id: &str) -> Result<Kept, Fault> {
        // No customer has an id that is none.
        let id = CustomerId::parse(id).map_err(|_| no_customer())?;
        // The ordinary case first: no future, and nothing that a load would need.
        let token = call.consistency.as_deref();
        if id.is_key()
            && let Some(kept) = self.0.base.memory.recall(call.tenant(), id.as_str(), token)
        {
            return Ok(kept);
        }
        let (store, database, key) = (self.0.store.clone(), self.0.parts.database.clone(), id.key());
        let load = move |call: Call| async move {
            let stored = store.find(&database.read(&call), call.tenant(), key).await?;
            Ok(stored.map(|stored| stored.customer.loaded()))
        };
        self.0.base.memory.read(call, (key, ""), load).await?.ok_or_else(no_customer)
    }
}
