//! The refusals of the shop, by their published names.

use pando_service::prelude::*;
use pando_service::{Class, Rule};

/// The rules of the tables that a caller can break.
pub(crate) const RULES: &[Rule] = &[
    ("commerce_products_tenant_sku_key", sku_taken),
    ("commerce_categories_tenant_name_key_key", category_name_taken),
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

fn category_name_taken() -> Fault {
    Fault::conflict("another category has this name").named("DUPLICATE_RESOURCE").with_field(
        "name",
        "taken",
        "another category has it",
    )
}

/// A rule of the shop stands against the request, which is understood: 422, and no bad input.
pub(crate) fn against_the_rules(name: &'static str, detail: impl Into<String>) -> Fault {
    Fault::new(Class::Invalid, detail.into()).named(name)
}
