//! Hears from the provider what became of a payment or a refund. Callbacks may come twice, late, or in any order.

use http::HeaderMap;
use pando_service::prelude::*;

use super::provider::domain::callback::News;
use super::store::{self, refunds};
use crate::Commerce;

impl Commerce {
    /// Takes a callback whose signature is the provider's. One about nothing that we know is an error, so that the provider sends it
    /// again: the payment may be in a transaction that is not committed yet.
    pub(crate) async fn take_callback(
        &self,
        call: &Call,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), Fault> {
        let callback = self.0.provider.read_callback(headers, body, self.0.parts.clock.now())?;
        let read = self.0.parts.database.read_primary(call);
        let unknown = || Fault::not_found("payment");
        match callback.news {
            News::Charge { key, outcome } => {
                let tenant = store::tenant_of(&read, key).await?.ok_or_else(unknown)?;
                self.settle_charge(&call.of_tenant(tenant), key, &outcome).await
            }
            News::Refund { key, outcome } => {
                let tenant = refunds::tenant_of(&read, key).await?.ok_or_else(unknown)?;
                self.settle_refund(&call.of_tenant(tenant), key, &outcome).await
            }
            News::Other => Ok(()),
        }
    }
}
