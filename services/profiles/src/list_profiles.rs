//! Reads profiles page by page.

use std::ops::RangeInclusive;

use pando_clock::Timestamp;
use pando_resilience::Call;
use serde::{Deserialize, Serialize};
use tokio::sync::SemaphorePermit;
use uuid::Uuid;

use crate::profile::{Email, Profile};
use crate::search_text::sought;
use crate::store::lists::{After, Order};
use crate::{ProfileError, Profiles, store};

/// The years 1 to 9999: times that both engines can hold.
const STORABLE_MICROS: RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// Which profiles, in which order, from where on.
#[derive(Clone, Debug, Default)]
pub struct ProfileFilter {
    /// The order of the list.
    pub order: Order,
    /// Only profiles whose name or e-mail holds this text, whatever its case.
    pub search: Option<String>,
    /// Only the profile of this e-mail address; order and search then mean nothing.
    pub email: Option<Email>,
    /// Where the last page ended.
    pub after: Option<PageEnd>,
    /// Most profiles on the page.
    pub limit: usize,
}

/// Where a page ended: the sort key and the id of its last profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageEnd {
    /// The order the page had; a cursor of another order is refused.
    sort: String,
    key: String,
    id: Uuid,
}

/// One page of profiles.
#[derive(Clone, Debug)]
pub struct ProfilePage {
    /// The profiles.
    pub profiles: Vec<Profile>,
    /// Where the page ended, when there is more.
    pub next: Option<PageEnd>,
}

impl Profiles {
    /// One page of living profiles.
    pub async fn list_profiles(
        &self,
        call: &Call,
        filter: &ProfileFilter,
    ) -> Result<ProfilePage, ProfileError> {
        let read = self.0.database.read(call);
        if let Some(email) = &filter.email {
            let profiles = store::lists::with_email(&read, email).await?.into_iter().collect();
            return Ok(ProfilePage { profiles, next: None });
        }
        let after = filter.after.as_ref().and_then(|end| end.resolve(filter.order));
        // One more than asked for tells whether there is another page.
        let search = filter.search.as_deref().and_then(sought);
        let _turn = self.turn_to_search(call, search.is_some()).await?;
        let search = search.as_deref();
        let mut profiles = store::lists::page(&read, filter.order, search, after, filter.limit + 1).await?;
        let more = profiles.len() > filter.limit;
        profiles.truncate(filter.limit);
        let next = profiles.last().filter(|_| more).map(|last| PageEnd::of(last, filter.order));
        Ok(ProfilePage { profiles, next })
    }

    /// How many living profiles a list would go through.
    pub async fn count_profiles(&self, call: &Call, filter: &ProfileFilter) -> Result<i64, ProfileError> {
        let read = self.0.database.read(call);
        if let Some(email) = &filter.email {
            return Ok(i64::from(store::lists::with_email(&read, email).await?.is_some()));
        }
        let search = filter.search.as_deref().and_then(sought);
        let _turn = self.turn_to_search(call, search.is_some()).await?;
        Ok(store::lists::count(&read, search.as_deref()).await?)
    }

    /// Waits until fewer searches run than may at once: the other connections are for everybody else.
    async fn turn_to_search(
        &self,
        call: &Call,
        searches: bool,
    ) -> Result<Option<SemaphorePermit<'_>>, ProfileError> {
        if !searches {
            return Ok(None);
        }
        match call.deadline.bound(self.0.searches.acquire()).await {
            Ok(Ok(turn)) => Ok(Some(turn)),
            _ => Err(ProfileError::Busy("too many searches are under way at this moment")),
        }
    }

    /// Roughly how many living profiles there are, from the engine's own statistics; a search is always counted.
    pub async fn estimate_profiles(&self, call: &Call, filter: &ProfileFilter) -> Result<i64, ProfileError> {
        if filter.email.is_some() || filter.search.is_some() {
            return self.count_profiles(call, filter).await;
        }
        Ok(store::lists::estimate(&self.0.database.read(call)).await?)
    }
}

impl PageEnd {
    fn of(last: &Profile, order: Order) -> Self {
        let key = match order.after(last) {
            After::Time(moment, _) => moment.to_string(),
            After::Name(name, _) => name,
        };
        Self { sort: order.name().to_owned(), key, id: last.id.into() }
    }

    /// Whether this is the end of a page of this order: anything else would skip or repeat profiles.
    pub fn fits(&self, order: Order) -> bool {
        self.resolve(order).is_some()
    }

    fn resolve(&self, order: Order) -> Option<After> {
        if self.sort != order.name() {
            return None;
        }
        // Whoever makes up a cursor gets no further than a caller who makes up a name or a time.
        match order {
            Order::Newest | Order::Oldest => {
                let moment = self
                    .key
                    .parse::<Timestamp>()
                    .ok()
                    .filter(|moment| STORABLE_MICROS.contains(&moment.as_micros()));
                moment.map(|moment| After::Time(moment, self.id))
            }
            Order::Name | Order::NameDescending => {
                // A name from before control characters were refused, too.
                (!self.key.contains('\0')).then(|| After::Name(self.key.clone(), self.id))
            }
        }
    }
}
