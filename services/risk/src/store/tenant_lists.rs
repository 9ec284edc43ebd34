//! The statements about lists of tenants, and about matches that are remembered as false.

use pando_service::prelude::*;
use serde_json::Value;
use uuid::Uuid;

use crate::domain::ids;
use crate::domain::list::{FalsePositive, ListChange, ListEntry, ListRecord};

macro_rules! columns {
    () => {
        "id, name, kind, entries, version, created_by, created_at, updated_at"
    };
}

static INSERT: Query = Query::write(
    "risk.insert_list",
    concat!("insert into risk_lists (tenant, ", columns!(), ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"),
);

static UPDATE: Query = Query::write(
    "risk.update_list",
    "update risk_lists set entries = $3, version = $4, updated_at = $5 where id = $1 and tenant = $2",
);

static DELETE: Query =
    Query::write("risk.delete_list", "delete from risk_lists where id = $1 and tenant = $2");

static LIST: Query = Query::scan(
    "risk.lists",
    concat!("select ", columns!(), " from risk_lists where tenant = $1 order by created_at, id limit $2"),
);

static FIND: Query = Query::point(
    "risk.find_list",
    concat!("select ", columns!(), " from risk_lists where id = $1 and tenant = $2"),
);

static ENTRIES: Query = Query::scan(
    "risk.list_entries",
    "select entry_id, entry_version, content, changed_in from risk_list_entries \
     where list_id = $1 and tenant = $2 and entry_id > $3 order by entry_id limit $4",
);

static REMOVE: Query = Query::write(
    "risk.remove_list_entries",
    "delete from risk_list_entries where list_id = $1 and tenant = $2 and entry_id = any($3)",
);

static REMOVE_ALL: Query = Query::write(
    "risk.remove_all_list_entries",
    "delete from risk_list_entries where list_id = $1 and tenant = $2",
);

static ADD: BulkInsert = BulkInsert {
    name: "risk.add_list_entries",
    table: "risk_list_entries",
    columns: &[
        ("tenant", ColumnType::Text),
        ("list_id", ColumnType::Uuid),
        ("entry_id", ColumnType::Text),
        ("entry_version", ColumnType::Text),
        ("content", ColumnType::Json),
        ("changed_in", ColumnType::Bigint),
    ],
    on_conflict: OnConflict::Fail,
    key: "list_id",
};

static NOTE: Query = Query::write(
    "risk.note_list_change",
    "insert into risk_list_changes (tenant, list_id, version, added, changed, removed, changed_by, changed_at) \
     values ($1, $2, $3, $4, $5, $6, $7, $8)",
);

static CHANGES: Query = Query::scan(
    "risk.list_changes",
    "select version, added, changed, removed, changed_by, changed_at from risk_list_changes \
     where list_id = $1 and tenant = $2 order by version desc limit $3",
);

static FORGET_CHANGES: Query = Query::write(
    "risk.forget_list_changes",
    "delete from risk_list_changes where list_id = $1 and tenant = $2",
);

static REMEMBER: Query = Query::write(
    "risk.remember_false",
    "insert into risk_false_positives (tenant, business_id, source, entry_id, entry_version, reason, created_by, \
     created_at) values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (business_id, tenant, source, entry_id) \
     do update set entry_version = $5, reason = $6, created_by = $7, created_at = $8",
);

static REMEMBERED: Query = Query::scan(
    "risk.remembered_false",
    "select business_id, source, entry_id, entry_version, reason, created_by, created_at from risk_false_positives \
     where tenant = $1 order by business_id, source, entry_id limit $2",
);

/// The counts of a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) added: i64,
    pub(crate) changed: i64,
    pub(crate) removed: i64,
}

pub(crate) fn insert(tx: &mut Transaction, tenant: &Tenant, list: &ListRecord) {
    let values = params![
        tenant,
        list.id,
        list.name.as_str(),
        list.kind.as_str(),
        list.entries,
        list.version,
        list.created_by.as_str(),
        list.created_at,
        list.updated_at
    ];
    tx.execute_later(&INSERT, values);
}

/// Writes a change of a list, and notes who made it.
pub(crate) fn change(tx: &mut Transaction, tenant: &Tenant, list: &ListRecord, (counts, by): (Counts, &str)) {
    tx.execute_later(&UPDATE, params![list.id, tenant, list.entries, list.version, list.updated_at]);
    let Counts { added, changed, removed } = counts;
    let values = params![tenant, list.id, list.version, added, changed, removed, by, list.updated_at];
    tx.execute_later(&NOTE, values);
}

pub(crate) fn delete(tx: &mut Transaction, tenant: &Tenant, id: Uuid) {
    tx.execute_later(&REMOVE_ALL, params![id, tenant]);
    tx.execute_later(&FORGET_CHANGES, params![id, tenant]);
    tx.execute_later(&DELETE, params![id, tenant]);
}

/// All lists of a tenant.
pub(crate) async fn all(read: &Read<'_>, tenant: &Tenant, count: usize) -> Result<Vec<ListRecord>, Fault> {
    read.rows(&LIST, params![tenant, limit(count)]).await?.iter().map(list).collect()
}

