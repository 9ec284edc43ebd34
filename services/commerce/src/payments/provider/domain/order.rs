//! Orders to a provider.

use uuid::Uuid;

use crate::domain::money::Money;
use crate::payments::domain::method::MethodToken;

/// The order to charge an amount.
#[derive(Clone, Debug)]
pub struct ChargeOrder {
    /// The id of the payment. The provider's idempotency key follows from it, so the same payment is charged once.
    pub key: Uuid,
    /// The order that is paid.
    pub order: Uuid,
    /// How much.
    pub amount: Money,
    /// The card.
    pub token: MethodToken,
}

/// The order to give money back.
#[derive(Clone, Debug)]
pub struct RefundOrder {
    /// The id of the refund. The provider's idempotency key follows from it, so the same refund is made once.
    pub key: Uuid,
    /// The charge, by the reference that the provider gave it.
    pub reference: String,
    /// How much.
    pub amount: Money,
}
