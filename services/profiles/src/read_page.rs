//! Reads a page of profiles, from memory if possible.

use bytes::Bytes;
use pando_cache::Loaded;
use pando_http::encode_cursor;
use pando_resilience::Call;
use pando_service::{Fault, Kept};

use crate::Profiles;
use crate::list_profiles::ProfileFilter;

/// A page as it is answered.
#[derive(Clone, Debug)]
pub struct CachedPage {
    /// The profiles, a JSON array.
    pub json: Bytes,
    /// The cursor of the next page, when there is more.
    pub next: Option<String>,
    /// Where it was read.
    pub kept: Kept,
}

impl Profiles {
    /// One page of living profiles.
    pub async fn read_page(&self, call: &Call, filter: &ProfileFilter) -> Result<CachedPage, Fault> {
        // One profile by its e-mail is no page, and an index finds it.
        if filter.email.is_some() {
            let page = self.load_page(call, filter).await?;
            return Ok(CachedPage::of(Kept::fresh(Loaded::new(0, page))));
        }
        let (profiles, asked) = (self.clone(), filter.clone());
        let load = move |call: Call| async move { profiles.load_page(&call, &asked).await };
        Ok(CachedPage::of(self.0.memory.read_list(call, &key(filter), load).await?))
    }

    /// A page as the cache keeps it: the cursor of the next one, a line's end, and the profiles.
    async fn load_page(&self, call: &Call, filter: &ProfileFilter) -> Result<Vec<u8>, Fault> {
        let page = self.list_profiles(call, filter).await?;
        let next = page.next.as_ref().map(encode_cursor).transpose()?;
        let mut bytes = next.unwrap_or_default().into_bytes();
        bytes.push(b'\n');
        serde_json::to_writer(&mut bytes, &page.items)?;
        Ok(bytes)
    }
}

impl CachedPage {
    fn of(kept: Kept) -> Self {
        let bytes = kept.bytes();
        let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
        let next = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let json = bytes.slice((end + 1).min(bytes.len())..);
        Self { json, next: Some(next).filter(|next| !next.is_empty()), kept }
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
