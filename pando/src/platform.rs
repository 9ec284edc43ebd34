//! One running platform: started from its settings and ended in order. Several of them fit into one process.

use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use pando_audit::Audit;
use pando_cache::Caches;
use pando_clock::Clock;
use pando_database::Database;
use pando_http::{Drained, HttpError, Reload, Server, Stop};
use pando_queue::Relay;
use pando_resilience::Deadline;
use pando_telemetry::Metrics;
use tokio::sync::oneshot;
use tracing::{info, warn};

use crate::config::{Config, Role};
use crate::jobs::Working;
use crate::wiring::{OnDrain, Wired};
use crate::{VERSION, admin, authentication, wiring};

/// How long closing the database may take. Writes that are not stored by then were never acknowledged.
pub(crate) const CLOSE_BUDGET: Duration = Duration::from_secs(5);

/// How long handing back jobs may take after their grace.
pub(crate) const HAND_BACK_BUDGET: Duration = Duration::from_secs(10);

/// A platform that listens; [`Platform::run`] answers and ends it.
pub struct Platform {
    server: Server,
    database: Database,
    /// None when it is off, or its port was taken.
    admin: Option<Server>,
    caches: Caches,
    audit: Option<Audit>,
    /// Lets go of requests that only wait.
    on_drain: Vec<OnDrain>,
    /// None where this process does not run jobs.
    worker: Option<Working>,
    /// `None` if this process runs no relay of events.
    relay: Option<Relay>,
    worker_grace: Duration,
    address: SocketAddr,
}

/// The parts that listen and work.
struct Bound {
    server: Server,
    admin: Option<Server>,
    audit: Option<Audit>,
    on_drain: Vec<OnDrain>,
    worker: Option<Working>,
    relay: Option<Relay>,
}

impl Platform {
    /// Opens the database, brings its schema up to date, wires the roles and binds the port.
    pub async fn start(config: &Config, clock: &Clock) -> Result<Self> {
        let began = Instant::now();
        let metrics = Metrics::new();
        let database = Database::open(&config.database_options(), &metrics, clock)
            .await
            .with_context(|| format!("cannot open the database {}", config.database_place()))?;
        let caches = match Caches::open(&config.redis_options(), &metrics, clock).await {
            Ok(caches) => caches,
            Err(error) => {
                close(&database).await;
                return Err(error.into());
            }
        };
        let Bound { server, admin, audit, worker, relay, on_drain } =
            match Self::bind(config, &database, &caches, &metrics, clock).await {
                Ok(bound) => bound,
                Err(error) => {
                    // A process that does not say farewell counts as dead, and the other processes load everything again.
                    caches.close().await;
                    close(&database).await;
                    return Err(error);
                }
            };
        let address = server.local_addr();
        let roles: Vec<&str> = wiring::roles(config);
        let scheme = if config.http.tls.is_on() { "https" } else { "http" };
        info!(
            version = VERSION,
            address = %address,
            roles = roles.join(","),
            engine = %database.engine(),
            database = config.database_place(),
            cache = config.redis_place().as_deref().unwrap_or("in this process"),
            data_dir = %config.data_dir.display(),
            took_ms = (began.elapsed().as_secs_f64() * 10_000.0).round() / 10.0,
            "pando is listening; try {scheme}://{address}/ (the console), /shop and /docs"
        );
        if let Some(admin) = &admin {
            info!(admin = %admin.local_addr(), "the pages for operators are at http://{}/docs", admin.local_addr());
        }
        let worker_grace = Duration::from_millis(config.worker.stop_ms);
        Ok(Self { server, database, admin, caches, audit, on_drain, worker, relay, worker_grace, address })
    }

