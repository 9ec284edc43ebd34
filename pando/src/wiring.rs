//! Builds the parts that each role needs, with one function for each.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use pando_cache::Caches;
use pando_clock::Clock;
use pando_database::{Database, MigrationSet};
use pando_http::{App, Dependency, ServiceRoutes};
use pando_idempotency::Idempotency;
use pando_objects::Objects;
use pando_profiles::{Images, ImagesParts, Profiles, ProfilesParts};
use pando_queue::{EventExchange, Outbox, Queue, Relay, Subscriber};
use pando_resilience::Call;
use pando_telemetry::Metrics;
use utoipa_axum::router::OpenApiRouter;

use crate::admin::Insides;
use crate::config::{Config, Role};
use crate::jobs::{self, Jobs};
use crate::{VERSION, files, front_door};

/// How long `/health` waits for the database.
const PING_BUDGET: Duration = Duration::from_secs(1);

/// How long filling the cache may hold up the start.
const WARM_BUDGET: Duration = Duration::from_secs(30);

/// The introduction to the API.
const INTRODUCTION: &str = "Bodies are JSON. Every error has the same form: a `code` from a closed list, and all bad fields at once. \
A change may name the version that it changes (`If-Match`, with the `ETag` of a read), so that no update is lost. If a write with an \
`Idempotency-Key` is repeated, it happens only once. The answer to a write has a `Pando-Consistency` token; a read that sends it \
back sees at least that write, from any server.";

/// The schema of every role: all processes on one database agree on it, whatever each of them does.
pub(crate) const MIGRATIONS: &[MigrationSet] =
    &[files::MIGRATIONS, pando_profiles::MIGRATIONS, pando_queue::MIGRATIONS, pando_idempotency::MIGRATIONS];

/// The parts of the roles of this process.
pub(crate) struct Wired {
    /// Everything they answer to.
    pub(crate) app: App,
    /// The parts that operators see.
    pub(crate) insides: Insides,
    /// None where this process has to do with no jobs.
    pub(crate) jobs: Option<Jobs>,
    /// `None` if this process runs no relay of events.
    pub(crate) relay: Option<Relay>,
}

/// Puts the roles of this process together.
pub(crate) async fn wire(
    config: &Config,
    database: &Database,
    caches: &Caches,
    metrics: &Metrics,
    clock: &Clock,
) -> Result<Wired> {
    let mut app = empty_house().dependency(database_dependency(database));
    if caches.health().is_some() {
        app = app.dependency(redis_dependency(caches));
    }
    let queue = jobs::queue(config, database, metrics, clock)?;
    if let Some(exchange) = EventExchange::new(&config.queue.broker) {
        app = app.dependency(rabbitmq_dependency(exchange));
    }
    let idempotency = jobs::idempotency(config, &queue, metrics)?;
    if config.plays(Role::Profiles) || config.plays(Role::Tasks) {
        idempotency.keep_swept();
    }
    let objects = Objects::open(&config.objects_options(), metrics, clock)?;
    files::check(database, &objects, clock, &config.files_place()).await?;
    app = app.dependency(objects_dependency(&objects));
    let images = images(config, objects.clone(), &queue, metrics)?;
    let mut subscribers: Vec<Subscriber> = Subscriber::rabbitmq(&config.queue.broker).into_iter().collect();
    let mut insides = Insides { caches: caches.clone(), profiles: None, tasks: None };
    // A process that only runs jobs also runs the jobs of profiles.
    let profiles = profiles(config, &queue, &idempotency, caches, &objects)?;
    if config.plays(Role::Profiles) {
        subscribers.push(profiles.memory().subscriber("profiles.cache"));
    }
    // Before anything is cached, so that every later write arrives as an event.
    let relay = relay(config, &queue, subscribers).await?;
    if config.plays(Role::Profiles) {
        warm(&profiles, config.profiles.cache_warm_profiles).await;
        let hot = pando_profiles::hot_read(&profiles);
        insides.profiles = Some(profiles.clone());
        app = with_images(app, pando_profiles::image_routes(profiles.clone(), images.clone()));
        app = app.serve(profile_routes(pando_profiles::routes(profiles.clone())).hot_read(hot));
    }
    let mut jobs = None;
    if config.plays(Role::Tasks) || config.plays(Role::Worker) {
        let opened = Jobs::open(config, &queue, idempotency, &profiles, &images)?;
        insides.tasks = Some(opened.tasks().clone());
        if config.plays(Role::Tasks) {
            app = with_tasks(app, pando_tasks::routes(opened.tasks().clone()));
        }
        jobs = Some(opened);
    }
    Ok(Wired { app, insides, jobs, relay })
}

