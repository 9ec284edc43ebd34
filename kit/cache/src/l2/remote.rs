//! One named cache in Redis.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use pando_resilience::Deadline;
use redis::{Pipeline, Value};
use tokio::sync::Semaphore;

use super::bus::Kind;
use super::header::{Stored, back, front, version_text};
use super::link::{Failed, Link};
use super::pending::Invalidation;
use crate::CacheOptions;
use crate::lock::{RwLock, read, write};
use crate::options::micros;
use crate::silence::{Doubt, Silences};

/// How many values are on their way to Redis at once; past it, filling is skipped.
const FILLS_MAX: usize = 256;
/// How many tags are known one by one; past it, they are asked for again.
const TAGS_MAX: usize = 65_536;

pub(crate) struct Remote {
    pub(crate) link: Arc<Link>,
    cache: &'static str,
    ttl: i64,
    window: i64,
    /// Which connection the stamps were learned over: a new one may have missed some.
    learned: AtomicU64,
    cleared: AtomicI64,
    expired: AtomicI64,
    silences: Silences,
    tags: RwLock<TagStamps>,
    pub(crate) fills: Arc<Semaphore>,
}

#[derive(Default)]
struct TagStamps {
    connection: u64,
    stamps: HashMap<Box<str>, i64>,
}

/// What Redis said. Moments are of its clock.
pub(crate) enum Read {
    Fresh(Stored, i64),
    /// Expired: it may stand in for a load that fails.
    Stale(Stored, i64),
    Nothing(i64),
    Down,
}

/// A value on its way to Redis.
pub(crate) struct Fill<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) version: Option<i64>,
    pub(crate) position: u64,
    /// How long it is fresh, in microseconds.
    pub(crate) ttl: i64,
    pub(crate) cost: i64,
    pub(crate) tags: &'a [Box<str>],
    pub(crate) body: Option<&'a Bytes>,
}

impl Remote {
    pub(crate) fn new(link: Arc<Link>, cache: &'static str, options: &CacheOptions) -> Self {
        Self {
            link,
            cache,
            ttl: micros(options.l2_ttl_ms),
            window: micros(options.stale_window_ms),
            learned: AtomicU64::new(0),
            cleared: AtomicI64::new(0),
            expired: AtomicI64::new(0),
            silences: Silences::new(micros(options.silence_spread_ms)),
            tags: RwLock::default(),
            fills: Arc::new(Semaphore::new(FILLS_MAX)),
        }
    }

    /// What Redis holds under these keys, and what time it is there: one round trip.
    pub(crate) async fn read_all(&self, keys: &[&[u8]], patience: Duration, knows_events: bool) -> Vec<Read> {
        // One patience for all questions together.
        let until = Deadline::after(patience);
        let answer = async {
            self.learn(until.remaining()).await?;
            let written = self.written(keys, until.remaining()).await?;
            let stored: Vec<_> = written
                .into_iter()
                .map(|(bytes, now)| (bytes.as_ref().and_then(Stored::read), now))
                .collect();
            let tags =
                stored.iter().filter_map(|(stored, _)| stored.as_ref()).flat_map(|stored| &stored.tags);
            self.learn_tags(tags, 0, until.remaining()).await?;
            let judged = keys.iter().zip(stored);
            let judged = judged.map(|(key, (stored, now))| self.judge(key, stored, now, knows_events));
            Ok::<_, Failed>(judged.collect())
        };
        answer.await.unwrap_or_else(|_| keys.iter().map(|_| Read::Down).collect())
    }

    async fn written(&self, keys: &[&[u8]], patience: Duration) -> Result<Vec<(Option<Bytes>, i64)>, Failed> {
        let keys: Vec<_> = keys.iter().map(|key| self.link.key(self.cache, 'v', key)).collect();
        if self.link.options.mode == crate::RedisMode::Cluster {
            // Each key has its own node; all are asked at once.
            let asked = keys.into_iter().map(|key| self.written_together(vec![key], patience));
            return Ok(join_all(asked).await.into_iter().collect::<Result<Vec<_>, _>>()?.concat());
        }
        self.written_together(keys, patience).await
    }

    async fn written_together(
        &self,
        keys: Vec<Vec<u8>>,
        patience: Duration,
    ) -> Result<Vec<(Option<Bytes>, i64)>, Failed> {
        let mut pipe = Pipeline::with_capacity(2);
        pipe.cmd("MGET").arg(keys).cmd("TIME");
        let answer = self.link.ask(patience, async |carrier| {
            let (values, (seconds, micros)): (Vec<Value>, (i64, i64)) = pipe.query_async(carrier).await?;
            Ok((values, seconds * 1_000_000 + micros))
        });
        let (values, now) = answer.await?;
        let bytes = |value| match value {
            Value::BulkString(bytes) => Some(Bytes::from(bytes)),
            _ => None,
        };
        Ok(values.into_iter().map(|value| (bytes(value), now)).collect())
    }

