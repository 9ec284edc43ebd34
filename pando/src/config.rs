//! The settings of the whole program: the options of each part side by side.

mod environment;
mod known;
mod layers;
mod listing;

use std::net::SocketAddr;
use std::path::PathBuf;

use pando_audit::AuditOptions;
pub use pando_auth::{AuthMode, AuthOptions};
use pando_cache::RedisOptions;
use pando_commerce::CommerceOptions;
use pando_customers::CustomersOptions;
use pando_database::{DatabaseOptions, SqliteOptions};
use pando_http::{HttpOptions, TlsOptions};
use pando_idempotency::IdempotencyOptions;
use pando_objects::ObjectsOptions;
use pando_profiles::ProfilesOptions;
use pando_queue::{BrokerOptions, QueueOptions};
use pando_risk::RiskOptions;
use pando_tasks::TasksOptions;
use pando_telemetry::{LogOptions, shown_address};
use pando_tls::Tls;
use pando_vault::{Keyring, KeyringOptions};
use pando_webhooks::WebhooksOptions;
use serde::{Deserialize, Serialize};

pub use layers::{Flags, Loaded, Sources};
pub use listing::Effective;

/// The defaults file, compiled in: every setting, its default, a sentence each.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// Everything that can be set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where everything that is not in a database server is kept.
    pub data_dir: PathBuf,
    /// The roles of this process.
    pub roles: Vec<Role>,
    /// Whether `serve` brings the schema up to date before it listens.
    pub migrate_on_start: bool,
    /// The authentication of callers.
    pub auth: AuthOptions,
    /// The authorities that are trusted when this program connects to another server.
    pub tls: Tls,
    /// The HTTP server.
    pub http: HttpOptions,
    /// The pages for operators.
    pub admin: AdminOptions,
    /// Where rows are kept.
    pub database: DatabaseOptions,
    /// The log.
    pub log: LogOptions,
    /// The Redis that the caches of all processes share.
    pub redis: RedisOptions,
    /// Where files are kept.
    pub objects: ObjectsOptions,
    /// The customers service.
    pub customers: CustomersOptions,
    /// The profiles service.
    pub profiles: ProfilesOptions,
    /// The tasks service.
    pub tasks: TasksOptions,
    /// The webhooks service.
    pub webhooks: WebhooksOptions,
    /// The risk service.
    pub risk: RiskOptions,
    /// The shop.
    pub commerce: CommerceOptions,
    /// Durable jobs.
    pub queue: QueueOptions,
    /// Running them.
    pub worker: WorkerOptions,
    /// Answers to repeated requests.
    pub idempotency: IdempotencyOptions,
    /// The audit log.
    pub audit: AuditOptions,
    /// The keys that seal fields of rows.
    pub vault: KeyringOptions,
}

/// The roles that a process can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything there is.
    All,
    /// User profiles.
    Profiles,
    /// Records of customers.
    Customers,
    /// Tasks over HTTP.
    Tasks,
    /// Sending events to the addresses of callers.
    Webhooks,
    /// Decisions about businesses.
    Risk,
    /// The shop.
    Commerce,
    /// Running jobs.
    Worker,
}

/// The pages for operators: caches, and what else is inside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminOptions {
    /// Whether they are served at all.
    pub enabled: bool,
    /// Where. When the port is taken, the program says so and goes on without them.
    pub listen: SocketAddr,
    /// Whether the address of the services answers these operations as well, for the console. It never does if `auth.mode` is `off`.
    pub console: bool,
}

/// Running jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkerOptions {
    /// At shutdown: how long jobs under way may take before they are handed back.
    pub stop_ms: u64,
}

/// Why the program cannot run with these settings: one line for each thing that is wrong.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", problems.join("\n"))]
pub struct ConfigError {
    /// Each names the setting, where it was set, and what would be right.
    pub problems: Vec<String>,
}

