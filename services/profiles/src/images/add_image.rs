//! Adds an uploaded image to a profile.

use bytes::Bytes;
use pando_database::Transaction;
use pando_images::{Encoded, Picture};
use pando_queue::Enqueued;
use pando_resilience::{Call, Tenant};
use pando_service::{Expected, Fault, Violations, Write, Written};
use serde::{Deserialize, Serialize};

use super::make_variants::{OfImage, VARIANTS};
use super::store::{self, ImageRow, file_row};
use super::{Image, Images, described, no_image};
use crate::blobs::{self, KeptObject};
use crate::domain::profile::{IMAGE_URLS_BYTES_MAX, IMAGE_URLS_MAX, ProfileId};
use crate::store::StoredProfile;

/// How often an image is put again because its content began to leave in between.
const ATTEMPTS_MAX: usize = 3;

/// The result of an upload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Added {
    /// The image.
    #[serde(flatten)]
    pub image: Image,
    /// False when the profile had this image already.
    pub created: bool,
    /// The profile's version with it.
    pub version: i64,
}

impl Images {
    /// Adds an image to a profile: its file, its row, its place in `image_urls` and the job that makes its variants. One
    /// that the profile has already stays as it is, so that an upload can be repeated; its address comes back into
    /// `image_urls` where it was taken out.
    pub async fn add_image(
        &self,
        call: &Call,
        id: ProfileId,
        expected: &Expected,
        content: Bytes,
    ) -> Result<Written<Added>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let limits = self.0.options.limits();
            let develop = move || {
                let (format, picture) = Picture::read(&content, limits)?;
                drop(content);
                picture.encode(format)
            };
            let encoded = self.0.workshop.work(call, develop).await?;
            for _ in 0..ATTEMPTS_MAX {
                // Durable before anything refers to it.
                let kept =
                    self.0.blobs.keep(call, encoded.content.clone(), described(encoded.format)).await?;
                let mut write = turn.begin().await?;
                if let Some(added) = self.add_kept(&mut write, (id, expected), &encoded, &kept).await? {
                    write.about(id);
                    return write.done(added);
                }
            }
            Err(Fault::busy("the same image is being deleted at this moment"))
        });
        write.await
    }

    /// Refers to an object that is there; nothing when it began to leave.
    async fn add_kept(
        &self,
        write: &mut Write,
        (id, expected): (ProfileId, &Expected),
        encoded: &Encoded,
        kept: &KeptObject,
    ) -> Result<Option<Added>, Fault> {
        let ticket = write.before_change(id.into());
        let stored = self.0.profiles.lock_living(write, id, expected).await?;
        let mut draft = stored.profile.draft();
        if let Some(known) =
            store::find_by_blob(&mut write.tx, write.call.tenant(), id, kept.name.as_str()).await?
        {
            let files = store::files_of(&mut write.tx, write.call.tenant(), id, known.number).await?;
            let image = self.image(known, &files).ok_or_else(no_image)?;
            if !draft.image_urls.contains(&image.url) {
                self.check_room(&stored, 0)?;
                draft.image_urls.push(image.url.clone());
            }
            let version = self.0.profiles.write_draft(write, &stored, draft, ticket).await?.version;
            return Ok(Some(Added { image, created: false, version }));
        }
        let now = self.0.queue.clock().now();
        if !blobs::confirm(&mut write.tx, kept, now).await? {
            return Ok(None);
        }
        let (last, count) = store::last_number(&mut write.tx, write.call.tenant(), id).await?;
        self.check_room(&stored, count)?;
        let image = ImageRow {
            number: last + 1,
            blob: kept.name.to_string(),
            url: self.url(kept.name.as_str()),
            ready: false,
            created_at: now,
        };
        let (tenant, actor) = (write.call.tenant(), write.call.actor());
        store::insert(&mut write.tx, tenant, id, &image, actor).await?;
        let original = file_row(image.number, 0, encoded, &kept.name);
        store::insert_file(&mut write.tx, tenant, id, &original).await?;
        self.enqueue_variants(&mut write.tx, tenant, id, image.number).await?;
        draft.image_urls.push(image.url.clone());
        let version = self.0.profiles.write_draft(write, &stored, draft, ticket).await?.version;
        let image = self.image(image, &[original]).ok_or_else(no_image)?;
        Ok(Some(Added { image, created: true, version }))
    }

    /// A profile has room for so many images, and so many addresses.
    fn check_room(&self, stored: &StoredProfile, count: i64) -> Result<(), Fault> {
        let most = self.0.options.per_profile_max;
        let urls = &stored.profile.image_urls;
        let bytes = urls.iter().map(String::len).sum::<usize>() + self.url("").len() + 80;
        let full = usize::try_from(count).unwrap_or(usize::MAX) >= most || urls.len() >= IMAGE_URLS_MAX;
        if full || bytes > IMAGE_URLS_BYTES_MAX {
            let message = format!(
                "the profile has as many images or addresses as allowed: {most} images, {IMAGE_URLS_MAX} addresses"
            );
            return Err(Violations::one("image", "too_many", message).into());
        }
        Ok(())
    }

    async fn enqueue_variants(
        &self,
        tx: &mut Transaction,
        tenant: &Tenant,
        id: ProfileId,
        number: i64,
    ) -> Result<Enqueued, Fault> {
        let job = VARIANTS.job(&OfImage { profile_id: id, number })?;
        Ok(self.0.queue.enqueue(tx, job.of_tenant(tenant)).await?)
    }
}
