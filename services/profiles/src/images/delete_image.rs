//! Deletes images; a job deletes their objects when no other row refers to them.

use pando_database::{DatabaseError, Transaction};
use pando_queue::{Queue, QueueError};
use pando_resilience::{Call, Tenant};
use pando_service::{Expected, Fault, Written};
use serde::{Deserialize, Serialize};

use super::remove_blobs::{NAMES_MAX, Names, REMOVE};
use super::{Images, no_image, store};
use crate::domain::profile::ProfileId;

/// The result of a deletion.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ImageDeleted {
    /// The profile's version without the image.
    pub version: i64,
}

impl Images {
    /// Deletes an image, and its address from `image_urls` where it stands there.
    pub async fn delete_image(
        &self,
        call: &Call,
        id: ProfileId,
        expected: &Expected,
        number: i64,
    ) -> Result<Written<ImageDeleted>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let mut write = turn.begin().await?;
            let ticket = write.before_change(id.into());
            let stored = self.0.profiles.lock_living(&mut write, id, expected).await?;
            let image = store::find(&mut write.tx, call.tenant(), id, number).await?.ok_or_else(no_image)?;
            let blobs = store::delete(&mut write.tx, call.tenant(), id, number).await?;
            enqueue_removal(&mut write.tx, &self.0.queue, call.tenant(), blobs).await?;
            let mut draft = stored.profile.draft();
            draft.image_urls.retain(|url| *url != image.url);
            let version = self.0.profiles.write_draft(&mut write, &stored, draft, ticket).await?.version;
            write.about(id);
            write.done(ImageDeleted { version })
        });
        write.await
    }
}

/// Deletes every image of a profile in this transaction; a job deletes their objects once it is committed. The profile's
/// own row is the caller's. How many there were, and the names of their objects.
pub(crate) async fn forget_images(
    tx: &mut Transaction,
    queue: &Queue,
    tenant: &Tenant,
    id: ProfileId,
) -> Result<(u64, Vec<String>), QueueError> {
    let (count, blobs) = store::delete_all(tx, tenant, id).await?;
    enqueue_removal(tx, queue, tenant, blobs.clone()).await?;
    Ok((count, blobs))
}

/// Whether a locked profile has images.
pub(crate) async fn has_images(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: ProfileId,
) -> Result<bool, DatabaseError> {
    Ok(store::last_number(tx, tenant, id).await?.1 > 0)
}

/// Enqueues a job that deletes these objects after the commit, once no upload can be about to refer to them.
pub(crate) async fn enqueue_removal(
    tx: &mut Transaction,
    queue: &Queue,
    tenant: &Tenant,
    blobs: Vec<String>,
) -> Result<(), QueueError> {
    for names in blobs.chunks(NAMES_MAX) {
        let job = REMOVE.job(&Names { names: names.to_vec() })?;
        queue.enqueue(tx, job.of_tenant(tenant)).await?;
    }
    Ok(())
}
