//! The connection to Redis that all caches of a platform share. Every request to Redis has a time limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use pando_resilience::{Breaker, BreakerOptions, BreakerState};
use redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind};
use tokio::sync::Notify;

use super::bus::{Kind, Message};
use super::connect::{Carrier, Place, Wire};
use super::header::{FORMAT, version_text};
use super::pending::{Invalidation, Pending};
use super::scripts::Scripts;
use crate::caches::Registry;
use crate::events::SilenceStamps;
use crate::lock::{Mutex, RwLock, lock, read, write};
use crate::options::millis;
use crate::{CacheError, RedisOptions};

/// Redis did not do it: it is down, too slow, or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failed;

pub(crate) struct Link {
    pub(super) options: RedisOptions,
    pub(super) place: Place,
    pub(super) scripts: Scripts,
    pub(super) registry: Registry,
    /// The sender, so that a process can ignore its own messages.
    pub(super) id: u64,
    pub(super) breaker: Breaker,
    pub(super) wire: RwLock<Option<Wire>>,
    /// Told when the connection is of no use any more.
    pub(super) broken: Notify,
    pub(super) pending: Mutex<Pending>,
    /// Told when an invalidation could not be sent.
    pub(super) unsent: Notify,
    /// Entries that were loaded before this moment of Redis's clock are expired, in all caches.
    pub(super) distrusted: AtomicI64,
    /// Why the last attempt to connect failed.
    pub(super) reason: Mutex<Option<String>>,
    /// When processes died.
    pub(super) silence: Mutex<SilenceStamps>,
    /// It was up at least once.
    pub(super) was_up: AtomicBool,
    /// The number of the connection, from 1.
    pub(super) connections: AtomicU64,
}

impl Link {
    pub(crate) fn new(options: &RedisOptions, registry: Registry) -> Result<Arc<Self>, CacheError> {
        let breaker = BreakerOptions {
            window: options.breaker_window,
            calls_min: options.breaker_calls_min,
            failure_percent: options.breaker_failure_percent,
            open: millis(options.breaker_open_ms),
            open_max: millis(options.breaker_open_max_ms),
            // A pause of this machine fails everything under way, and is over; a Redis that is away is not.
            patience: millis(options.hard_timeout_ms),
            ..BreakerOptions::default()
        };
        Ok(Arc::new(Self {
            place: Place::new(options)?,
            scripts: Scripts::new(),
            registry,
            id: fastrand::u64(..),
            breaker: Breaker::new(breaker),
            wire: RwLock::new(None),
            broken: Notify::new(),
            pending: Mutex::new(Pending::new(options.queued_invalidations_max)),
            unsent: Notify::new(),
            distrusted: AtomicI64::new(0),
            reason: Mutex::default(),
            silence: Mutex::default(),
            was_up: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            options: options.clone(),
        }))
    }

    pub(crate) fn is_up(&self) -> bool {
        read(&self.wire).is_some()
    }

    pub(crate) fn connection(&self) -> u64 {
        self.connections.load(Ordering::Acquire)
    }

    /// When processes died, as far as this one has heard.
    pub(crate) fn silence(&self) -> SilenceStamps {
        *lock(&self.silence)
    }

    /// Why the last attempt to connect failed; none if it is up.
    pub(crate) fn reason(&self) -> Option<String> {
        lock(&self.reason).clone()
    }

    pub(crate) fn pending_len(&self) -> usize {
        lock(&self.pending).len()
    }

    pub(crate) fn tombstone_ms(&self) -> u64 {
        self.options.tombstone_ms
    }

    /// Nobody keeps the connection any more.
    pub(crate) fn go_down(&self) {
        *write(&self.wire) = None;
    }

    pub(crate) fn soft(&self) -> Duration {
        millis(self.options.soft_timeout_ms)
    }

    pub(crate) fn hard(&self) -> Duration {
        millis(self.options.hard_timeout_ms)
    }

    /// The clocks of a Cluster's nodes differ; one server has one clock.
    pub(crate) fn skew(&self) -> i64 {
        match self.options.mode {
            crate::RedisMode::Cluster => crate::options::micros(self.options.clock_skew_ms),
            _ => 0,
        }
    }

    /// A key of a cache. The part in braces decides on which node of a Cluster it is kept, so an entry and its tombstone are on
    /// the same node.
    pub(crate) fn key(&self, cache: &str, what: char, name: &[u8]) -> Vec<u8> {
        let prefix = &self.options.key_prefix;
        let mut key = format!("{prefix}:{FORMAT}:{cache}:{what}:{{:").into_bytes();
        key.extend_from_slice(name);
        key.push(b'}');
        key
    }

    /// The key of something that concerns all caches; a Cluster keeps all of these together.
    pub(super) fn common_key(&self, what: &str) -> String {
        format!("{{{}}}:{what}", self.options.key_prefix)
    }

