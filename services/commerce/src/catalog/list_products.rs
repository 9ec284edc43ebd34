//! Reads the catalog page by page.

use pando_service::Page;
use pando_service::prelude::*;
use uuid::Uuid;

use super::domain::product::{Product, Stored};
use super::domain::question::ProductQuestion;
use super::store;
use crate::Commerce;

/// A page of products.
#[derive(Clone, Debug)]
pub struct ProductPage {
    /// The products.
    pub products: Vec<Product>,
    /// The end of the page, if there are more.
    pub next: Option<PageEnd>,
    /// How many there are in all, but at most 10,000.
    pub total: u64,
}

impl Commerce {
    /// A page of the products that are offered.
    pub async fn list_products(&self, call: &Call, question: &ProductQuestion) -> Result<ProductPage, Fault> {
        let (read, tenant) = (self.0.parts.database.read(call), call.tenant());
        let categories = self.categories_asked(call, question).await?;
        let categories = categories.as_deref();
        if categories.is_some_and(<[Uuid]>::is_empty) {
            return Ok(ProductPage { products: Vec::new(), next: None, total: 0 });
        }
        if question.is_search() {
            return self.search_products(call, question, categories).await;
        }
        let order = question.sort.unwrap_or_default().order();
        let places = store::places(&read, tenant, question, categories).await?;
        let places = places.into_iter().skip(question.offset).collect();
        let page = Page::cut(places, question.size, (tenant, &order), Place::clone);
        let total = store::count(&read, tenant, question, categories).await?;
        let ids: Vec<Uuid> = page.items.iter().map(|place| place.id).collect();
        let found = store::find_many(&read, tenant, ids.clone()).await?;
        let of_id = |id: &Uuid| found.iter().find(|product| product.id == *id).map(Stored::shown);
        // A product that was deleted between the two statements is not shown.
        Ok(ProductPage { products: ids.iter().filter_map(of_id).collect(), next: page.next, total })
    }

    /// The category that a question names, and all below it: none if it names none, and an empty list if there is no such category.
    pub(super) async fn categories_asked(
        &self,
        call: &Call,
        question: &ProductQuestion,
    ) -> Result<Option<Vec<Uuid>>, Fault> {
        let (read, tenant) = (self.0.parts.database.read(call), call.tenant());
        let id = match (&question.category_id, &question.category) {
            (Some(id), _) => Some(*id),
            (None, Some(name)) => store::category_id(&read, tenant, name).await?,
            (None, None) => return Ok(None),
        };
        Ok(Some(match id {
            Some(id) => store::categories::family(&read, tenant, id).await?,
            None => Vec::new(),
        }))
    }
}
