//! The refusals of the shop, by their published names.

use pando_service::prelude::*;
use pando_service::{Class, Rule};

/// The rules of the tables that a caller can break.
pub(crate) const RULES: &[Rule] = &[("commerce_products_tenant_sku_key", sku_taken)];

/// Names whose refusals are no bad input: the request is understood, and a rule of the shop stands against it (422).
pub(crate) const BUSINESS_RULES: [&str; 12] = [
    "BUSINESS_RULE_VIOLATION",
    "CART_EMPTY",
    "CART_ITEM_LIMIT_EXCEEDED",
    "INSUFFICIENT_FUNDS",
    "INSUFFICIENT_STOCK",
    "ORDER_AMOUNT_INVALID",
    "ORDER_ITEMS_LIMIT_EXCEEDED",
    "ORDER_TIMEOUT",
    "PAYMENT_AMOUNT_INVALID",
    "PAYMENT_METHOD_INVALID",
    "PAYMENT_PROCESSOR_ERROR",
    "PRODUCT_NOT_AVAILABLE",
];

pub(crate) fn no_product() -> Fault {
    Fault::not_found("product")
}

pub(crate) fn no_category() -> Fault {
    Fault::not_found("category")
}

fn sku_taken() -> Fault {
    Fault::conflict("another product has this SKU").named("DUPLICATE_RESOURCE").with_field(
        "sku",
        "taken",
        "another product has it",
    )
}

/// A rule of the shop stands against the request.
pub(crate) fn against_the_rules(name: &'static str, detail: impl Into<String>) -> Fault {
    Fault::new(Class::Invalid, detail.into()).named(name)
}
