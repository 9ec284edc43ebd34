//! Pays an order that waits for it: the buyer hears at once whether the money moved, if the provider says so in time.

use pando_service::prelude::*;
use uuid::Uuid;

use super::domain::asked::PaymentAsked;
use super::domain::means::Chosen;
use super::store;
use crate::Commerce;
use crate::inventory::ledger::Short;
use crate::orders::domain::status::OrderStatus;
use crate::orders::get_order::check_owner;
use crate::orders::store as orders;
use crate::orders::transition::no_order;

impl Commerce {
    /// Pays an order of the caller; the payment. An order has one: a second request for it gets the first payment.
    pub(crate) async fn charge_order(
        &self,
        call: &Call,
        asked: &PaymentAsked,
    ) -> Result<Written<Uuid>, Fault> {
        let begun = self.0.writes.once_patiently(call, |turn| async move {
            // A caller who may not pay the order cannot have cards checked with it.
            let read = self.0.parts.database.read_primary(call);
            let order = orders::find(&read, call.tenant(), asked.order).await?.ok_or_else(no_order)?;
            check_owner(call, &order)?;
            asked.check_amount(order.total)?;
            if let Some(there) = order.payment {
                return turn.begin().await?.done((there, false));
            }
            let Chosen::Method(method) = self.choose_method(call, &asked.means).await? else {
                let message = "a payment needs a card, or the token of one";
                let fault =
                    Fault::new(pando_service::Class::Malformed, message).named("PAYMENT_METHOD_INVALID");
                return Err(fault.with_field("paymentMethod", "value", message));
            };
            let mut write = turn.begin().await?;
            let order =
                orders::lock(&mut write.tx, call.tenant(), asked.order).await?.ok_or_else(no_order)?;
            if let Some(there) = store::of_order(&mut write.tx, call.tenant(), asked.order).await? {
                return write.done((there.id, false));
            }
            if order.status != OrderStatus::Pending {
                let detail = format!("an order that is {} cannot be paid", order.status.as_str());
                return Err(Fault::conflict(detail).named("BUSINESS_RULE_VIOLATION"));
            }
            let begun = self.begin_charge(&mut write, order, method).await?;
            let payment = begun.map_err(|(_, short)| Short::fault(&short))?;
            write.done((payment.id, true))
        });
        let begun = begun.await?;
        let ((id, is_new), token, replayed) = (begun.value, begun.token, begun.replayed);
        if is_new {
            let call = &Call { repeat: None, ..call.clone() };
            // If this fails, the next round of `payment_reconcile` asks for the outcome.
            let done = call.deadline.bound(self.complete_charge(call, id, !replayed)).await;
            if !matches!(done, Ok(Ok(_))) {
                tracing::warn!(payment = %id, "a payment could not be completed by its request: a job asks for its outcome");
            }
        }
        Ok(Written { value: id, token, replayed })
    }
}
