//! Puts businesses under monitoring, and takes them out of it.

use pando_service::prelude::*;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Risk;
use crate::domain::countries::country;
use crate::domain::monitored::{Monitored, MonitoredRow, not_monitored};
use crate::screening::NAME_CHARS_MAX;
use crate::store::monitored;

/// How many businesses a tenant may monitor.
const MONITORED_MAX: i64 = 100_000;
const ADDRESS_CHARS_MAX: usize = 500;

/// A page of businesses under monitoring, by their ids.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MonitoredPage {
    /// The businesses.
    pub businesses: Vec<Monitored>,
    /// The `after` of the next page; null on the last one.
    pub next: Option<String>,
}

impl Risk {
    /// Puts a business under monitoring; one that is there already stays as it is.
    pub async fn monitor_business(
        &self,
        call: &Call,
        fields: &Map<String, Value>,
    ) -> Result<Written<Monitored>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let row = read(fields, (call.actor(), self.0.parts.clock.now()))?;
            let tenant = call.tenant();
            let mut write = turn.begin().await?;
            if let Some(there) = monitored::find(&mut write.tx, tenant, row.business).await? {
                return write.done(there.shown);
            }
            if monitored::count(&mut write.tx, tenant, MONITORED_MAX).await? >= MONITORED_MAX {
                return Err(Fault::conflict(format!(
                    "{MONITORED_MAX} businesses are under monitoring already"
                )));
            }
            monitored::put(&mut write.tx, tenant, &row);
            write.acted(act("monitoring.started", &row));
            write.done(row.shown)
        });
        write.await
    }

    /// Ends the monitoring of a business.
    pub async fn stop_monitoring(&self, call: &Call, business: Uuid) -> Result<Written<()>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let tenant = call.tenant();
            let mut write = turn.begin().await?;
            let row = monitored::find(&mut write.tx, tenant, business).await?.ok_or_else(not_monitored)?;
            monitored::remove(&mut write.tx, tenant, business);
            write.acted(act("monitoring.stopped", &row));
            write.done(())
        });
        write.await
    }

    /// A page of the businesses that a tenant monitors, by their ids.
    pub async fn list_monitored(
        &self,
        call: &Call,
        (after, count): (Uuid, usize),
    ) -> Result<MonitoredPage, Fault> {
        let read = self.0.parts.database.read(call);
        let mut found = monitored::page(&read, call.tenant(), (after, count + 1)).await?;
        let more = found.len() > count;
        found.truncate(count);
        let next = found.last().filter(|_| more).map(|last| last.shown.business_id.clone());
        Ok(MonitoredPage { businesses: found.into_iter().map(|row| row.shown).collect(), next })
    }
}

fn read(fields: &Map<String, Value>, by: (&str, Timestamp)) -> Result<MonitoredRow, Fault> {
    let mut reader = FieldReader::new(fields);
    let mut text = |field: &'static str, code: &'static str, chars_max: usize| {
        let text = reader.required_text(field).unwrap_or_default().trim().to_owned();
        let is_bad = text.is_empty() || text.chars().count() > chars_max || text.contains('\0');
        if is_bad && fields.get(field).is_some_and(Value::is_string) {
            reader.refuse(field, code, &format!("must have 1 to {chars_max} characters"));
        }
        text
    };
    let name = text("business_name", "INVALID_BUSINESS_NAME", NAME_CHARS_MAX);
    let address = text("business_address", "INVALID_BUSINESS_ADDRESS", ADDRESS_CHARS_MAX);
    let found = fields.get("country").and_then(Value::as_str).and_then(country);
    if found.is_none() {
        reader.refuse("country", "INVALID_COUNTRY", "must be a country of ISO 3166 in two letters");
    }
    reader.finish()?;
    Ok(MonitoredRow::of((&name, &address, &found.unwrap_or_default()), by))
}

fn act(event: &'static str, row: &MonitoredRow) -> Change {
    Change { event, id: row.business, version: 1, data: json!({"business_id": row.shown.business_id}) }
}
