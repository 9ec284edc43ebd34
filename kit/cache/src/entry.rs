//! One entry of the cache, and the value that a look-up returns from it.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// This process.
    L1,
    /// Redis.
    L2,
    /// An expired entry stood in.
    Stale,
    /// It was loaded, by this caller or by one it waited for.
    Origin,
}

impl Source {
    /// Its name, as `X-Cache` says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::L1 => "l1",
            Self::L2 => "l2",
            Self::Stale => "stale",
            Self::Origin => "origin",
        }
    }
}

/// The result of a load.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The version of the value: the cache never goes back to a smaller one.
    pub version: i64,
    /// The value, as it will be served.
    pub bytes: Bytes,
    /// How long it is fresh, if not as long as the options say.
    pub ttl: Option<Duration>,
    /// The tags that invalidate the entry, besides its key.
    pub tags: Vec<Box<str>>,
}

impl Loaded {
    /// A value without a TTL or tags of its own.
    pub fn new(version: i64, bytes: impl Into<Bytes>) -> Self {
        Self { version, bytes: bytes.into(), ttl: None, tags: Vec::new() }
    }
}

/// A value and where it came from. Cheap to clone: it shares the entry.
#[derive(Clone, Debug)]
pub struct Found {
    entry: Arc<Entry>,
    /// Where it came from.
    pub source: Source,
    /// How long ago it was loaded.
    pub age: Duration,
}

impl Found {
    /// The version of the value.
    pub fn version(&self) -> i64 {
        self.entry.version
    }

    /// The value.
    pub fn bytes(&self) -> &Bytes {
        // Only entries with a body are handed out.
        self.entry.body.as_ref().unwrap_or(&EMPTY)
    }

    /// The database position the value is at least as new as.
    pub fn position(&self) -> u64 {
        self.entry.position
    }

    /// The value in another form, made once and kept as long as the entry: `slot` says which, below [`VARIANTS`]. None
    /// when the cache keeps none (`keep_compressed`), or when it would not be smaller.
    pub fn variant(&self, slot: usize, make: impl FnOnce(&[u8]) -> Option<Bytes>) -> Option<Bytes> {
        let (body, room) = (self.entry.body.as_ref()?, self.entry.variants_max);
        if room == 0 {
            return None;
        }
        let variants = self.entry.variants.get_or_init(Box::default);
        let kept = variants.get(slot)?.get_or_init(|| {
            // All of them together fit what the entry was weighed with.
            make(body).filter(|made| made.len() < body.len() && made.len() <= room / VARIANTS)
        });
        kept.clone()
    }

    pub(crate) fn new(entry: Arc<Entry>, source: Source, now: i64) -> Option<Self> {
        entry.body.as_ref()?;
        let age = Duration::from_micros(u64::try_from(now - entry.loaded_at).unwrap_or(0));
        Some(Self { entry, source, age })
    }
}

static EMPTY: Bytes = Bytes::new();

/// In how many other forms a value can be kept.
pub const VARIANTS: usize = 2;

/// Smaller values are kept in no other form.
const VARIANT_BYTES_MIN: usize = 1_024;

type Variants = [OnceLock<Option<Bytes>>; VARIANTS];

/// One entry of the first tier. Times are microseconds of the platform's clock.
///
/// The fields that a hit does not read stand first, in this order. They keep the fields that a hit reads off the cache
/// line of the reference count, which the hits of all other threads write.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Entry {
    pub(crate) version: i64,
    pub(crate) stale_until: i64,
    /// How long the load took, in microseconds: the weight of XFetch.
    pub(crate) cost: i64,
    /// After a load failed: while this entry can stand in, the next load waits until here.
    pub(crate) no_load_before: AtomicI64,
    /// A hit was found due: the next slow path refreshes.
    pub(crate) refresh_wanted: AtomicBool,
    /// It expires because its copy in Redis does: refreshing it means loading.
    pub(crate) ends_with_l2: bool,
    /// How many bytes its other forms may take together.
    pub(crate) variants_max: usize,
    pub(crate) variants: OnceLock<Box<Variants>>,
    /// The database was read at this position or later.
    pub(crate) position: u64,
    /// How many tag invalidations this process knew when the load began.
    pub(crate) epoch: u64,
    pub(crate) loaded_at: i64,
    pub(crate) fresh_until: i64,
    /// From here on a hit may be due for an early refresh; moved back when one is under way or has failed.
    pub(crate) early_from: AtomicI64,
    pub(crate) tags: Box<[Box<str>]>,
    /// `None`: there is no such thing.
    pub(crate) body: Option<Bytes>,
}

impl Entry {
    pub(crate) fn is_fresh(&self, now: i64) -> bool {
        now < self.fresh_until && self.is_of_this_time(now)
    }

    pub(crate) fn may_stand_in(&self, now: i64) -> bool {
        now < self.stale_until && self.is_of_this_time(now)
    }

    /// A clock that was put back makes an entry look younger than new: it is not believed. The clocks of a machine's
    /// processors differ a little; that is nothing.
    fn is_of_this_time(&self, now: i64) -> bool {
        const APART_MAX: i64 = 1_000_000;
        now >= self.loaded_at - APART_MAX
    }

