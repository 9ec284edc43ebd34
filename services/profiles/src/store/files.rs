//! The rows of files in pieces.

use pando_clock::Timestamp;
use pando_database::{DatabaseError, Query, Read, Row, Transaction, params};
use pando_resilience::Tenant;
use uuid::Uuid;

use crate::domain::profile::ProfileId;

/// The purpose of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be fetched.
    Export,
    /// To be imported.
    Upload,
}

/// A file as its row has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FileRow {
    pub(crate) tenant: Tenant,
    pub(crate) id: Uuid,
    pub(crate) purpose: Purpose,
    pub(crate) ready: bool,
    pub(crate) profile: Option<ProfileId>,
    pub(crate) media_type: String,
    pub(crate) bytes: i64,
    pub(crate) content_hash: String,
    pub(crate) made_at: Timestamp,
    pub(crate) made_by: String,
    pub(crate) expires_at: Timestamp,
}

/// The columns of a file, in the order [`file_from`] reads them.
macro_rules! file_columns {
    () => {
        "id, purpose, ready, profile_id, media_type, bytes, content_hash, made_at, made_by, expires_at, tenant"
    };
}

static INSERT: Query = Query::write(
    "profiles.insert_file",
    concat!(
        "insert into profile_files (",
        file_columns!(),
        ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
    ),
);

static FIND: Query = Query::point(
    "profiles.find_file",
    concat!("select ", file_columns!(), " from profile_files where id = $1 and tenant = $2"),
);

static FIND_LOCKED: Query = Query::point(
    "profiles.lock_file",
    concat!("select ", file_columns!(), " from profile_files where id = $1 and tenant = $2 for update"),
);

static PROLONG: Query = Query::write(
    "profiles.prolong_file",
    "update profile_files set expires_at = $2 where id = $1 and not ready and tenant = $3",
);

static FINISH: Query = Query::write(
    "profiles.finish_file",
    "update profile_files set ready = true, bytes = $2, content_hash = $3, made_at = $4, expires_at = $5 \
     where id = $1 and not ready and tenant = $6",
);

static ADD_PART: Query = Query::write(
    "profiles.add_file_part",
    "insert into profile_file_parts (file_id, number, blob, bytes) values ($1, $2, $3, $4)",
);

static PARTS: Query = Query::scan(
    "profiles.file_parts",
    "select blob, bytes from profile_file_parts where file_id = $1 \
     and exists (select 1 from profile_files where id = $1 and tenant = $2) order by number",
);

static BLOBS: Query =
    Query::scan("profiles.file_blobs", "select distinct blob from profile_file_parts where file_id = $1");

static DELETE_PARTS: Query =
    Query::write("profiles.delete_file_parts", "delete from profile_file_parts where file_id = $1");

static DELETE: Query = Query::write("profiles.delete_file", "delete from profile_files where id = $1");

static EXPIRED: Query = Query::scan(
    "profiles.expired_files",
    "select tenant, id from profile_files where expires_at < $1 and (purpose = 'export' or not ready) \
     order by expires_at, id limit 100",
);

static UPLOADS: Query = Query::scan(
    "profiles.uploads",
    concat!(
        "select ",
        file_columns!(),
        " from profile_files where purpose = 'upload' and ready and id > $1 and tenant = $2 order by id limit 100"
    ),
);

static UPLOADS_OF_ALL: Query = Query::scan(
    "profiles.uploads_of_all",
    concat!(
        "select ",
        file_columns!(),
        " from profile_files where purpose = 'upload' and ready and id > $1 order by id limit 100"
    ),
);

static UPLOAD_BYTES: Query = Query::point(
    "profiles.upload_bytes",
    "select cast(coalesce(sum(part.bytes), 0) as bigint), \
     cast(coalesce(sum(case when file.tenant = $1 then part.bytes end), 0) as bigint) from profile_files as file \
     join profile_file_parts as part on part.file_id = file.id where file.purpose = 'upload'",
);

static EXPORTS_WITH: Query = Query::scan(
    "profiles.exports_with",
    "select id from profile_files where purpose = 'export' and tenant = $2 \
     and (profile_id = $1 or profile_id is null)",
);

static GATE: Query =
    Query::point("profiles.export_gate", "select id from profile_export_gate where id = 1 for update");

/// Lets no erasure end, and no export begin, before this transaction has ended.
pub(crate) async fn pass_gate(tx: &mut Transaction) -> Result<(), DatabaseError> {
    tx.row(&GATE, params![]).await.map(drop)
}

/// Adds a file.
pub(crate) async fn insert(tx: &mut Transaction, file: &FileRow) -> Result<(), DatabaseError> {
    let values = params![
        file.id,
        file.purpose.name(),
        file.ready,
        file.profile.map(Uuid::from),
        file.media_type.as_str(),
        file.bytes,
        file.content_hash.as_str(),
        file.made_at,
        file.made_by.as_str(),
        file.expires_at,
        &file.tenant
    ];
    tx.execute(&INSERT, values).await.map(drop)
}

