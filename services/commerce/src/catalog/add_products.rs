//! Adds many products at once: each statement is about all of them.

use std::collections::{BTreeMap, BTreeSet};

use pando_service::prelude::*;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::create_product::fresh_sku;
use super::domain::product::{CategoryRef, Draft, Stored};
use super::store;
use crate::Commerce;
use crate::domain::faults::against_the_rules;
use crate::inventory::ledger::Kind;
use crate::inventory::store::{self as stock, Movement, Stock};

/// How many products one transaction adds.
pub const PRODUCTS_AT_ONCE_MAX: usize = 1_000;

impl Commerce {
    /// Adds those of these products whose SKU no other has, and says how many that were. Nobody can have read them before, so there
    /// is no event of each.
    pub async fn add_products(&self, call: &Call, items: &[Map<String, Value>]) -> Result<usize, Fault> {
        if items.len() > PRODUCTS_AT_ONCE_MAX {
            let detail = format!("at most {PRODUCTS_AT_ONCE_MAX} products are added at once");
            return Err(against_the_rules("BUSINESS_RULE_VIOLATION", detail));
        }
        let now = self.0.parts.clock.now();
        let mut drafts = Vec::with_capacity(items.len());
        for fields in items {
            let id = self.0.parts.clock.fresh_id();
            let (draft, units) = Draft::read(fields, self.0.currency, &fresh_sku(id))?;
            drafts.push((id, draft, units));
        }
        let mut write = self.0.writes.begin(call).await?;
        let mut categories: BTreeMap<String, (Uuid, String)> = BTreeMap::new();
        let mut products = Vec::with_capacity(drafts.len());
        for (id, draft, available) in drafts {
            let key = match &draft.category {
                CategoryRef::Id(id) => id.to_string(),
                CategoryRef::Name(name) => pando_service::folded(name),
            };
            let (category_id, category_name) = match categories.get(&key) {
                Some(known) => known.clone(),
                None => {
                    let found = self.category(&mut write, &draft, now).await?;
                    categories.entry(key).or_insert(found).clone()
                }
            };
            products.push(Stored {
                id,
                draft,
                category_name,
                category_id,
                available,
                revision: 1,
                version: 1,
                created_at: now,
                updated_at: now,
            });
        }
        let added = store::insert_new(&mut write.tx, call.tenant(), &products).await?;
        let added: BTreeSet<Uuid> = added.into_iter().collect();
        products.retain(|product| added.contains(&product.id));
        self.first_stocks(&mut write, &products, now).await?;
        write.end().await?;
        Ok(products.len())
    }

    /// The stock of new products, whose first units are movements.
    async fn first_stocks(
        &self,
        write: &mut Write,
        products: &[Stored],
        now: Timestamp,
    ) -> Result<(), Fault> {
        let (tenant, actor) = (write.call.tenant().clone(), write.call.actor().to_owned());
        let first = |product: &Stored| Stock {
            product: product.id,
            available: product.available,
            reserved: 0,
            reorder_point: i64::from(self.0.options.reorder_point),
            version: product.revision,
        };
        let all: Vec<Stock> = products.iter().map(first).collect();
        if all.is_empty() {
            return Ok(());
        }
        stock::insert(&mut write.tx, &tenant, &all, now).await?;
        let movement = |after: &Stock| Movement {
            id: self.0.parts.clock.fresh_id(),
            kind: Kind::Restock.name(),
            quantity: after.available,
            before: Stock { available: 0, ..*after },
            after: *after,
            cause: None,
            reason: "the product is new".to_owned(),
        };
        let movements: Vec<Movement> = all.iter().filter(|one| one.available > 0).map(movement).collect();
        if !movements.is_empty() {
            stock::record(&mut write.tx, (&tenant, &actor), &movements, now).await?;
        }
        Ok(())
    }
}
