//! The settings, their defaults, and their meaning.

use std::time::Duration;

use pando_telemetry::Secret;
use pando_tls::Tls;
use serde::{Deserialize, Serialize};

use crate::CacheError;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
const YEAR_MS: u64 = 365 * DAY_MS;

/// How one named cache behaves. Every optimisation has its off switch here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheOptions {
    /// Whether entries are kept in this process at all.
    pub l1: bool,
    /// Whether entries are shared through Redis, when Redis is configured.
    pub l2: bool,
    /// How long an entry of this process is fresh: the bound on staleness when an invalidation got lost.
    pub l1_ttl_ms: u64,
    /// How long an entry in Redis is fresh.
    pub l2_ttl_ms: u64,
    /// Every TTL is moved by a random share up to this many percent either way, so that entries filled together do
    /// not expire together; 0 switches it off.
    pub jitter_percent: u32,
    /// How long "there is no such thing" is remembered; 0 never remembers it.
    pub negative_ttl_ms: u64,
    /// How long past its TTL an entry may stand in for a load that fails or is slow; 0 never lets it.
    pub stale_window_ms: u64,
    /// How long past its TTL an entry is served at once while it is refreshed behind; 0 makes the caller wait.
    pub stale_while_revalidate_ms: u64,
    /// After a load failed and a stale entry stood in, no further load is tried for so long.
    pub failed_load_pause_ms: u64,
    /// XFetch: how eagerly a hit close to expiry refreshes early, weighted by the measured load time; 0 never does.
    pub early_refresh_beta: f64,
    /// How long a caller waits for a load when a stale entry could stand in.
    pub load_soft_ms: u64,
    /// How long a load may take at all: then it is dropped.
    pub load_hard_ms: u64,
    /// How long a caller waits for the load of another.
    pub wait_ms: u64,
    /// Whether a cache whose service learns of every write from events keeps its entries when another process dies.
    pub rely_on_events: bool,
    /// When a process dies that may not have announced its last writes, the entries from before are loaded again one
    /// after the other within this time; 0 expires them all at once.
    pub silence_spread_ms: u64,
    /// Whether concurrent misses of one key share one load.
    pub single_flight: bool,
    /// Which entry gives way when the cache is full.
    pub policy: Policy,
    /// How many entries at most in this process.
    pub entries_max: usize,
    /// How many bytes at most in this process, keys and bookkeeping included.
    pub bytes_max: usize,
    /// Whether values of at least 1 KiB are kept compressed as well, once a caller asked for them so. Room for it is
    /// counted from the start: such a value counts two and a half times.
    pub keep_compressed: bool,
    /// The behaviour of a miss while Redis is down.
    pub when_l2_down: WhenL2Down,
    /// With `when_l2_down = "protect"`: how many loads at once.
    pub protect_loads_max: usize,
    /// Loads may read a replica that lags: entries are then stamped with the position their caller asked for, and not
    /// with the highest one known.
    pub loads_may_lag: bool,
    /// One hit in so many is counted towards the hottest keys; 0 counts none.
    pub hottest_sample_one_in: u32,
    /// One hit in so many is compared with the database, when the cache was given a reader; 0 compares none.
    pub staleness_sample_one_in: u32,
}

/// Which entry gives way when the cache is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// One seen once gives way before one seen again: the best hit ratio, in parallel, bounded by weight.
    S3Fifo,
    /// The one not used for the longest time; strict.
    Lru,
    /// The one filled first; strict.
    Fifo,
}

/// The behaviour of a miss while Redis is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenL2Down {
    /// It loads.
    Degrade,
    /// It loads if fewer than `protect_loads_max` do, and is refused otherwise.
    Protect,
    /// It is refused.
    Fail,
}

/// The Redis that the caches of one platform share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedisOptions {
    /// `redis://user:password@host:port/db`, or `rediss://` for TLS. Without it and without `addresses`: no Redis, each process for itself.
    pub url: Option<Secret>,
    /// The kind of server at the addresses.
    pub mode: RedisMode,
    /// `host:port` of the server, of the Sentinels, or of some nodes of the Cluster; instead of `url`.
    pub addresses: Vec<String>,
    /// With `mode = "sentinel"`: the name of the master.
    pub master_name: String,
    /// The user, if not the default one.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// Whether the servers at `addresses` are reached over TLS; a `url` says so itself: `rediss://`.
    pub encrypted: bool,
    /// The authorities that are trusted then. The program sets them, no settings file.
    #[serde(skip)]
    pub tls: Tls,
    /// The number of the database.
    pub database: u32,
    /// The beginning of every key and channel.
    pub key_prefix: String,
    /// How long an operation may take when something else can answer.
    pub soft_timeout_ms: u64,
    /// How long an operation may take at all.
    pub hard_timeout_ms: u64,
    /// How long connecting may take.
    pub connect_ms: u64,
    /// How many connections carry the operations.
    pub connections: usize,
    /// How many of the last operations the breaker looks at.
    pub breaker_window: usize,
    /// How many operations the breaker must have seen before it opens.
    pub breaker_calls_min: usize,
    /// The share of failures that opens it.
    pub breaker_failure_percent: u32,
    /// How long it stays open at first, and the pause between attempts to connect.
    pub breaker_open_ms: u64,
    /// How long it stays open at most.
    pub breaker_open_max_ms: u64,
    /// How many invalidations are kept while Redis is down; past it, everything is expired on return.
    pub queued_invalidations_max: usize,
    /// For how long a removed key refuses values older than its removal; must be above every load's hard timeout.
    pub tombstone_ms: u64,
    /// How far the clocks of a Cluster's nodes may be apart.
    pub clock_skew_ms: u64,
}

