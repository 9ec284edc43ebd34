//! The values that are derived from a profile and stored in its row.

use pando_database::{DatabaseError, Query, Row, Transaction, params};
use pando_resilience::Tenant;
use uuid::Uuid;

use super::{StoredProfile, profile_columns, stored_from};

/// A profile, deleted or not, with what is kept of it.
#[derive(Clone, Debug)]
pub(crate) struct Derived {
    pub(crate) stored: StoredProfile,
    pub(crate) email_key: String,
    pub(crate) search_text: String,
}

static PAGE: Query = Query::scan(
    "profiles.derived_page",
    concat!(
        "select ",
        profile_columns!(),
        ", created_by, deleted_at, email_key, search_text from profiles where id > $1 and tenant = $3 order by id limit $2"
    ),
);

static LOCK: Query = Query::scan(
    "profiles.lock_derived",
    concat!(
        "select ",
        profile_columns!(),
        ", created_by, deleted_at, email_key, search_text from profiles where id = any($1) and tenant = $2 order by id \
         for update"
    ),
);

static REPAIR: Query = Query::write(
    "profiles.repair",
    "update profiles set email_key = $2, search_text = $3, image_urls = $4 where id = $1 and tenant = $5",
);

/// A stretch of a tenant's profiles in the order of their ids.
pub(crate) async fn page(
    tx: &mut Transaction,
    tenant: &Tenant,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Derived>, DatabaseError> {
    tx.rows(&PAGE, params![after, limit, tenant]).await?.iter().map(derived_from).collect()
}

/// These profiles, locked until the transaction ends.
pub(crate) async fn lock(
    tx: &mut Transaction,
    tenant: &Tenant,
    ids: Vec<Uuid>,
) -> Result<Vec<Derived>, DatabaseError> {
    tx.rows(&LOCK, params![ids, tenant]).await?.iter().map(derived_from).collect()
}

/// Writes the derived values of a deleted profile, without a new version.
pub(crate) async fn repair(
    tx: &mut Transaction,
    tenant: &Tenant,
    profile: &crate::domain::profile::Profile,
) -> Result<(), DatabaseError> {
    let values = params![
        Uuid::from(profile.id),
        profile.email.key(),
        profile.search_text(),
        serde_json::Value::from(profile.image_urls.clone()),
        tenant
    ];
    tx.execute(&REPAIR, values).await.map(drop)
}

fn derived_from(row: &Row) -> Result<Derived, DatabaseError> {
    Ok(Derived {
        stored: stored_from(row)?,
        email_key: row.get("email_key")?,
        search_text: row.get("search_text")?,
    })
}
