//! Finds products by their words.

use std::cmp::Reverse;

use pando_service::prelude::*;
use uuid::Uuid;

use super::domain::product::Stored;
use super::domain::question::{ProductQuestion, ProductSort};
use super::list_products::ProductPage;
use super::store;
use super::store::search::Hit;
use crate::Commerce;

impl Commerce {
    /// A page of the products that have the words and tags of a question. Only the first products that the index gives are looked at: as a rule, those that
    /// were added first.
    pub(super) async fn search_products(
        &self,
        call: &Call,
        question: &ProductQuestion,
        categories: Option<&[Uuid]>,
    ) -> Result<ProductPage, Fault> {
        let (read, tenant) = (self.0.parts.database.read(call), call.tenant());
        let mut hits = store::search::hits(&read, tenant, question, categories).await?;
        match (question.sort, &question.search) {
            (None, Some(search)) => hits
                .sort_by_cached_key(|hit| (Reverse(search.score(&hit.texts)), hit.name_key.clone(), hit.id)),
            (sort, _) => sort_hits(&mut hits, sort.unwrap_or_default()),
        }
        let page = hits.iter().skip(question.offset).take(question.size);
        let ids: Vec<Uuid> = page.map(|hit| hit.id).collect();
        let found = store::find_many(&read, tenant, ids.clone()).await?;
        let of_id = |id: &Uuid| found.iter().find(|product| product.id == *id).map(Stored::shown);
        let products = ids.iter().filter_map(of_id).collect();
        Ok(ProductPage { products, next: None, total: hits.len() as u64 })
    }
}

fn sort_hits(hits: &mut [Hit], sort: ProductSort) {
    match sort {
        ProductSort::Name | ProductSort::NameDescending => {
            hits.sort_by(|one, other| (&one.name_key, one.id).cmp(&(&other.name_key, other.id)));
        }
        ProductSort::Price | ProductSort::PriceDescending => {
            hits.sort_by_key(|hit| (hit.price_minor, hit.id))
        }
        ProductSort::Created | ProductSort::CreatedDescending => {
            hits.sort_by_key(|hit| (hit.created_at, hit.id));
        }
        ProductSort::Updated | ProductSort::UpdatedDescending => {
            hits.sort_by_key(|hit| (hit.updated_at, hit.id));
        }
    }
    if sort.order().descending {
        hits.reverse();
    }
}
