//! The history of things: one row for every change after the creation, with the changed fields before and after.

use std::sync::OnceLock;

use pando_clock::Timestamp;
use pando_database::{DatabaseError, Json, Query, Read, Row, Transaction, params};
use pando_resilience::Tenant;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

/// A history is measured each time the version is a multiple of this.
const MEASURED_EVERY: i64 = 16;

/// The operations on the things of a service, as an enum without values. An unknown name in a row reads as the default.
pub trait Operation: Serialize + DeserializeOwned + Default + ToSchema {
    /// The description of a change in the OpenAPI document.
    const CHANGE: &'static str;
    /// The type itself: utoipa leaves the schema of a bare type parameter out of the document.
    type Described: ToSchema;

    /// The name that serde gives it.
    fn name(&self) -> String {
        let name = serde_json::to_value(self).unwrap_or_default();
        name.as_str().unwrap_or_default().to_owned()
    }
}

/// One change of one thing.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(description = O::CHANGE)]
pub struct Change<O: Operation> {
    /// The version that the change created.
    pub version: i64,
    /// The operation.
    #[schema(value_type = O::Described)]
    pub operation: O,
    /// The time of the change.
    #[schema(value_type = String, format = "date-time")]
    pub changed_at: Timestamp,
    /// The name of whoever made the change.
    pub changed_by: String,
    /// The changed fields with their values before the change.
    #[schema(value_type = Object)]
    pub before: Map<String, Value>,
    /// The same fields with their values after the change.
    #[schema(value_type = Object)]
    pub after: Map<String, Value>,
}

/// The fields in which two documents differ, as they were and as they became. A field that is not there is null.
pub fn difference(
    before: &Map<String, Value>,
    after: &Map<String, Value>,
) -> (Map<String, Value>, Map<String, Value>) {
    let mut changed = (Map::new(), Map::new());
    let removed = before.keys().filter(|field| !after.contains_key(*field));
    for field in after.keys().chain(removed) {
        if before.get(field) != after.get(field) {
            let value = |of: &Map<String, Value>| of.get(field).cloned().unwrap_or_default();
            changed.0.insert(field.clone(), value(before));
            changed.1.insert(field.clone(), value(after));
        }
    }
    changed
}

/// The table of a history, and the statements on it. The table has the columns `tenant`, that of the thing, `version`,
/// `operation`, `changed_at`, `changed_by`, `fields_before`, `fields_after` and `bytes`; the first three are its key.
#[derive(Debug)]
pub struct History {
    service: &'static str,
    table: &'static str,
    thing: &'static str,
    kept: &'static [&'static str],
    statements: OnceLock<Statements>,
}

#[derive(Debug)]
struct Statements {
    insert: Query,
    page: Query,
    forget: Query,
    /// None if nothing of an old change is kept.
    reduce: Option<Query>,
    forget_all: Query,
}

/// A thing: its tenant and its id.
type Thing<'a> = (&'a Tenant, Uuid);

