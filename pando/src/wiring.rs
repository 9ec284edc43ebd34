//! Builds the parts that each role needs, with one function for each.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use futures_util::future::join_all;
use pando_audit::Audit;
use pando_cache::{Caches, L2Health};
use pando_clock::Clock;
use pando_database::{Database, MigrationSet};
use pando_grpc::GrpcRoutes;
use pando_http::{App, Dependency, TokenCover};
use pando_idempotency::Idempotency;
use pando_objects::Objects;
use pando_queue::{EventExchange, Outbox, Queue, Registry, Relay, Subscriber};
use pando_resilience::Call;
use pando_service::{Blueprint, EventType, OwnQueue, Parts, Service};
use pando_telemetry::Metrics;
use pando_vault::Keyring;

use crate::admin::Insides;
use crate::config::{Config, Role};
use crate::jobs::{self, Jobs};
use crate::live::Live;
use crate::{VERSION, files, front_door, recording, risk};

/// How long `/health` waits for the database.
const PING_BUDGET: Duration = Duration::from_secs(1);

/// The introduction to the API.
const INTRODUCTION: &str = "Bodies are JSON. Every error has the same form: a `code` from a closed list, and all bad fields at once. \
A change may name the version that it changes (`If-Match`, with the `ETag` of a read), so that no update is lost. If a write with an \
`Idempotency-Key` is repeated, it happens only once. The answer to a write has a `Pando-Consistency` token; a read that sends it \
back sees at least that write, from any server. A path that begins with `/v1/` is the same as one that begins with `/api/v1/`.";

/// A service, and how this program opens it.
struct Wire {
    /// The role of processes that serve it.
    role: Role,
    blueprint: Blueprint,
    open: fn(&Config, &Parts, &mut Registry, &mut Neighbours) -> Result<Service, OpenError>,
}

/// The services that others ask, as far as they are open.
#[derive(Default)]
struct Neighbours {
    risk: Option<pando_risk::Risk>,
}

type OpenError = Box<dyn std::error::Error + Send + Sync>;

/// Lets go of requests that only wait.
pub(crate) type OnDrain = Box<dyn FnOnce() + Send + Sync>;

/// Every service, a line each, after those that it asks. Tasks are opened last, because they offer the jobs of all the others.
#[rustfmt::skip]
const SERVICES: &[Wire] = &[
    Wire { role: Role::Profiles, blueprint: pando_profiles::BLUEPRINT, open: |config, parts, registry, _| pando_profiles::open(parts, config.profiles_options(), registry) },
    Wire { role: Role::Customers, blueprint: pando_customers::BLUEPRINT, open: |config, parts, registry, _| pando_customers::open(parts, &config.customers, registry) },
    Wire { role: Role::Webhooks, blueprint: pando_webhooks::BLUEPRINT, open: |config, parts, registry, _| pando_webhooks::open(parts, event_types(), config.webhooks_options(), registry) },
    Wire { role: Role::Risk, blueprint: pando_risk::BLUEPRINT, open: open_risk },
    Wire { role: Role::Commerce, blueprint: pando_commerce::BLUEPRINT, open: |config, parts, registry, neighbours| pando_commerce::open(parts, config.commerce_options(), neighbours.risk.as_ref().map(risk::check_of_orders), registry) },
    Wire { role: Role::Tasks, blueprint: pando_tasks::BLUEPRINT, open: |config, parts, registry, _| Ok(pando_tasks::open(parts, config.tasks_options(), registry)?) },
];

fn open_risk(
    config: &Config,
    parts: &Parts,
    registry: &mut Registry,
    neighbours: &mut Neighbours,
) -> Result<Service, OpenError> {
    let risk = pando_risk::Risk::new(parts, config.risk_options())?;
    let service = pando_risk::served(&risk, registry)?;
    neighbours.risk = Some(risk);
    Ok(service)
}

/// The schema of every role: all processes on one database agree on it, whatever each of them does.
pub(crate) fn migrations() -> Vec<MigrationSet> {
    let of_services = SERVICES.iter().filter_map(|wire| wire.blueprint.migrations);
    let of_the_house = [
        pando_queue::MIGRATIONS,
        pando_idempotency::MIGRATIONS,
        pando_audit::MIGRATIONS,
        pando_auth::MIGRATIONS,
    ];
    [files::MIGRATIONS].into_iter().chain(of_services).chain(of_the_house).collect()
}

/// The types of events of all services.
fn event_types() -> impl Iterator<Item = &'static EventType> {
    SERVICES.iter().flat_map(|wire| wire.blueprint.events)
}

/// The queues that services have for their own jobs.
pub(crate) fn own_queues() -> impl Iterator<Item = &'static OwnQueue> {
    SERVICES.iter().flat_map(|wire| wire.blueprint.queues)
}

/// The parts of the roles of this process.
pub(crate) struct Wired {
    /// Everything they answer to.
    pub(crate) app: App,
    /// The parts that operators see.
    pub(crate) insides: Insides,
    /// The audit log, if the settings ask for it.
    pub(crate) audit: Option<Audit>,
    /// The jobs that this process can run.
    pub(crate) jobs: Jobs,
    /// `None` if this process runs no relay of events.
    pub(crate) relay: Option<Relay>,
    /// Called when the process begins to end.
    pub(crate) on_drain: Vec<OnDrain>,
}

