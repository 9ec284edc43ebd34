//! Reads profiles page by page.

use pando_database::Read;
use pando_resilience::{Call, Tenant};
use pando_service::{Email, Fault, Page, PageEnd, Place};
use tokio::sync::SemaphorePermit;

use crate::domain::profile::Profile;
use crate::domain::search_text::sought;
use crate::store::lists::Order;
use crate::store::search_sample::Way;
use crate::{Profiles, store};

/// How many stretches of the list a search looks through at most.
const STRETCHES_MAX: usize = 10;

/// Which profiles, in which order, from where on.
#[derive(Clone, Debug, Default)]
pub struct ProfileFilter {
    /// The order of the list.
    pub order: Order,
    /// Only profiles whose name or e-mail holds this text, whatever its case. A page may then hold fewer than asked for, or
    /// none, although there is more: one look goes past a few thousand profiles at most.
    pub search: Option<String>,
    /// Only the profile of this e-mail address; order and search then mean nothing.
    pub email: Option<Email>,
    /// Where the last page ended.
    pub after: Option<PageEnd>,
    /// Most profiles on the page.
    pub limit: usize,
}

impl Profiles {
    /// One page of living profiles.
    pub async fn list_profiles(&self, call: &Call, filter: &ProfileFilter) -> Result<Page<Profile>, Fault> {
        let (read, tenant, order) = (self.0.database.read(call), call.tenant(), filter.order);
        if let Some(email) = &filter.email {
            let items = store::lists::with_email(&read, tenant, email).await?.into_iter().collect();
            return Ok(Page { items, next: None });
        }
        let Some(text) = filter.search.as_deref().and_then(sought) else {
            return Ok(store::lists::page((&read, tenant), order, filter.after.as_ref(), filter.limit).await?);
        };
        let after = filter.after.as_ref().and_then(|end| end.place_in(tenant, &order.of_list()));
        let (found, end) = self.search(call, order, &text, after, filter.limit + 1).await?;
        let mut page =
            Page::cut(found, filter.limit, (tenant, &order.of_list()), |last| order.place_of(last));
        // A search may end before it has found a whole page.
        page.next = page.next.or(end.map(|end| PageEnd::at(tenant, end, &order.of_list())));
        Ok(page)
    }

    /// At most `limit` profiles that have this text; and where the look for them ended, when the list goes on from there.
    async fn search(
        &self,
        call: &Call,
        order: Order,
        text: &str,
        after: Option<Place>,
        limit: usize,
    ) -> Result<(Vec<Profile>, Option<Place>), Fault> {
        let _turn = self.turn_to_search(call).await?;
        let read = (&self.0.database.read(call), call.tenant());
        match self.0.search_sample.way(read, &self.0.clock, text).await? {
            Way::List => self.search_the_list(read, order, text, after, limit).await,
            Way::Index(trigrams) => {
                Ok((store::search::by_index(read, order, (text, trigrams), after, limit).await?, None))
            }
        }
    }

    /// Looks through one stretch of the list after the other, until it has found enough or another search waits.
    async fn search_the_list(
        &self,
        read: (&Read<'_>, &Tenant),
        order: Order,
        text: &str,
        mut after: Option<Place>,
        limit: usize,
    ) -> Result<(Vec<Profile>, Option<Place>), Fault> {
        let mut found = Vec::new();
        for _ in 0..STRETCHES_MAX {
            let most = limit - found.len();
            let (more, end) = store::search::through_the_list(read, order, text, after, most).await?;
            found.extend(more);
            after = end;
            if found.len() == limit || after.is_none() || self.0.searches.available_permits() == 0 {
                break;
            }
        }
        Ok((found, after))
    }

    /// How many living profiles a list would go through.
    pub async fn count_profiles(&self, call: &Call, filter: &ProfileFilter) -> Result<i64, Fault> {
        let read = self.0.database.read(call);
        if let Some(email) = &filter.email {
            return Ok(i64::from(store::lists::with_email(&read, call.tenant(), email).await?.is_some()));
        }
        let Some(text) = filter.search.as_deref().and_then(sought) else {
            return Ok(store::lists::count(&read, call.tenant()).await?);
        };
        let _turn = self.turn_to_search(call).await?;
        let read = (&read, call.tenant());
        let trigrams = match self.0.search_sample.way(read, &self.0.clock, &text).await? {
            Way::List => None,
            Way::Index(trigrams) => Some(trigrams),
        };
        Ok(store::search::count(read, &text, trigrams).await?)
    }

    /// Waits until fewer searches run than may at once: the other connections are for everybody else.
    async fn turn_to_search(&self, call: &Call) -> Result<SemaphorePermit<'_>, Fault> {
        match call.deadline.bound(self.0.searches.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(Fault::busy("too many searches are under way at this moment")),
        }
    }

    /// Roughly how many living profiles there are, from the engine's own statistics; a search is always counted.
    pub async fn estimate_profiles(&self, call: &Call, filter: &ProfileFilter) -> Result<i64, Fault> {
        if filter.email.is_some() || filter.search.is_some() {
            return self.count_profiles(call, filter).await;
        }
        Ok(store::lists::estimate(&self.0.database.read(call), call.tenant()).await?)
    }
}
