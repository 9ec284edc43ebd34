//! Adds a category to the tree.

use pando_service::Violations;
use pando_service::prelude::*;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::domain::category::{Category, CategoryFields, DEPTH_MAX};
use super::store::categories::{self, Saved};
use crate::Commerce;
use crate::domain::events;
use crate::domain::faults::{against_the_rules, no_category};

impl Commerce {
    /// Adds a category with these fields.
    pub async fn create_category(
        &self,
        call: &Call,
        fields: &Map<String, Value>,
    ) -> Result<Written<Category>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let CategoryFields { name, parent } = CategoryFields::read(fields)?;
            let name = name.ok_or_else(|| Violations::one("name", "required", "is required"))?;
            let (id, now) = (self.0.parts.clock.fresh_id(), self.0.parts.clock.now());
            let mut write = turn.begin().await?;
            categories::hold_tree(&mut write.tx, call.tenant()).await?;
            self.check_categories(&mut write).await?;
            let parent = parent.flatten();
            if let Some(parent) = parent {
                check_place(&mut write, parent, (id, 1)).await?;
            }
            let saved = Saved { id, name: &name, parent, version: 1 };
            categories::insert(&mut write.tx, call.tenant(), &saved, now).await?;
            write.created(Change { event: events::CATEGORY_CREATED, id, version: 1, data: json!({}) });
            let made = categories::written(&mut write.tx, call.tenant(), id).await?;
            write.done(made.ok_or_else(no_category)?)
        });
        write.await
    }

    /// Whether the shop may have one category more.
    pub(super) async fn check_categories(&self, write: &mut Write) -> Result<(), Fault> {
        let most = self.0.options.categories_max;
        let tenant = write.call.tenant().clone();
        if categories::count_locked(&mut write.tx, &tenant, most).await? < i64::from(most) {
            return Ok(());
        }
        Err(against_the_rules("CATEGORY_LIMIT_EXCEEDED", format!("a shop has at most {most} categories")))
    }
}

/// Whether a category, which has so many levels with those below it, may be below this one. The transaction holds the tree.
pub(super) async fn check_place(
    write: &mut Write,
    parent: Uuid,
    (id, height): (Uuid, usize),
) -> Result<(), Fault> {
    let tenant = write.call.tenant().clone();
    let above = categories::up(&mut write.tx, &tenant, parent).await?;
    if above.is_empty() {
        return Err(Violations::one("parentId", "unknown", no_category().detail().to_owned()).into());
    }
    if above.contains(&id) {
        let message = "a category cannot be below itself";
        return Err(against_the_rules("CATEGORY_CYCLE", message).with_field("parentId", "cycle", message));
    }
    if above.len() + height > DEPTH_MAX {
        let message = format!("the tree of categories has at most {DEPTH_MAX} levels");
        let fault = against_the_rules("CATEGORY_TOO_DEEP", message.clone());
        return Err(fault.with_field("parentId", "too_deep", message));
    }
    Ok(())
}
