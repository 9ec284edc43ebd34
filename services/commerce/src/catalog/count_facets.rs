//! Counts what a question finds by category, brand, price and stock.

use pando_service::prelude::*;
use uuid::Uuid;

use super::domain::facets::{Counted, Facets};
use super::domain::question::ProductQuestion;
use super::store;
use super::store::search::{HITS_MAX, Hit};
use crate::Commerce;

/// How many products are counted: as many as the list counts.
const COUNTED_MAX: usize = store::COUNT_MAX;

impl Commerce {
    /// The counts of the products that a question finds, whatever page it asks for. Of a question that finds very many, the first
    /// products that an index gives are counted.
    pub async fn count_facets(&self, call: &Call, question: &ProductQuestion) -> Result<Facets, Fault> {
        let (read, tenant) = (self.0.parts.database.read(call), call.tenant());
        let categories = self.categories_asked(call, question).await?;
        let categories = categories.as_deref();
        let (products, is_complete) = if categories.is_some_and(<[Uuid]>::is_empty) {
            (Vec::new(), true)
        } else if question.is_search() {
            let hits = store::search::hits(&read, tenant, question, categories).await?;
            let is_complete = hits.len() < usize::try_from(HITS_MAX).unwrap_or(usize::MAX);
            (hits.into_iter().map(Hit::counted).collect(), is_complete)
        } else {
            let asked = (categories, COUNTED_MAX + 1);
            let mut products = store::facets::counted(&read, tenant, question, asked).await?;
            let is_complete = products.len() <= COUNTED_MAX;
            products.truncate(COUNTED_MAX);
            (products, is_complete)
        };
        let nodes = store::facets::nodes(&read, tenant, categories_of(&products)).await?;
        Ok(Facets::of(&products, nodes, (self.0.currency, is_complete)))
    }
}

fn categories_of(products: &[Counted]) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = products.iter().map(|product| product.category).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
