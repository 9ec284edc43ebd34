#![doc = include_str!("../README.md")]

mod cart;
mod catalog;
mod domain;
mod http;
mod inventory;
mod meters;
mod options;
mod orders;
mod payments;
mod service;
mod verify;

use std::sync::Arc;

use pando_database::{Migration, MigrationSet};
use pando_service::prelude::*;
use pando_service::{CacheWrites, Memory, Writes};

pub use cart::{Buyer, Cart, CartItem, CartItemStatus, GuestToken, Merged, Wish};
pub use catalog::domain::product::Product;
pub use catalog::{
    BrandFacet, Category, CategoryFacet, CategoryPage, Facets, PRODUCTS_AT_ONCE_MAX, PriceFacet, ProductPage,
    ProductQuestion, ProductSort, Search, Tag,
};
pub use domain::money::{BadMoney, Currency, Decimal, Money};
pub use inventory::{
    Availability, Line, MovementPage, MovementShown, NamedReservation, Reservation, ReservationStatus,
    StockLevel, Wanted,
};
pub use options::CommerceOptions;
pub use orders::{
    Order, OrderLine, OrderPage, OrderQuestion, OrderStatus, OrderStep, RiskAnswer, RiskCheck, RiskDecision,
    RiskQuestion,
};
pub use payments::domain::card::{Card, GivenMethod};
pub use payments::domain::method::{Method, MethodKind, MethodToken};
pub use payments::provider::Provider;
pub use payments::provider::domain::callback::{Callback, News};
pub use payments::provider::domain::order::{ChargeOrder, RefundOrder};
pub use payments::provider::domain::outcome::{DeclineCode, Found, Outcome, RefundOutcome, SuggestedAction};
pub use payments::provider::options::{HttpProviderOptions, PaymentsOptions, ProviderKind, SandboxOptions};
pub use payments::{Payment, PaymentPage, PaymentQuestion, PaymentStatus, Reconciled, Refund, RefundStatus};
pub use service::{BLUEPRINT, open, served};
pub use verify::{Mistake, rules_of_books, verify_books};

/// The schema of this service, in the order it came to be.
pub const MIGRATIONS: MigrationSet = MigrationSet {
    service: "commerce",
    migrations: &[
        Migration::new(1, "catalog", include_str!("../migrations/0001_catalog.sql")),
        Migration::new(2, "inventory", include_str!("../migrations/0002_inventory.sql")),
        Migration::new(3, "carts", include_str!("../migrations/0003_carts.sql")),
        Migration::new(4, "search", include_str!("../migrations/0004_search.sql")),
        Migration::new(5, "orders", include_str!("../migrations/0005_orders.sql")),
        Migration::new(6, "payments", include_str!("../migrations/0006_payments.sql")),
        Migration::new(7, "sandbox", include_str!("../migrations/0007_sandbox.sql")),
        Migration::new(8, "categories", include_str!("../migrations/0008_categories.sql")),
        Migration::new(9, "brands", include_str!("../migrations/0009_brands.sql")),
    ],
};

/// The shop: each operation is a method, and a file of that name in the folder of its part. Cloning shares it.
#[derive(Clone)]
pub struct Commerce(Arc<Inner>);

struct Inner {
    parts: Parts,
    writes: Writes,
    memory: Memory,
    currency: Currency,
    provider: Provider,
    /// None in a house without risk decisions.
    risk: Option<RiskCheck>,
    meters: meters::Meters,
    options: CommerceOptions,
}

impl Commerce {
    /// Puts the service together.
    pub fn new(parts: &Parts, options: CommerceOptions, risk: Option<RiskCheck>) -> Result<Self, BadSetting> {
        let currency = options.check()?;
        let memory = MemoryPlan {
            things: ("products", options.products.clone()),
            forms: &[""],
            // Pages are read from the database each time.
            lists: ("product_pages", CacheOptions { l1: false, l2: false, ..CacheOptions::default() }),
            writes: CacheWrites::Around,
            created: domain::events::PRODUCT_CREATED,
        };
        let plan =
            BasePlan { rules: domain::faults::RULES, ..BasePlan::new(domain::events::SERVICE, memory) };
        let base = parts.base(plan);
        let Base { writes, memory } = base.map_err(|error| BadSetting::new("commerce", "products", error))?;
        let provider = Provider::new(parts, &options.payments)?;
        let meters = meters::Meters::new(&parts.metrics);
        let parts = parts.clone();
        Ok(Self(Arc::new(Inner { parts, writes, memory, currency, provider, risk, meters, options })))
    }
}
