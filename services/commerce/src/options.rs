//! The settings of the shop.

use pando_service::prelude::*;
use serde::{Deserialize, Serialize};

use crate::domain::money::Currency;
use crate::payments::provider::options::PaymentsOptions;

/// Settings of the commerce service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CommerceOptions {
    /// The currency of products that name none.
    pub currency: String,
    /// Below how many available units an event says so, for products that name no number of their own.
    pub reorder_point: u32,
    /// How long units stay reserved for an order that is not paid.
    pub reservation_seconds: u32,
    /// How many units a line of a cart has at most.
    pub cart_line_units_max: u32,
    /// How many units a cart has at most.
    pub cart_units_max: u32,
    /// After how many days without a change a cart is deleted.
    pub cart_days: u32,
    /// How many lines an order has at most.
    pub order_lines_max: u32,
    /// How many units a line of an order has at most.
    pub order_line_units_max: u32,
    /// The lowest price of an order, in whole units of its currency.
    pub order_amount_min: u32,
    /// The highest price of an order, in whole units of its currency.
    pub order_amount_max: u32,
    /// How many orders of a buyer may wait to be paid at once; 0 is any number.
    pub waiting_orders_max: u32,
    /// After how many minutes an order that is not paid is cancelled.
    pub pay_minutes: u32,
    /// How many categories a shop has at most.
    pub categories_max: u32,
    /// How products are cached.
    pub products: CacheOptions,
    /// The provider of payments.
    pub payments: PaymentsOptions,
}

impl Default for CommerceOptions {
    fn default() -> Self {
        Self {
            currency: "USD".to_owned(),
            reorder_point: 10,
            reservation_seconds: 300,
            cart_line_units_max: 10,
            cart_units_max: 100,
            cart_days: 30,
            order_lines_max: 50,
            order_line_units_max: 50,
            order_amount_min: 10,
            order_amount_max: 10_000,
            waiting_orders_max: 5,
            pay_minutes: 30,
            categories_max: 1_000,
            products: CacheOptions {
                l1_ttl_ms: 10 * 60 * 1_000,
                l2_ttl_ms: 30 * 60 * 1_000,
                keep_compressed: true,
                ..CacheOptions::default()
            },
            payments: PaymentsOptions::default(),
        }
    }
}

impl CommerceOptions {
    /// Whether the service can run with these; the currency of the shop.
    pub fn check(&self) -> Result<Currency, BadSetting> {
        let bad = |name: &str, reason: String| BadSetting::new("commerce", name, reason);
        BadSetting::check_ranges(
            "commerce",
            [
                ("reorder_point", u64::from(self.reorder_point), 0..=1_000_000),
                ("reservation_seconds", u64::from(self.reservation_seconds), 10..=86_400),
                ("cart_line_units_max", u64::from(self.cart_line_units_max), 1..=1_000),
                ("cart_units_max", u64::from(self.cart_units_max), 1..=1_000),
                ("cart_days", u64::from(self.cart_days), 1..=365),
                ("order_lines_max", u64::from(self.order_lines_max), 1..=50),
                ("order_line_units_max", u64::from(self.order_line_units_max), 1..=1_000),
                ("order_amount_min", u64::from(self.order_amount_min), 0..=1_000_000),
                ("order_amount_max", u64::from(self.order_amount_max), 1..=1_000_000_000),
                ("waiting_orders_max", u64::from(self.waiting_orders_max), 0..=1_000_000),
                ("pay_minutes", u64::from(self.pay_minutes), 1..=10_080),
                ("categories_max", u64::from(self.categories_max), 1..=10_000),
            ],
        )?;
        self.payments.check()?;
        self.products.check().map_err(|error| bad("products", error.to_string()))?;
        Currency::parse(&self.currency).map_err(|error| bad("currency", error.to_string()))
    }
}
