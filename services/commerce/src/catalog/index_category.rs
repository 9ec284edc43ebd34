//! Tells the products of a category that it has another name: the index of words learns it, and so do the caches.

use pando_queue::{JobContext, JobType};
use pando_service::patiently;
use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::store::categories;
use crate::Commerce;
use crate::domain::events;
use crate::inventory::store::{self as stock, Stock};

/// The job that a new name leads to.
pub(crate) const INDEX: JobType<OfCategory> = JobType::new("category_index").within_ms(3_600_000);

/// How many products one transaction locks.
const BATCH: usize = 200;

/// The category whose name has changed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct OfCategory {
    #[serde(with = "uuid::serde::simple")]
    pub(crate) category: Uuid,
}

/// How far the job has come: saved with each batch.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Walk {
    #[serde(with = "uuid::serde::simple")]
    after: Uuid,
    indexed: usize,
}

impl Commerce {
    /// The job: each batch commits with how far it has come.
    pub(crate) async fn index_category(self, context: JobContext, of: OfCategory) -> Result<(), Fault> {
        let call = context.call().by(INDEX.name());
        let mut walk: Walk = context.cursor().unwrap_or_default();
        loop {
            let read = self.0.parts.database.read_primary(&call);
            let found =
                categories::products_after(&read, call.tenant(), (of.category, walk.after), BATCH).await?;
            let is_last = found.len() < BATCH;
            let next = Walk {
                after: found.last().map_or(walk.after, |(id, _)| *id),
                indexed: walk.indexed + found.len(),
            };
            patiently(|| self.index_products((&call, &context), &found, (next, is_last))).await?;
            if is_last {
                return Ok(());
            }
            walk = next;
        }
    }

    /// The answers about these products have another text now, so each gets the next version, as with any change of it.
    async fn index_products(
        &self,
        (call, context): (&Call, &JobContext),
        found: &[(Uuid, String)],
        (walk, is_last): (Walk, bool),
    ) -> Result<(), Fault> {
        let (tenant, now) = (call.tenant(), self.0.parts.clock.now());
        let mut write = self.0.writes.begin(call).await?;
        context.fence(&mut write.tx).await?;
        let ids: Vec<Uuid> = found.iter().map(|(id, _)| *id).collect();
        let locked = stock::lock(&mut write.tx, tenant, ids.clone()).await?;
        let next = |stock: Stock| Stock { version: stock.version + 1, ..stock };
        let locked: Vec<Stock> = locked.into_iter().map(next).collect();
        if !locked.is_empty() {
            categories::index(&mut write.tx, tenant, ids).await?;
            stock::update(&mut write.tx, tenant, &locked, now).await?;
        }
        for Stock { product, version, .. } in &locked {
            let sku = found.iter().find(|(id, _)| id == product).map(|(_, sku)| sku.as_str());
            let (event, data) = (events::PRODUCT_UPDATED, json!({"sku": sku.unwrap_or_default()}));
            write.changed(Change { event, id: *product, version: *version, data });
        }
        let counts = json!({"indexed": walk.indexed});
        if is_last {
            context.complete(&mut write.tx, counts).await?;
        } else {
            context.save(&mut write.tx, json!(walk), Some(counts)).await?;
        }
        write.end().await?;
        Ok(())
    }
}
