//! The caches of a service, and how writes and events keep them correct.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::future::{join, join_all};
use pando_cache::{Cache, CacheError, CacheOptions, Caches, Loaded, Ticket};
use pando_clock::{Clock, Timestamp};
use pando_database::{Database, Token};
use pando_queue::{Event, Outbox, Subscriber};
use pando_resilience::{Call, Tenant};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Class, Fault, Kept};

/// The tag of every list of a tenant: any write may change any list.
const LISTS: &str = "lists";

/// The effect of a write on the cache, besides making the old version invalid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheWrites {
    /// A new thing is remembered; after a change the next read goes to the database.
    #[default]
    Through,
    /// Only reads fill the cache.
    Around,
    /// New and changed things are remembered.
    Refresh,
}

/// The caches that a service wants.
#[derive(Clone, Debug)]
pub struct MemoryPlan {
    /// The cache of single things.
    pub things: (&'static str, CacheOptions),
    /// The forms in which one thing is cached: what stands behind its id in the key. The plain form is empty.
    pub forms: &'static [&'static str],
    /// The cache of lists.
    pub lists: (&'static str, CacheOptions),
    /// The effect of writes on the cache of things.
    pub writes: CacheWrites,
    /// The type of the event of a new thing, which a cache can only know as missing.
    pub created: &'static str,
}

impl MemoryPlan {
    /// Caches of these names with default settings, one form of each thing, and writes that go around the caches.
    pub fn new(things: &'static str, lists: &'static str, created: &'static str) -> Self {
        Self {
            things: (things, CacheOptions::default()),
            forms: &[""],
            lists: (lists, CacheOptions::default()),
            writes: CacheWrites::Around,
            created,
        }
    }
}

/// The caches of a service. Cloning shares them.
#[derive(Clone)]
pub struct Memory(Arc<Inner>);

struct Inner {
    /// None when no thing is to be cached.
    things: Option<Cache>,
    lists: Option<Cache>,
    plan: MemoryPlan,
    database: Database,
    clock: Clock,
    outbox: Option<Outbox>,
    service: &'static str,
    /// The last moment, in microseconds, at which a write ended without telling the cache what became of it.
    unsettled_at: AtomicI64,
}

/// The changes of one transaction that concern the caches.
#[derive(Default)]
pub(crate) struct News {
    /// Each thing that somebody may have read before, with its new version.
    pub(crate) changed: Vec<(Uuid, i64)>,
    /// Whether a thing was created that no cache can know: then only the lists are outdated.
    pub(crate) created: bool,
    /// A value to remember.
    pub(crate) fill: Option<(Ticket, Uuid, Loaded)>,
}

/// A write whose outcome the cache does not know yet. Dropped in this state, because its caller is gone or the
/// connection broke, it counts as done.
pub(crate) struct Unsettled<'a> {
    memory: &'a Memory,
    tenant: Tenant,
    news: News,
}

impl Memory {
    /// The caches of one service, beside its database and the outbox of its events.
    pub fn new(
        caches: &Caches,
        service: &'static str,
        plan: MemoryPlan,
        (database, outbox, clock): (&Database, Option<Outbox>, &Clock),
    ) -> Result<Self, CacheError> {
        let open = |(name, options): &(&'static str, CacheOptions)| {
            (options.l1 || options.l2).then(|| caches.cache(name, options.clone())).transpose()
        };
        Ok(Self(Arc::new(Inner {
            things: open(&plan.things)?,
            lists: open(&plan.lists)?,
            plan,
            database: database.clone(),
            clock: clock.clone(),
            outbox,
            service,
            unsettled_at: AtomicI64::new(i64::MIN),
        })))
    }

    /// The cache of single things; none when nothing is to be cached.
    pub fn things(&self) -> Option<&Cache> {
        self.0.things.as_ref()
    }

    /// The cache of lists.
    pub fn lists(&self) -> Option<&Cache> {
        self.0.lists.as_ref()
    }

    fn caches(&self) -> impl Iterator<Item = &Cache> {
        [&self.0.things, &self.0.lists].into_iter().flatten()
    }

    /// Reads one thing of the caller's tenant in one of its forms, from memory if possible.
    pub async fn read<F, L>(
        &self,
        call: &Call,
        (id, form): (Uuid, &str),
        load: L,
    ) -> Result<Option<Kept>, Fault>
    where
        L: FnOnce(Call) -> F + Send + 'static,
        F: Future<Output = Result<Option<Loaded>, Fault>> + Send + 'static,
    {
        let at_least = self.at_least(call).await?;
        let Some(cache) = self.things() else { return Ok(load(call.clone()).await?.map(Kept::fresh)) };
        Ok(cache.get_or_load(call, &key(call.tenant(), id, form), at_least, load).await?.map(Kept::from))
    }