/// The kinds of servers at the addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RedisMode {
    /// One server.
    Standalone,
    /// Sentinels that know the server.
    Sentinel,
    /// The nodes of a Cluster.
    Cluster,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self {
            l1: true,
            l2: true,
            l1_ttl_ms: 30_000,
            l2_ttl_ms: 15 * 60_000,
            jitter_percent: 5,
            negative_ttl_ms: 60_000,
            stale_window_ms: 60 * 60_000,
            stale_while_revalidate_ms: 1_000,
            failed_load_pause_ms: 1_000,
            early_refresh_beta: 1.0,
            load_soft_ms: 100,
            load_hard_ms: 2_000,
            wait_ms: 2_500,
            rely_on_events: true,
            silence_spread_ms: 10_000,
            single_flight: true,
            policy: Policy::S3Fifo,
            entries_max: 1_000_000,
            bytes_max: 64 * 1024 * 1024,
            keep_compressed: false,
            when_l2_down: WhenL2Down::Degrade,
            protect_loads_max: 64,
            loads_may_lag: false,
            hottest_sample_one_in: 64,
            staleness_sample_one_in: 0,
        }
    }
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            url: None,
            mode: RedisMode::Standalone,
            addresses: Vec::new(),
            master_name: "mymaster".to_owned(),
            username: None,
            password: None,
            encrypted: false,
            tls: Tls::default(),
            database: 0,
            key_prefix: "pando".to_owned(),
            soft_timeout_ms: 50,
            hard_timeout_ms: 250,
            connect_ms: 1_000,
            connections: 2,
            breaker_window: 100,
            breaker_calls_min: 20,
            breaker_failure_percent: 50,
            breaker_open_ms: 5_000,
            breaker_open_max_ms: 60_000,
            queued_invalidations_max: 10_000,
            tombstone_ms: 60_000,
            clock_skew_ms: 500,
        }
    }
}

impl CacheOptions {
    /// Refuses what cannot work, and names what makes no sense: each warning is a sentence for the log.
    pub fn check(&self) -> Result<Vec<String>, CacheError> {
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        for (setting, value, least, most) in [
            ("l1_ttl_ms", self.l1_ttl_ms, 1, YEAR_MS),
            ("l2_ttl_ms", self.l2_ttl_ms, 1, YEAR_MS),
            ("jitter_percent", self.jitter_percent.into(), 0, 50),
            ("negative_ttl_ms", self.negative_ttl_ms, 0, YEAR_MS),
            ("stale_window_ms", self.stale_window_ms, 0, YEAR_MS),
            ("stale_while_revalidate_ms", self.stale_while_revalidate_ms, 0, YEAR_MS),
            ("failed_load_pause_ms", self.failed_load_pause_ms, 0, DAY_MS),
            ("load_soft_ms", self.load_soft_ms, 1, DAY_MS),
            ("load_hard_ms", self.load_hard_ms, 1, DAY_MS),
            ("wait_ms", self.wait_ms, 1, DAY_MS),
            ("silence_spread_ms", self.silence_spread_ms, 0, DAY_MS),
            ("entries_max", count(self.entries_max), 1, 1 << 32),
            ("bytes_max", count(self.bytes_max), 1_024, 1 << 44),
            ("protect_loads_max", count(self.protect_loads_max), 1, 1 << 20),
        ] {
            between(setting, value, least, most)?;
        }
        if !(0.0..=100.0).contains(&self.early_refresh_beta) {
            let reason = format!("{} is not between 0 and 100", self.early_refresh_beta);
            return Err(CacheError::BadSetting { setting: "early_refresh_beta", reason });
        }
        Ok(self.incoherent())
    }

