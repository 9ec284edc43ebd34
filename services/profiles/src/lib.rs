#![doc = include_str!("../README.md")]

mod accepted;
mod blobs;
mod create_profile;
mod delete_profile;
mod domain;
mod erase_files;
mod erase_profile;
mod export_person;
mod export_profiles;
mod export_task;
mod fetch_export;
mod files;
mod find_profiles;
mod get_full_profile;
mod get_profile;
mod http;
mod images;
mod import_profiles;
mod import_task;
mod jobs;
mod list_changes;
mod list_profiles;
mod options;
mod patch_profile;
mod put_part;
mod random_profile;
mod read_page;
mod read_profile;
mod reindex_profiles;
mod restore_profile;
mod service;
mod sought;
mod store;
mod update_profile;
mod warm_cache;
mod write_batch;

use std::sync::Arc;

use pando_clock::Clock;
use pando_database::Database;
use pando_idempotency::Idempotency;
use pando_queue::Queue;
use pando_service::{BadSetting, Base, BasePlan, Memory, MemoryPlan, Parts, Writes};
use tokio::sync::Semaphore;

pub use accepted::Accepted;
pub use domain::attributes::AttributeRules;
pub use domain::history::{Change, Operation};
pub use domain::import::{Import, ImportRequest, ImportState};
pub use domain::item::{Item, ItemOutcome, ItemStatus};
pub use domain::parts::{Address, FullProfile, Preferences, Theme};
pub use domain::person::Name;
pub use domain::profile::{Profile, ProfileDraft, ProfileId};
pub use domain::records::RecordFormat;
pub use fetch_export::Export;
pub use get_full_profile::FetchMode;
pub use images::{Added, Image, ImageDeleted, Images, ImagesOptions, Variant};
pub use list_profiles::ProfileFilter;
pub use options::ProfilesOptions;
pub use put_part::PartWritten;
pub use read_page::CachedPage;
pub use service::{BLUEPRINT, open};
pub use store::MIGRATIONS;
pub use store::lists::Order;
pub use write_batch::BATCH_ITEMS_MAX;

use blobs::Blobs;
use domain::{events, faults};
use store::search_sample::SearchSample;

/// The profiles service: each operation is a method, and a file of that name. Cloning shares it.
#[derive(Clone)]
pub struct Profiles(Arc<Inner>);

struct Inner {
    database: Database,
    memory: Memory,
    writes: Writes,
    queue: Queue,
    idempotency: Idempotency,
    blobs: Blobs,
    clock: Clock,
    /// Searches that run at once: they must not take every connection.
    searches: Semaphore,
    search_sample: SearchSample,
    rules: AttributeRules,
    options: ProfilesOptions,
}

impl Profiles {
    /// Builds the service; reads and compiles the schema of attributes when one is configured.
    pub fn new(parts: &Parts, options: ProfilesOptions) -> Result<Self, BadSetting> {
        let rules = options.check()?;
        let memory = MemoryPlan {
            things: ("profiles", options.cache.clone()),
            forms: &["", read_profile::FULL],
            lists: ("profile_pages", options.pages.clone()),
            writes: options.cache_writes,
            created: events::CREATED,
        };
        let base = parts.base(BasePlan {
            service: events::SERVICE,
            events: options.events,
            memory,
            rules: faults::RULES,
        });
        let Base { writes, memory } = base.map_err(|error| BadSetting::new("profiles", "cache", error))?;
        let Parts { database, queue, idempotency, objects, clock, .. } = parts.clone();
        let blobs = Blobs::new(objects, queue.clone(), options.images.grace_seconds);
        let searches = Semaphore::new(options.searches_max);
        let inner = Inner {
            database,
            memory,
            writes,
            queue,
            idempotency,
            blobs,
            clock,
            searches,
            search_sample: SearchSample::default(),
            rules,
            options,
        };
        Ok(Self(Arc::new(inner)))
    }

    /// How this service writes.
    pub(crate) fn writes(&self) -> &Writes {
        &self.0.writes
    }

    /// The caches of this service.
    pub fn memory(&self) -> &Memory {
        &self.0.memory
    }
}
