//! Every statement of this service, each beside the row that it reads. A missing row is `Ok(None)` here and becomes an
//! error only in the operation.

pub(crate) mod changes;
pub(crate) mod derived;
pub(crate) mod erasure;
pub(crate) mod files;
pub(crate) mod imports;
pub(crate) mod lists;
pub(crate) mod parts;
pub(crate) mod search;
pub(crate) mod search_sample;

use pando_clock::Timestamp;
use pando_database::{
    BulkInsert, ColumnType, Database, DatabaseError, Json, Migration, MigrationSet, OnConflict, OwnedQuery,
    Query, Read, Row, Transaction, Value, params,
};
use pando_resilience::{Deadline, Tenant};
use pando_service::Email;
use uuid::Uuid;

use crate::domain::person::Name;
use crate::domain::profile::{Profile, ProfileId};

/// The schema of this service, in the order it came to be.
pub const MIGRATIONS: MigrationSet = MigrationSet {
    service: "profiles",
    migrations: &[
        Migration::new(1, "profiles", include_str!("../migrations/0001_profiles.sql")),
        Migration::new(2, "images", include_str!("../migrations/0002_images.sql")),
        Migration::new(3, "files", include_str!("../migrations/0003_files.sql")),
        Migration::new(4, "imports", include_str!("../migrations/0004_imports.sql")),
        Migration::new(5, "retention", include_str!("../migrations/0005_retention.sql")),
        Migration::new(6, "search", include_str!("../migrations/0006_search.sql")),
        Migration::new(7, "history_bytes", include_str!("../migrations/0007_history_bytes.sql")),
        Migration::new(8, "search_waiting", include_str!("../migrations/0008_search_waiting.sql")),
        Migration::new(9, "tenants", include_str!("../migrations/0009_tenants.sql")),
        Migration::new(10, "tenants_apart", include_str!("../migrations/0010_tenants_apart.sql")),
    ],
};

/// The columns of a profile, which [`profile_from`] reads.
macro_rules! profile_columns {
    () => {
        "id, name, email, bio, image_urls, attributes, version, created_at, updated_at"
    };
}
pub(crate) use profile_columns;

/// A profile as it stands in its row, deleted or not.
#[derive(Clone, Debug)]
pub(crate) struct StoredProfile {
    pub(crate) profile: Profile,
    pub(crate) created_by: String,
    pub(crate) deleted_at: Option<Timestamp>,
}

/// A deleted profile is passed over here and not in the statement: see the migration `tenants`.
static FIND: OwnedQuery = OwnedQuery::new(
    "profiles.find",
    concat!("select ", profile_columns!(), ", deleted_at from profiles where id = any($1) and tenant = $2"),
);

static FIND_STORED: Query = Query::point(
    "profiles.find_stored",
    concat!(
        "select ",
        profile_columns!(),
        ", created_by, deleted_at from profiles where id = $1 and tenant = $2"
    ),
);

static LOCK: Query = Query::point(
    "profiles.lock",
    concat!(
        "select ",
        profile_columns!(),
        ", created_by, deleted_at from profiles where id = $1 and tenant = $2 for update"
    ),
);

static LOCK_MANY: Query = Query::scan(
    "profiles.lock_many",
    concat!(
        "select ",
        profile_columns!(),
        ", created_by, deleted_at from profiles where id = any($1) and tenant = $2 order by id for update"
    ),
);

/// `tenant || ''`: see the migration `tenants`.
static EMAILS_IN_USE: Query = Query::scan(
    "profiles.emails_in_use",
    "select email_key from profiles where email_key = any($1) and tenant || '' = $2 and deleted_at is null",
);

/// The columns that every change writes; the values are in the same order.
static UPDATE: Query = Query::point(
    "profiles.update",
    "update profiles set name = $3, email = $4, email_key = $5, bio = $6, image_urls = $7, attributes = $8, \
     search_text = $9, version = $10, updated_at = $11 where tenant = $1 and id = $2",
);

static MARK: Query = Query::point(
    "profiles.mark",
    "update profiles set version = $2, updated_at = $3, deleted_at = $4 where id = $1 and tenant = $5",
);

/// New profiles. Of many at once, those whose id or e-mail is taken are left out.
static INSERT: BulkInsert = BulkInsert {
    name: "profiles.insert",
    table: "profiles",
    columns: &[
        ("tenant", ColumnType::Text),
        ("id", ColumnType::Uuid),
        ("name", ColumnType::Text),
        ("email", ColumnType::Text),
        ("email_key", ColumnType::Text),
        ("bio", ColumnType::Text),
        ("image_urls", ColumnType::Json),
        ("attributes", ColumnType::Json),
        ("search_text", ColumnType::Text),
        ("version", ColumnType::Bigint),
        ("updated_at", ColumnType::Timestamp),
        ("created_at", ColumnType::Timestamp),
        ("created_by", ColumnType::Text),
    ],
    // Whichever unique constraint it is: the id or the e-mail.
    on_conflict: OnConflict::Skip(""),
    key: "id",
};

/// A living profile.
pub(crate) async fn find(
    read: &Read<'_>,
    tenant: &Tenant,
    id: ProfileId,
) -> Result<Option<Profile>, DatabaseError> {
    living(read.by_key_of(&FIND, tenant, Uuid::from(id)).await?.as_ref())
}