    fn incoherent(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut warn = |wrong: bool, text: &str| {
            if wrong {
                found.push(text.to_owned());
            }
        };
        let window = self.stale_window_ms;
        warn(
            self.l1_ttl_ms > self.l2_ttl_ms,
            "l1_ttl_ms is above l2_ttl_ms: entries then expire in Redis before they expire in this process",
        );
        warn(self.load_soft_ms > self.load_hard_ms, "load_soft_ms is above load_hard_ms: it has no effect");
        warn(
            self.wait_ms < self.load_hard_ms,
            "wait_ms is below load_hard_ms: waiters give up on loads that still succeed",
        );
        warn(
            self.stale_while_revalidate_ms > window,
            "stale_while_revalidate_ms is above stale_window_ms, which limits it",
        );
        warn(!self.l1 && !self.l2, "neither l1 nor l2 is on: nothing is cached");
        found
    }
}

impl RedisOptions {
    /// Whether there is a Redis at all.
    pub fn configured(&self) -> bool {
        self.url.is_some() || !self.addresses.is_empty()
    }

    /// Refuses what cannot work.
    pub fn check(&self) -> Result<(), CacheError> {
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        for (setting, value, least, most) in [
            ("soft_timeout_ms", self.soft_timeout_ms, 1, self.hard_timeout_ms),
            ("hard_timeout_ms", self.hard_timeout_ms, 1, DAY_MS),
            ("connect_ms", self.connect_ms, 1, DAY_MS),
            ("connections", count(self.connections), 1, 64),
            ("breaker_window", count(self.breaker_window), 1, 100_000),
            ("breaker_calls_min", count(self.breaker_calls_min), 1, count(self.breaker_window)),
            ("breaker_failure_percent", self.breaker_failure_percent.into(), 1, 100),
            ("breaker_open_ms", self.breaker_open_ms, 1, DAY_MS),
            ("breaker_open_max_ms", self.breaker_open_max_ms, self.breaker_open_ms, DAY_MS),
            ("queued_invalidations_max", count(self.queued_invalidations_max), 0, 10_000_000),
            ("tombstone_ms", self.tombstone_ms, 1_000, DAY_MS),
            ("clock_skew_ms", self.clock_skew_ms, 0, 60_000),
        ] {
            between(setting, value, least, most)?;
        }
        let bad = |setting, reason: &str| Err(CacheError::BadSetting { setting, reason: reason.to_owned() });
        if self.url.is_some() && !self.addresses.is_empty() {
            return bad("addresses", "set together with url; set only one of them");
        }
        if self.url.is_some() && self.encrypted {
            return bad("encrypted", "is for addresses; a url begins with rediss:// instead");
        }
        if self.key_prefix.is_empty() || self.key_prefix.contains(['{', '}', ' ']) {
            return bad(
                "key_prefix",
                "must not be empty and must not contain braces or spaces, which have a meaning in keys",
            );
        }
        if self.mode == RedisMode::Cluster && self.database != 0 {
            return bad("database", "a Cluster has only database 0");
        }
        if self.mode == RedisMode::Sentinel && self.configured() && self.master_name.is_empty() {
            return bad("master_name", "must not be empty, because Sentinels are asked for this name");
        }
        Ok(())
    }
}

fn between(setting: &'static str, value: u64, least: u64, most: u64) -> Result<(), CacheError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let reason = format!("{value} is not between {least} and {most}");
    Err(CacheError::BadSetting { setting, reason })
}

/// Milliseconds as microseconds, the unit inside.
pub(crate) fn micros(ms: u64) -> i64 {
    i64::try_from(ms.saturating_mul(1_000)).unwrap_or(i64::MAX)
}

pub(crate) fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_shown_to_nobody() {
        let options =
            RedisOptions { url: Some(Secret::new("redis://:opensesame@h")), ..RedisOptions::default() };
        assert!(!format!("{options:?}").contains("sesame"));
        assert!(!serde_json::to_string(&options).unwrap().contains("sesame"));
    }

    #[test]
    fn the_defaults_make_sense_and_are_a_settings_file() {
        assert_eq!(CacheOptions::default().check().unwrap(), Vec::<String>::new());
        RedisOptions::default().check().unwrap();
        let text = toml::to_string(&CacheOptions::default()).unwrap();
        assert_eq!(toml::from_str::<CacheOptions>(&text).unwrap(), CacheOptions::default());
        assert!(toml::from_str::<CacheOptions>("entries_maximum = 3").is_err());
    }

    #[test]
    fn what_cannot_work_is_refused_by_name_and_what_makes_no_sense_is_said() {
        for (text, setting) in [
            ("l1_ttl_ms = 0", "l1_ttl_ms"),
            ("entries_max = 0", "entries_max"),
            ("early_refresh_beta = nan", "early_refresh_beta"),
            ("jitter_percent = 80", "jitter_percent"),
        ] {
            let refused = toml::from_str::<CacheOptions>(text).unwrap().check();
            assert!(
                matches!(&refused, Err(CacheError::BadSetting { setting: named, .. }) if *named == setting)
            );
        }
        for text in ["l1 = false\nl2 = false", "load_soft_ms = 5000"] {
            assert!(!toml::from_str::<CacheOptions>(text).unwrap().check().unwrap().is_empty(), "{text}");
        }
    }
}
