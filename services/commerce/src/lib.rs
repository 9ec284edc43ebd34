#![doc = include_str!("../README.md")]

mod cart;
mod catalog;
mod domain;
mod http;
mod inventory;
mod options;
mod service;

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
pub use service::{BLUEPRINT, open, served};

/// The schema of this service, in the order it came to be.
pub const MIGRATIONS: MigrationSet = MigrationSet {
    service: "commerce",
    migrations: &[
        Migration::new(1, "catalog", include_str!("../migrations/0001_catalog.sql")),
        Migration::new(2, "inventory", include_str!("../migrations/0002_inventory.sql")),
        Migration::new(3, "carts", include_str!("../migrations/0003_carts.sql")),
        Migration::new(4, "search", include_str!("../migrations/0004_search.sql")),
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
    options: CommerceOptions,
}

impl Commerce {
    /// Puts the service together.
    pub fn new(parts: &Parts, options: CommerceOptions) -> Result<Self, BadSetting> {
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
        Ok(Self(Arc::new(Inner { parts: parts.clone(), writes, memory, currency, options })))
    }
}