    fn judge(&self, key: &[u8], stored: Option<Stored>, now: i64, knows_events: bool) -> Read {
        let Some(stored) = stored else { return Read::Nothing(now) };
        let skew = self.link.skew();
        let before = |stamp: i64| stamp > 0 && stored.started <= stamp.saturating_add(skew);
        let tags = read(&self.tags);
        let gone = before(self.cleared.load(Ordering::Acquire))
            // A tag that was forgotten in between counts as invalidated.
            || stored.tags.iter().any(|tag| tags.stamps.get(tag).is_none_or(|stamp| before(*stamp)));
        if gone {
            return Read::Nothing(now);
        }
        // A process that reads the event of a new thing invalidates in Redis only if it knew that the thing was missing.
        let witnessed = knows_events && stored.body.is_some();
        let expired = before(self.expired.load(Ordering::Acquire))
            || before(self.link.distrusted.load(Ordering::Acquire))
            || self.silences.doubt(stored.started, key, now, || witnessed) != Doubt::None
            || now >= stored.fresh_until;
        match (expired, &stored.body) {
            (false, _) => Read::Fresh(stored, now),
            (true, Some(_)) => Read::Stale(stored, now),
            (true, None) => Read::Nothing(now),
        }
    }

    /// A process died at this moment: entries that were loaded before are doubted.
    pub(crate) fn doubt(&self, silence: i64, witnessed: bool) {
        let mark = silence.saturating_add(self.link.skew()).saturating_add(1);
        self.silences.begin(mark, silence, witnessed);
    }

    /// Learns what was cleared and expired, once per connection; from then on the bus tells.
    async fn learn(&self, patience: Duration) -> Result<(), Failed> {
        let connection = self.link.connection();
        if self.learned.load(Ordering::Acquire) == connection {
            return Ok(());
        }
        let stamps = [('c', &self.cleared), ('e', &self.expired)];
        let asked = stamps.map(|(what, _)| self.stamp_at(what, b"", 0, patience));
        for ((_, known), stamp) in stamps.iter().zip(join_all(asked).await) {
            known.fetch_max(stamp?, Ordering::AcqRel);
        }
        self.learned.store(connection, Ordering::Release);
        Ok(())
    }

