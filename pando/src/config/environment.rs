//! Settings from the environment: `PANDO_HTTP__LISTEN` and similar names, and the names that deployments already use.

use figment::Figment;
use figment::value::{Empty, Tag, Value};
use serde::Deserialize;
use serde_json::Value as Json;

use super::Config;
use super::known::Known;
use super::layers::{Layer, stranger, tree_of};

/// Names for one setting each; where two mean the same, the first one set wins.
const ALIASES: [(&str, &str); 11] = [
    ("DATABASE_URL", "database.url"),
    ("DB_URI", "database.url"),
    ("LOG_LEVEL", "log.level"),
    ("POD_NAME", "http.pod_name"),
    ("REDIS_PASSWORD", "redis.password"),
    ("REDIS_DB", "redis.database"),
    ("CACHE_MAX_SIZE", "profiles.cache.entries_max"),
    ("CACHE_POLICY", "profiles.cache.policy"),
    ("RABBITMQ_URI", "queue.broker.url"),
    ("QUEUE_URI", "queue.broker.url"),
    ("CDN_BASE_URL", "profiles.images.base_url"),
];

/// The parts of a PostgreSQL address, with what each is when only others are set.
const DATABASE: [(&str, &str, Option<&str>); 5] = [
    ("DB_HOST", "database.host", Some("localhost")),
    ("DB_PORT", "database.port", None),
    ("DB_USER", "database.user", Some("postgres")),
    ("DB_PASSWORD", "database.password", None),
    ("DB_NAME", "database.database", Some("profiles")),
];

/// Names for parts this version does not have.
const NOT_YET: [&str; 2] = ["RATE_LIMIT_REQUESTS", "RATE_LIMIT_WINDOW_MINUTES"];

/// The settings from the environment.
pub(super) struct Environment {
    pub(super) layers: Vec<Layer>,
    pub(super) notes: Vec<String>,
    pub(super) problems: Vec<String>,
}

/// Reads `variables`; `below` holds the layers under the environment. A variable set to nothing is not set, as
/// compose files leave them.
pub(super) fn read(variables: &[(String, String)], below: &Figment, known: &Known) -> Environment {
    let set: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let mut found = Environment { layers: Vec::new(), notes: Vec::new(), problems: Vec::new() };
    found.read_server_port(&set, below);
    found.read_database(&set, known);
    found.read_redis(&set);
    found.read_cache(&set, below);
    found.read_aliases(&set, known);
    found.read_own(&set, known);
    let idle: Vec<&str> = NOT_YET.into_iter().filter(|name| value_of(&set, name).is_some()).collect();
    if !idle.is_empty() {
        found.notes.push(format!("{}: accepted, but without effect in this version", idle.join(", ")));
    }
    found
}

impl Environment {
    /// Only the port of the listen address: where it listens stays what it was.
    fn read_server_port(&mut self, set: &[(&str, &str)], below: &Figment) {
        let Some(text) = value_of(set, "SERVER_PORT") else { return };
        let listen: String = below.extract_inner("http.listen").unwrap_or_default();
        match (text.parse::<u16>(), listen.rsplit_once(':')) {
            (Ok(port), Some((host, _))) => {
                self.layers.push(Layer::of_one(
                    "SERVER_PORT",
                    "http.listen",
                    format!("{host}:{port}").into(),
                ));
            }
            (Ok(_), None) => self.problems.push(format!("http.listen: {listen:?} has no port to replace")),
            (Err(_), _) => {
                self.problems
                    .push(format!("SERVER_PORT: {text:?} is not a port, which is a number up to 65535"));
            }
        }
    }

    fn read_database(&mut self, set: &[(&str, &str)], known: &Known) {
        let given: Vec<&str> = DATABASE
            .into_iter()
            .map(|(name, ..)| name)
            .filter(|name| value_of(set, name).is_some())
            .collect();
        if given.is_empty() {
            return;
        }
        let given = given.join(", ");
        if let Some(url) = ["DATABASE_URL", "DB_URI"].into_iter().find(|name| value_of(set, name).is_some()) {
            self.notes.push(format!("{given}: without effect, because {url} is set"));
            return;
        }
        // A URL in the file would be joined with these parts, and the environment stands above the file.
        self.layers.push(Layer::of_one(&given, "database.url", nothing()));
        for (name, key, default) in DATABASE {
            if let Some(value) = value_of(set, name) {
                self.layers.push(Layer::of_one(name, key, typed(known, key, value)));
            } else if let Some(default) = default {
                self.layers.push(Layer::of_one(&given, key, default.into()));
            }
        }
    }

    /// `REDIS_ADDRESS` may be a whole address (`redis://…`) or a host and a port.
    fn read_redis(&mut self, set: &[(&str, &str)]) {
        let host = value_of(set, "REDIS_HOST");
        let port = value_of(set, "REDIS_PORT");
        if let Some(address) = value_of(set, "REDIS_ADDRESS") {
            let key = if address.contains("://") { "redis.url" } else { "redis.addresses" };
            let other = if key == "redis.url" { "redis.addresses" } else { "redis.url" };
            let value = if key == "redis.url" { address.to_owned().into() } else { list(address) };
            // The other one in the file would contradict it, and the environment stands above the file.
            let none = if other == "redis.url" { nothing() } else { Value::from(Vec::<String>::new()) };
            self.layers.push(Layer::of_one("REDIS_ADDRESS", other, none));
            self.layers.push(Layer::of_one("REDIS_ADDRESS", key, value));
            if host.or(port).is_some() {
                self.notes
                    .push("REDIS_HOST, REDIS_PORT: without effect, because REDIS_ADDRESS is set".to_owned());
            }
        } else if let Some(host) = host {
            self.layers.push(Layer::of_one("REDIS_HOST", "redis.url", nothing()));
            let address = format!("{host}:{}", port.unwrap_or("6379"));
            self.layers.push(Layer::of_one("REDIS_HOST", "redis.addresses", list(&address)));
        } else if port.is_some() {
            self.notes.push("REDIS_PORT: without effect, because REDIS_HOST is not set".to_owned());
        }
    }

