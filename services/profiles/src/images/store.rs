//! Every statement about images, each beside the row that it reads.

use pando_clock::Timestamp;
use pando_database::{DatabaseError, Query, Read, Row, Transaction, params};
use pando_images::Encoded;
use pando_objects::ObjectName;
use pando_resilience::Tenant;
use uuid::Uuid;

use crate::domain::profile::ProfileId;

/// An image as its row has it.
#[derive(Clone, Debug)]
pub(crate) struct ImageRow {
    pub(crate) number: i64,
    pub(crate) blob: String,
    pub(crate) url: String,
    pub(crate) ready: bool,
    pub(crate) created_at: Timestamp,
}

/// A file of an image.
#[derive(Clone, Debug)]
pub(crate) struct FileRow {
    pub(crate) number: i64,
    /// 0 for the original.
    pub(crate) edge: i64,
    pub(crate) blob: String,
    pub(crate) width: i64,
    pub(crate) height: i64,
    pub(crate) bytes: i64,
}

static LIST: Query = Query::scan(
    "profiles.images",
    "select number, blob, url, ready, created_at from profile_images where tenant = $2 and profile_id = $1 order by number",
);

static LIST_FILES: Query = Query::scan(
    "profiles.image_files",
    "select number, edge, blob, width, height, bytes from profile_image_files where tenant = $2 and profile_id = $1 \
     order by number, edge, ending",
);

static FILES_OF: Query = Query::point(
    "profiles.files_of_image",
    "select number, edge, blob, width, height, bytes from profile_image_files \
     where tenant = $3 and profile_id = $1 and number = $2 order by edge, ending",
);

static LAST_NUMBER: Query = Query::point(
    "profiles.last_image",
    "select cast(coalesce(max(number), 0) as bigint), count(*) from profile_images where tenant = $2 and profile_id = $1",
);

static FIND: Query = Query::point(
    "profiles.find_image",
    "select number, blob, url, ready, created_at from profile_images where tenant = $3 and profile_id = $1 and number = $2 for update",
);

static FIND_BY_BLOB: Query = Query::point(
    "profiles.find_image_by_blob",
    "select number, blob, url, ready, created_at from profile_images where tenant = $3 and profile_id = $1 and blob = $2",
);

static INSERT: Query = Query::write(
    "profiles.insert_image",
    "insert into profile_images (profile_id, number, blob, url, ready, created_at, created_by, tenant) \
     values ($1, $2, $3, $4, false, $5, $6, $7)",
);

static INSERT_FILE: Query = Query::write(
    "profiles.insert_image_file",
    "insert into profile_image_files (profile_id, number, edge, ending, blob, width, height, bytes, tenant) \
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing",
);

static SET_READY: Query = Query::write(
    "profiles.image_ready",
    "update profile_images set ready = true where tenant = $3 and profile_id = $1 and number = $2",
);

static BLOBS_OF: Query = Query::point(
    "profiles.image_blobs",
    "select distinct blob from profile_image_files where tenant = $3 and profile_id = $1 and number = $2",
);

static BLOBS_OF_PROFILE: Query = Query::point(
    "profiles.profile_image_blobs",
    "select distinct blob from profile_image_files where tenant = $2 and profile_id = $1",
);

static DELETE_FILES: Query = Query::write(
    "profiles.delete_image_files",
    "delete from profile_image_files where tenant = $3 and profile_id = $1 and number = $2",
);

static DELETE: Query = Query::write(
    "profiles.delete_image",
    "delete from profile_images where tenant = $3 and profile_id = $1 and number = $2",
);

static DELETE_ALL_FILES: Query = Query::write(
    "profiles.delete_profile_image_files",
    "delete from profile_image_files where tenant = $2 and profile_id = $1",
);

static DELETE_ALL: Query = Query::write(
    "profiles.delete_profile_images",
    "delete from profile_images where tenant = $2 and profile_id = $1",
);

/// The images of a profile, in the order they came.
pub(crate) async fn list(
    read: &Read<'_>,
    tenant: &Tenant,
    id: ProfileId,
) -> Result<Vec<ImageRow>, DatabaseError> {
    read.rows(&LIST, params![Uuid::from(id), tenant]).await?.iter().map(image_from).collect()
}

/// Their files.
pub(crate) async fn list_files(
    read: &Read<'_>,
    tenant: &Tenant,
    id: ProfileId,
) -> Result<Vec<FileRow>, DatabaseError> {
    let rows = read.rows(&LIST_FILES, params![Uuid::from(id), tenant]).await?;
    rows.iter().map(file_from).collect()
}

