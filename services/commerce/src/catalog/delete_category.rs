//! Takes an empty category out of the tree.

use pando_service::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::store::categories;
use crate::Commerce;
use crate::domain::events;
use crate::domain::faults::no_category;

impl Commerce {
    /// Deletes a category that has neither products, offered or not, nor categories below it.
    pub async fn delete_category(
        &self,
        call: &Call,
        id: Uuid,
        expected: &Expected,
    ) -> Result<Written<()>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let mut write = turn.begin().await?;
            categories::hold_tree(&mut write.tx, call.tenant()).await?;
            let current = categories::lock(&mut write.tx, call.tenant(), id).await?;
            let current = current.ok_or_else(no_category)?;
            expected.check("category", current.version)?;
            let (products, children) = categories::contents(&mut write.tx, call.tenant(), id).await?;
            if products {
                return Err(not_empty("the category has products: move or delete them first"));
            }
            if children {
                return Err(not_empty("the category has categories below it: move or delete them first"));
            }
            categories::delete(&mut write.tx, call.tenant(), id);
            let version = current.version + 1;
            write.changed(Change { event: events::CATEGORY_DELETED, id, version, data: json!({}) });
            write.done(())
        });
        write.await
    }
}

fn not_empty(detail: &'static str) -> Fault {
    Fault::conflict(detail).named("CATEGORY_NOT_EMPTY")
}
