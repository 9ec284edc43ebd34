//! The history of customers. No other file writes or reads the values in it.

use pando_database::{Database, Value as Parameter};
use pando_service::history::{History, difference};
use pando_service::prelude::*;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::sealed::{BATCH, Resealed, SEALED};
use super::{Store, Stored};
use crate::domain::customer::Customer;
use crate::domain::history::{self, Operation, document};

static HISTORY: History = History::new("customers", "customer_changes", "customer_id", &[]);

static AFTER: Query = Query::scan(
    "customers.changes_after",
    "select tenant, customer_id, version, fields_before, fields_after from customer_changes \
     where (tenant, customer_id, version) > ($1, $2, $3) order by tenant, customer_id, version limit $4",
);

static RESEAL: Query = Query::write(
    "customers.reseal_change",
    "update customer_changes set fields_before = $4, fields_after = $5 \
     where tenant = $1 and customer_id = $2 and version = $3",
);

type Fields = Map<String, Value>;

impl Store {
    /// Records the change of a locked customer to its next version, and forgets the oldest changes of a history that is too
    /// long.
    pub(crate) fn record_change(
        &self,
        tx: &mut Transaction,
        call: &Call,
        stored: &Stored,
        next: &Customer,
        history_bytes_max: usize,
    ) -> Result<(), Fault> {
        let thing = (call.tenant(), stored.key);
        let (before, after) = difference(&document(&stored.customer), &document(next));
        let change = history::Change {
            version: next.version,
            operation: Operation::Updated,
            changed_at: next.updated_at,
            changed_by: call.actor().to_owned(),
            before: self.sealed(thing, before)?,
            after: self.sealed(thing, after)?,
        };
        let created = (stored.customer.version == 1).then(|| creation(stored));
        let created = created.map(|created| {
            Ok::<_, Fault>(history::Change { after: self.sealed(thing, created.after)?, ..created })
        });
        HISTORY.record(tx, thing, created.transpose()?, change);
        HISTORY.bound(tx, thing, next.version, history_bytes_max);
        Ok(())
    }

    /// Changes of a customer before a version, the latest first.
    pub(crate) async fn changes(
        &self,
        read: &Read<'_>,
        tenant: &Tenant,
        stored: &Stored,
        before_version: i64,
        limit: usize,
    ) -> Result<Vec<history::Change>, DatabaseError> {
        if stored.customer.version == 1 {
            return Ok(if before_version > 1 { vec![creation(stored)] } else { Vec::new() });
        }
        let thing = (tenant, stored.key);
        let mut changes = HISTORY.page(read, thing, before_version, limit).await?;
        for fields in changes.iter_mut().flat_map(|change| [&mut change.before, &mut change.after]) {
            self.open_fields(thing, fields)?;
        }
        Ok(changes)
    }

    /// Seals the histories of all tenants with the current key.
    pub(super) async fn reseal_changes(&self, database: &Database, call: &Call) -> Result<Resealed, Fault> {
        let (mut done, mut last) = (Resealed::default(), (Tenant::default(), Uuid::nil(), 0));
        loop {
            let mut tx = database.transaction(call).await?;
            let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
            let rows = tx.rows(&AFTER, params![&last.0, last.1, last.2, limit]).await?;
            for row in &rows {
                let tenant = Tenant::stored(&row.get::<String>("tenant")?);
                let (key, version): (Uuid, i64) = (row.get("customer_id")?, row.get("version")?);
                let before =
                    self.resealed_fields((&tenant, key), row.get::<Json<Fields>>("fields_before")?.0)?;
                let after =
                    self.resealed_fields((&tenant, key), row.get::<Json<Fields>>("fields_after")?.0)?;
                if before.1 || after.1 {
                    let fields = [before.0, after.0].map(|fields| Parameter::from(Value::Object(fields)));
                    let [before, after] = fields;
                    done.sealed += tx.execute(&RESEAL, params![&tenant, key, version, before, after]).await?;
                }
                last = (tenant, key, version);
            }
            tx.commit().await?;
            done.seen += rows.len() as u64;
            if rows.len() < BATCH {
                return Ok(done);
            }
        }
    }

    /// The same fields with the values that nobody may read in the database.
    fn sealed(&self, (tenant, key): (&Tenant, Uuid), mut fields: Fields) -> Result<Fields, Fault> {
        for field in SEALED {
            if let Some(Value::String(value)) = fields.get_mut(field.name) {
                *value = self.seal(tenant, field, key, value)?;
            }
        }
        Ok(fields)
    }

    fn open_fields(&self, (tenant, key): (&Tenant, Uuid), fields: &mut Fields) -> Result<(), DatabaseError> {
        for field in SEALED {
            if let Some(Value::String(value)) = fields.get_mut(field.name) {
                *value = self.opened(tenant, field, key, value)?;
            }
        }
        Ok(())
    }

    /// The fields, sealed with the current key, and whether they were not.
    fn resealed_fields(&self, thing: (&Tenant, Uuid), fields: Fields) -> Result<(Fields, bool), Fault> {
        let texts = SEALED.iter().filter_map(|field| fields.get(field.name)?.as_str());
        if !texts.into_iter().any(|text| self.needs_reseal(text)) {
            return Ok((fields, false));
        }
        let mut plain = fields;
        self.open_fields(thing, &mut plain)?;
        Ok((self.sealed(thing, plain)?, true))
    }
}
/// Removes the whole history of a locked customer.
pub(crate) async fn forget_all(
    tx: &mut Transaction,
    tenant: &Tenant,
    key: Uuid,
) -> Result<(), DatabaseError> {
    HISTORY.forget_all(tx, (tenant, key)).await.map(drop)
}

/// The creation of a customer that is still at its first version.
fn creation(stored: &Stored) -> history::Change {
    history::Change {
        version: 1,
        operation: Operation::Created,
        changed_at: stored.customer.created_at,
        changed_by: stored.created_by.clone(),
        before: Map::new(),
        after: document(&stored.customer),
    }
}