impl History {
    /// The history in this table, whose rows have the ids of things in the column `thing`. The fields `kept`, which are texts,
    /// stay in changes that are too old to be kept whole.
    pub const fn new(
        service: &'static str,
        table: &'static str,
        thing: &'static str,
        kept: &'static [&'static str],
    ) -> Self {
        Self { service, table, thing, kept, statements: OnceLock::new() }
    }

    /// Records a change of a locked thing. Together with the second version of a thing, its creation is recorded: until then the
    /// thing's own row tells of it, and a creation costs one insert.
    pub fn record<O: Operation>(
        &self,
        tx: &mut Transaction,
        thing: Thing<'_>,
        creation: Option<Change<O>>,
        change: Change<O>,
    ) {
        if let Some(creation) = creation {
            self.insert(tx, thing, creation);
        }
        self.insert(tx, thing, change);
    }

    fn insert<O: Operation>(&self, tx: &mut Transaction, (tenant, id): Thing<'_>, change: Change<O>) {
        let bytes = size(&change.before) + size(&change.after);
        let values = params![
            id,
            change.version,
            change.operation.name(),
            change.changed_at,
            change.changed_by,
            Value::Object(change.before),
            Value::Object(change.after),
            i64::try_from(bytes).unwrap_or(i64::MAX),
            tenant
        ];
        tx.execute_later(&self.statements().insert, values);
    }

    /// Makes the history of a locked thing, which has this version now, shorter if it has more than about `bytes_max` bytes: its
    /// oldest changes are forgotten, except for the kept fields.
    pub fn bound(&self, tx: &mut Transaction, (tenant, id): Thing<'_>, version: i64, bytes_max: usize) {
        if version % MEASURED_EVERY != 0 {
            return;
        }
        let bytes_max = i64::try_from(bytes_max).unwrap_or(i64::MAX);
        let Statements { forget, reduce, .. } = self.statements();
        for query in [Some(forget), reduce.as_ref()].into_iter().flatten() {
            tx.execute_later(query, params![id, bytes_max, tenant]);
        }
    }

    /// Removes the history of a locked thing; the number of changes.
    pub async fn forget_all(
        &self,
        tx: &mut Transaction,
        (tenant, id): Thing<'_>,
    ) -> Result<u64, DatabaseError> {
        tx.execute(&self.statements().forget_all, params![id, tenant]).await
    }

    /// Changes before a version, the latest first.
    pub async fn page<O: Operation>(
        &self,
        read: &Read<'_>,
        (tenant, id): Thing<'_>,
        before_version: i64,
        limit: usize,
    ) -> Result<Vec<Change<O>>, DatabaseError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = read.rows(&self.statements().page, params![id, before_version, limit, tenant]).await?;
        rows.iter().map(change_from).collect()
    }

    /// The same, as a transaction that holds the thing sees them.
    pub async fn page_in<O: Operation>(
        &self,
        tx: &mut Transaction,
        (tenant, id): Thing<'_>,
        before_version: i64,
        limit: usize,
    ) -> Result<Vec<Change<O>>, DatabaseError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = tx.rows(&self.statements().page, params![id, before_version, limit, tenant]).await?;
        rows.iter().map(change_from).collect()
    }

    fn statements(&self) -> &Statements {
        self.statements.get_or_init(|| self.make_statements())
    }

    fn make_statements(&self) -> Statements {
        let Self { service, table, thing, kept, .. } = self;
        let name = |verb: &str| stored(format!("{service}.{verb}"));
        // Changes beyond the newest, which have `$2` bytes together, and one more.
        let too_old = format!(
            "where tenant = $3 and {thing} = $1 and bytes > 0 and version <= (select max(version) from (select version, \
             sum(bytes) over (order by version desc) - bytes as newer from {table} where tenant = $3 and {thing} = $1) \
             as summed where newer >= cast($2 as bigint))"
        );
        // A list of something for each kept field.
        let each = |part: &dyn Fn(&str) -> String| kept.iter().map(|field| part(field)).collect::<Vec<_>>();
        let none_kept = each(&|field| format!(" and fields_after ->> '{field}' is null")).concat();
        let reduced = |column: &str| {
            let fields = each(&|field| format!("'{field}', {column} -> '{field}'")).join(", ");
            format!("{column} = jsonb_strip_nulls(jsonb_build_object({fields}))")
        };
        let reduced_on_sqlite = |column: &str| {
            let fields = each(&|field| format!("'{field}', {column} ->> '{field}'")).join(", ");
            format!("{column} = json_patch('{{}}', json_object({fields}))")
        };
        let reduce = |reduced: &dyn Fn(&str) -> String| {
            let (before, after) = (reduced("fields_before"), reduced("fields_after"));
            stored(format!("update {table} set bytes = 0, {before}, {after} {too_old}"))
        };
        Statements {
            insert: Query::point(
                name("insert_change"),
                stored(format!(
                    "insert into {table} ({thing}, version, operation, changed_at, changed_by, fields_before, \
                     fields_after, bytes, tenant) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
                )),
            ),
            page: Query::scan(
                name("list_changes"),
                stored(format!(
                    "select version, operation, changed_at, changed_by, fields_before, fields_after from {table} \
                     where tenant = $4 and {thing} = $1 and version < $2 order by version desc limit $3"
                )),
            ),
            forget: Query::write(
                name("forget_changes"),
                stored(format!("delete from {table} {too_old}{none_kept}")),
            ),
            reduce: (!kept.is_empty()).then(|| {
                Query::write(name("reduce_changes"), reduce(&reduced)).on_sqlite(reduce(&reduced_on_sqlite))
            }),
            forget_all: Query::write(
                name("erase_changes"),
                stored(format!("delete from {table} where tenant = $2 and {thing} = $1")),
            ),
        }
    }
}

/// A text that lives as long as the process, as statements do.
fn stored(text: String) -> &'static str {
    text.leak()
}

/// The bytes of the fields as JSON.
fn size(fields: &Map<String, Value>) -> usize {
    serde_json::to_string(fields).map_or(0, |text| text.len())
}

fn change_from<O: Operation>(row: &Row) -> Result<Change<O>, DatabaseError> {
    Ok(Change {
        version: row.get(0)?,
        operation: serde_json::from_value(Value::String(row.get(1)?)).unwrap_or_default(),
        changed_at: row.get(2)?,
        changed_by: row.get(3)?,
        before: row.get::<Json<_>>(4)?.0,
        after: row.get::<Json<_>>(5)?.0,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_changed_fields_are_kept() {
        let before = json!({"name": "a", "bio": "x", "old": 2});
        let after = json!({"name": "b", "bio": "x", "new": 1});
        let (old, new) = difference(before.as_object().unwrap(), after.as_object().unwrap());
        assert_eq!(Value::Object(old), json!({"name": "a", "new": null, "old": 2}));
        assert_eq!(Value::Object(new), json!({"name": "b", "new": 1, "old": null}));
    }
}
