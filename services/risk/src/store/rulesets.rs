//! The statements about the rules of tenants, and about the ground that their decisions stand on.

use pando_service::prelude::*;

use crate::domain::ruleset::{RulesetVersion, VersionRecord};
use crate::rules::State;

macro_rules! columns {
    () => {
        "number, id, hash, name, note, state, restores, rolled_back_from, version, created_by, created_at, updated_at, \
         published_by, published_at"
    };
}

static GROUND: Query =
    Query::point("risk.ground", "select generation, shadow from risk_grounds where tenant = $1");

static OPEN_GROUND: Query = Query::write(
    "risk.open_ground",
    "insert into risk_grounds (tenant, generation) values ($1, 0) on conflict (tenant) do nothing",
);

static LOCK_GROUND: Query = Query::point(
    "risk.lock_ground",
    "select generation, shadow from risk_grounds where tenant = $1 for update",
);

static MOVE_GROUND: Query = Query::write(
    "risk.move_ground",
    "update risk_grounds set generation = generation + 1, shadow = $2 where tenant = $1",
);

static INSERT: Query = Query::write(
    "risk.insert_rules",
    concat!(
        "insert into risk_rule_versions (tenant, ",
        columns!(),
        ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
    ),
);

static UPDATE: Query = Query::write(
    "risk.update_rules",
    "update risk_rule_versions set hash = $3, name = $4, note = $5, state = $6, version = $7, updated_at = $8, \
     published_by = $9, published_at = $10 where number = $1 and tenant = $2",
);

static LAST: Query =
    Query::point("risk.last_rules", "select max(number) from risk_rule_versions where tenant = $1");

static FIND: Query = Query::point(
    "risk.find_rules",
    concat!("select ", columns!(), " from risk_rule_versions where number = $1 and tenant = $2"),
);

static LIVE: Query = Query::point(
    "risk.live_rules",
    concat!("select ", columns!(), " from risk_rule_versions where tenant = $1 and state = 'published'"),
);

static PAGE: Query = Query::scan(
    "risk.list_rules",
    concat!(
        "select ",
        columns!(),
        " from risk_rule_versions where tenant = $1 and number < $2 order by number desc limit $3"
    ),
);

/// The ground of a tenant's decisions, as a counter of its changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct GroundRow {
    pub(crate) generation: i64,
    /// The version of the rules that runs in the shadow.
    pub(crate) shadow: Option<i64>,
}

/// The ground of a tenant; one that never changed anything has the first.
pub(crate) async fn ground(read: &Read<'_>, tenant: &Tenant) -> Result<GroundRow, Fault> {
    let row = read.row(&GROUND, params![tenant]).await?;
    Ok(row.map(|row| ground_of(&row)).transpose()?.unwrap_or_default())
}

/// The same, locked: changes of one tenant's ground come one after the other.
pub(crate) async fn lock_ground(tx: &mut Transaction, tenant: &Tenant) -> Result<GroundRow, Fault> {
    tx.execute_later(&OPEN_GROUND, params![tenant]);
    let row = tx.row(&LOCK_GROUND, params![tenant]).await?;
    Ok(row.map(|row| ground_of(&row)).transpose()?.unwrap_or_default())
}

/// Tells all processes that the ground has changed. The transaction has locked it.
pub(crate) fn move_ground(tx: &mut Transaction, tenant: &Tenant, shadow: Option<i64>) {
    tx.execute_later(&MOVE_GROUND, params![tenant, shadow]);
}

fn ground_of(row: &Row) -> Result<GroundRow, DatabaseError> {
    Ok(GroundRow { generation: row.get("generation")?, shadow: row.get("shadow")? })
}

