//! Adds a product to the catalog.

use pando_service::prelude::*;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::domain::product::{CategoryRef, Draft, Product, Stored};
use super::store;
use crate::Commerce;
use crate::domain::{events, faults};
use crate::inventory::ledger::{self, Kind};
use crate::inventory::store as stock;

impl Commerce {
    /// Adds a product with these fields. A category that is named and not there yet is made.
    pub async fn create_product(
        &self,
        call: &Call,
        fields: &Map<String, Value>,
    ) -> Result<Written<Product>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let (id, now) = (self.0.parts.clock.fresh_id(), self.0.parts.clock.now());
            let (draft, units) = Draft::read(fields, self.0.currency, &fresh_sku(id))?;
            let mut write = turn.begin().await?;
            let product = self.placed(&mut write, (id, draft), now).await?;
            let product = Stored { available: units, ..product };
            store::insert(&mut write.tx, call.tenant(), &product);
            self.first_stock(&mut write, &product, now).await?;
            let data = json!({"sku": product.draft.sku});
            write.created(Change { event: events::PRODUCT_CREATED, id, version: product.revision, data });
            write.done(product.shown())
        });
        write.await
    }

    /// A new product in its category.
    async fn placed(
        &self,
        write: &mut Write,
        (id, draft): (Uuid, Draft),
        now: Timestamp,
    ) -> Result<Stored, Fault> {
        let (category_id, category_name) = self.category(write, &draft, now).await?;
        Ok(Stored {
            id,
            draft,
            category_name,
            category_id,
            available: 0,
            revision: 1,
            version: 1,
            created_at: now,
            updated_at: now,
        })
    }

    /// The category that a draft names.
    pub(super) async fn category(
        &self,
        write: &mut Write,
        draft: &Draft,
        now: Timestamp,
    ) -> Result<(Uuid, String), Fault> {
        let tenant = write.call.tenant().clone();
        let mut found = store::category(&mut write.tx, &tenant, &draft.category).await?;
        if let (None, CategoryRef::Name(name)) = (&found, &draft.category) {
            self.check_categories(write).await?;
            let fresh = (self.0.parts.clock.fresh_id(), now);
            store::new_category(&mut write.tx, &tenant, name, fresh).await?;
            found = store::category(&mut write.tx, &tenant, &draft.category).await?;
        }
        found.ok_or_else(|| {
            Fault::invalid(vec![pando_service::FieldError::new(
                "categoryId",
                "unknown",
                faults::no_category().detail().to_owned(),
            )])
        })
    }

    /// The stock of a new product: its first units are a movement, too.
    async fn first_stock(&self, write: &mut Write, product: &Stored, now: Timestamp) -> Result<(), Fault> {
        let none = stock::Stock {
            product: product.id,
            available: 0,
            reserved: 0,
            reorder_point: i64::from(self.0.options.reorder_point),
            version: product.revision,
        };
        let first = stock::Stock { available: product.available, ..none };
        let tenant = write.call.tenant().clone();
        stock::insert(&mut write.tx, &tenant, &[first], now).await?;
        if product.available > 0 {
            let movement = stock::Movement {
                id: self.0.parts.clock.fresh_id(),
                kind: Kind::Restock.name(),
                quantity: product.available,
                before: none,
                after: first,
                cause: None,
                reason: "the product is new".to_owned(),
            };
            ledger::record_first(write, &movement, now).await?;
        }
        Ok(())
    }
}

/// The SKU of a product that was given none: the end of its id, which is random.
pub(super) fn fresh_sku(id: Uuid) -> String {
    format!("P-{:016X}", id.as_u128() & u128::from(u64::MAX))
}
