//! Removes a person from every table of this service.

use pando_clock::Timestamp;
use pando_database::{DatabaseError, Query, Read, Row, Transaction, params};
use pando_resilience::Tenant;
use uuid::Uuid;

use crate::domain::profile::ProfileId;
use crate::store::changes::HISTORY;

static ADDRESS: Query = Query::write(
    "profiles.erase_address",
    "delete from profile_addresses where tenant = $2 and profile_id = $1",
);
static PREFERENCES: Query = Query::write(
    "profiles.erase_preferences",
    "delete from profile_preferences where tenant = $2 and profile_id = $1",
);
static PROFILE: Query = Query::write("profiles.erase", "delete from profiles where id = $1 and tenant = $2");

static DELETED_BEFORE: Query = Query::scan(
    "profiles.deleted_before",
    "select tenant, id from profiles where deleted_at < $1 and (tenant, id) > ($2, $3) order by tenant, id limit 100",
);

static EMAILS_OF_OTHERS: Query = Query::scan(
    "profiles.emails_of_others",
    "select email_key from profiles where email_key = any($1) and tenant = $3 and id <> $2",
);

/// How many rows were removed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Removed {
    pub(crate) addresses: u64,
    pub(crate) preferences: u64,
    pub(crate) changes: u64,
}

/// Removes a locked profile, its parts and its history.
pub(crate) async fn erase(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: ProfileId,
) -> Result<Removed, DatabaseError> {
    let key = Uuid::from(id);
    let removed = Removed {
        addresses: tx.execute(&ADDRESS, params![key, tenant]).await?,
        preferences: tx.execute(&PREFERENCES, params![key, tenant]).await?,
        changes: HISTORY.forget_all(tx, (tenant, key)).await?,
    };
    tx.execute(&PROFILE, params![key, tenant]).await?;
    Ok(removed)
}

/// Some profiles of all tenants that were deleted before a moment, after `last` in their order.
pub(crate) async fn deleted_before(
    read: &Read<'_>,
    before: Timestamp,
    (tenant, last): &(Tenant, ProfileId),
) -> Result<Vec<(Tenant, ProfileId)>, DatabaseError> {
    let rows = read.rows(&DELETED_BEFORE, params![before, tenant, Uuid::from(*last)]).await?;
    let profile = |row: &Row| Ok((Tenant::stored(&row.get::<String>(0)?), row.get::<Uuid>(1)?.into()));
    rows.iter().map(profile).collect()
}

/// The same, as everybody sees it.
pub(crate) async fn emails_of_others_now(
    read: &Read<'_>,
    tenant: &Tenant,
    id: ProfileId,
    keys: Vec<String>,
) -> Result<Vec<String>, DatabaseError> {
    let rows = read.rows(&EMAILS_OF_OTHERS, params![keys, Uuid::from(id), tenant]).await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Which of these e-mail keys belong to other profiles, living or deleted.
pub(crate) async fn emails_of_others(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: ProfileId,
    keys: Vec<String>,
) -> Result<Vec<String>, DatabaseError> {
    let rows = tx.rows(&EMAILS_OF_OTHERS, params![keys, Uuid::from(id), tenant]).await?;
    rows.iter().map(|row| row.get(0)).collect()
}
