//! A payment and its refunds, as they are stored and as callers see them.

use pando_service::prelude::*;
use pando_service::{name_in, value_in};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::method::Method;
use crate::domain::money::{Currency, Decimal, Money};

/// Where a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PaymentStatus {
    /// The provider has not said yet whether the money moved.
    Pending,
    /// The money is here.
    #[serde(rename = "COMPLETED")]
    Captured,
    /// A part of the money went back.
    PartiallyRefunded,
    /// All of the money went back.
    Refunded,
    /// No money moved.
    Failed,
}

/// Where a refund stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefundStatus {
    /// The provider has not said yet whether the money went back.
    Pending,
    /// The money went back.
    Completed,
    /// The provider refused it.
    Failed,
}

/// A payment as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stored {
    pub(crate) id: Uuid,
    pub(crate) order: Uuid,
    pub(crate) user: String,
    pub(crate) amount: Money,
    pub(crate) status: PaymentStatus,
    pub(crate) method: Method,
    pub(crate) reference: String,
    pub(crate) authorization_code: String,
    pub(crate) failure_code: String,
    pub(crate) failure_reason: String,
    pub(crate) refunded_minor: i64,
    pub(crate) stray: bool,
    pub(crate) version: i64,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// A refund as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredRefund {
    pub(crate) id: Uuid,
    pub(crate) payment: Uuid,
    pub(crate) amount: Money,
    pub(crate) status: RefundStatus,
    pub(crate) reason: String,
    pub(crate) reference: String,
    pub(crate) failure_reason: String,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// A refund as callers see it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refund {
    /// Its id.
    pub id: Uuid,
    /// How much.
    pub amount: Decimal,
    /// Where it stands.
    pub status: RefundStatus,
    /// Why.
    pub reason: String,
    /// Why the provider refused it.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    pub failure_reason: String,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// A payment as callers see it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// Its id.
    pub id: Uuid,
    /// The order that it pays.
    pub order_id: Uuid,
    /// The buyer.
    pub user_id: String,
    /// How much.
    pub amount: Decimal,
    /// The currency of all amounts.
    #[schema(value_type = String)]
    pub currency: Currency,
    /// Where it stands.
    pub status: PaymentStatus,
    /// The means of payment: its kind, the last four digits, the name on it.
    #[schema(value_type = Object)]
    pub payment_method: Value,
    /// The provider's name for it.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    pub transaction_id: String,
    /// Why no money moved, as a code.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    pub failure_code: String,
    /// Why no money moved, in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    pub failure_reason: String,
    /// How much went back, or is on its way.
    pub refund_amount: Decimal,
    /// Why, of the latest refund.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    pub refund_reason: String,
    /// Every refund; of one payment only, not of lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub refunds: Vec<Refund>,
    /// Counts the changes.
    pub version: i64,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

impl PaymentStatus {
    const ALL: [(&'static str, Self); 5] = [
        ("PENDING", Self::Pending),
        ("CAPTURED", Self::Captured),
        ("PARTIALLY_REFUNDED", Self::PartiallyRefunded),
        ("REFUNDED", Self::Refunded),
        ("FAILED", Self::Failed),
    ];

    pub(crate) fn as_str(self) -> &'static str {
        name_in(&Self::ALL, &self)
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        value_in(&Self::ALL, name)
    }

    /// The states by their published names, for questions.
    pub(crate) fn words() -> [(&'static str, Self); 6] {
        let [pending, captured, partly, refunded, failed] = Self::ALL;
        [pending, captured, ("COMPLETED", Self::Captured), partly, refunded, failed]
    }

    /// Whether the money came, wherever it is now.
    pub(crate) fn has_money(self) -> bool {
        matches!(self, Self::Captured | Self::PartiallyRefunded | Self::Refunded)
    }
}

impl RefundStatus {
    const ALL: [(&'static str, Self); 3] =
        [("PENDING", Self::Pending), ("COMPLETED", Self::Completed), ("FAILED", Self::Failed)];

    pub(crate) fn as_str(self) -> &'static str {
        name_in(&Self::ALL, &self)
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        value_in(&Self::ALL, name)
    }
}

impl Stored {
    /// How much of it can go back.
    pub(crate) fn refundable(&self) -> Money {
        let minor = if self.status.has_money() { self.amount.minor - self.refunded_minor } else { 0 };
        Money::new(minor, self.amount.currency)
    }

    /// As callers see it, with its refunds.
    pub(crate) fn shown(&self, refunds: &[StoredRefund]) -> Payment {
        let latest = refunds.iter().rev().find(|refund| refund.status != RefundStatus::Failed);
        Payment {
            id: self.id,
            order_id: self.order,
            user_id: self.user.clone(),
            amount: self.amount.decimal(),
            currency: self.amount.currency,
            status: self.status,
            payment_method: self.method.shown(),
            transaction_id: self.reference.clone(),
            failure_code: self.failure_code.clone(),
            failure_reason: self.failure_reason.clone(),
            refund_amount: Money::new(self.refunded_minor, self.amount.currency).decimal(),
            refund_reason: latest.map(|refund| refund.reason.clone()).unwrap_or_default(),
            refunds: refunds.iter().map(StoredRefund::shown).collect(),
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

impl StoredRefund {
    fn shown(&self) -> Refund {
        Refund {
            id: self.id,
            amount: self.amount.decimal(),
            status: self.status,
            reason: self.reason.clone(),
            failure_reason: self.failure_reason.clone(),
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}
