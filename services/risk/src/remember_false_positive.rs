//! Remembers that a match of a business with an entry is false, until the entry says something else.

use pando_service::prelude::*;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Risk;
use crate::domain::ids;
use crate::domain::list::FalsePositive;
use crate::store::{rulesets, tenant_lists};

/// How many false matches a tenant may remember.
pub(crate) const REMEMBERED_MAX: usize = 20_000;
const TEXT_CHARS_MAX: usize = 2_000;

/// The false matches of a tenant.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FalsePositives {
    /// All of them, by business.
    pub false_positives: Vec<FalsePositive>,
}

impl Risk {
    /// Remembers a false match. While the entry says what it says now, the match is shown as suppressed, and does not count.
    pub async fn remember_false_positive(
        &self,
        call: &Call,
        fields: &Map<String, Value>,
    ) -> Result<Written<FalsePositive>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let (business, it) = self.false_positive(call, fields)?;
            let (tenant, held) = (call.tenant(), self.tenant_ground(call).await?);
            if held.lists.false_count() >= REMEMBERED_MAX {
                return Err(Fault::conflict(format!(
                    "{REMEMBERED_MAX} false matches are remembered already"
                )));
            }
            if !held.lists.has_entry(&it) && !self.0.lists.has_entry(&it) {
                return Err(Fault::conflict(
                    "no list has this entry with this version: screen the name again",
                ));
            }
            let mut write = turn.begin().await?;
            let ground = rulesets::lock_ground(&mut write.tx, tenant).await?;
            tenant_lists::remember(&mut write.tx, tenant, (business, &it));
            rulesets::move_ground(&mut write.tx, tenant, ground.shadow);
            self.forget_ground_after(&mut write);
            let data =
                json!({"source": it.source, "entry_id": it.entry_id, "entry_version": it.entry_version});
            write.acted(Change { event: "lists.false_positive", id: business, version: 1, data });
            write.done(it)
        });
        write.await
    }

    /// The false matches that a tenant remembers.
    pub async fn list_false_positives(&self, call: &Call) -> Result<FalsePositives, Fault> {
        let read = self.0.parts.database.read(call);
        let all = tenant_lists::remembered(&read, call.tenant(), REMEMBERED_MAX).await?;
        Ok(FalsePositives { false_positives: all.into_iter().map(|(_, it)| it).collect() })
    }

    fn false_positive(
        &self,
        call: &Call,
        fields: &Map<String, Value>,
    ) -> Result<(Uuid, FalsePositive), Fault> {
        let mut reader = FieldReader::new(fields);
        let mut text = |field: &str| {
            let text = reader.required_text(field).unwrap_or_default().to_owned();
            let is_bad = text.is_empty() || text.chars().count() > TEXT_CHARS_MAX || text.contains('\0');
            if is_bad && fields.get(field).is_some_and(Value::is_string) {
                reader.refuse(field, "INVALID_INPUT", "must have 1 to 2000 characters");
            }
            text
        };
        let [business_id, source, entry_id, entry_version, reason] =
            ["business_id", "source", "entry_id", "entry_version", "reason"].map(&mut text);
        let business = ids::BUSINESS.parse(&business_id);
        if business.is_none() && !business_id.is_empty() {
            reader.refuse(
                "business_id",
                "INVALID_INPUT",
                "must be the id of a business, such as screenings have it",
            );
        }
        reader.finish()?;
        let (created_by, created_at) = (call.actor().to_owned(), self.0.parts.clock.now());
        let it =
            FalsePositive { business_id, source, entry_id, entry_version, reason, created_by, created_at };
        Ok((business.unwrap_or_default(), it))
    }
}