    /// Whether a hit should refresh early. XFetch: the gap is exponential with the load time as its mean, so the more
    /// a key is asked for, and the dearer it is, the earlier one of its hits is chosen.
    pub(crate) fn is_due(&self, now: i64, beta: f64) -> bool {
        if now < self.early_from.load(Ordering::Relaxed) {
            return false;
        }
        gap(self.cost, beta) >= self.fresh_until - now
    }

    /// Whether a load failed a moment ago: then the next one waits.
    pub(crate) fn load_failed_lately(&self, now: i64) -> bool {
        now < self.no_load_before.load(Ordering::Relaxed)
    }

    /// A load failed: the next one waits until `moment`.
    pub(crate) fn load_failed(&self, moment: i64) {
        self.no_load_before.store(moment, Ordering::Relaxed);
        self.postpone_refresh(moment);
    }

    /// No hit is due before `moment`.
    pub(crate) fn postpone_refresh(&self, moment: i64) {
        self.early_from.store(moment, Ordering::Relaxed);
    }

    /// The memory that the entry takes, without the policy's own structures.
    pub(crate) fn weight(&self) -> usize {
        // The key, the entry, its counts and the body are four allocations; each is rounded up by 16 at most.
        const FIXED: usize = size_of::<Entry>() + 16 + 4 * 16;
        let tags: usize = self.tags.iter().map(|tag| tag.len() + 32).sum();
        let body = self.body.as_ref().map_or(0, |body| body.len() + SHARED_BYTES);
        let variants = if self.variants_max > 0 { self.variants_max + size_of::<Variants>() } else { 0 };
        FIXED + body + tags + variants
    }
}

/// How many bytes the other forms of a value of this size may take together: three quarters of the value each. A form that
/// compresses less well is not worth its room.
pub(crate) fn variants_max(kept: bool, bytes: usize) -> usize {
    if kept && bytes >= VARIANT_BYTES_MIN { bytes / 4 * 3 * VARIANTS } else { 0 }
}

/// What `Bytes` allocates beside the bytes, once they are shared.
const SHARED_BYTES: usize = 32;

/// A draw from the exponential distribution with mean `cost × beta`.
pub(crate) fn gap(cost: i64, beta: f64) -> i64 {
    if beta == 0.0 {
        return -1;
    }
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "a draw, not an account"
    )]
    let drawn = (cost as f64 * beta * -(1.0 - fastrand::f64()).ln()) as i64;
    drawn
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An entry of a second, loaded at 0 in a millisecond.
    pub(crate) fn entry(version: i64, body: &[u8]) -> Entry {
        Entry {
            version,
            position: 0,
            body: Some(Bytes::copy_from_slice(body)),
            tags: Box::default(),
            epoch: 0,
            loaded_at: 0,
            fresh_until: 1_000_000,
            stale_until: 2_000_000,
            early_from: AtomicI64::new(1_000_000 - 20_000),
            no_load_before: AtomicI64::new(i64::MIN),
            refresh_wanted: AtomicBool::new(false),
            cost: 1_000,
            ends_with_l2: true,
            variants_max: 0,
            variants: OnceLock::new(),
        }
    }

    #[test]
    fn another_form_is_made_once_and_kept_within_what_was_weighed() {
        let entry = Entry { variants_max: variants_max(true, 2_000), ..entry(1, &[b'x'; 2_000]) };
        assert!(entry.weight() > 4_000, "room for both is counted");
        let found = Found::new(Arc::new(entry), Source::L1, 0).unwrap();
        let made = found.variant(0, |body| Some(Bytes::copy_from_slice(&body[..900])));
        assert_eq!(made.unwrap().len(), 900);
        assert_eq!(found.variant(0, |_| unreachable!("it is kept")).unwrap().len(), 900);
        assert_eq!(found.variant(1, |body| Some(Bytes::copy_from_slice(&body[..1_600]))), None, "no room");
        assert_eq!(found.variant(2, |_| unreachable!("there is no such form")), None);
        assert_eq!((variants_max(true, 1_023), variants_max(false, 5_000)), (0, 0));
    }

    #[test]
    fn a_clock_that_went_back_is_not_believed() {
        let entry = entry(1, b"x");
        assert!(entry.is_fresh(0) && entry.is_fresh(999_999));
        assert!(entry.is_fresh(-200) && !entry.is_fresh(-2_000_000) && !entry.may_stand_in(-2_000_000));
        assert!(
            !entry.is_fresh(1_000_000) && entry.may_stand_in(1_000_000) && !entry.may_stand_in(2_000_000)
        );
    }

    #[test]
    fn the_closer_the_expiry_the_more_hits_are_due() {
        let entry = entry(1, b"x");
        let due = |now| (0..10_000).filter(|_| entry.is_due(now, 1.0)).count();
        assert_eq!(due(900_000), 0);
        let (early, late) = (due(997_000), due(999_000));
        // The shares are e^-3 and e^-1.
        assert!((300..700).contains(&early) && (3_300..4_100).contains(&late), "{early} {late}");
        assert_eq!((0..1_000).filter(|_| entry.is_due(999_000, 0.0)).count(), 0);
    }
}