    /// Reads some things, each once, in the order asked for; a load is given the ids that are missing, and answers each.
    pub async fn read_many<F, L>(&self, call: &Call, ids: &[Uuid], load: L) -> Result<Vec<Kept>, Fault>
    where
        L: FnOnce(Call, Vec<Uuid>) -> F + Send + 'static,
        F: Future<Output = Result<Vec<Option<Loaded>>, Fault>> + Send + 'static,
    {
        let mut seen = std::collections::HashSet::new();
        let ids: Vec<Uuid> = ids.iter().copied().filter(|id| seen.insert(*id)).collect();
        let at_least = self.at_least(call).await?;
        let Some(cache) = self.things() else {
            return Ok(load(call.clone(), ids).await?.into_iter().flatten().map(Kept::fresh).collect());
        };
        let keys: Vec<Vec<u8>> = ids.iter().map(|id| key(call.tenant(), *id, "")).collect();
        let load = move |call: Call, places: Vec<usize>| {
            load(call, places.into_iter().map(|place| ids[place]).collect())
        };
        let found = cache.get_many(call, &keys, at_least, load).await?;
        Ok(found.into_iter().flatten().map(Kept::from).collect())
    }

    /// Reads a list, from memory if possible; the key names the question.
    pub async fn read_list<F, L>(&self, call: &Call, key: &str, load: L) -> Result<Kept, Fault>
    where
        L: FnOnce(Call) -> F + Send + 'static,
        F: Future<Output = Result<Vec<u8>, Fault>> + Send + 'static,
    {
        let at_least = self.at_least(call).await?;
        let Some(cache) = self.lists() else {
            return Ok(Kept::fresh(Loaded::new(0, load(call.clone()).await?)));
        };
        let tag = call.tenant().scoped(LISTS);
        let load = |call| async move {
            let bytes = load(call).await?;
            Ok(Some(Loaded { tags: vec![tag.into()], ..Loaded::new(0, bytes) }))
        };
        let key = call.tenant().scoped(key);
        let found = cache.get_or_load(call, key.as_bytes(), at_least, load).await?;
        found.map(Kept::from).ok_or_else(|| Fault::internal("a list was not loaded"))
    }

    /// A thing of a tenant that this process holds, if it is as new as the token asks for. An id that is not written as we write
    /// it is no key: it goes the ordinary way.
    pub fn recall(&self, tenant: &Tenant, id: &str, token: Option<&str>) -> Option<Kept> {
        let cache = self.things()?;
        let at_least = match token {
            None => None,
            Some(token) => {
                let token: Token = token.parse().ok()?;
                let known =
                    token.is_of(self.0.database.engine()) && token.position() <= cache.known_position();
                Some(known.then(|| token.position())?)
            }
        };
        if tenant.is_default() && !id.starts_with('@') {
            return cache.peek(id.as_bytes(), at_least).map(Kept::from);
        }
        cache.peek(tenant.scoped(id).as_bytes(), at_least).map(Kept::from)
    }

    /// The position of the database that this call must see, by its consistency token.
    pub async fn at_least(&self, call: &Call) -> Result<Option<u64>, Fault> {
        let Some(token) = call.consistency.as_deref() else { return Ok(None) };
        let token: Token = token.parse().map_err(|_| {
            Fault::new(Class::Malformed, "the consistency token was not returned by a write of this server")
        })?;
        if !token.is_of(self.0.database.engine()) {
            return Ok(None);
        }
        let known = self.caches().map(Cache::known_position).min();
        if known.is_none_or(|known| token.position() <= known) {
            return Ok(Some(token.position()));
        }
        // A caller's word alone must not raise what is known: entries loaded after it count as that new.
        let stands = self.0.database.position(call).await?.position();
        // A commit that ends exactly at this position may not be visible yet, and its token would name the same position. Only a token
        // that was returned to a client proves that the commit is visible.
        let seen = stands.saturating_sub(1);
        let asked = if token.position() <= stands { token.position() } else { seen };
        self.caches().for_each(|cache| cache.observe(seen.max(asked)));
        Ok(Some(asked))
    }

    /// Taken before a new thing is written which is to be remembered.
    pub(crate) fn before_creation(&self, tenant: &Tenant, id: Uuid) -> Option<Ticket> {
        self.ticket(tenant, id).filter(|_| self.0.plan.writes != CacheWrites::Around)
    }

    /// Taken before a thing is read which is to be changed, and remembered as it is then.
    pub(crate) fn before_change(&self, tenant: &Tenant, id: Uuid) -> Option<Ticket> {
        self.ticket(tenant, id).filter(|_| self.0.plan.writes == CacheWrites::Refresh)
    }

    fn ticket(&self, tenant: &Tenant, id: Uuid) -> Option<Ticket> {
        self.things().map(|cache| cache.ticket(&key(tenant, id, "")))
    }

