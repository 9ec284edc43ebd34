//! Every statement about the log.

use std::collections::BTreeMap;

use pando_clock::Timestamp;
use pando_database::{
    BatchQuery, BulkInsert, ColumnType, ComposedQuery, DatabaseError, OnConflict, Query, Read, Row,
    Transaction, Value, params,
};
use pando_resilience::Tenant;

use crate::Head;
use crate::entry::StoredEntry;

/// The columns of an entry.
macro_rules! columns {
    ($($more:expr),*) => {
        &[
            ("tenant", ColumnType::Text),
            ("id", ColumnType::Uuid),
            ("at", ColumnType::Timestamp),
            ("actor", ColumnType::Text),
            ("request_id", ColumnType::Text),
            ("action", ColumnType::Text),
            ("resource", ColumnType::Text),
            ("resource_id", ColumnType::Text),
            ("result", ColumnType::Text),
            ("details", ColumnType::Text),
            ("credential", ColumnType::Text),
            ("client", ColumnType::Text),
            $($more),*
        ]
    };
}

pub(crate) static RECORD: BulkInsert = BulkInsert {
    name: "audit.record",
    table: "audit_unsealed",
    columns: columns!(),
    on_conflict: OnConflict::Fail,
    key: "id",
};

static CHAIN: BulkInsert = BulkInsert {
    name: "audit.chain",
    table: "audit_entries",
    columns: columns!(
        ("number", ColumnType::Bigint),
        ("previous", ColumnType::Bytes),
        ("hash", ColumnType::Bytes)
    ),
    on_conflict: OnConflict::Fail,
    key: "id",
};

static WAITING: Query = Query::scan(
    "audit.waiting",
    "select waiting.tenant, count(*), min(waiting.at), max(head.number) from audit_unsealed as waiting \
     left join audit_heads as head on head.tenant = waiting.tenant group by waiting.tenant \
     order by min(waiting.at) limit $1",
);

static BEGIN_CHAINS: BatchQuery = BatchQuery {
    name: "audit.begin_chains",
    columns: &[("tenant", ColumnType::Text), ("hash", ColumnType::Bytes)],
    sql: "insert into audit_heads (tenant, number, hash) select batch.tenant, 0, batch.hash from batch \
          where true on conflict (tenant) do nothing",
};

/// Chains that another sealer works on are left to it.
static LOCK: Query = Query::write(
    "audit.lock",
    "select tenant, number, hash from audit_heads where tenant = any($1) order by tenant \
     for update skip locked",
);

static TAKE: Query = Query::write(
    "audit.take",
    "delete from audit_unsealed where tenant = $1 and id in (select id from audit_unsealed \
     where tenant = $1 order by id limit $2) \
     returning tenant, id, at, actor, request_id, action, resource, resource_id, result, details, credential, client",
);

static MOVE_HEADS: BatchQuery = BatchQuery {
    name: "audit.move_heads",
    columns: &[("tenant", ColumnType::Text), ("number", ColumnType::Bigint), ("hash", ColumnType::Bytes)],
    sql: "update audit_heads set number = batch.number, hash = batch.hash from batch \
          where audit_heads.tenant = batch.tenant",
};

/// A segment of a chain, in its order, and the head at the same moment: one row at least, where the chain has ended.
const SEGMENT: &str = "select head.number as head_number, head.hash as head_hash, entry.number, entry.previous, \
     entry.hash, entry.tenant, entry.id, entry.at, entry.actor, entry.request_id, entry.action, entry.resource, \
     entry.resource_id, entry.result, entry.details, entry.credential, entry.client \
     from (select 1 as one) as log left join audit_heads as head on head.tenant = $1 \
     left join (select number, previous, hash, tenant, id, at, actor, request_id, action, resource, resource_id, \
     result, details, credential, client from audit_entries where tenant = $1 and number >= $2 order by number limit $3) as entry \
     on true order by entry.number";

static NEXT_NUMBER: Query = Query::scan(
    "audit.next_number",
    "select min(number) from audit_entries where tenant = $1 and number >= $2",
);

static UNSEALED: Query =
    Query::scan("audit.unsealed", "select count(*) from audit_unsealed where tenant = $1");

/// Jumps from tenant to tenant: a `distinct` would read every entry.
static TENANTS: Query = Query::scan(
    "audit.tenants",
    "with recursive chains (tenant) as (select min(tenant) from audit_entries union all \
     select (select min(entry.tenant) from audit_entries as entry where entry.tenant > chains.tenant) \
     from chains where chains.tenant is not null) \
     select tenant from chains where tenant is not null union select tenant from audit_heads \
     union select tenant from audit_unsealed",
);

/// Entries of a tenant that are not sealed yet.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) tenant: String,
    pub(crate) entries: i64,
    pub(crate) oldest: Timestamp,
    /// The tenant has a head already.
    pub(crate) has_head: bool,
}