/// The files of one image, as the transaction sees them.
pub(crate) async fn files_of(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: ProfileId,
    number: i64,
) -> Result<Vec<FileRow>, DatabaseError> {
    tx.rows(&FILES_OF, params![Uuid::from(id), number, tenant]).await?.iter().map(file_from).collect()
}

/// The highest number of a profile's images, and how many there are.
pub(crate) async fn last_number(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: ProfileId,
) -> Result<(i64, i64), DatabaseError> {
    let row = tx.row(&LAST_NUMBER, params![Uuid::from(id), tenant]).await?;
    row.map_or(Ok((0, 0)), |row| Ok((row.get(0)?, row.get(1)?)))
}

/// One image, locked until the transaction ends.
pub(crate) async fn find(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: ProfileId,
    number: i64,
) -> Result<Option<ImageRow>, DatabaseError> {
    tx.row(&FIND, params![Uuid::from(id), number, tenant]).await?.as_ref().map(image_from).transpose()
}

/// The image of a profile that has this content.
pub(crate) async fn find_by_blob(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: ProfileId,
    blob: &str,
) -> Result<Option<ImageRow>, DatabaseError> {
    tx.row(&FIND_BY_BLOB, params![Uuid::from(id), blob, tenant]).await?.as_ref().map(image_from).transpose()
}

/// Adds an image.
pub(crate) async fn insert(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: ProfileId,
    image: &ImageRow,
    actor: &str,
) -> Result<(), DatabaseError> {
    let values = params![
        Uuid::from(id),
        image.number,
        image.blob.as_str(),
        image.url.as_str(),
        image.created_at,
        actor,
        tenant
    ];
    tx.execute(&INSERT, values).await.map(drop)
}

/// Adds a file to an image; one that is there stays.
pub(crate) async fn insert_file(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: ProfileId,
    file: &FileRow,
) -> Result<(), DatabaseError> {
    let ending = file.blob.rsplit_once('.').map_or("", |(_, ending)| ending);
    let values = params![
        Uuid::from(id),
        file.number,
        file.edge,
        ending,
        file.blob.as_str(),
        file.width,
        file.height,
        file.bytes,
        tenant
    ];
    tx.execute(&INSERT_FILE, values).await.map(drop)
}

/// Says that every variant is made.
pub(crate) async fn set_ready(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: ProfileId,
    number: i64,
) -> Result<(), DatabaseError> {
    tx.execute(&SET_READY, params![Uuid::from(id), number, tenant]).await.map(drop)
}

/// Deletes an image with its file rows, and returns the names of the objects to which they referred.
pub(crate) async fn delete(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: ProfileId,
    number: i64,
) -> Result<Vec<String>, DatabaseError> {
    let rows = tx.rows(&BLOBS_OF, params![Uuid::from(id), number, tenant]).await?;
    tx.execute(&DELETE_FILES, params![Uuid::from(id), number, tenant]).await?;
    tx.execute(&DELETE, params![Uuid::from(id), number, tenant]).await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Deletes every image of a profile, and returns their number and the names of the objects to which they referred.
pub(crate) async fn delete_all(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: ProfileId,
) -> Result<(u64, Vec<String>), DatabaseError> {
    let rows = tx.rows(&BLOBS_OF_PROFILE, params![Uuid::from(id), tenant]).await?;
    tx.execute(&DELETE_ALL_FILES, params![Uuid::from(id), tenant]).await?;
    let count = tx.execute(&DELETE_ALL, params![Uuid::from(id), tenant]).await?;
    let blobs: Result<Vec<String>, DatabaseError> = rows.iter().map(|row| row.get(0)).collect();
    Ok((count, blobs?))
}

fn image_from(row: &Row) -> Result<ImageRow, DatabaseError> {
    Ok(ImageRow {
        number: row.get(0)?,
        blob: row.get(1)?,
        url: row.get(2)?,
        ready: row.get(3)?,
        created_at: row.get(4)?,
    })
}

fn file_from(row: &Row) -> Result<FileRow, DatabaseError> {
    Ok(FileRow {
        number: row.get(0)?,
        edge: row.get(1)?,
        blob: row.get(2)?,
        width: row.get(3)?,
        height: row.get(4)?,
        bytes: row.get(5)?,
    })
}

/// The row of a file.
pub(crate) fn file_row(number: i64, edge: u32, encoded: &Encoded, blob: &ObjectName) -> FileRow {
    FileRow {
        number,
        edge: i64::from(edge),
        blob: blob.to_string(),
        width: i64::from(encoded.width),
        height: i64::from(encoded.height),
        bytes: i64::try_from(encoded.content.len()).unwrap_or(i64::MAX),
    }
}