    async fn bind(
        config: &Config,
        database: &Database,
        caches: &Caches,
        metrics: &Metrics,
        clock: &Clock,
    ) -> Result<Bound> {
        prepare_schema(config, database).await?;
        let cover = authentication::cover(config, database).await?;
        let Wired { app, insides, audit, jobs, relay, on_drain } =
            wiring::wire(config, (database, caches, cover.clone()), metrics, clock).await?;
        let operators = admin::app(insides);
        let apps = (admin::beside_services(config, app, &operators), operators);
        let (app, operators) = authentication::guard(config, apps, (database, clock, metrics), cover)?;
        let server = Server::bind(&config.http_options(), app, metrics, clock)?;
        let admin = match config.admin.enabled {
            true => Server::bind(&config.admin_options(), operators, metrics, clock).map(Some),
            false => Ok(None),
        };
        let admin = match admin {
            Ok(admin) => admin,
            // Several may run on one machine, and none of them should stop for this.
            Err(error @ HttpError::Listen { .. }) => {
                warn!(%error, "the pages for operators are not served: set admin.listen to another address");
                None
            }
            Err(error) => return Err(error.into()),
        };
        // Last: nothing is begun by a start that fails.
        let worker = config.plays(Role::Worker).then(|| jobs.work()).transpose()?;
        Ok(Bound { server, admin, audit, worker, relay, on_drain })
    }

    /// Has it read its certificates at once, also while it runs.
    pub fn reload(&self) -> Reload {
        self.server.reload()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` is ready, then finishes what was begun and closes everything.
    pub async fn run<S: Into<Stop>>(self, stop: impl Future<Output = S>) -> Drained {
        let Self { server, database, admin, caches, audit, on_drain, worker, relay, worker_grace, .. } = self;
        let began = Instant::now();
        // Operators can look until the last request is answered.
        let (ended, end) = oneshot::channel::<()>();
        let watched = async {
            let drained = server.run(told(stop, on_drain)).await;
            drop(ended);
            drained
        };
        let looked_at = async {
            if let Some(admin) = admin {
                admin.run(async { drop(end.await) }).await;
            }
        };
        let (drained, ()) = tokio::join!(watched, looked_at);
        if let Some(worker) = worker {
            hand_back(worker, worker_grace).await;
        }
        if let Some(relay) = relay {
            relay.stop().await;
        }
        if let Some(audit) = &audit
            && let Err(error) = audit.write_refused(true).await
        {
            warn!(%error, "the last refused requests could not be recorded");
        }
        caches.close().await;
        close(&database).await;
        info!(uptime_seconds = began.elapsed().as_secs(), "pando has stopped");
        drained
    }
}

/// The moment to drain. Services let go of requests that only wait, because they would delay the end for no use.
async fn told<S: Into<Stop>>(stop: impl Future<Output = S>, on_drain: Vec<OnDrain>) -> Stop {
    let how = stop.await.into();
    on_drain.into_iter().for_each(|let_go| let_go());
    how
}

/// Brings the schema up to date, or refuses an outdated one where a start may not.
pub(crate) async fn prepare_schema(config: &Config, database: &Database) -> Result<()> {
    if config.migrate_on_start {
        // Each one that is applied is a line of the log already.
        database.migrate(&wiring::migrations()).await.context("cannot bring the schema up to date")?;
        return Ok(());
    }
    let pending =
        database.pending_migrations(&wiring::migrations()).await.context("cannot read the schema")?;
    let missing = pending.iter().filter(|migration| !migration.waits).count();
    if missing > 0 {
        bail!("the schema is {missing} migrations behind and migrate_on_start is off: run `pando migrate`");
    }
    Ok(())
}

/// Lets jobs finish within `grace` and gives the rest back; how many of each is a line of the log.
async fn hand_back(worker: Working, grace: Duration) {
    if Deadline::after(grace.saturating_add(HAND_BACK_BUDGET)).bound(worker.stop(grace)).await.is_err() {
        warn!("jobs could not be handed back in time: other workers take them when their leases run out");
    }
}

async fn close(database: &Database) {
    if Deadline::after(CLOSE_BUDGET).bound(database.close()).await.is_err() {
        warn!(budget_seconds = CLOSE_BUDGET.as_secs(), "the database did not close in time");
    }
}