/// The tenants with entries that are not sealed, those that have waited longest first.
pub(crate) async fn waiting(read: &Read<'_>, tenants_max: usize) -> Result<Vec<Waiting>, DatabaseError> {
    let rows = read.rows(&WAITING, params![count(tenants_max)]).await?;
    let waiting = rows.iter().map(|row| {
        let has_head = row.get::<Option<i64>>(3)?.is_some();
        Ok(Waiting { tenant: row.get(0)?, entries: row.get(1)?, oldest: row.get(2)?, has_head })
    });
    waiting.collect()
}

/// Gives these tenants a head, those that have none.
pub(crate) async fn begin_chains(tx: &mut Transaction, tenants: Vec<String>) -> Result<(), DatabaseError> {
    let hash = Head::EMPTY.hash;
    let rows = tenants.into_iter().map(|tenant| Vec::from(params![tenant, &hash[..]])).collect();
    tx.batch(&BEGIN_CHAINS, rows).await.map(drop)
}

/// Locks the heads of these tenants that no other sealer has locked.
pub(crate) async fn lock(
    tx: &mut Transaction,
    tenants: Vec<String>,
) -> Result<BTreeMap<String, Head>, DatabaseError> {
    let rows = tx.rows(&LOCK, params![tenants]).await?;
    let heads = rows.iter().map(|row| {
        let head = Head { number: row.get(1)?, hash: hash_from(row, "hash")? };
        Ok((row.get(0)?, head))
    });
    heads.collect()
}

/// Takes so many unsealed entries of each tenant, in the order in which they are to be sealed. A statement for each tenant finds
/// them in the order of the key; one statement for all would have to sort a backlog.
pub(crate) async fn take(
    tx: &mut Transaction,
    tenants: impl Iterator<Item = &String>,
    entries_each: usize,
) -> Result<Vec<StoredEntry>, DatabaseError> {
    let sets = tenants.map(|tenant| Vec::from(params![tenant, count(entries_each)])).collect();
    let rows = tx.rows_each(&TAKE, sets).await?;
    let mut entries: Vec<StoredEntry> = rows.iter().map(StoredEntry::from_row).collect::<Result<_, _>>()?;
    entries.sort_unstable_by(|one, two| (&one.tenant, one.id).cmp(&(&two.tenant, two.id)));
    Ok(entries)
}

/// Adds entries to their chains. Each comes with the hash before it and its own place.
pub(crate) async fn chain(
    tx: &mut Transaction,
    links: Vec<(StoredEntry, [u8; 32], Head)>,
) -> Result<(), DatabaseError> {
    let row = |(entry, previous, head): (StoredEntry, [u8; 32], Head)| {
        let mut values = entry.into_values();
        values.extend(params![head.number, &previous[..], &head.hash[..]]);
        values
    };
    tx.bulk_insert(&CHAIN, links.into_iter().map(row).collect()).await.map(drop)
}

/// Moves heads to the ends of their chains.
pub(crate) async fn move_heads(
    tx: &mut Transaction,
    heads: impl Iterator<Item = (&String, Head)>,
) -> Result<(), DatabaseError> {
    let row = |(tenant, head): (&String, Head)| Vec::from(params![tenant, head.number, &head.hash[..]]);
    tx.batch(&MOVE_HEADS, heads.map(row).collect()).await.map(drop)
}

/// The statement that reads the entries from a number on.
pub(crate) fn segment(tenant: &Tenant, from: i64, entries_max: usize) -> ComposedQuery {
    let mut query = ComposedQuery::scan("audit.segment");
    query.push(SEGMENT, params![tenant, from, count(entries_max)]);
    query
}

/// The first number from this one on.
pub(crate) async fn next_number(
    read: &Read<'_>,
    tenant: &Tenant,
    from: i64,
) -> Result<Option<i64>, DatabaseError> {
    let row = read.row(&NEXT_NUMBER, params![tenant, from]).await?;
    row.map_or(Ok(None), |row| row.get(0))
}

/// The head that came with a segment; none if the tenant has none, or one that cannot be read.
pub(crate) fn head_from(row: &Row) -> Option<Head> {
    Some(Head { number: row.get("head_number").ok()?, hash: hash_from(row, "head_hash").ok()? })
}

/// A hash; a text that has another length is none.
pub(crate) fn hash_from(row: &Row, column: &'static str) -> Result<[u8; 32], DatabaseError> {
    let bytes: Vec<u8> = row.get(column)?;
    bytes.try_into().map_err(|bytes: Vec<u8>| DatabaseError::BadColumn {
        column: column.to_owned(),
        expected: "a hash of 32 bytes",
        found: format!("{} bytes", bytes.len()),
    })
}

/// How many entries of a tenant are not sealed.
pub(crate) async fn unsealed(read: &Read<'_>, tenant: &Tenant) -> Result<i64, DatabaseError> {
    let row = read.row(&UNSEALED, params![tenant]).await?;
    row.map_or(Ok(0), |row| row.get(0))
}

/// Every tenant of which the log has something.
pub(crate) async fn tenants(read: &Read<'_>) -> Result<Vec<Tenant>, DatabaseError> {
    let rows = read.rows(&TENANTS, []).await?;
    rows.iter().map(|row| Ok(Tenant::stored(&row.get::<String>(0)?))).collect()
}

fn count(number: usize) -> Value {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}