/// The same, in a transaction that has locked the tenant's ground.
pub(crate) async fn all_locked(
    tx: &mut Transaction,
    tenant: &Tenant,
    count: usize,
) -> Result<Vec<ListRecord>, Fault> {
    tx.rows(&LIST, params![tenant, limit(count)]).await?.iter().map(list).collect()
}

pub(crate) async fn find(read: &Read<'_>, tenant: &Tenant, id: Uuid) -> Result<Option<ListRecord>, Fault> {
    read.row(&FIND, params![id, tenant]).await?.map(|row| list(&row)).transpose()
}

/// Entries of a list after one, by their ids.
pub(crate) async fn entries(
    read: &Read<'_>,
    (tenant, id): (&Tenant, Uuid),
    (after, count): (&str, usize),
) -> Result<Vec<ListEntry>, Fault> {
    read.rows(&ENTRIES, params![id, tenant, after, limit(count)]).await?.iter().map(entry).collect()
}

/// The same, in a transaction that has locked the tenant's ground.
pub(crate) async fn entries_locked(
    tx: &mut Transaction,
    (tenant, id): (&Tenant, Uuid),
    count: usize,
) -> Result<Vec<ListEntry>, Fault> {
    tx.rows(&ENTRIES, params![id, tenant, "", limit(count)]).await?.iter().map(entry).collect()
}

/// Puts entries into the place of those with the same ids, and takes others away.
pub(crate) async fn put(
    tx: &mut Transaction,
    (tenant, id): (&Tenant, Uuid),
    (new, gone): (&[ListEntry], Vec<String>),
) -> Result<(), Fault> {
    let replaced = new.iter().map(|entry| entry.entry_id.clone());
    let away: Vec<String> = replaced.chain(gone).collect();
    if !away.is_empty() {
        tx.execute_later(&REMOVE, params![id, tenant, away]);
    }
    let rows: Result<Vec<Vec<pando_database::Value>>, Fault> = new
        .iter()
        .map(|entry| {
            let content = pando_database::Value::json(&entry.content).map_err(Fault::internal)?;
            let (entry_id, version) = (entry.entry_id.as_str(), entry.entry_version.as_str());
            Ok(params![tenant, id, entry_id, version, content, entry.changed_in].into())
        })
        .collect();
    tx.bulk_insert(&ADD, rows?).await?;
    Ok(())
}

/// The latest changes of a list, the newest first.
pub(crate) async fn changes(
    read: &Read<'_>,
    (tenant, id): (&Tenant, Uuid),
    count: usize,
) -> Result<Vec<ListChange>, Fault> {
    let rows = read.rows(&CHANGES, params![id, tenant, limit(count)]).await?;
    let change = |row: &Row| {
        Ok(ListChange {
            version: row.get("version")?,
            added: row.get("added")?,
            changed: row.get("changed")?,
            removed: row.get("removed")?,
            changed_by: row.get("changed_by")?,
            changed_at: row.get("changed_at")?,
        })
    };
    rows.iter().map(change).collect()
}

/// Remembers that a match is false.
pub(crate) fn remember(tx: &mut Transaction, tenant: &Tenant, (business, it): (Uuid, &FalsePositive)) {
    let values = params![
        tenant,
        business,
        it.source.as_str(),
        it.entry_id.as_str(),
        it.entry_version.as_str(),
        it.reason.as_str(),
        it.created_by.as_str(),
        it.created_at
    ];
    tx.execute_later(&REMEMBER, values);
}

/// The matches that a tenant remembers as false.
pub(crate) async fn remembered(
    read: &Read<'_>,
    tenant: &Tenant,
    count: usize,
) -> Result<Vec<(Uuid, FalsePositive)>, Fault> {
    let rows = read.rows(&REMEMBERED, params![tenant, limit(count)]).await?;
    let remembered = |row: &Row| {
        let business: Uuid = row.get("business_id")?;
        let it = FalsePositive {
            business_id: ids::BUSINESS.show(business),
            source: row.get("source")?,
            entry_id: row.get("entry_id")?,
            entry_version: row.get("entry_version")?,
            reason: row.get("reason")?,
            created_by: row.get("created_by")?,
            created_at: row.get("created_at")?,
        };
        Ok((business, it))
    };
    rows.iter().map(remembered).collect()
}

fn list(row: &Row) -> Result<ListRecord, Fault> {
    Ok(ListRecord {
        id: row.get("id")?,
        name: row.get("name")?,
        kind: super::of_name(&row.get::<String>("kind")?)?,
        entries: row.get("entries")?,
        version: row.get("version")?,
        created_by: row.get("created_by")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

fn entry(row: &Row) -> Result<ListEntry, Fault> {
    Ok(ListEntry {
        entry_id: row.get("entry_id")?,
        entry_version: row.get("entry_version")?,
        content: row.get::<Json<Value>>("content")?.0,
        changed_in: row.get("changed_in")?,
    })
}

fn limit(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
