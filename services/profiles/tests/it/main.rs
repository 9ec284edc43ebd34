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
mod reindex;
mod search;
mod tenants;
mod update_profile;
mod write_batch;

use std::time::Duration;

use pando_cache::{Caches, RedisOptions};
use pando_clock::{Clock, Timestamp};
use pando_database::Database;
use pando_database::testing::each_engine;
use pando_idempotency::{Idempotency, IdempotencyOptions};
use pando_objects::{Objects, ObjectsOptions};
use pando_profiles::{MIGRATIONS, Profile, Profiles, ProfilesOptions, ProfilesParts};
use pando_queue::{Queue, QueueOptions, QueueParts};
use pando_resilience::Call;
use pando_service::{Class, Fault};
use pando_telemetry::Metrics;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// The service on one engine, its clock scripted.
pub(crate) struct House {
    pub(crate) profiles: Profiles,
    pub(crate) clock: Clock,
    pub(crate) queue: Queue,
    pub(crate) objects: Objects,
    metrics: Metrics,
    _folder: TempDir,
}

/// Runs a test in a fresh house on every engine.
pub(crate) async fn each_house<F: AsyncFn(House)>(test: F) {
    each_house_with(ProfilesOptions::default(), test).await;
}

/// Like [`each_house`], with other options.
pub(crate) async fn each_house_with<F: AsyncFn(House)>(options: ProfilesOptions, test: F) {
    each_engine(async |database: Database| {
        database
            .migrate(&[MIGRATIONS, pando_queue::MIGRATIONS, pando_idempotency::MIGRATIONS])
            .await
            .unwrap();
        let clock = Clock::scripted("2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap());
        let metrics = Metrics::new();
        let caches = Caches::open(&RedisOptions::default(), &metrics, &clock).await.unwrap();
        let queue = queue(&database, &clock);
        let idempotency = idempotency(&queue);
        let (objects, folder) = objects(&clock);
        let parts = ProfilesParts {
            database,
            caches,
            queue: queue.clone(),
            idempotency,
            objects: objects.clone(),
            clock: clock.clone(),
        };
        let profiles = Profiles::new(parts, options.clone()).unwrap();
        test(House { profiles, clock, queue, objects, metrics, _folder: folder }).await;
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

/// Objects in a folder that goes with the test.
pub(crate) fn objects(clock: &Clock) -> (Objects, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let place = ObjectsOptions { path: folder.path().join("objects"), ..ObjectsOptions::default() };
    (Objects::open(&place, &Metrics::new(), clock).unwrap(), folder)
}

/// Whether an operation was refused with a fault of this class.
pub(crate) fn is<T>(done: &Result<T, Fault>, class: Class) -> bool {
    done.as_ref().is_err_and(|fault| fault.class() == class)
}

/// A call with enough time for a busy machine.
pub(crate) fn call() -> Call {
    Call::internal("test", Duration::from_secs(30)).by("tester")
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
        let parts = ProfilesParts {
            database: self.queue.database().clone(),
            caches,
            queue: self.queue.clone(),
            idempotency: idempotency(&self.queue),
            objects: self.objects.clone(),
            clock: self.clock.clone(),
        };
        Profiles::new(parts, options.clone()).unwrap()
    }

    /// What the metrics say of one series.
    pub(crate) fn gauge(&self, series: &str) -> i64 {
        let text = self.metrics.render();
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line.unwrap_or_else(|| panic!("{series} is not in {text}")).trim().parse().unwrap()
    }
}
