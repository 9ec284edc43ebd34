//! The states of an order, and the steps between them.

use pando_service::{name_in, value_in};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderStatus {
    /// Its units are reserved, and it is not paid.
    Pending,
    /// The provider of payments is away, or has not said yet whether the money moved.
    PendingPayment,
    /// It is paid.
    Confirmed,
    /// Somebody packs it.
    Processing,
    /// It has left.
    Shipped,
    /// It has arrived.
    Delivered,
    /// It was given up; if it was paid, the money is on its way back.
    Cancelled,
    /// It was given up, and the money is back.
    Refunded,
}

/// The next step on the way to a paid order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Step {
    /// Ask whether the order may be sold to this buyer.
    Assess,
    /// Charge the payment that is under way.
    Charge,
    /// Nothing: the buyer has to pay.
    Pay,
    /// Nothing: the order is paid, or was given up.
    Done,
}

impl OrderStatus {
    const ALL: [(&'static str, Self); 8] = [
        ("PENDING", Self::Pending),
        ("PENDING_PAYMENT", Self::PendingPayment),
        ("CONFIRMED", Self::Confirmed),
        ("PROCESSING", Self::Processing),
        ("SHIPPED", Self::Shipped),
        ("DELIVERED", Self::Delivered),
        ("CANCELLED", Self::Cancelled),
        ("REFUNDED", Self::Refunded),
    ];

    pub(crate) fn as_str(self) -> &'static str {
        name_in(&Self::ALL, &self)
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        value_in(&Self::ALL, name)
    }

    /// The states with their names, for questions.
    pub(crate) fn words() -> &'static [(&'static str, Self)] {
        &Self::ALL
    }

    /// Whether it is neither paid nor given up.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::PendingPayment)
    }

    /// Whether an order in this state can become one in that.
    pub(crate) fn can_become(self, next: Self) -> bool {
        use OrderStatus::{
            Cancelled, Confirmed, Delivered, Pending, PendingPayment, Processing, Refunded, Shipped,
        };
        matches!(
            (self, next),
            (Pending, PendingPayment | Confirmed | Cancelled)
                | (PendingPayment, Pending | Confirmed | Cancelled)
                | (Confirmed, Processing | Cancelled)
                | (Processing, Shipped)
                | (Shipped, Delivered)
                | (Cancelled, Refunded)
        )
    }
}

impl Step {
    const ALL: [(&'static str, Self); 4] =
        [("ASSESS", Self::Assess), ("CHARGE", Self::Charge), ("PAY", Self::Pay), ("DONE", Self::Done)];

    pub(crate) fn as_str(self) -> &'static str {
        name_in(&Self::ALL, &self)
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        value_in(&Self::ALL, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_never_goes_back_and_ends_delivered_or_refunded() {
        let all = OrderStatus::words();
        let ends: Vec<&str> = all
            .iter()
            .filter(|(_, from)| !all.iter().any(|(_, to)| from.can_become(*to)))
            .map(|(name, _)| *name)
            .collect();
        assert_eq!(ends, ["DELIVERED", "REFUNDED"]);
        for (_, from) in all {
            assert!(!from.can_become(*from));
            // A parcel that has left is not cancelled, and money that is back stays back.
            if matches!(from, OrderStatus::Shipped | OrderStatus::Delivered | OrderStatus::Refunded) {
                assert!(!from.can_become(OrderStatus::Cancelled));
            }
        }
    }
}