    /// Learns when these tags were invalidated, those that are not known yet; one without a stamp gets `absent`.
    async fn learn_tags<'t>(
        &self,
        tags: impl Iterator<Item = &'t Box<str>>,
        absent: i64,
        patience: Duration,
    ) -> Result<(), Failed> {
        let connection = self.link.connection();
        let mut unknown: Vec<Box<str>> = Vec::new();
        {
            let known = read(&self.tags);
            let current = known.connection == connection;
            for tag in tags {
                let is_known = current && known.stamps.contains_key(tag);
                if !is_known && !unknown.contains(tag) {
                    unknown.push(tag.clone());
                }
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        let asked = unknown.iter().map(|tag| self.stamp_at('t', tag.as_bytes(), absent, patience));
        let stamps = join_all(asked).await;
        for (tag, stamp) in unknown.into_iter().zip(stamps) {
            self.know_tag(connection, tag, stamp?);
        }
        Ok(())
    }

    /// When something was stamped. Where there is no stamp, one is put: `absent`, or now if that is 0, because what an
    /// evicted stamp had put out must not come back.
    async fn stamp_at(
        &self,
        what: char,
        name: &[u8],
        absent: i64,
        patience: Duration,
    ) -> Result<i64, Failed> {
        let key = self.key(what, name);
        let life = self.link.stamp_life_ms(what);
        let asked = self.link.ask(patience, async |carrier| {
            let mut call = self.link.scripts.learn.prepare_invoke();
            call.key(&key).arg(life).arg(absent).invoke_async::<i64>(carrier).await
        });
        asked.await
    }

    fn know_tag(&self, connection: u64, tag: Box<str>, stamp: i64) {
        let mut known = write(&self.tags);
        if known.connection != connection || known.stamps.len() >= TAGS_MAX {
            known.stamps.clear();
            known.connection = connection;
        }
        let newest = known.stamps.entry(tag).or_default();
        *newest = stamp.max(*newest);
    }

    /// Something was stamped, here or elsewhere.
    pub(crate) fn stamped(&self, kind: Kind, name: &[u8], stamp: i64) {
        match kind {
            Kind::Key => {}
            Kind::Tag => {
                if let Ok(tag) = std::str::from_utf8(name) {
                    self.know_tag(self.link.connection(), tag.into(), stamp);
                }
            }
            Kind::Clear => {
                self.cleared.fetch_max(stamp, Ordering::AcqRel);
            }
            Kind::Expire => {
                self.expired.fetch_max(stamp, Ordering::AcqRel);
            }
        }
    }

    /// Writes what a load that began at `started` found; answers whether it was kept.
    pub(crate) async fn fill(&self, fill: &Fill<'_>, started: i64) -> Result<bool, Failed> {
        // A tag that was never invalidated gets its stamp with its first entry, so that readers need not doubt that one.
        let before = started.saturating_sub(self.link.skew()).saturating_sub(1);
        self.learn_tags(fill.tags.iter(), before, self.link.hard()).await?;
        let (front, back) = self.parts(fill);
        let (entry, tombstone) = (self.key('v', fill.key), self.key('d', fill.key));
        let known = self.cleared.load(Ordering::Acquire).max(self.expired.load(Ordering::Acquire));
        let counts_from = known.max(self.link.distrusted.load(Ordering::Acquire));
        let asked = self.link.ask(self.link.hard(), async |carrier| {
            let mut call = self.link.scripts.fill.prepare_invoke();
            call.key(entry).key(tombstone).arg(version_text(fill.version)).arg(front).arg(back);
            call.arg(fill.ttl).arg(self.life_ms(fill)).arg(started);
            call.arg(self.link.options.tombstone_ms).arg(counts_from);
            call.invoke_async::<bool>(carrier).await
        });
        asked.await
    }

    /// Stores the value of a write and notifies the other processes. Returns whether Redis kept the value, or `None` if Redis did
    /// not run the script; then the caller must invalidate instead.
    pub(crate) async fn put(&self, fill: &Fill<'_>, version: i64) -> Option<bool> {
        // An entry that is written before the stamps exist would count as older than they are.
        self.learn(self.link.hard()).await.ok()?;
        let name = Bytes::copy_from_slice(fill.key);
        let message = self.link.message(self.cache, Kind::Key, name, version, fill.position);
        let (front, back) = self.parts(fill);
        let (entry, tombstone) = (self.key('v', fill.key), self.key('d', fill.key));
        let asked = self.link.ask(self.link.hard(), async |carrier| {
            let mut call = self.link.scripts.put.prepare_invoke();
            call.key(entry).key(tombstone).arg(version_text(fill.version)).arg(front).arg(back);
            call.arg(fill.ttl).arg(self.life_ms(fill)).arg(self.link.options.tombstone_ms);
            call.arg(self.link.channel()).arg(message);
            call.invoke_async::<bool>(carrier).await
        });
        asked.await.ok()
    }

    /// Invalidates in Redis and in the other processes; if Redis is down, as soon as it is back. Returns whether it happened now.
    pub(crate) async fn invalidate(&self, kind: Kind, name: &[u8], version: i64, position: u64) -> bool {
        let name = Bytes::copy_from_slice(name);
        let invalidation = Invalidation { cache: self.cache, kind, name, version, position };
        let stamp = self.link.invalidate(invalidation.clone()).await;
        if let Some(stamp) = stamp {
            self.stamped(kind, &invalidation.name, stamp);
        }
        stamp.is_some()
    }

    fn key(&self, what: char, name: &[u8]) -> Vec<u8> {
        self.link.key(self.cache, what, name)
    }

    fn parts(&self, fill: &Fill<'_>) -> (Vec<u8>, Vec<u8>) {
        (front(fill.version, fill.position), back(fill.cost, fill.tags, fill.body))
    }

    /// For how long Redis keeps it: while it is fresh, and while it may stand in.
    fn life_ms(&self, fill: &Fill<'_>) -> i64 {
        let window = if fill.body.is_some() { self.window } else { 0 };
        (fill.ttl.saturating_add(window) / 1_000).max(1)
    }

    /// How long what was loaded now is fresh in Redis: a loader may ask for less than the options say, never for more,
    /// because stamps are kept as long as the options say.
    pub(crate) fn ttl(&self, own: Option<Duration>) -> i64 {
        let own = own.map_or(i64::MAX, |own| i64::try_from(own.as_micros()).unwrap_or(i64::MAX));
        self.ttl.min(own)
    }
}
