//! Deletes images; a job deletes their objects when no other row refers to them.

use pando_database::{DatabaseError, Transaction};
use pando_queue::{Job, Queue, QueueError};
use pando_resilience::Call;

use super::{ImageError, Images, remove_blobs, store};
use crate::memory::Changes;
use crate::once::Outcome;
use crate::profile::ProfileId;
use crate::{Expected, Profiles, Written};

impl Images {
    /// Deletes an image, and its address from `image_urls` where it stands there; the profile's version without it.
    pub async fn delete_image(
        &self,
        profiles: &Profiles,
        call: &Call,
        id: ProfileId,
        expected: &Expected,
        number: i64,
    ) -> Result<Written<i64>, ImageError> {
        let ticket = profiles.0.memory.before_change(id);
        let (mut tx, stored) = profiles.lock_living(call, id, expected).await?;
        let image = store::find(&mut tx, id, number).await?.ok_or(ImageError::NotFound)?;
        let blobs = store::delete(&mut tx, id, number).await?;
        enqueue_removal(&mut tx, &self.0.queue, blobs).await?;
        let mut draft = stored.profile.draft();
        draft.image_urls.retain(|url| *url != image.url);
        let (mut changes, mut version) = (Changes::default(), stored.profile.version);
        if draft.image_urls != stored.profile.image_urls {
            changes = profiles.change_urls(&mut tx, call, &stored, draft, ticket).await?;
            version += 1;
        }
        profiles.keep_answer(&mut tx, Some(id), Outcome::ImageGone(version)).await?;
        Ok(Written { value: version, token: profiles.commit(call, tx, changes).await? })
    }
}

/// Deletes every image of a profile in this transaction; a job deletes their objects once it is committed. The profile's
/// own row is the caller's. How many there were, and the names of their objects.
pub(crate) async fn forget_images(
    tx: &mut Transaction,
    queue: &Queue,
    id: ProfileId,
) -> Result<(u64, Vec<String>), QueueError> {
    let (count, blobs) = store::delete_all(tx, id).await?;
    enqueue_removal(tx, queue, blobs.clone()).await?;
    Ok((count, blobs))
}

/// Whether a locked profile has images.
pub(crate) async fn has_images(tx: &mut Transaction, id: ProfileId) -> Result<bool, DatabaseError> {
    Ok(store::last_number(tx, id).await?.1 > 0)
}

/// Enqueues a job that deletes these objects after the commit, once no upload can be about to refer to them.
pub(crate) async fn enqueue_removal(
    tx: &mut Transaction,
    queue: &Queue,
    blobs: Vec<String>,
) -> Result<(), QueueError> {
    for names in blobs.chunks(remove_blobs::NAMES_MAX) {
        let job = Job {
            settings: remove_blobs::settings(),
            ..Job::new(remove_blobs::KIND, remove_blobs::payload(names))
        };
        queue.enqueue(tx, job).await?;
    }
    Ok(())
}