    /// Says that a transaction of a tenant with this news is about to be committed.
    pub(crate) fn unsettled(&self, tenant: &Tenant, news: News) -> Unsettled<'_> {
        Unsettled { memory: self, tenant: tenant.clone(), news }
    }

    /// Makes sure that nothing older is read of these things from now on, here and in the other processes. All at once: where
    /// Redis is silent, its patience is waited for once.
    async fn forget(&self, tenant: &Tenant, changed: &[(Uuid, i64)], position: Option<u64>) {
        let things = async {
            let Some(cache) = self.things() else { return };
            let keys = changed.iter().flat_map(|(id, version)| {
                self.0.plan.forms.iter().map(move |form| (key(tenant, *id, form), *version))
            });
            join_all(keys.map(async |(key, version)| cache.invalidate(&key, version, position).await)).await;
            position.into_iter().for_each(|position| cache.observe(position));
        };
        let lists = async {
            let Some(lists) = self.lists() else { return };
            position.into_iter().for_each(|position| lists.observe(position));
            lists.invalidate_tag(&tenant.scoped(LISTS)).await;
        };
        join(things, lists).await;
    }

    /// Applies events to the caches of this process. By then the writer has notified the other processes over Redis; this is for
    /// processes that missed the message or have no Redis. An event that is known already costs nothing.
    pub async fn catch_up(&self, events: &[Event]) {
        // The tenants with events, and whether there is news of them.
        let mut tenants: BTreeMap<&Tenant, bool> = BTreeMap::new();
        for event in events.iter().filter(|event| event.service == self.0.service && !self.is_settled(event))
        {
            let news = tenants.entry(&event.tenant).or_default();
            let (Some(cache), Ok(id)) = (self.things(), Uuid::try_parse(&event.subject)) else { continue };
            for form in self.0.plan.forms {
                let key = key(&event.tenant, id, form);
                // Of a new thing, a cache can only hold that it does not exist.
                if event.kind != self.0.plan.created || cache.concerns(&key) {
                    *news |= cache.catch_up(&key, event.version).await;
                }
            }
        }
        let Some(lists) = self.lists() else { return };
        for (tenant, news) in tenants {
            let tag = tenant.scoped(LISTS);
            // Where the writer was heard of its word stands in Redis, and every other process reads the event, too.
            if news {
                lists.invalidate_tag(&tag).await;
            } else {
                lists.catch_up_tag(&tag);
            }
        }
    }

    /// Says to the caches that they have been told of every write there was. Where nothing is published they are not, and
    /// lists in Redis are not told of new things (see [`Memory::catch_up`]).
    pub fn caught_up(&self) {
        if self.0.outbox.is_none() {
            return;
        }
        self.things().into_iter().for_each(Cache::caught_up);
        self.lists().filter(|lists| !lists.is_shared()).into_iter().for_each(Cache::caught_up);
    }

    /// Keeps the caches of this process true when the word of a write did not reach it.
    pub fn subscriber(&self) -> Subscriber {
        let (memory, current) = (self.clone(), self.clone());
        let name = format!("{}.cache", self.0.service);
        let subscriber = Subscriber::every_process(name, move |events| {
            let memory = memory.clone();
            async move {
                memory.catch_up(&events).await;
                Ok(())
            }
        });
        subscriber.when_current(move || current.caught_up())
    }

    /// Whether the cache of this process is up to an event: it was published here, and its write told the cache. A write that
    /// ended in the dark may have been committed after the cache was invalidated, and an older value may have been cached in
    /// between.
    fn is_settled(&self, event: &Event) -> bool {
        let unsettled_at = self.0.unsettled_at.load(Ordering::Acquire);
        let in_the_dark = unsettled_at != i64::MIN && event.timestamp.as_micros() <= unsettled_at;
        self.0.outbox.as_ref().is_some_and(|outbox| outbox.is_own(event)) && !in_the_dark
    }

    fn note_unsettled(&self, now: Timestamp) {
        self.0.unsettled_at.fetch_max(now.as_micros(), Ordering::AcqRel);
    }
}

impl Unsettled<'_> {
    /// Brings the caches up to the write, which is committed.
    pub(crate) async fn settle(mut self, position: u64) {
        let fill = self.news.fill.take();
        let filled = async {
            if let (Some(cache), Some((ticket, id, value))) = (self.memory.things(), fill) {
                cache.put(ticket, &key(&self.tenant, id, ""), value, position).await;
            }
        };
        join(filled, self.memory.forget(&self.tenant, &self.news.changed, Some(position))).await;
        self.news = News::default();
    }

    /// The transaction was not committed.
    pub(crate) fn dismiss(mut self) {
        self.news = News::default();
    }
}

impl Drop for Unsettled<'_> {
    fn drop(&mut self) {
        let News { changed, created, .. } = std::mem::take(&mut self.news);
        if (changed.is_empty() && !created) || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        self.memory.note_unsettled(self.memory.0.clock.now());
        let (memory, tenant) = (self.memory.clone(), self.tenant.clone());
        let forget = async move { memory.forget(&tenant, &changed, None).await };
        pando_telemetry::spawn("service.forget", forget);
    }
}

/// The key of a tenant's thing in one of its forms: its id as paths have it, so that an operator can read it.
fn key(tenant: &Tenant, id: Uuid, form: &str) -> Vec<u8> {
    let mut text = [0; 36];
    let id = &*id.hyphenated().encode_lower(&mut text);
    match tenant.is_default() {
        true => [id, form].concat().into_bytes(),
        false => format!("{}{form}", tenant.scoped(id)).into_bytes(),
    }
}
