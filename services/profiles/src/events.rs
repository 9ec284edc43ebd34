//! The events of profiles: one for every change, published in the transaction that makes the change.
//!
//! An event says what happened to which profile, and nothing else about the person, because erased data must not live
//! on in a log. A subscriber that needs the profile reads it and compares versions.

use std::fmt;

use pando_cache::Cache;
use pando_database::Transaction;
use pando_queue::{Event, Outbox};
use pando_resilience::Call;
use serde_json::{Map, Value, json};

use crate::memory::{PAGES, full_key, key};
use crate::profile::ProfileId;
use crate::{ProfileError, Profiles};

/// The name of the service in events.
pub(crate) const SERVICE: &str = "profiles";

const CREATED: &str = "profile_created";
const UPDATED: &str = "profile_updated";
const DELETED: &str = "profile_deleted";
const ERASED: &str = "profile_erased";

/// The kinds of changes of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    /// It was made.
    Created,
    /// These of its fields, or parts, were changed.
    Changed(Vec<String>),
    /// It was restored.
    Restored,
    /// It was deleted and can be restored.
    Deleted,
    /// Nothing of it is left.
    Erased,
}

/// One change of one profile, as its event says it.
#[derive(Clone, Debug)]
pub(crate) struct ChangeEvent {
    pub(crate) id: ProfileId,
    pub(crate) version: i64,
    pub(crate) happened: Happened,
}

impl Happened {
    /// The fields that differ, by the names they had before.
    pub(crate) fn changed(fields: &(Map<String, Value>, Map<String, Value>)) -> Self {
        Self::Changed(fields.0.keys().cloned().collect())
    }

    /// One part was written.
    pub(crate) fn part(name: &str) -> Self {
        Self::Changed(vec![name.to_owned()])
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Created => CREATED,
            Self::Changed(_) | Self::Restored => UPDATED,
            Self::Deleted => DELETED,
            Self::Erased => ERASED,
        }
    }

    fn data(&self) -> Value {
        match self {
            Self::Created | Self::Deleted | Self::Erased => Value::Object(Map::new()),
            Self::Changed(fields) => json!({ "changed": fields }),
            Self::Restored => json!({"changed": [], "restored": true}),
        }
    }
}

/// Where the events of profiles go; nowhere when they are off.
#[derive(Clone)]
pub(crate) struct EventSink(Option<Outbox>);

impl EventSink {
    pub(crate) fn new(outbox: Option<Outbox>) -> Self {
        Self(outbox)
    }

    /// Adds what happened to the transaction. It holds the rows of these profiles: so their events are in order.
    pub(crate) fn publish(
        &self,
        tx: &mut Transaction,
        call: &Call,
        changes: &[ChangeEvent],
    ) -> Result<(), ProfileError> {
        let Some(outbox) = self.0.as_ref().filter(|_| !changes.is_empty()) else { return Ok(()) };
        let events: Vec<Event> = changes
            .iter()
            .map(|one| {
                let mut event = outbox.event(one.happened.kind(), one.id, one.version, one.happened.data());
                event.trace = Some(call.request_id.as_ref().to_owned());
                event
            })
            .collect();
        Ok(outbox.publish_all(tx, &events)?)
    }
}

impl Profiles {
    /// Applies events to the cache of this process. By then the writer has notified the other processes over Redis; this is for
    /// processes that missed the message or have no Redis. An event that is known already costs nothing.
    pub async fn catch_up(&self, events: &[Event]) {
        let memory = &self.0.memory;
        let ours = |event: &&Event| event.service == SERVICE && !self.is_settled(event);
        let (mut any, mut news) = (false, false);
        for event in events.iter().filter(ours) {
            any = true;
            let (Some(cache), Some(id)) = (memory.profiles(), ProfileId::parse(&event.subject)) else {
                continue;
            };
            for key in [&key(id)[..], &full_key(id)[..]] {
                // Of a new profile, a cache can only hold that it does not exist.
                if event.kind != CREATED || cache.concerns(key) {
                    news |= cache.catch_up(key, event.version).await;
                }
            }
        }
        let Some(pages) = memory.pages().filter(|_| any) else { return };
        // Where the writer was heard of its word stands in Redis, and every other process reads the event, too.
        if news {
            pages.invalidate_tag(PAGES).await;
        } else {
            pages.catch_up_tag(PAGES);
        }
    }

    /// Says to the caches that they have been told of every write there was. Where nothing is published they are not, and
    /// pages in Redis are not told of new profiles (see [`Profiles::catch_up`]).
    pub fn caught_up(&self) {
        if self.0.event_sink.0.is_none() {
            return;
        }
        let memory = &self.0.memory;
        memory.profiles().into_iter().for_each(Cache::caught_up);
        memory.pages().filter(|pages| !pages.is_shared()).into_iter().for_each(Cache::caught_up);
    }

    /// Whether the cache of this process is up to an event: it was published here, and its write told the cache.
    fn is_settled(&self, event: &Event) -> bool {
        let own = self.0.event_sink.0.as_ref().is_some_and(|outbox| outbox.is_own(event));
        own && !self.0.memory.is_unsettled(event.timestamp)
    }
}

impl fmt::Debug for EventSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EventSink").field(&self.0.is_some()).finish()
    }
}