impl Default for AdminOptions {
    fn default() -> Self {
        Self { enabled: true, listen: SocketAddr::from(([127, 0, 0, 1], 9090)), console: true }
    }
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self { stop_ms: 5_000 }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./data"),
            roles: vec![Role::All],
            migrate_on_start: true,
            auth: AuthOptions::default(),
            tls: Tls::default(),
            http: HttpOptions::default(),
            admin: AdminOptions::default(),
            // Below the data directory, wherever that is.
            database: DatabaseOptions {
                sqlite: SqliteOptions { path: PathBuf::from("pando.db"), ..SqliteOptions::default() },
                ..DatabaseOptions::default()
            },
            log: LogOptions::default(),
            redis: RedisOptions::default(),
            objects: ObjectsOptions::default(),
            customers: CustomersOptions::default(),
            profiles: ProfilesOptions::default(),
            tasks: TasksOptions::default(),
            webhooks: WebhooksOptions::default(),
            risk: RiskOptions::default(),
            commerce: CommerceOptions::default(),
            queue: QueueOptions::default(),
            worker: WorkerOptions::default(),
            idempotency: IdempotencyOptions::default(),
            audit: AuditOptions::default(),
            vault: KeyringOptions::default(),
        }
    }
}

impl Config {
    /// Whether this process plays `role`.
    pub fn plays(&self, role: Role) -> bool {
        self.roles.contains(&Role::All) || self.roles.contains(&role)
    }

    /// The database's options, with a relative file placed in the data directory.
    pub fn database_options(&self) -> DatabaseOptions {
        let mut options = self.database.clone();
        options.sqlite.path = self.data_dir.join(&options.sqlite.path);
        options.tls = self.tls.clone();
        options
    }

    /// Where the rows are, for people: an address without its password, or a file.
    pub fn database_place(&self) -> String {
        let database = &self.database;
        match (&database.url, &database.host) {
            (Some(url), _) => shown_address(url.expose()),
            (None, Some(host)) => {
                let port = database.port.map(|port| format!(":{port}")).unwrap_or_default();
                format!("{host}{port}/{}", database.database.as_deref().unwrap_or_default())
            }
            (None, None) => self.database_options().sqlite.path.display().to_string(),
        }
    }

    /// Where files are kept, for people.
    pub fn files_place(&self) -> String {
        let objects = self.objects_options();
        match &objects.s3.bucket {
            Some(bucket) => {
                let endpoint = objects.s3.endpoint.as_deref().unwrap_or("AWS");
                format!("the bucket {bucket} at {endpoint}")
            }
            None => objects.path.display().to_string(),
        }
    }

    /// Where the shared cache is, for people; none when each process keeps its own.
    pub fn redis_place(&self) -> Option<String> {
        match &self.redis.url {
            Some(url) => Some(shown_address(url.expose())),
            None if self.redis.configured() => Some(self.redis.addresses.join(", ")),
            None => None,
        }
    }

    /// The settings of the Redis.
    pub fn redis_options(&self) -> RedisOptions {
        RedisOptions { tls: self.tls.clone(), ..self.redis.clone() }
    }

    /// The settings of the broker.
    pub fn broker_options(&self) -> BrokerOptions {
        BrokerOptions { tls: self.tls.clone(), ..self.queue.broker.clone() }
    }

    /// The settings of the server, with relative files placed in the data directory. While it serves only this machine, requests
    /// with any other host name are refused.
    pub fn http_options(&self) -> HttpOptions {
        let mut options = self.http.clone();
        let TlsOptions { certificate, key, client_authorities, .. } = &mut options.tls;
        for file in [certificate, key, client_authorities].into_iter().flatten() {
            *file = self.data_dir.join(&file);
        }
        options.local_hosts_only |= self.auth.mode == AuthMode::Loopback;
        options
    }

    /// The settings of the server for operators: the same, at its own address, without TLS, and gone as soon as the other is.
    pub fn admin_options(&self) -> HttpOptions {
        let mut options = HttpOptions {
            listen: self.admin.listen,
            drain_delay_ms: 0,
            drain_ms: 1_000,
            metrics: true,
            tls: TlsOptions::default(),
            ..self.http_options()
        };
        // A page in a browser on this machine must not reach it under another name, whoever may reach the other port.
        options.local_hosts_only |= self.admin.listen.ip().to_canonical().is_loopback();
        options
    }

    /// Where files are kept; a relative folder lies in the data directory.
    pub fn objects_options(&self) -> ObjectsOptions {
        let mut options = self.objects.clone();
        options.path = self.data_dir.join(&options.path);
        options.s3.tls = self.tls.clone();
        options
    }

