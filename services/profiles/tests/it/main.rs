//! The service on real engines: each test runs on SQLite and on PostgreSQL, each time on an empty database.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod caching;
mod change_and_fence;
mod create_profile;
mod delete_and_restore;
mod description;
mod erasure;
mod events;
mod export_tasks;
mod history;
mod images;
mod import_and_export;
mod import_tasks;
mod list_profiles;
mod parts;
mod plans;
mod reindex;
mod search;
mod tenants;
mod update_profile;
mod write_batch;

use pando_cache::{Caches, RedisOptions};
use pando_clock::Clock;
use pando_database::Database;
use pando_idempotency::{Idempotency, IdempotencyOptions};
use pando_objects::Objects;
use pando_profiles::{MIGRATIONS, Profile, Profiles, ProfilesOptions};
use pando_queue::{Queue, QueueOptions, QueueParts};
use pando_service::Parts;
use pando_service::testing::{self, TestHouse, still_clock};
use pando_telemetry::Metrics;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

pub(crate) use pando_service::testing::{call, is};

/// The service on one engine, its clock scripted.
pub(crate) struct House {
    pub(crate) profiles: Profiles,
    pub(crate) parts: Parts,
    pub(crate) clock: Clock,
    pub(crate) queue: Queue,
    pub(crate) objects: Objects,
    _folder: TempDir,
}

/// Runs a test in a fresh house on every engine.
pub(crate) async fn each_house<F: AsyncFn(House)>(test: F) {
    each_house_with(ProfilesOptions::default(), test).await;
}

/// Like [`each_house`], with other options.
pub(crate) async fn each_house_with<F: AsyncFn(House)>(options: ProfilesOptions, test: F) {
    testing::each_house(&[MIGRATIONS], still_clock, async |TestHouse { parts, folder }| {
        let profiles = Profiles::new(&parts, options.clone()).unwrap();
        let (queue, objects, clock) = (parts.queue.clone(), parts.objects.clone(), parts.clock.clone());
        test(House { profiles, parts, clock, queue, objects, _folder: folder }).await;
    })
    .await;
}

/// A queue of its own, as every process has one.
pub(crate) fn queue(database: &Database, clock: &Clock) -> Queue {
    let parts = QueueParts { database: database.clone(), clock: clock.clone(), metrics: Metrics::new() };
    Queue::new(parts, QueueOptions::default()).unwrap()
}

/// Where this process keeps answers to repeated requests.
pub(crate) fn idempotency(queue: &Queue) -> Idempotency {
    let (database, clock) = (queue.database(), queue.clock());
    Idempotency::new(database, clock, &Metrics::new(), IdempotencyOptions::default()).unwrap()
}

/// The fields of a JSON object.
pub(crate) fn fields(object: Value) -> Map<String, Value> {
    object.as_object().unwrap().clone()
}

impl House {
    /// Makes a profile of this name; its e-mail is the name at example.org.
    pub(crate) async fn person(&self, name: &str) -> Profile {
        let given = json!({"name": name, "email": format!("{}@example.org", name.to_lowercase())});
        self.profiles.create_profile(&call(), &fields(given)).await.unwrap().value
    }

    /// The service as another process with other options has it.
    pub(crate) async fn again(&self, options: &ProfilesOptions) -> Profiles {
        let caches = Caches::open(&RedisOptions::default(), &Metrics::new(), &self.clock).await.unwrap();
        let parts = Parts { caches, ..self.parts.clone() };
        Profiles::new(&parts, options.clone()).unwrap()
    }

    /// What the metrics say of one series.
    pub(crate) fn gauge(&self, series: &str) -> i64 {
        let text = self.parts.metrics.render();
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line.unwrap_or_else(|| panic!("{series} is not in {text}")).trim().parse().unwrap()
    }
}
