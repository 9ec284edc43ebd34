//! Reads the tree of categories, page by page in the order of their names.

use pando_service::prelude::*;
use uuid::Uuid;

use super::domain::category::Category;
use super::store::categories;
use crate::Commerce;

/// A page of categories.
#[derive(Clone, Debug)]
pub struct CategoryPage {
    /// The categories.
    pub categories: Vec<Category>,
    /// The end of the page, if there are more.
    pub next: Option<PageEnd>,
    /// How many there are in all.
    pub total: u64,
}

impl Commerce {
    /// A page of `size` categories, after the end of a page or after `offset` categories: of all, of those right below one, or of those
    /// at the top.
    pub async fn list_categories(
        &self,
        call: &Call,
        parent: Option<Option<Uuid>>,
        (after, offset, size): (Option<&PageEnd>, usize, usize),
    ) -> Result<CategoryPage, Fault> {
        let (read, tenant) = (self.0.parts.database.read(call), call.tenant());
        let page = categories::page(&read, tenant, parent, (after, offset, size)).await?;
        let ids: Vec<Uuid> = page.items.iter().map(|place| place.id).collect();
        let total = categories::count(&read, tenant, parent).await?;
        let found = categories::shown(&read, tenant, ids.clone()).await?;
        let of_id = |id: &Uuid| found.iter().find(|category| category.id == *id).cloned();
        Ok(CategoryPage { categories: ids.iter().filter_map(of_id).collect(), next: page.next, total })
    }
}
