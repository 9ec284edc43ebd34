#![doc = include_str!("../README.md")]

mod batch_create;
mod create_customer;
mod delete_customer;
mod domain;
mod export_customers;
mod get_customer;
mod grpc;
mod http;
mod import_customers;
mod jobs;
mod list_changes;
mod list_customers;
pub mod messages;
mod options;
mod pipeline;
mod reseal_customers;
mod service;
mod store;
mod update_customer;
mod watch_customers;

use std::sync::Arc;

use pando_service::prelude::*;
use pando_service::{CacheWrites, Shares};
use store::Store;
use watch_customers::Bell;

pub use batch_create::{BATCH_MAX, Created, Refused};
pub use domain::customer::{Customer, Given, Metadata};
pub use domain::history::{Change, Operation};
pub use domain::id::CustomerId;
pub use domain::position::Position;
pub use domain::record::DeadLetter;
pub use export_customers::ExportPage;
pub use import_customers::{ImportItem, Imported};
pub use list_changes::ChangePage;
pub use list_customers::Question;
pub use options::{ArchiveFormat, CustomersOptions, PipelineOptions};
pub use pipeline::{PIPELINE, Pipeline, PipelineStatus, Shipped};
pub use reseal_customers::reseal_customers;
pub use service::{BLUEPRINT, open, serve};
pub use store::{MIGRATIONS, Resealed};
pub use update_customer::Update;
pub use watch_customers::{Watched, WatchedChange};

/// The customers. Cloning shares them.
#[derive(Clone)]
pub struct Customers(Arc<Inner>);

struct Inner {
    parts: Parts,
    base: Base,
    store: Store,
    /// Rings when something was published.
    bell: Bell,
    /// The watches of this process.
    watches: Shares,
    history_bytes_max: usize,
}

impl Customers {
    /// Puts them together.
    pub fn new(parts: &Parts, options: &CustomersOptions) -> Result<Self, BadSetting> {
        options.check()?;
        // With keys, only the memory of processes holds them in the clear.
        let l2 = options.cache.l2 && !parts.vault.has_keys();
        let memory = MemoryPlan {
            things: ("customers", CacheOptions { l2, ..options.cache.clone() }),
            lists: ("customer_pages", options.pages.clone()),
            forms: &[""],
            writes: CacheWrites::Through,
            created: domain::events::CREATED,
        };
        let plan = BasePlan {
            events: options.events,
            rules: &[("customers_pkey", domain::faults::id_taken)],
            ..BasePlan::new("customers", memory)
        };
        let base = parts.base(plan).map_err(|error| BadSetting::new("customers", "cache", error))?;
        Ok(Self(Arc::new(Inner {
            parts: parts.clone(),
            base,
            store: Store::new(&parts.vault),
            bell: Bell::new(),
            watches: Shares::new(options.watches_max),
            history_bytes_max: options.history_bytes_max,
        })))
    }

    /// Ends all watches: the server stops.
    pub(crate) fn end_watches(&self) {
        self.0.bell.end();
    }

    pub(crate) fn base(&self) -> &Base {
        &self.0.base
    }
}
