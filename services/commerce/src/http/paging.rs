//! Which page of a list a caller wants: by its number, or by the cursor of the page before.

use pando_http::{Problem, QueryString, decode_cursor};
use pando_service::PageEnd;

/// How many things a page has unless it says otherwise, and at most.
const SIZE: (usize, usize) = (20, 100);
/// How many things a page may step over: each of them is read. A cursor gets further.
pub(crate) const OFFSET_MAX: usize = 10_000;

/// A page that is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Paging {
    /// Its number; 0 if it is found by a cursor.
    pub(crate) page: usize,
    pub(crate) size: usize,
    /// How many things to step over.
    pub(crate) offset: usize,
    cursor: Option<String>,
}

impl Paging {
    /// Reads `page`, `size` and `cursor`.
    pub(crate) fn read(query: &mut QueryString) -> Self {
        let whole = |number: Option<i64>, otherwise: usize| {
            number.and_then(|number| usize::try_from(number).ok()).unwrap_or(otherwise)
        };
        let page = whole(query.integer("page", 0..=i64::from(u32::MAX)), 0);
        let size = whole(query.integer("size", 1..=SIZE.1 as i64), SIZE.0);
        let cursor = query.text("cursor").filter(|cursor| !cursor.is_empty());
        let offset = if cursor.is_some() { 0 } else { page.saturating_mul(size) };
        if offset > OFFSET_MAX {
            let message =
                format!("steps over more than {OFFSET_MAX} items: the cursor `next` of a page gets further");
            query.error("page", "too_large", message);
        }
        Self { page, size, offset, cursor }
    }

    pub(crate) fn has_cursor(&self) -> bool {
        self.cursor.is_some()
    }

    /// The end of the page before.
    pub(crate) fn after(&self) -> Result<Option<PageEnd>, Problem> {
        self.cursor.as_deref().map(decode_cursor).transpose()
    }
}
