//! A cart with its lines, priced as the products are at this moment.

use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::money::{Currency, Decimal, Money};

/// Whether a line of a cart can be bought now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CartItemStatus {
    /// It can.
    Available,
    /// There are fewer units than the line asks for.
    InsufficientStock,
    /// The product is not offered any more.
    Unavailable,
    /// The product is sold in another currency than that of the cart.
    OtherCurrency,
}

/// A line of a cart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CartItem {
    /// Its id: that of its product, which is in a cart once.
    pub id: Uuid,
    /// The product.
    pub product_id: Uuid,
    /// The name of the product.
    pub product_name: String,
    /// The price of one unit now.
    pub price: Decimal,
    /// The currency of the price.
    #[schema(value_type = String)]
    pub currency: Currency,
    /// How many units.
    #[schema(minimum = 1)]
    pub quantity: i64,
    /// The price of all units of the line.
    pub subtotal: Decimal,
    /// The first picture of the product.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub image_url: Option<String>,
    /// Words of the buyer.
    pub notes: String,
    /// Whether the line can be bought now.
    pub status: CartItemStatus,
    /// The same as a truth value.
    pub available: bool,
    /// How many units of the product can be sold now.
    pub available_quantity: i64,
    /// When the product was put into the cart.
    #[schema(value_type = String, format = DateTime)]
    pub added_at: Timestamp,
    /// When the line was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// A cart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cart {
    /// Its id. A buyer always has the same cart.
    pub id: Uuid,
    /// The user whose cart it is; `guest` for a cart that a cookie opens.
    pub user_id: String,
    /// The lines, in the order in which they were added.
    pub items: Vec<CartItem>,
    /// The price of all lines whose product is offered in the currency of the cart.
    pub total_amount: Decimal,
    /// The currency of the sum.
    #[schema(value_type = String)]
    pub currency: Currency,
    /// How many lines.
    pub item_count: i64,
    /// How many units.
    pub total_items: i64,
    /// Counts the changes.
    pub version: i64,
    /// When the first product was put into it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, value_type = String, format = DateTime)]
    pub created_at: Option<Timestamp>,
    /// When it was last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, value_type = String, format = DateTime)]
    pub updated_at: Option<Timestamp>,
    /// When it is deleted unless it is changed before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, value_type = String, format = DateTime)]
    pub expires_at: Option<Timestamp>,
}

/// A product as it is offered now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Offer {
    pub(crate) product: Uuid,
    pub(crate) name: String,
    pub(crate) price: Money,
    pub(crate) image_url: Option<String>,
    pub(crate) is_offered: bool,
    pub(crate) available: i64,
}

/// A line as it is stored, with its product.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredLine {
    pub(crate) offer: Offer,
    pub(crate) quantity: i64,
    pub(crate) notes: String,
    pub(crate) added_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

impl StoredLine {
    /// Whether it can be bought in a cart of this currency.
    pub(crate) fn status(&self, currency: Currency) -> CartItemStatus {
        match &self.offer {
            offer if !offer.is_offered => CartItemStatus::Unavailable,
            offer if offer.price.currency != currency => CartItemStatus::OtherCurrency,
            offer if offer.available < self.quantity => CartItemStatus::InsufficientStock,
            _ => CartItemStatus::Available,
        }
    }

    /// The price of all its units.
    pub(crate) fn subtotal(&self) -> Result<Money, Fault> {
        self.offer.price.times(self.quantity).ok_or_else(too_dear)
    }

    pub(crate) fn shown(&self, currency: Currency) -> Result<CartItem, Fault> {
        let status = self.status(currency);
        Ok(CartItem {
            id: self.offer.product,
            product_id: self.offer.product,
            product_name: self.offer.name.clone(),
            price: self.offer.price.decimal(),
            currency: self.offer.price.currency,
            quantity: self.quantity,
            subtotal: self.subtotal()?.decimal(),
            image_url: self.offer.image_url.clone(),
            notes: self.notes.clone(),
            status,
            available: status == CartItemStatus::Available,
            available_quantity: if self.offer.is_offered { self.offer.available } else { 0 },
            added_at: self.added_at,
            updated_at: self.updated_at,
        })
    }
}

/// The exact sum of the lines whose product is offered in this currency.
pub(crate) fn total(lines: &[StoredLine], currency: Currency) -> Result<Money, Fault> {
    let counts = |line: &&StoredLine| {
        !matches!(line.status(currency), CartItemStatus::Unavailable | CartItemStatus::OtherCurrency)
    };
    lines
        .iter()
        .filter(counts)
        .try_fold(Money::new(0, currency), |sum, line| sum.plus(line.subtotal()?).ok_or_else(too_dear))
}

/// No product and no number of units that this shop takes comes near it.
fn too_dear() -> Fault {
    crate::domain::faults::against_the_rules("BUSINESS_RULE_VIOLATION", "the sum of the cart is too large")
}
