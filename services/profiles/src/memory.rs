//! The cache of profiles, and how every write keeps it correct.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::future::{join, join_all};
use pando_cache::{Cache, CacheError, Caches, Loaded, Ticket};
use pando_clock::{Clock, Timestamp};
use pando_database::{DatabaseError, Token, Transaction};
use pando_resilience::Call;
use serde::{Deserialize, Serialize};

use crate::cached_answer::CachedAnswer;
use crate::events::{ChangeEvent, Happened};
use crate::profile::{Profile, ProfileId};
use crate::{ProfileError, Profiles, ProfilesOptions};

/// The tag of every page: any write may change any page.
pub(crate) const PAGES: &str = "pages";

/// The effect of a write on the cache, besides making the old version invalid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheWrites {
    /// A new profile is remembered; after a change the next read goes to the database.
    #[default]
    Through,
    /// Only reads fill the cache.
    Around,
    /// New and changed profiles are remembered.
    Refresh,
}

/// The caches of this service. Cloning shares them.
#[derive(Clone)]
pub(crate) struct Memory {
    /// Profiles and composites, as they are answered; none when nothing is to be cached.
    profiles: Option<Cache>,
    pages: Option<Cache>,
    writes: CacheWrites,
    clock: Clock,
    /// The last moment, in microseconds, at which a write ended without telling the cache what became of it.
    unsettled_at: Arc<AtomicI64>,
}

/// A history is checked for its length each time the version is a multiple of this.
const HISTORY_EVERY: i64 = 16;

/// The changes of one transaction.
#[derive(Default)]
pub(crate) struct Changes {
    /// Each profile that somebody may have read before, with its new version.
    written: Vec<(ProfileId, i64)>,
    /// Whether a profile was created that no cache can know: then only the pages are outdated.
    made: bool,
    fill: Option<Fill>,
    /// The events of these changes, in the order they happened.
    events: Vec<ChangeEvent>,
}

/// A write whose outcome the cache does not know yet. Dropped in this state, because its caller is gone or the
/// connection broke, it counts as done.
struct Unsettled<'a> {
    memory: &'a Memory,
    changes: Changes,
}

impl Memory {
    pub(crate) fn new(caches: &Caches, options: &ProfilesOptions, clock: &Clock) -> Result<Self, CacheError> {
        let on = |cache: &pando_cache::CacheOptions| cache.l1 || cache.l2;
        let profiles = on(&options.cache).then(|| caches.cache("profiles", options.cache.clone()));
        let pages = on(&options.pages).then(|| caches.cache("profile_pages", options.pages.clone()));
        Ok(Self {
            profiles: profiles.transpose()?,
            pages: pages.transpose()?,
            writes: options.cache_writes,
            clock: clock.clone(),
            unsettled_at: Arc::new(AtomicI64::new(i64::MIN)),
        })
    }

    pub(crate) fn profiles(&self) -> Option<&Cache> {
        self.profiles.as_ref()
    }

    pub(crate) fn pages(&self) -> Option<&Cache> {
        self.pages.as_ref()
    }

    /// Taken before a write that makes a profile.
    pub(crate) fn before_creation(&self, id: ProfileId) -> Option<Ticket> {
        self.ticket(id).filter(|_| self.writes != CacheWrites::Around)
    }

    /// Taken before a write that changes a profile.
    pub(crate) fn before_change(&self, id: ProfileId) -> Option<Ticket> {
        self.ticket(id).filter(|_| self.writes == CacheWrites::Refresh)
    }

    fn ticket(&self, id: ProfileId) -> Option<Ticket> {
        self.profiles.as_ref().map(|cache| cache.ticket(&key(id)))
    }

    /// Whether a write at this moment may be one whose end the cache did not learn. Such a write may have been committed after the
    /// cache was invalidated, and an older value may have been cached in between.
    pub(crate) fn is_unsettled(&self, published: Timestamp) -> bool {
        let unsettled_at = self.unsettled_at.load(Ordering::Acquire);
        unsettled_at != i64::MIN && published.as_micros() <= unsettled_at
    }

    /// Makes sure that nothing older is read of these profiles from now on, here and in the other processes. All at
    /// once: where Redis is silent, its patience is waited for once.
    async fn forget(&self, written: &[(ProfileId, i64)], position: Option<u64>) {
        let profiles = async {
            let Some(cache) = &self.profiles else { return };
            let forgotten = written.iter().map(async |(id, version)| {
                let (alone, full) = (key(*id), full_key(*id));
                let alone = cache.invalidate(&alone, *version, position);
                join(alone, cache.invalidate(&full, *version, position)).await;
            });
            join_all(forgotten).await;
            position.into_iter().for_each(|position| cache.observe(position));
        };
        let pages = async {
            let Some(pages) = &self.pages else { return };
            position.into_iter().for_each(|position| pages.observe(position));
            pages.invalidate_tag(PAGES).await;
        };
        join(profiles, pages).await;
    }
}

impl Unsettled<'_> {
    /// Brings the cache up to the write, which is committed.
    async fn settle(mut self, position: u64) {
        let fill = self.changes.fill.take();
        let filled = async {
            if let (Some(cache), Some((ticket, id, value))) = (&self.memory.profiles, fill) {
                cache.put(ticket, &key(id), value, position).await;
            }
        };
        join(filled, self.memory.forget(&self.changes.written, Some(position))).await;
        self.changes = Changes::default();
    }
}

