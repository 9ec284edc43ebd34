//! Lists the images of a profile.

use std::collections::HashMap;

use pando_clock::Timestamp;
use pando_database::{DatabaseError, Read};
use pando_images::Format;
use pando_objects::ObjectName;
use pando_resilience::{Call, Tenant};
use pando_service::Fault;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::store::{self, FileRow, ImageRow};
use super::{Images, no_image};
use crate::domain::faults::no_profile;
use crate::domain::profile::ProfileId;

/// An image of a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Image {
    /// The number of the image among the images of its profile.
    #[schema(minimum = 1)]
    pub number: i64,
    /// The address of the file, which is also in `image_urls` of the profile.
    pub url: String,
    /// The media type of the file.
    #[schema(example = "image/jpeg")]
    pub media_type: String,
    /// The width in pixels.
    #[schema(minimum = 1)]
    pub width: i64,
    /// The height in pixels.
    #[schema(minimum = 1)]
    pub height: i64,
    /// The size of the file in bytes.
    #[schema(minimum = 1)]
    pub bytes: i64,
    /// When the image was added.
    #[schema(value_type = String, format = "date-time")]
    pub created_at: Timestamp,
    /// Whether the variants exist; a job makes them soon after the upload.
    pub ready: bool,
    /// Smaller copies, in the image's own format, and as WebP if that file is smaller.
    pub variants: Vec<Variant>,
}

/// A smaller copy of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Variant {
    /// The longest side for which the copy was made; a smaller image is never enlarged.
    #[schema(example = 256)]
    pub edge: i64,
    /// The address of the file.
    pub url: String,
    /// The media type of the file.
    #[schema(example = "image/webp")]
    pub media_type: String,
    /// The width in pixels.
    #[schema(minimum = 1)]
    pub width: i64,
    /// The height in pixels.
    #[schema(minimum = 1)]
    pub height: i64,
    /// The size of the file in bytes.
    #[schema(minimum = 1)]
    pub bytes: i64,
}

/// Everything that the tables hold about the images of a person.
pub(crate) async fn of_person(
    read: &Read<'_>,
    tenant: &Tenant,
    id: ProfileId,
) -> Result<Vec<Value>, DatabaseError> {
    let rows = store::list(read, tenant, id).await?;
    let told = |row: ImageRow| json!({"number": row.number, "url": row.url, "created_at": row.created_at});
    Ok(rows.into_iter().map(told).collect())
}

impl Images {
    /// The images of a profile, in the order they came.
    pub async fn list_images(&self, call: &Call, id: ProfileId) -> Result<Vec<Image>, Fault> {
        let read = self.0.database.read_primary(call);
        crate::store::find(&read, call.tenant(), id).await?.ok_or_else(no_profile)?;
        let rows = store::list(&read, call.tenant(), id).await?;
        let mut files: HashMap<i64, Vec<FileRow>> = HashMap::new();
        for file in store::list_files(&read, call.tenant(), id).await? {
            files.entry(file.number).or_default().push(file);
        }
        // One that was deleted between the two reads has no files.
        let images = rows.into_iter().filter_map(|row| {
            let files = files.remove(&row.number)?;
            self.image(row, &files)
        });
        Ok(images.collect())
    }

    /// One of them.
    pub async fn get_image(&self, call: &Call, id: ProfileId, number: i64) -> Result<Image, Fault> {
        let images = self.list_images(call, id).await?;
        images.into_iter().find(|image| image.number == number).ok_or_else(no_image)
    }

    /// An image made from its rows; `None` without its original.
    pub(crate) fn image(&self, row: ImageRow, files: &[FileRow]) -> Option<Image> {
        let original = files.iter().find(|file| file.edge == 0)?;
        let variants = files.iter().filter(|file| file.edge > 0).map(|file| Variant {
            edge: file.edge,
            url: self.url(&file.blob),
            media_type: media_type(&file.blob),
            width: file.width,
            height: file.height,
            bytes: file.bytes,
        });
        Some(Image {
            number: row.number,
            url: row.url,
            media_type: media_type(&original.blob),
            width: original.width,
            height: original.height,
            bytes: original.bytes,
            created_at: row.created_at,
            ready: row.ready,
            variants: variants.collect(),
        })
    }

    /// The address of an object.
    pub(crate) fn url(&self, name: &str) -> String {
        self.0.options.url(name)
    }
}

fn media_type(name: &str) -> String {
    let format = ObjectName::parse(name).and_then(|name| Format::of_ending(name.ending()));
    format.map_or("application/octet-stream", Format::media_type).to_owned()
}
