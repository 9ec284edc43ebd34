//! Reads a payment with its refunds.

use pando_service::prelude::*;
use uuid::Uuid;

use super::domain::payment::{Payment, Stored};
use super::no_payment;
use super::store::{self, refunds};
use crate::Commerce;
use crate::orders::get_order::is_own;

impl Commerce {
    /// A payment of the caller, or any payment for a caller who may see all of them.
    pub async fn get_payment(&self, call: &Call, id: Uuid) -> Result<Payment, Fault> {
        let payment = self.payment_of_caller(call, id).await?;
        let read = self.0.parts.database.read_primary(call);
        let refunds = refunds::of_payment(&read, call.tenant(), id).await?;
        Ok(payment.shown(&refunds))
    }

    /// The same after the provider was asked, if the outcome of the payment or of a refund is not known yet.
    pub async fn refresh_payment(&self, call: &Call, id: Uuid) -> Result<Payment, Fault> {
        self.payment_of_caller(call, id).await?;
        self.complete_charge(call, id, false).await?;
        let read = self.0.parts.database.read_primary(call);
        for refund in refunds::of_payment(&read, call.tenant(), id).await? {
            self.complete_refund(call, refund.id, false).await?;
        }
        self.get_payment(call, id).await
    }

    /// A payment of somebody else does not exist for the caller.
    async fn payment_of_caller(&self, call: &Call, id: Uuid) -> Result<Stored, Fault> {
        let read = self.0.parts.database.read_primary(call);
        let payment = store::find(&read, call.tenant(), id).await?;
        payment.filter(|payment| is_own(call, &payment.user)).ok_or_else(no_payment)
    }
}