impl Drop for Unsettled<'_> {
    fn drop(&mut self) {
        let Changes { written, made, .. } = std::mem::take(&mut self.changes);
        if (written.is_empty() && !made) || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        self.memory.unsettled_at.fetch_max(self.memory.clock.now().as_micros(), Ordering::AcqRel);
        let memory = self.memory.clone();
        pando_telemetry::spawn("profiles.forget", async move { memory.forget(&written, None).await });
    }
}

impl Changes {
    /// One profile that has this version now.
    pub(crate) fn one(id: ProfileId, version: i64, happened: Happened) -> Self {
        let mut changes = Self::default();
        changes.push(id, version, happened);
        changes
    }

    /// A new profile, remembered if its write began with a ticket.
    pub(crate) fn creation(profile: &Profile, ticket: Option<Ticket>) -> Result<Self, ProfileError> {
        let mut changes = Self { fill: fill(profile, ticket)?, ..Self::default() };
        changes.push_created(profile.id, profile.version);
        Ok(changes)
    }

    /// A changed profile, remembered if its write began with a ticket.
    pub(crate) fn change(
        profile: &Profile,
        ticket: Option<Ticket>,
        happened: Happened,
    ) -> Result<Self, ProfileError> {
        Ok(Self { fill: fill(profile, ticket)?, ..Self::one(profile.id, profile.version, happened) })
    }

    /// One that somebody may have asked for before.
    pub(crate) fn push(&mut self, id: ProfileId, version: i64, happened: Happened) {
        self.written.push((id, version));
        self.events.push(ChangeEvent { id, version, happened });
    }

    /// A new profile that no cache can know.
    pub(crate) fn push_created(&mut self, id: ProfileId, version: i64) {
        self.made = true;
        self.events.push(ChangeEvent { id, version, happened: Happened::Created });
    }
}

type Fill = (Ticket, ProfileId, Loaded);

fn fill(profile: &Profile, ticket: Option<Ticket>) -> Result<Option<Fill>, ProfileError> {
    ticket.map(|ticket| Ok((ticket, profile.id, CachedAnswer::remembered(profile)?))).transpose()
}

impl Profiles {
    /// Publishes what happened, bounds the histories, commits, and tells the cache. Every write of profiles ends here.
    pub(crate) async fn commit(
        &self,
        call: &Call,
        mut tx: Transaction,
        changes: Changes,
    ) -> Result<Token, ProfileError> {
        self.0.event_sink.publish(&mut tx, call, &changes.events)?;
        for (id, _) in changes.written.iter().filter(|(_, version)| version % HISTORY_EVERY == 0) {
            crate::store::changes::bound(&mut tx, *id, self.0.options.history_bytes_max);
            tx.make_room().await?;
        }
        let mut unsettled = Unsettled { memory: &self.0.memory, changes };
        match tx.commit().await {
            Ok(token) => {
                unsettled.settle(token.position()).await;
                Ok(token)
            }
            Err(error) => {
                if !matches!(error, DatabaseError::CommitUnknown { .. }) {
                    unsettled.changes = Changes::default();
                }
                Err(error.into())
            }
        }
    }

    /// The position of the database that this call must see, by its consistency token.
    pub(crate) async fn at_least(&self, call: &Call) -> Result<Option<u64>, ProfileError> {
        let Some(token) = call.consistency.as_deref() else { return Ok(None) };
        let token: Token = token.parse().map_err(|_| ProfileError::BadToken)?;
        if !token.is_of(self.0.database.engine()) {
            return Ok(None);
        }
        let caches = [&self.0.memory.profiles, &self.0.memory.pages];
        let known = caches.into_iter().flatten().map(Cache::known_position).min();
        if known.is_none_or(|known| token.position() <= known) {
            return Ok(Some(token.position()));
        }
        // A caller's word alone must not raise what is known: entries loaded after it count as that new.
        let stands = self.0.database.position(call).await?.position();
        // A commit that ends exactly at this position may not be visible yet, and its token would name the same position. Only a token
        // that was returned to a client proves that the commit is visible.
        let seen = stands.saturating_sub(1);
        let asked = if token.position() <= stands { token.position() } else { seen };
        caches.into_iter().flatten().for_each(|cache| cache.observe(seen.max(asked)));
        Ok(Some(asked))
    }

    /// The position that a token requires, if it can be determined without asking the database.
    pub(crate) fn at_least_known(&self, cache: &Cache, token: &str) -> Option<u64> {
        let token: Token = token.parse().ok()?;
        let known = token.is_of(self.0.database.engine()) && token.position() <= cache.known_position();
        known.then(|| token.position())
    }
}

/// The key of a profile: its id, as paths have it, so that an operator can read it.
pub(crate) fn key(id: ProfileId) -> [u8; 36] {
    let mut key = [0; 36];
    uuid::Uuid::from(id).hyphenated().encode_lower(&mut key);
    key
}

/// The key of a profile with its parts.
pub(crate) fn full_key(id: ProfileId) -> [u8; 41] {
    let mut full = *b"                                    /full";
    full[..36].copy_from_slice(&key(id));
    full
}

/// Shares the failure of a load among those who waited for it.
pub(crate) type LoadFailure = pando_cache::LoadError<ProfileError>;

impl From<LoadFailure> for ProfileError {
    fn from(failure: LoadFailure) -> Self {
        Self::Cached(Arc::new(failure))
    }
}