pub(crate) fn insert(tx: &mut Transaction, tenant: &Tenant, record: &VersionRecord) {
    let shown = &record.shown;
    let values = params![
        tenant,
        number(shown.number),
        record.id,
        shown.hash.as_str(),
        shown.name.as_str(),
        shown.note.as_str(),
        name_of(shown.state),
        shown.restores.map(number),
        shown.rolled_back_from.map(number),
        shown.version,
        shown.created_by.as_str(),
        shown.created_at,
        shown.updated_at,
        shown.published_by.clone(),
        shown.published_at
    ];
    tx.execute_later(&INSERT, values);
}

pub(crate) fn update(tx: &mut Transaction, tenant: &Tenant, record: &VersionRecord) {
    let shown = &record.shown;
    let values = params![
        number(shown.number),
        tenant,
        shown.hash.as_str(),
        shown.name.as_str(),
        shown.note.as_str(),
        name_of(shown.state),
        shown.version,
        shown.updated_at,
        shown.published_by.clone(),
        shown.published_at
    ];
    tx.execute_later(&UPDATE, values);
}

/// The highest number that a tenant's versions have; 0 if there are none.
pub(crate) async fn last_number(tx: &mut Transaction, tenant: &Tenant) -> Result<u64, Fault> {
    let row = tx.row(&LAST, params![tenant]).await?;
    let last: Option<i64> = row.map(|row| row.get(0)).transpose()?.flatten();
    Ok(last.and_then(|last| u64::try_from(last).ok()).unwrap_or_default())
}

pub(crate) async fn find(
    read: &Read<'_>,
    tenant: &Tenant,
    wanted: u64,
) -> Result<Option<VersionRecord>, Fault> {
    read.row(&FIND, params![number(wanted), tenant]).await?.map(|row| record(&row)).transpose()
}

/// The same, in a transaction that has locked the tenant's ground.
pub(crate) async fn find_locked(
    tx: &mut Transaction,
    tenant: &Tenant,
    wanted: u64,
) -> Result<Option<VersionRecord>, Fault> {
    tx.row(&FIND, params![number(wanted), tenant]).await?.map(|row| record(&row)).transpose()
}

/// The version that decides, if the tenant has published one.
pub(crate) async fn live(read: &Read<'_>, tenant: &Tenant) -> Result<Option<VersionRecord>, Fault> {
    read.row(&LIVE, params![tenant]).await?.map(|row| record(&row)).transpose()
}

/// The same, in a transaction that has locked the tenant's ground.
pub(crate) async fn live_locked(
    tx: &mut Transaction,
    tenant: &Tenant,
) -> Result<Option<VersionRecord>, Fault> {
    tx.row(&LIVE, params![tenant]).await?.map(|row| record(&row)).transpose()
}

/// Versions with numbers below one, the newest first.
pub(crate) async fn page(
    read: &Read<'_>,
    tenant: &Tenant,
    (before, count): (u64, usize),
) -> Result<Vec<VersionRecord>, Fault> {
    let limit = i64::try_from(count).unwrap_or(i64::MAX);
    let rows = read.rows(&PAGE, params![tenant, number(before), limit]).await?;
    rows.iter().map(record).collect()
}

fn record(row: &Row) -> Result<VersionRecord, Fault> {
    let count = |column: &'static str| -> Result<Option<u64>, Fault> {
        Ok(row.get::<Option<i64>>(column)?.and_then(|number| u64::try_from(number).ok()))
    };
    let shown = RulesetVersion {
        number: count("number")?.unwrap_or_default(),
        name: row.get("name")?,
        hash: row.get("hash")?,
        state: super::of_name(&row.get::<String>("state")?)?,
        note: row.get("note")?,
        restores: count("restores")?,
        rolled_back_from: count("rolled_back_from")?,
        version: row.get("version")?,
        created_by: row.get("created_by")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        published_by: row.get("published_by")?,
        published_at: row.get("published_at")?,
    };
    Ok(VersionRecord { id: row.get("id")?, shown })
}

fn name_of(state: State) -> &'static str {
    match state {
        State::Draft => "draft",
        State::Tested => "tested",
        State::Published => "published",
        State::Retired => "retired",
    }
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