/// Puts the roles of this process together.
pub(crate) async fn wire(
    config: &Config,
    (database, caches, cover): (&Database, &Caches, Option<TokenCover>),
    metrics: &Metrics,
    clock: &Clock,
) -> Result<Wired> {
    let parts = Parts { cover, ..parts(config, (database, caches), metrics, clock)? };
    if SERVICES.iter().any(|wire| config.plays(wire.role)) {
        parts.idempotency.keep_swept();
    }
    let audit = Some(&parts.audit).filter(|audit| audit.is_enabled()).cloned();
    if let Some(audit) = &audit {
        audit.keep_sealed();
        audit.keep_refused_written();
    }
    recording::record_jobs(audit.as_ref(), &parts.queue);
    files::check(database, &parts.objects, clock, &config.files_place()).await?;
    let system = |services: &[&GrpcRoutes], readiness| {
        pando_grpc::system_routes(services, readiness).map_err(|error| error.to_string())
    };
    let mut app = with_dependencies(config, empty_house().grpc_system(Arc::new(system)), &parts);
    let mut subscribers: Vec<Subscriber> =
        Subscriber::rabbitmq(&config.broker_options()).into_iter().collect();
    app.on_refusal = recording::of_refusals(audit.as_ref());
    let live = Live::new(metrics);
    let mut insides =
        Insides { caches: caches.clone(), audit: audit.clone(), live: live.clone(), services: Vec::new() };
    let (mut registry, mut schedules) = (Registry::default(), Vec::new());
    let mut neighbours = Neighbours::default();
    let (mut warm_ups, mut on_drain): (Vec<_>, Vec<OnDrain>) =
        (Vec::new(), vec![Box::new(move || live.end())]);
    // Every process can run every job, and takes the place of any other; it answers for its roles only.
    for wire in SERVICES {
        let service =
            (wire.open)(config, &parts, &mut registry, &mut neighbours).map_err(|error| anyhow!(error))?;
        schedules.extend(service.schedules);
        if config.plays(wire.role) || config.plays(Role::Worker) {
            insides.services.extend(service.operator_routes);
        }
        if config.plays(wire.role) {
            subscribers.extend(service.subscribers);
            warm_ups.extend(service.warm_up);
            on_drain.extend(service.on_drain);
            app = service.routes.into_iter().fold(app, App::serve);
        }
    }
    // Before anything is cached, so that every later write arrives as an event.
    let relay = relay(config, &parts.queue, subscribers).await?;
    join_all(warm_ups).await;
    let jobs = Jobs::new(&parts.queue, registry, schedules);
    Ok(Wired { app, insides, audit, jobs, relay, on_drain })
}

/// The parts of this process on which its services are built.
pub(crate) fn parts(
    config: &Config,
    (database, caches): (&Database, &Caches),
    metrics: &Metrics,
    clock: &Clock,
) -> Result<Parts> {
    let queue = jobs::queue(config, database, metrics, clock)?;
    Ok(Parts {
        audit: Audit::new(database, clock, metrics, config.audit.clone())?,
        database: database.clone(),
        caches: caches.clone(),
        idempotency: Idempotency::new(database, clock, metrics, config.idempotency.clone())?,
        vault: Arc::new(Keyring::new(&config.vault)?),
        cover: None,
        objects: Objects::open(&config.objects_options(), metrics, clock)?,
        clock: clock.clone(),
        metrics: metrics.clone(),
        queue,
    })
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
    let services = SERVICES.iter().flat_map(|wire| (wire.blueprint.described)());
    services.chain([pando_auth::described_session_routes()]).fold(empty_house(), App::serve)
}

/// The routes of every process, whatever its roles.
fn empty_house() -> App {
    let app = App::new("Pando", VERSION).describe(INTRODUCTION);
    app.service("web", front_door::routes(), Vec::new()).serve(front_door::pages())
}

/// The names of the roles this process plays.
pub(crate) fn roles(config: &Config) -> Vec<&'static str> {
    let of_services = SERVICES.iter().map(|wire| (wire.role, wire.blueprint.name));
    let all = of_services.chain([(Role::Worker, "worker")]);
    all.filter(|(role, _)| config.plays(*role)).map(|(_, name)| name).collect()
}

fn with_dependencies(config: &Config, app: App, parts: &Parts) -> App {
    let mut app = app.dependency(database_dependency(&parts.database));
    if parts.caches.health().is_some() {
        app = app.dependency(redis_dependency(&parts.caches));
    }
    if let Some(exchange) = EventExchange::new(&config.broker_options()) {
        app = app.dependency(rabbitmq_dependency(exchange));
    }
    app.dependency(objects_dependency(&parts.objects))
}

/// Without Redis each process keeps what it needs for itself: slower, and as right.
fn redis_dependency(caches: &Caches) -> Dependency {
    let caches = caches.clone();
    let probe = move || {
        let answer = match caches.health() {
            Some(health) if health.up => Ok(()),
            Some(L2Health { reason: Some(reason), .. }) => Err(format!("redis cannot be reached: {reason}")),
            _ => Err("redis does not answer".to_owned()),
        };
        std::future::ready(answer)
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
