//! An order as it is stored, and as callers see it.

use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::status::{OrderStatus, Step};
use crate::domain::money::{Currency, Decimal, Money};
use crate::inventory::domain::reservation::Line;
use crate::payments::domain::means::Chosen;

/// An order as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stored {
    pub(crate) id: Uuid,
    pub(crate) user: String,
    pub(crate) status: OrderStatus,
    pub(crate) step: Step,
    pub(crate) total: Money,
    pub(crate) address: Value,
    pub(crate) notes: String,
    /// None if the order named no means of payment.
    pub(crate) method: Option<Chosen>,
    /// The verdict about it; null before it was asked for.
    pub(crate) risk: Value,
    pub(crate) payment: Option<Uuid>,
    pub(crate) tracking: String,
    pub(crate) reason: String,
    pub(crate) version: i64,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

/// A line as it was sold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SoldLine {
    pub(crate) product: Uuid,
    pub(crate) name: String,
    /// In the currency of the order.
    pub(crate) price_minor: i64,
    pub(crate) quantity: i64,
    pub(crate) image_url: Option<String>,
}

/// A step that an order has taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderStep {
    /// The state before; absent for the first one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(required = false)]
    pub from: Option<OrderStatus>,
    /// The state since.
    pub to: OrderStatus,
    /// Why, in words.
    pub reason: String,
    /// The caller or the job that caused it.
    pub actor: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// A line of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderLine {
    /// The product.
    pub product_id: Uuid,
    /// Its name when it was sold.
    pub product_name: String,
    /// The price of one unit when it was sold.
    pub price: Decimal,
    /// The same, by another published name.
    pub unit_price: Decimal,
    /// The price of all units of the line.
    pub total_price: Decimal,
    /// How many units.
    pub quantity: i64,
    /// The first picture of the product.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(required = false)]
    pub image_url: Option<String>,
}

/// An order as callers see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Its id.
    pub id: Uuid,
    /// The buyer.
    pub user_id: String,
    /// Where it stands.
    pub status: OrderStatus,
    /// The lines, as the buyer wrote them down.
    pub items: Vec<OrderLine>,
    /// The price of all lines.
    pub total_amount: Decimal,
    /// The currency of all amounts.
    #[schema(value_type = String)]
    pub currency: Currency,
    /// As the buyer sent it: an object, or a text.
    #[schema(value_type = Object)]
    pub shipping_address: Value,
    /// Words of the buyer.
    pub notes: String,
    /// The kind of means of payment that the order named.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(required = false)]
    pub payment_method: Option<String>,
    /// The payment that counts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(required = false)]
    pub payment_id: Option<Uuid>,
    /// The verdict about the order: `decision`, `reason`, and whether the check was away (`fallbackUsed`).
    #[serde(skip_serializing_if = "Value::is_null", default)]
    #[schema(required = false, value_type = Object)]
    pub risk: Value,
    /// Where the parcel is.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    #[schema(required = false)]
    pub tracking_number: String,
    /// Why it was cancelled.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    #[schema(required = false)]
    pub cancel_reason: String,
    /// Every state that it went through; of one order only, not of lists.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    #[schema(required = false)]
    pub history: Vec<OrderStep>,
    /// Counts the changes.
    pub version: i64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// It is cancelled unless it is paid before.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

impl Stored {
    /// As callers see it, with its lines.
    pub(crate) fn shown(&self, lines: &[SoldLine], history: Vec<OrderStep>) -> Result<Order, Fault> {
        Ok(Order {
            id: self.id,
            user_id: self.user.clone(),
            status: self.status,
            items: lines.iter().map(|line| line.shown(self.total.currency)).collect::<Result<_, _>>()?,
            total_amount: self.total.decimal(),
            currency: self.total.currency,
            shipping_address: self.address.clone(),
            notes: self.notes.clone(),
            payment_method: self.method.as_ref().map(|method| method.kind().as_str().to_owned()),
            payment_id: self.payment,
            risk: self.risk.clone(),
            tracking_number: self.tracking.clone(),
            cancel_reason: self.reason.clone(),
            history,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            expires_at: self.expires_at,
        })
    }
}

impl SoldLine {
    /// The price of all its units.
    pub(crate) fn total(&self, currency: Currency) -> Result<Money, Fault> {
        let price = Money::new(self.price_minor, currency);
        price.times(self.quantity).ok_or_else(|| Fault::internal("the price of a line is too large"))
    }

    /// The units that it takes from the stock.
    pub(crate) fn units(&self) -> Line {
        Line { product: self.product, quantity: self.quantity }
    }

    fn shown(&self, currency: Currency) -> Result<OrderLine, Fault> {
        let price = Money::new(self.price_minor, currency).decimal();
        Ok(OrderLine {
            product_id: self.product,
            product_name: self.name.clone(),
            price,
            unit_price: price,
            total_price: self.total(currency)?.decimal(),
            quantity: self.quantity,
            image_url: self.image_url.clone(),
        })
    }
}
