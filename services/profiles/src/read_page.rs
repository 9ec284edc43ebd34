//! Reads a page of profiles, from memory if possible.

use bytes::Bytes;
use pando_cache::{Found, Loaded, Source};
use pando_http::encode_cursor;
use pando_resilience::Call;

use crate::list_profiles::ProfileFilter;
use crate::memory::PAGES;
use crate::{ProfileError, Profiles};

/// A page as it is answered.
#[derive(Clone, Debug)]
pub struct CachedPage {
    /// The profiles, a JSON array.
    pub json: Bytes,
    /// The cursor of the next page, when there is more.
    pub next: Option<String>,
    /// Where it was read.
    pub source: Source,
    /// How long ago it was read from the database.
    pub age: std::time::Duration,
}

impl Profiles {
    /// One page of living profiles.
    pub async fn read_page(&self, call: &Call, filter: &ProfileFilter) -> Result<CachedPage, ProfileError> {
        // One profile by its e-mail is no page, and an index finds it.
        let Some(cache) = self.0.memory.pages().filter(|_| filter.email.is_none()) else {
            return Ok(CachedPage::read(&self.load_page(call, filter).await?.bytes, Source::Origin));
        };
        let at_least = self.at_least(call).await?;
        let (profiles, filter) = (self.clone(), filter.clone());
        let key = key(&filter);
        let load = move |call: Call| async move { profiles.load_page(&call, &filter).await.map(Some) };
        let found: Option<Found> = cache.get_or_load(call, key.as_bytes(), at_least, load).await?;
        let found = found.ok_or(ProfileError::NotFound)?;
        Ok(CachedPage { age: found.age, ..CachedPage::read(found.bytes(), found.source) })
    }

    /// A page as the cache keeps it: the cursor of the next one, a line's end, and the profiles.
    async fn load_page(&self, call: &Call, filter: &ProfileFilter) -> Result<Loaded, ProfileError> {
        let page = self.list_profiles(call, filter).await?;
        let next = page.next.as_ref().map(encode_cursor).transpose().map_err(ProfileError::Refused)?;
        let mut bytes = next.unwrap_or_default().into_bytes();
        bytes.push(b'\n');
        serde_json::to_writer(&mut bytes, &page.profiles)
            .map_err(|error| ProfileError::Unwritable(error.to_string()))?;
        Ok(Loaded { tags: vec![PAGES.into()], ..Loaded::new(0, bytes) })
    }
}

impl CachedPage {
    fn read(bytes: &Bytes, source: Source) -> Self {
        let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
        let next = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let json = bytes.slice((end + 1).min(bytes.len())..);
        Self {
            json,
            next: Some(next).filter(|next| !next.is_empty()),
            source,
            age: std::time::Duration::ZERO,
        }
    }
}

/// Pages of the same question have the same key.
fn key(filter: &ProfileFilter) -> String {
    let after = filter.after.as_ref().and_then(|end| encode_cursor(end).ok()).unwrap_or_default();
    let search = filter.search.as_deref().unwrap_or_default();
    // The search comes last: it may hold anything.
    format!(
        "{}\n{}\n{after}\n{}{search}",
        filter.order.name(),
        filter.limit,
        u8::from(filter.search.is_some())
    )
}