/// The file of this id.
pub(crate) async fn find(
    read: &Read<'_>,
    tenant: &Tenant,
    id: Uuid,
) -> Result<Option<FileRow>, DatabaseError> {
    read.row(&FIND, params![id, tenant]).await?.as_ref().map(file_from).transpose()
}

/// The file with this id, locked until the transaction ends.
pub(crate) async fn lock(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: Uuid,
) -> Result<Option<FileRow>, DatabaseError> {
    tx.row(&FIND_LOCKED, params![id, tenant]).await?.as_ref().map(file_from).transpose()
}

/// Adds a part to a file that is not whole yet, and gives it more time; false when it is not there any more.
pub(crate) async fn add_part(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: Uuid,
    (number, blob, bytes): (i64, &str, i64),
    expires_at: Timestamp,
) -> Result<bool, DatabaseError> {
    if tx.execute(&PROLONG, params![id, expires_at, tenant]).await? == 0 {
        return Ok(false);
    }
    tx.execute(&ADD_PART, params![id, number, blob, bytes]).await?;
    Ok(true)
}

/// Says that a file is whole; false when it is not there any more.
pub(crate) async fn finish(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: Uuid,
    (bytes, content_hash): (i64, &str),
    made_at: Timestamp,
    expires_at: Timestamp,
) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&FINISH, params![id, bytes, content_hash, made_at, expires_at, tenant]).await? == 1)
}

/// The parts of a file, in order: the name and size of each.
pub(crate) async fn parts(
    read: &Read<'_>,
    tenant: &Tenant,
    id: Uuid,
) -> Result<Vec<(String, i64)>, DatabaseError> {
    read.rows(&PARTS, params![id, tenant]).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Deletes a file, and returns the names of the objects to which it referred; none if there is no such file.
pub(crate) async fn delete(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: Uuid,
) -> Result<Vec<String>, DatabaseError> {
    // First the file: whoever adds a part to it holds that, too.
    if tx.row(&FIND_LOCKED, params![id, tenant]).await?.is_none() {
        return Ok(Vec::new());
    }
    let rows = tx.rows(&BLOBS, params![id]).await?;
    tx.execute(&DELETE_PARTS, params![id]).await?;
    tx.execute(&DELETE, params![id]).await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Some files of all tenants whose time is over.
pub(crate) async fn expired(read: &Read<'_>, now: Timestamp) -> Result<Vec<(Tenant, Uuid)>, DatabaseError> {
    let file = |row: &Row| Ok((Tenant::stored(&row.get::<String>(0)?), row.get(1)?));
    read.rows(&EXPIRED, params![now]).await?.iter().map(file).collect()
}

/// Some uploads of a tenant that wait for their import or are being imported, after `last` in the order of ids.
pub(crate) async fn uploads(
    read: &Read<'_>,
    tenant: &Tenant,
    last: Uuid,
) -> Result<Vec<FileRow>, DatabaseError> {
    read.rows(&UPLOADS, params![last, tenant]).await?.iter().map(file_from).collect()
}

/// The same of all tenants.
pub(crate) async fn uploads_of_all(read: &Read<'_>, last: Uuid) -> Result<Vec<FileRow>, DatabaseError> {
    read.rows(&UPLOADS_OF_ALL, params![last]).await?.iter().map(file_from).collect()
}

/// How many bytes the uploads of all tenants have together, and those of one.
pub(crate) async fn upload_bytes(read: &Read<'_>, tenant: &Tenant) -> Result<(i64, i64), DatabaseError> {
    let row = read.row(&UPLOAD_BYTES, params![tenant]).await?;
    row.map_or(Ok((0, 0)), |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Every export that a person is or may be in, whole or not.
pub(crate) async fn exports_with(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: ProfileId,
) -> Result<Vec<Uuid>, DatabaseError> {
    tx.rows(&EXPORTS_WITH, params![Uuid::from(id), tenant]).await?.iter().map(|row| row.get(0)).collect()
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Export => "export",
            Self::Upload => "upload",
        }
    }
}

fn file_from(row: &Row) -> Result<FileRow, DatabaseError> {
    let purpose: String = row.get(1)?;
    let profile: Option<Uuid> = row.get(3)?;
    Ok(FileRow {
        id: row.get(0)?,
        purpose: if purpose == Purpose::Upload.name() { Purpose::Upload } else { Purpose::Export },
        ready: row.get(2)?,
        profile: profile.map(ProfileId::from),
        media_type: row.get(4)?,
        bytes: row.get(5)?,
        content_hash: row.get(6)?,
        made_at: row.get(7)?,
        made_by: row.get(8)?,
        expires_at: row.get(9)?,
        tenant: Tenant::stored(&row.get::<String>(10)?),
    })
}