/// Delivers what is published from now on, and sweeps what is old.
async fn relay(config: &Config, queue: &Queue, subscribers: Vec<Subscriber>) -> Result<Option<Relay>> {
    let outbox = Outbox::new(queue, "pando");
    if config.queue.relay && !subscribers.is_empty() {
        return Ok(Some(Relay::start(&outbox, subscribers).await?));
    }
    outbox.keep_swept();
    Ok(None)
}

/// Every role as it describes itself, with nothing behind it: to be read, not served.
pub(crate) fn described() -> App {
    let profiles = profile_routes(OpenApiRouter::with_openapi(pando_profiles::description()));
    let app = empty_house().serve(profiles);
    let app = with_images(app, OpenApiRouter::with_openapi(pando_profiles::image_description()));
    with_tasks(app, OpenApiRouter::with_openapi(pando_tasks::description()))
}

/// The routes of every process, whatever its roles.
fn empty_house() -> App {
    App::new("Pando", VERSION).describe(INTRODUCTION).service("pando", front_door::routes(), Vec::new())
}

/// The names of the roles this process plays.
pub(crate) fn roles(config: &Config) -> Vec<&'static str> {
    [(Role::Profiles, "profiles"), (Role::Tasks, "tasks"), (Role::Worker, "worker")]
        .into_iter()
        .filter(|(role, _)| config.plays(*role))
        .map(|(_, name)| name)
        .collect()
}

/// The profiles service.
pub(crate) fn profiles(
    config: &Config,
    queue: &Queue,
    idempotency: &Idempotency,
    caches: &Caches,
    objects: &Objects,
) -> Result<Profiles> {
    let parts = ProfilesParts {
        database: queue.database().clone(),
        caches: caches.clone(),
        queue: queue.clone(),
        idempotency: idempotency.clone(),
        objects: objects.clone(),
        clock: queue.clock().clone(),
    };
    Ok(Profiles::new(parts, config.profiles_options())?)
}

/// Images of profiles, and their jobs.
fn images(config: &Config, objects: Objects, queue: &Queue, metrics: &Metrics) -> Result<Images> {
    let parts = ImagesParts { objects, queue: queue.clone(), metrics: metrics.clone() };
    Ok(Images::new(parts, &config.profiles_options())?)
}

/// A cold cache is no reason not to start.
async fn warm(profiles: &Profiles, profiles_max: usize) {
    if profiles_max > 0
        && let Err(error) = profiles.warm_cache(&Call::internal("warm-up", WARM_BUDGET), profiles_max).await
    {
        tracing::warn!(%error, "the cache was not warmed");
    }
}

fn profile_routes(routes: OpenApiRouter) -> ServiceRoutes {
    ServiceRoutes::new("profiles", routes, pando_profiles::limits())
}

fn with_images(app: App, routes: OpenApiRouter) -> App {
    app.service("images", routes, pando_profiles::image_limits())
}

fn with_tasks(app: App, routes: OpenApiRouter) -> App {
    app.service("tasks", routes, pando_tasks::limits())
}

/// Without Redis each process keeps what it needs for itself: slower, and as right.
fn redis_dependency(caches: &Caches) -> Dependency {
    let caches = caches.clone();
    let probe = move || {
        let up = caches.health().is_some_and(|health| health.up);
        std::future::ready(if up { Ok(()) } else { Err("redis does not answer") })
    };
    Dependency::new("redis", PING_BUDGET, probe).optional()
}

/// Without a broker events wait in the outbox. The line is of its own: the relay may be waiting on the other.
fn rabbitmq_dependency(exchange: EventExchange) -> Dependency {
    let exchange = Arc::new(exchange);
    let probe = move || {
        let exchange = Arc::clone(&exchange);
        // Of no events: only the line is opened where it is not.
        async move { exchange.publish(&[]).await }
    };
    Dependency::new("rabbitmq", PING_BUDGET, probe).optional()
}

/// Without files everything goes on that is no image.
fn objects_dependency(objects: &Objects) -> Dependency {
    let objects = objects.clone();
    let probe = move || {
        let objects = objects.clone();
        async move { objects.ping(&Call::internal("health", PING_BUDGET)).await }
    };
    Dependency::new("objects", PING_BUDGET, probe).optional()
}

fn database_dependency(database: &Database) -> Dependency {
    let database = database.clone();
    Dependency::new("database", PING_BUDGET, move || {
        let database = database.clone();
        async move { database.ping(&Call::internal("health", PING_BUDGET)).await }
    })
}