    /// The settings of profiles; like every file, the schema lies in the data directory unless its path is absolute.
    pub fn profiles_options(&self) -> ProfilesOptions {
        let mut options = self.profiles.clone();
        if !options.attributes_schema_file.is_empty() {
            let file = self.data_dir.join(&options.attributes_schema_file);
            options.attributes_schema_file = file.to_string_lossy().into_owned();
        }
        options
    }

    /// The settings of tasks.
    pub fn tasks_options(&self) -> TasksOptions {
        TasksOptions { tls: self.tls.clone(), ..self.tasks.clone() }
    }

    /// The settings of risk decisions; relative files lie in the data directory.
    pub fn risk_options(&self) -> RiskOptions {
        let placed = |path: &PathBuf| self.data_dir.join(path);
        RiskOptions {
            models: self.risk.models.as_ref().map(placed),
            lists: self.risk.lists.iter().map(placed).collect(),
            media: self.risk.media.iter().map(placed).collect(),
            ..self.risk.clone()
        }
    }

    /// The settings of the shop.
    pub fn commerce_options(&self) -> CommerceOptions {
        let mut options = self.commerce.clone();
        options.payments.tls = self.tls.clone();
        options
    }

    /// The settings of webhooks.
    pub fn webhooks_options(&self) -> WebhooksOptions {
        WebhooksOptions { tls: self.tls.clone(), ..self.webhooks.clone() }
    }

    /// The file of the embedded database; none when a server is configured.
    pub fn database_file(&self) -> Option<PathBuf> {
        let database = self.database_options();
        (database.url.is_none() && database.host.is_none()).then_some(database.sqlite.path)
    }

    /// Contradictions between values that are valid alone: the setting, and a sentence.
    pub fn contradictions(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if self.roles.is_empty() {
            found.push(("roles", "a process without a role does nothing; name one, or all".to_owned()));
        }
        if let Err(error) = self.log.check() {
            found.push(("log.level", error.to_string()));
        }
        if let Err(error) = self.http_options().tls.check() {
            found.push(("http.tls", error.to_string()));
        }
        if let Err(error) = self.tls.check() {
            found.push(("tls.authorities", error.to_string()));
        }
        if let Err(error) = self.database_options().check() {
            found.push(("database", error.to_string()));
        }
        if let Err(error) = self.redis_options().check() {
            found.push(("redis", error.to_string()));
        }
        if let Err(error) = self.objects.check() {
            found.push(("objects", error.to_string()));
        }
        if let Err(error) = self.customers.check() {
            found.push(("customers", error.to_string()));
        }
        if let Err(error) = self.profiles_options().check() {
            found.push(("profiles", error.to_string()));
        }
        if let Err(error) = self.tasks_options().check() {
            found.push(("tasks", error.to_string()));
        }
        if let Err(error) = self.risk.check() {
            found.push(("risk", error.to_string()));
        }
        if let Err(error) = self.commerce.check() {
            found.push(("commerce", error.to_string()));
        }
        if let Err(error) = self.webhooks.check() {
            found.push(("webhooks", error.to_string()));
        }
        if let Err(error) = self.queue.check() {
            found.push(("queue", error.to_string()));
        }
        if let Err((setting, reason)) = self.audit.check() {
            found.push(("audit", format!("{setting}: {reason}")));
        }
        if let Err(error) = self.auth.check() {
            found.push(("auth", error.to_string()));
        }
        if let Err(error) = Keyring::new(&self.vault) {
            found.push(("vault", error.to_string()));
        }
        if let Err((setting, reason)) = self.idempotency.check() {
            found.push(("idempotency", format!("{setting}: {reason}")));
        }
        for (setting, listen) in [("http.listen", self.http.listen), ("admin.listen", self.admin.listen)] {
            if let Some(reason) = self.open_to_strangers(listen) {
                found.push((setting, reason));
            }
        }
        found
    }

    /// Without authentication, another machine may reach this one only if the operator wrote that down.
    fn open_to_strangers(&self, listen: SocketAddr) -> Option<String> {
        let open = self.auth.mode == AuthMode::Loopback && !listen.ip().to_canonical().is_loopback();
        open.then(|| {
            format!(
                "{listen} can be reached from other machines and nothing asks callers who they are; write auth.mode = \
                 \"required\" (PANDO_AUTH__MODE=required) to have them prove it, or auth.mode = \"off\" if something in \
                 front keeps strangers out"
            )
        })
    }
}
