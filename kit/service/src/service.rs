//! A service as the process that runs it sees it: what it needs, and what it brings along.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use pando_audit::{Audit, AuditOptions};
use pando_cache::{CacheError, Caches, RedisOptions};
use pando_clock::Clock;
use pando_database::{Database, MigrationSet};
use pando_http::{ServiceRoutes, TokenCover};
use pando_idempotency::{Idempotency, IdempotencyOptions};
use pando_objects::{Objects, ObjectsOptions};
use pando_queue::{Outbox, Queue, QueueOptions, QueueParts, Schedule, Subscriber};
use pando_telemetry::Metrics;
use pando_vault::{Keyring, KeyringOptions};

use crate::{EventType, Memory, MemoryPlan, Rule, Writes, WritesParts};

/// The parts of a process on which services are built. Cloning shares them.
#[derive(Clone)]
pub struct Parts {
    /// Where things are kept.
    pub database: Database,
    /// Where they are remembered.
    pub caches: Caches,
    /// Where jobs wait and events are published: on the same database.
    pub queue: Queue,
    /// Where outcomes are kept for repeats: on the same database.
    pub idempotency: Idempotency,
    /// Where changes are recorded, if the settings ask for it: on the same database.
    pub audit: Audit,
    /// The keys that seal fields of rows, if there are any.
    pub vault: Arc<Keyring>,
    /// Hides positions of the log from callers, if they have to say who they are.
    pub cover: Option<TokenCover>,
    /// Where files are kept.
    pub objects: Objects,
    /// Where times and ids come from.
    pub clock: Clock,
    /// Where everything is counted.
    pub metrics: Metrics,
}

/// How a service writes, and what it remembers: made of [`Parts::base`].
#[derive(Clone)]
pub struct Base {
    /// Its writes.
    pub writes: Writes,
    /// Its caches.
    pub memory: Memory,
}

/// The description of a service from which [`Parts::base`] makes its writes and caches.
pub struct BasePlan {
    /// Its name, which its events carry.
    pub service: &'static str,
    /// Whether its changes are published.
    pub events: bool,
    /// Its caches.
    pub memory: MemoryPlan,
    /// The rules of its tables that a caller can break.
    pub rules: &'static [Rule],
}

/// A service before it is opened: what all processes of a database agree on, whatever each of them does.
#[derive(Clone, Copy)]
pub struct Blueprint {
    /// Its name.
    pub name: &'static str,
    /// Its tables, if it has any.
    pub migrations: Option<MigrationSet>,
    /// The types of events that it publishes.
    pub events: &'static [EventType],
    /// The jobs that wait in queues of their own.
    pub queues: &'static [OwnQueue],
    /// Its routes with nothing behind them: to be read, not served.
    pub described: fn() -> Vec<ServiceRoutes>,
}

/// A queue for kinds of jobs that are slow, may hang, or must not wait for those.
#[derive(Clone, Copy, Debug)]
pub struct OwnQueue {
    /// Its name.
    pub name: &'static str,
    /// How many of its jobs a process runs at once.
    pub concurrency: usize,
    /// The kinds of jobs.
    pub kinds: &'static [&'static str],
}

/// A service that is open. Its kinds of jobs are in the registry of the process already.
#[derive(Default)]
pub struct Service {
    /// The routes for its callers.
    pub routes: Vec<ServiceRoutes>,
    /// The routes for operators.
    pub operator_routes: Vec<ServiceRoutes>,
    /// The readers of its events in each process that serves it.
    pub subscribers: Vec<Subscriber>,
    /// The jobs that come again and again.
    pub schedules: Vec<Schedule>,
    /// Done before the first request, such as filling a cache.
    pub warm_up: Option<BoxFuture<'static, ()>>,
    /// Called when the process ends: lets go of requests that only wait.
    pub on_drain: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl BasePlan {
    /// A service whose changes are published.
    pub fn new(service: &'static str, memory: MemoryPlan) -> Self {
        Self { service, events: true, memory, rules: &[] }
    }
}

impl Service {
    /// A service with these routes, whose caches learn of what other processes write.
    pub fn new(routes: Vec<ServiceRoutes>, base: &Base) -> Self {
        Self { routes, subscribers: vec![base.memory.subscriber()], ..Self::default() }
    }
}

impl Parts {
    /// The writes and the caches of a service.
    pub fn base(&self, plan: BasePlan) -> Result<Base, CacheError> {
        let BasePlan { service, events, memory, rules } = plan;
        let outbox = events.then(|| Outbox::new(&self.queue, service));
        let beside = (&self.database, outbox.clone(), &self.clock);
        let memory = Memory::new(&self.caches, service, memory, beside)?;
        let writes = Writes::new(WritesParts {
            database: self.database.clone(),
            idempotency: self.idempotency.clone(),
            outbox,
            audit: Some(self.audit.clone()).filter(Audit::is_enabled),
            vault: self.vault.clone(),
            memory: Some(memory.clone()),
            rules,
        });
        Ok(Base { writes, memory })
    }

    /// With default settings on a database that was migrated: no Redis, no broker, files in a folder. Enough for a test or
    /// a program with one process.
    pub async fn with_defaults(
        database: &Database,
        folder: &Path,
        clock: &Clock,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let metrics = Metrics::new();
        let place = ObjectsOptions { path: folder.to_owned(), ..ObjectsOptions::default() };
        let parts = QueueParts { database: database.clone(), clock: clock.clone(), metrics: metrics.clone() };
        Ok(Self {
            database: database.clone(),
            caches: Caches::open(&RedisOptions::default(), &metrics, clock).await?,
            queue: Queue::new(parts, QueueOptions::default())?,
            idempotency: Idempotency::new(database, clock, &metrics, IdempotencyOptions::default())?,
            audit: Audit::new(database, clock, &metrics, AuditOptions::default())?,
            vault: Arc::new(Keyring::new(&KeyringOptions::default())?),
            cover: None,
            objects: Objects::open(&place, &metrics, clock)?,
            clock: clock.clone(),
            metrics,
        })
    }
}

impl fmt::Debug for Blueprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blueprint").field("name", &self.name).finish_non_exhaustive()
    }
}