    /// Redis keeps channels apart from its numbered databases, so the name tells them apart.
    pub(crate) fn channel(&self) -> String {
        let prefix = &self.options.key_prefix;
        match self.place.database() {
            0 => format!("{prefix}:{FORMAT}:bus"),
            database => format!("{prefix}:{FORMAT}:bus:{database}"),
        }
    }

    /// Asks Redis, if it is up, within `patience`.
    pub(crate) async fn ask<T, F>(&self, patience: Duration, question: F) -> Result<T, Failed>
    where
        F: AsyncFnOnce(&mut Carrier) -> RedisResult<T>,
    {
        let Some(wire) = read(&self.wire).clone() else { return Err(Failed) };
        self.ask_on(&wire, patience, question).await
    }

    pub(super) async fn ask_on<T, F>(&self, wire: &Wire, patience: Duration, question: F) -> Result<T, Failed>
    where
        F: AsyncFnOnce(&mut Carrier) -> RedisResult<T>,
    {
        let Ok(permit) = self.breaker.admit() else { return Err(Failed) };
        let mut carrier = wire.carrier();
        let failure = match tokio::time::timeout(patience, question(&mut carrier)).await {
            Ok(Ok(answer)) => {
                permit.success();
                return Ok(answer);
            }
            Ok(Err(error)) => Some(error),
            Err(_) => None,
        };
        match &failure {
            // It answers, and says no: out of memory, no permission, a script that fails.
            Some(error) if answers(error) => {
                tracing::debug!(%error, "redis refused");
                permit.success();
            }
            Some(error) => {
                tracing::debug!(%error, "redis failed");
                permit.failure();
                if is_useless(error) {
                    self.broken.notify_one();
                }
            }
            None => permit.failure(),
        }
        if self.breaker.state() != BreakerState::Closed {
            self.broken.notify_one();
        }
        Err(Failed)
    }

    /// Sends an invalidation, or keeps it until it can be sent.
    pub(crate) async fn invalidate(&self, invalidation: Invalidation) -> Option<i64> {
        loop {
            let wire = read(&self.wire).clone();
            if let Some(wire) = &wire
                && let Ok(stamp) = self.send(wire, &invalidation).await
            {
                return Some(stamp);
            }
            let mut pending = lock(&self.pending);
            // It came up between the look and the lock, and has replayed already: this one is sent.
            if wire.is_none() && self.is_up() {
                continue;
            }
            pending.push(invalidation);
            self.unsent.notify_one();
            return None;
        }
    }

    /// Answers the stamp that Redis gave it; 0 for a key.
    pub(super) async fn send(&self, wire: &Wire, invalidation: &Invalidation) -> Result<i64, Failed> {
        let Invalidation { cache, kind, name, version, position } = invalidation;
        let message = self.message(cache, *kind, name.clone(), *version, *position);
        let (channel, tombstone_ms) = (self.channel(), self.options.tombstone_ms);
        let what = match kind {
            Kind::Key => {
                let (entry, tombstone) = (self.key(cache, 'v', name), self.key(cache, 'd', name));
                let done = self.ask_on(wire, self.hard(), async |carrier| {
                    let script = &self.scripts.invalidate;
                    let mut call = script.prepare_invoke();
                    call.key(entry).key(tombstone).arg(version_text(Some(*version)));
                    call.arg(tombstone_ms).arg(channel).arg(message).invoke_async::<i64>(carrier).await
                });
                return done.await.map(|_| 0);
            }
            Kind::Tag => 't',
            Kind::Clear => 'c',
            Kind::Expire => 'e',
        };
        let key = self.key(cache, what, name);
        let stamped_ms = self.stamp_life_ms(what);
        let stamped = self.ask_on(wire, self.hard(), async |carrier| {
            let script = &self.scripts.stamp;
            let mut call = script.prepare_invoke();
            call.key(key).arg(stamped_ms).arg(channel).arg(message);
            call.invoke_async::<i64>(carrier).await
        });
        stamped.await
    }

    /// The stamp of a tag outlives every entry; those of everything are few, and stay.
    pub(super) fn stamp_life_ms(&self, what: char) -> u64 {
        if what == 't' { self.registry.longest_life_ms() } else { 0 }
    }

    pub(crate) fn message(
        &self,
        cache: &str,
        kind: Kind,
        name: Bytes,
        version: i64,
        position: u64,
    ) -> Vec<u8> {
        Message { sender: self.id, kind, cache: cache.into(), version, position, name, stamp: 0 }.write()
    }
}

/// Whether the server is well, though it refuses.
fn answers(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Server(kind) => matches!(
            kind,
            ServerErrorKind::ResponseError | ServerErrorKind::NoPerm | ServerErrorKind::ExecAbort
        ),
        ErrorKind::Extension => true,
        _ => false,
    }
}

/// Whether the connection must be made anew: it is gone, or leads to a server that is not the master any more.
fn is_useless(error: &RedisError) -> bool {
    error.is_connection_dropped()
        || error.is_unrecoverable_error()
        || matches!(error.kind(), ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown))
}
