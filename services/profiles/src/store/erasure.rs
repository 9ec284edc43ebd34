//! Removes a person from every table of this service.

use pando_clock::Timestamp;
use pando_database::{DatabaseError, Query, Read, Transaction, params};
use uuid::Uuid;

use crate::profile::ProfileId;

static ADDRESS: Query =
    Query::write("profiles.erase_address", "delete from profile_addresses where profile_id = $1");
static PREFERENCES: Query =
    Query::write("profiles.erase_preferences", "delete from profile_preferences where profile_id = $1");
static CHANGES: Query =
    Query::write("profiles.erase_changes", "delete from profile_changes where profile_id = $1");
static PROFILE: Query = Query::write("profiles.erase", "delete from profiles where id = $1");

static DELETED_BEFORE: Query = Query::scan(
    "profiles.deleted_before",
    "select id from profiles where deleted_at < $1 and id > $2 order by id limit 100",
);

static EMAILS_OF_OTHERS: Query = Query::scan(
    "profiles.emails_of_others",
    "select email_key from profiles where email_key = any($1) and id <> $2",
);

/// How many rows were removed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Removed {
    pub(crate) addresses: u64,
    pub(crate) preferences: u64,
    pub(crate) changes: u64,
}

/// Removes a locked profile, its parts and its history.
pub(crate) async fn erase(tx: &mut Transaction, id: ProfileId) -> Result<Removed, DatabaseError> {
    let key = Uuid::from(id);
    let removed = Removed {
        addresses: tx.execute(&ADDRESS, params![key]).await?,
        preferences: tx.execute(&PREFERENCES, params![key]).await?,
        changes: tx.execute(&CHANGES, params![key]).await?,
    };
    tx.execute(&PROFILE, params![key]).await?;
    Ok(removed)
}

/// Some profiles that were deleted before a moment, after `last` in the order of ids.
pub(crate) async fn deleted_before(
    read: &Read<'_>,
    before: Timestamp,
    last: ProfileId,
) -> Result<Vec<ProfileId>, DatabaseError> {
    let rows = read.rows(&DELETED_BEFORE, params![before, Uuid::from(last)]).await?;
    rows.iter().map(|row| Ok(row.get::<Uuid>(0)?.into())).collect()
}

/// The same, as everybody sees it.
pub(crate) async fn emails_of_others_now(
    read: &Read<'_>,
    id: ProfileId,
    keys: Vec<String>,
) -> Result<Vec<String>, DatabaseError> {
    let rows = read.rows(&EMAILS_OF_OTHERS, params![keys, Uuid::from(id)]).await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Which of these e-mail keys belong to other profiles, living or deleted.
pub(crate) async fn emails_of_others(
    tx: &mut Transaction,
    id: ProfileId,
    keys: Vec<String>,
) -> Result<Vec<String>, DatabaseError> {
    let rows = tx.rows(&EMAILS_OF_OTHERS, params![keys, Uuid::from(id)]).await?;
    rows.iter().map(|row| row.get(0)).collect()
}
