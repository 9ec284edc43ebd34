//! The history: one row for every change after the creation.

use pando_clock::Timestamp;
use pando_database::{DatabaseError, Json, Query, Read, Row, Transaction, params};
use pando_resilience::Tenant;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::domain::history::{Change, Operation};
use crate::domain::profile::{Profile, ProfileId};
use crate::store::StoredProfile;

static INSERT: Query = Query::point(
    "profiles.insert_change",
    "insert into profile_changes (profile_id, version, operation, changed_at, changed_by, fields_before, \
     fields_after, bytes, tenant) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
);

/// Changes of a profile beyond the newest, which have `$2` bytes together, and one more.
macro_rules! too_old {
    () => {
        " where tenant = $3 and profile_id = $1 and bytes > 0 \
         and version <= (select max(version) from (select version, sum(bytes) over (order by version desc) - bytes \
         as newer from profile_changes where tenant = $3 and profile_id = $1) as summed where newer >= cast($2 as bigint))"
    };
}

static FORGET: Query = Query::write(
    "profiles.forget_changes",
    concat!("delete from profile_changes", too_old!(), " and fields_after ->> 'email' is null"),
);

/// An erasure looks for every address that the person had.
static REDUCE: Query = Query::write(
    "profiles.reduce_changes",
    concat!(
        "update profile_changes set bytes = 0, \
         fields_before = jsonb_strip_nulls(jsonb_build_object('email', fields_before -> 'email')), \
         fields_after = jsonb_build_object('email', fields_after -> 'email')",
        too_old!()
    ),
)
.on_sqlite(concat!(
    "update profile_changes set bytes = 0, \
     fields_before = json_patch('{}', json_object('email', fields_before ->> 'email')), \
     fields_after = json_object('email', fields_after ->> 'email')",
    too_old!()
));

static PAGE: Query = Query::scan(
    "profiles.list_changes",
    "select version, operation, changed_at, changed_by, fields_before, fields_after from profile_changes \
     where tenant = $4 and profile_id = $1 and version < $2 order by version desc limit $3",
);

/// Records a change from `before` to `after`. The first change of a profile also records its creation: until then the
/// profile's own row tells it, and a creation costs one insert.
pub(crate) fn record(
    tx: &mut Transaction,
    tenant: &Tenant,
    before: &StoredProfile,
    after: &Profile,
    operation: Operation,
    actor: &str,
    (fields_before, fields_after): (Map<String, Value>, Map<String, Value>),
) {
    if before.profile.version == 1 {
        insert(tx, tenant, before.profile.id, creation(before));
    }
    let change = Change {
        version: after.version,
        operation,
        changed_at: after.updated_at,
        changed_by: actor.to_owned(),
        before: fields_before,
        after: fields_after,
    };
    insert(tx, tenant, after.id, change);
}

/// How a profile that is still at its first version came to be.
pub(crate) fn creation(stored: &StoredProfile) -> Change {
    Change {
        version: 1,
        operation: Operation::Created,
        changed_at: stored.profile.created_at,
        changed_by: stored.created_by.clone(),
        before: Map::new(),
        after: stored.profile.draft().document(),
    }
}

/// Forgets the oldest changes of a locked profile, so that the others have so many bytes; the addresses in them stay.
pub(crate) fn bound(tx: &mut Transaction, tenant: &Tenant, id: ProfileId, bytes_max: usize) {
    let bytes_max = i64::try_from(bytes_max).unwrap_or(i64::MAX);
    for query in [&FORGET, &REDUCE] {
        tx.execute_later(query, params![Uuid::from(id), bytes_max, tenant]);
    }
}

fn insert(tx: &mut Transaction, tenant: &Tenant, id: ProfileId, change: Change) {
    let bytes = size(&change.before) + size(&change.after);
    let values = params![
        Uuid::from(id),
        change.version,
        change.operation.name(),
        change.changed_at,
        change.changed_by,
        Value::Object(change.before),
        Value::Object(change.after),
        i64::try_from(bytes).unwrap_or(i64::MAX),
        tenant
    ];
    tx.execute_later(&INSERT, values);
}

/// Its bytes as JSON.
fn size(fields: &Map<String, Value>) -> usize {
    serde_json::to_string(fields).map_or(0, |text| text.len())
}

/// Changes older than a version, the latest first.
pub(crate) async fn page(
    read: &Read<'_>,
    tenant: &Tenant,
    id: ProfileId,
    before_version: i64,
    limit: usize,
) -> Result<Vec<Change>, DatabaseError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = read.rows(&PAGE, params![Uuid::from(id), before_version, limit, tenant]).await?;
    rows.iter().map(change_from).collect()
}

/// The same, as a transaction that holds the profile sees them.
pub(crate) async fn page_in(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: ProfileId,
    before_version: i64,
    limit: usize,
) -> Result<Vec<Change>, DatabaseError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = tx.rows(&PAGE, params![Uuid::from(id), before_version, limit, tenant]).await?;
    rows.iter().map(change_from).collect()
}

fn change_from(row: &Row) -> Result<Change, DatabaseError> {
    Ok(Change {
        version: row.get(0)?,
        operation: Operation::named(&row.get::<String>(1)?).unwrap_or(Operation::Updated),
        changed_at: row.get::<Timestamp>(2)?,
        changed_by: row.get(3)?,
        before: row.get::<Json<_>>(4)?.0,
        after: row.get::<Json<_>>(5)?.0,
    })
}