/// A living profile, where reading it needs no waiting.
pub(crate) fn find_at_once(
    database: &Database,
    tenant: &Tenant,
    id: ProfileId,
    deadline: Deadline,
) -> Option<Result<Option<Profile>, DatabaseError>> {
    let found = database.by_key_at_once(&FIND, (tenant, Uuid::from(id)), deadline)?;
    Some(found.and_then(|row| living(row.as_ref())))
}

/// A profile, deleted or not.
pub(crate) async fn find_stored(
    read: &Read<'_>,
    tenant: &Tenant,
    id: ProfileId,
) -> Result<Option<StoredProfile>, DatabaseError> {
    read.row(&FIND_STORED, params![Uuid::from(id), tenant]).await?.as_ref().map(stored_from).transpose()
}

/// A profile, deleted or not, locked until the transaction ends.
pub(crate) async fn lock(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: ProfileId,
) -> Result<Option<StoredProfile>, DatabaseError> {
    tx.row(&LOCK, params![Uuid::from(id), tenant]).await?.as_ref().map(stored_from).transpose()
}

/// Like [`lock`], for many; unknown ids are absent. Locked in the order of their ids, so that two batches never wait for each other.
pub(crate) async fn lock_many(
    tx: &mut Transaction,
    tenant: &Tenant,
    ids: Vec<Uuid>,
) -> Result<Vec<StoredProfile>, DatabaseError> {
    tx.rows(&LOCK_MANY, params![ids, tenant]).await?.iter().map(stored_from).collect()
}

/// Which of these e-mail keys living profiles hold.
pub(crate) async fn emails_in_use(
    tx: &mut Transaction,
    tenant: &Tenant,
    keys: Vec<String>,
) -> Result<Vec<String>, DatabaseError> {
    let rows = tx.rows(&EMAILS_IN_USE, params![keys, tenant]).await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Adds a profile, with whatever the transaction does next, as everything is written that has no result.
pub(crate) fn insert(tx: &mut Transaction, tenant: &Tenant, profile: &Profile, actor: &str) {
    tx.insert_later(&INSERT, insert_values(tenant, profile, actor));
}

/// Adds many profiles; answers with the ids of those that found their id and e-mail free.
pub(crate) async fn insert_many(
    tx: &mut Transaction,
    tenant: &Tenant,
    profiles: &[Profile],
    actor: &str,
) -> Result<Vec<ProfileId>, DatabaseError> {
    let rows = profiles.iter().map(|profile| insert_values(tenant, profile, actor)).collect();
    Ok(tx.bulk_insert(&INSERT, rows).await?.into_iter().map(ProfileId::from).collect())
}

/// Writes a changed profile over its row, which the transaction has locked.
pub(crate) fn update(tx: &mut Transaction, tenant: &Tenant, profile: &Profile) {
    tx.execute_later(&UPDATE, values(tenant, profile));
}

/// Raises the version of a locked profile and marks it deleted or living, nothing else.
pub(crate) fn mark(tx: &mut Transaction, tenant: &Tenant, profile: &Profile, deleted_at: Option<Timestamp>) {
    let values = params![Uuid::from(profile.id), profile.version, profile.updated_at, deleted_at, tenant];
    tx.execute_later(&MARK, values);
}

/// Reads the columns of [`profile_columns`].
pub(crate) fn profile_from(row: &Row) -> Result<Profile, DatabaseError> {
    Ok(Profile {
        id: row.get::<Uuid>("id")?.into(),
        name: Name::stored(row.get("name")?),
        email: Email::stored(row.get("email")?),
        bio: row.get("bio")?,
        image_urls: row.get::<Json<_>>("image_urls")?.0,
        attributes: row.get::<Json<_>>("attributes")?.0,
        version: row.get("version")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

/// A profile whose row says when it was deleted, if it was not.
pub(crate) fn living(row: Option<&Row>) -> Result<Option<Profile>, DatabaseError> {
    match row {
        Some(row) if row.get::<Option<Timestamp>>("deleted_at")?.is_none() => profile_from(row).map(Some),
        _ => Ok(None),
    }
}

fn stored_from(row: &Row) -> Result<StoredProfile, DatabaseError> {
    Ok(StoredProfile {
        profile: profile_from(row)?,
        created_by: row.get("created_by")?,
        deleted_at: row.get("deleted_at")?,
    })
}

/// The values of [`INSERT`]: those of an update, and who created the profile when.
fn insert_values(tenant: &Tenant, profile: &Profile, actor: &str) -> Vec<Value> {
    let mut values = values(tenant, profile);
    values.extend(params![profile.created_at, actor]);
    values
}

fn values(tenant: &Tenant, profile: &Profile) -> Vec<Value> {
    let mut values = Vec::with_capacity(INSERT.columns.len());
    values.extend(params![
        tenant,
        Uuid::from(profile.id),
        profile.name.as_str(),
        profile.email.as_str(),
        profile.email.key(),
        profile.bio.as_str(),
        serde_json::Value::from(profile.image_urls.clone()),
        serde_json::Value::Object(profile.attributes.clone()),
        profile.search_text(),
        profile.version,
        profile.updated_at,
    ]);
    values
}