    /// `CACHE_TTL` bounds both tiers; `CACHE_WRITE_POLICY` may be written `write-through`.
    fn read_cache(&mut self, set: &[(&str, &str)], below: &Figment) {
        if let Some(text) = value_of(set, "CACHE_TTL") {
            match milliseconds(text) {
                Some(ttl) => {
                    let l1: u64 = below.extract_inner("profiles.cache.l1_ttl_ms").unwrap_or(ttl);
                    self.layers.push(Layer::of_one(
                        "CACHE_TTL",
                        "profiles.cache.l1_ttl_ms",
                        l1.min(ttl).into(),
                    ));
                    self.layers.push(Layer::of_one("CACHE_TTL", "profiles.cache.l2_ttl_ms", ttl.into()));
                }
                None => self
                    .problems
                    .push(format!("CACHE_TTL: {text:?} is not a time such as 24h, 30m, 90s or 500ms")),
            }
        }
        if let Some(text) = value_of(set, "CACHE_WRITE_POLICY") {
            let policy = text.to_ascii_lowercase();
            let policy = policy.trim_start_matches("write").trim_start_matches(['-', '_']);
            self.layers.push(Layer::of_one(
                "CACHE_WRITE_POLICY",
                "profiles.cache_writes",
                policy.to_owned().into(),
            ));
        }
    }

    fn read_aliases(&mut self, set: &[(&str, &str)], known: &Known) {
        for (index, (name, key)) in ALIASES.into_iter().enumerate() {
            let Some(value) = value_of(set, name) else { continue };
            let before =
                ALIASES[..index].iter().find(|(other, same)| *same == key && value_of(set, other).is_some());
            match before {
                Some((other, _)) => {
                    self.notes.push(format!("{name}: without effect, because {other} is set"))
                }
                None => {
                    if key == "database.url" {
                        // Parts in the file would be joined with this URL, and the environment stands above it.
                        self.layers.extend(DATABASE.map(|(_, part, _)| Layer::of_one(name, part, nothing())));
                    }
                    self.layers.push(Layer::of_one(name, key, typed(known, key, value)));
                }
            }
        }
    }

    /// `PANDO_HTTP__LISTEN` and its like, above the other names because they cannot mean anything else.
    fn read_own(&mut self, set: &[(&str, &str)], known: &Known) {
        for (name, value) in set {
            let Some(rest) = name.strip_prefix("PANDO_").filter(|rest| *rest != "CONFIG") else { continue };
            let key = rest.to_ascii_lowercase().replace("__", ".");
            if known.contains(&key) {
                self.layers.push(Layer::of_one(name, &key, typed(known, &key, value)));
            } else if rest.contains("__") {
                self.problems.push(stranger(known, name, &key));
            } else {
                // Kubernetes sets PANDO_SERVICE_HOST and the like for a service called pando: no reason to stop.
                self.notes.push(format!("{name}: not a setting of this program; it is ignored"));
            }
        }
    }
}

/// The text as the kind of value this setting takes: a password of digits stays a text, a port becomes a number.
fn typed(known: &Known, key: &str, text: &str) -> Value {
    let plain = Value::from(text.to_owned());
    let parsed = || {
        let table = format!("value = {text}").parse::<toml::Table>().ok()?;
        Value::serialize(table.get("value")?).ok()
    };
    match known.default_of(key) {
        Json::String(_) => plain,
        Json::Array(_) if !text.starts_with('[') => list(text),
        // A setting without a default does not show its kind: it is a text if it can be one.
        Json::Null if fits(key, &plain) => plain,
        _ => parsed().unwrap_or(plain),
    }
}

fn fits(key: &str, value: &Value) -> bool {
    let layer = Layer::of_one("probe", key, value.clone());
    let Ok(defaults) = Layer::of_text("defaults", super::DEFAULTS) else { return false };
    tree_of(&Figment::from(defaults).merge(layer)).is_ok_and(|tree| Config::deserialize(&tree).is_ok())
}

/// The value of a setting that is not set.
fn nothing() -> Value {
    Value::Empty(Tag::Default, Empty::None)
}

/// `a, b` as a list of texts.
pub(super) fn list(text: &str) -> Value {
    Value::from(text.split(',').map(|item| item.trim().to_owned()).collect::<Vec<_>>())
}

/// `24h`, `30m`, `90s`, `500ms`; a bare number is seconds.
fn milliseconds(text: &str) -> Option<u64> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim() {
        "" | "s" => 1_000,
        "ms" => 1,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

fn value_of<'a>(set: &[(&str, &'a str)], name: &str) -> Option<&'a str> {
    set.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}
