//! Renames a category, or moves it to another place in the tree.

use pando_service::prelude::*;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::create_category::check_place;
use super::domain::category::{Category, CategoryFields};
use super::index_category::{INDEX, OfCategory};
use super::store::categories::{self, Saved};
use crate::Commerce;
use crate::domain::events;
use crate::domain::faults::no_category;

impl Commerce {
    /// Lays these fields over a category: those that are absent stay. If its name changes, a job tells its products.
    pub async fn update_category(
        &self,
        call: &Call,
        id: Uuid,
        expected: &Expected,
        fields: &Map<String, Value>,
    ) -> Result<Written<Category>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let CategoryFields { name, parent } = CategoryFields::read(fields)?;
            let mut write = turn.begin().await?;
            categories::hold_tree(&mut write.tx, call.tenant()).await?;
            let current = categories::lock(&mut write.tx, call.tenant(), id).await?;
            let current = current.ok_or_else(no_category)?;
            expected.check("category", current.version)?;
            let name = name.unwrap_or_else(|| current.name.clone());
            let place = parent.unwrap_or(current.parent);
            if let Some(parent) = place.filter(|_| place != current.parent) {
                let height = categories::height(&mut write.tx, call.tenant(), id).await?;
                check_place(&mut write, parent, (id, height)).await?;
            }
            let version = current.version + 1;
            let saved = Saved { id, name: &name, parent: place, version };
            categories::update(&mut write.tx, call.tenant(), &saved, self.0.parts.clock.now()).await?;
            if name != current.name {
                let job = INDEX.job(&OfCategory { category: id })?.of_tenant(call.tenant());
                self.0.parts.queue.enqueue(&mut write.tx, job).await?;
            }
            write.changed(Change { event: events::CATEGORY_UPDATED, id, version, data: json!({}) });
            let changed = categories::written(&mut write.tx, call.tenant(), id).await?;
            write.done(changed.ok_or_else(no_category)?)
        });
        write.await
    }
}
