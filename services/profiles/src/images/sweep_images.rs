//! The sweep: a job that deletes objects to which no row refers, abandoned uploads, expired exports, and profiles that
//! can no longer be restored.

use futures_util::TryStreamExt as _;
use pando_clock::Timestamp;
use pando_objects::ObjectName;
use pando_queue::{JobContext, JobKind, JobResult, JobState, JobType, NoPayload};
use pando_resilience::Tenant;
use pando_service::Fault;
use serde_json::json;
use uuid::Uuid;

use super::{Images, forget_images};
use crate::blobs::{self, Removal, Removing};
use crate::domain::profile::ProfileId;
use crate::files::forget_file;

/// The job that deletes what nobody needs any more.
pub(crate) const SWEEP: JobType<NoPayload> = JobType::new("image_sweep").within_ms(3_600_000);

/// How many objects are looked up at once.
const BATCH: usize = 500;
const DAY_MICROS: i64 = 86_400 * 1_000_000;

pub(crate) fn kind(images: &Images) -> JobKind {
    JobKind {
        summary:
            "Deletes expired exports, files to which no row refers, and profiles that can no longer be restored"
                .to_owned(),
        attempts_max: 3,
        schema: Some(json!({"type": "object"})),
        ..SWEEP.run_by(images, run)
    }
}

async fn run(images: Images, context: JobContext, _: NoPayload) -> JobResult {
    let files = images.forget_expired(&context).await? + images.forget_uploads(&context).await?;
    let profiles = images.purge_profiles(&context).await?;
    let imports = images.purge_imports(&context).await?;
    let unwanted = images.remove_unwanted(&context).await?;
    let unknown = images.remove_unknown(&context).await?;
    Ok(json!({
        "files": files, "profiles": profiles, "imports": imports, "unwanted": unwanted, "unknown": unknown,
    }))
}

impl Images {
    /// Exports whose time is over, and files that will not become whole.
    async fn forget_expired(&self, context: &JobContext) -> Result<u64, Fault> {
        let mut forgotten = 0;
        loop {
            let now = context.clock().now();
            let expired =
                crate::store::files::expired(&context.database().read_primary(context.call()), now).await?;
            if expired.is_empty() {
                return Ok(forgotten);
            }
            for (tenant, id) in expired {
                let mut tx = context.database().transaction(context.call()).await?;
                context.fence(&mut tx).await?;
                // Its writer may have gone on in the last moment.
                let file = crate::store::files::lock(&mut tx, &tenant, id).await?;
                if file.is_some_and(|file| file.expires_at < now) {
                    forget_file(&mut tx, context.queue(), &tenant, id).await?;
                    tx.commit().await?;
                    forgotten += 1;
                }
            }
        }
    }

    /// Deletes uploads whose job will not run any more. A dead job may be redriven as long as it exists.
    async fn forget_uploads(&self, context: &JobContext) -> Result<u64, Fault> {
        let (mut last, mut forgotten) = (Uuid::nil(), 0);
        loop {
            let read = context.database().read_primary(context.call());
            let uploads = crate::store::files::uploads_of_all(&read, last).await?;
            let Some(end) = uploads.last() else { return Ok(forgotten) };
            last = end.id;
            for upload in uploads {
                let owner = context.call().of_tenant(upload.tenant.clone());
                let job = context.queue().find(&owner, upload.id).await?;
                let over = [JobState::Completed, JobState::Cancelled];
                if job.is_none_or(|job| over.contains(&job.state)) {
                    let mut tx = context.database().transaction(context.call()).await?;
                    context.fence(&mut tx).await?;
                    forget_file(&mut tx, context.queue(), &upload.tenant, upload.id).await?;
                    tx.commit().await?;
                    forgotten += 1;
                }
            }
        }
    }

    /// Profiles that were deleted too long ago to be restored, with their parts, their history and their images.
    async fn purge_profiles(&self, context: &JobContext) -> Result<u64, Fault> {
        let before = self.too_old(context);
        let (mut last, mut purged) = ((Tenant::default(), ProfileId::from(Uuid::nil())), 0);
        loop {
            let read = context.database().read_primary(context.call());
            let gone = crate::store::erasure::deleted_before(&read, before, &last).await?;
            let Some(end) = gone.last() else { return Ok(purged) };
            last.clone_from(end);
            for (tenant, id) in gone {
                let mut tx = context.database().transaction(context.call()).await?;
                context.fence(&mut tx).await?;
                // It may have been restored in the last moment.
                let stored = crate::store::lock(&mut tx, &tenant, id).await?;
                if stored.is_some_and(|stored| stored.deleted_at.is_some_and(|at| at < before)) {
                    forget_images(&mut tx, context.queue(), &tenant, id).await?;
                    crate::store::erasure::erase(&mut tx, &tenant, id).await?;
                    tx.commit().await?;
                    purged += 1;
                }
            }
        }
    }

    /// Deletes the records of imports that did not continue for as long as a deleted profile is kept.
    async fn purge_imports(&self, context: &JobContext) -> Result<u64, Fault> {
        let (before, mut purged) = (self.too_old(context), 0);
        loop {
            let mut tx = context.database().transaction(context.call()).await?;
            context.fence(&mut tx).await?;
            let count = crate::store::imports::purge(&mut tx, before).await?;
            tx.commit().await?;
            if count == 0 {
                return Ok(purged);
            }
            purged += count;
        }
    }

    /// Deleted profiles and records of imports from before this moment are purged.
    fn too_old(&self, context: &JobContext) -> Timestamp {
        let days = DAY_MICROS.saturating_mul(i64::from(self.0.restore_days));
        context.clock().now().plus_micros(-days)
    }

    /// Deletes objects that were stored and to which no row came to refer.
    async fn remove_unwanted(&self, context: &JobContext) -> Result<u64, Fault> {
        let before = self.0.blobs.old();
        let (mut last, mut removed) = (String::new(), 0);
        loop {
            let read = context.database().read_primary(context.call());
            let names = blobs::unwanted(&read, before, &last).await?;
            let Some(end) = names.last() else { return Ok(removed) };
            last.clone_from(end);
            removed += self.remove_all(context, &names, Removing::Old).await?;
        }
    }

    /// Objects that no row knows of: a database that was restored knows less than the store.
    async fn remove_unknown(&self, context: &JobContext) -> Result<u64, Fault> {
        let before = self.0.blobs.old();
        let old =
            self.0.objects.list().try_filter(|listed| std::future::ready(listed.found.modified < before));
        let mut batches = old.map_ok(|listed| listed.name.to_string()).try_chunks(BATCH);
        let mut removed = 0;
        while let Some(mut names) = batches.try_next().await.map_err(|broken| broken.1)? {
            let read = context.database().read_primary(context.call());
            let wanted = blobs::referred_to(&read, names.clone()).await?;
            names.retain(|name| !wanted.contains(name));
            removed += self.remove_all(context, &names, Removing::Unknown).await?;
        }
        Ok(removed)
    }

    async fn remove_all(
        &self,
        context: &JobContext,
        names: &[String],
        removing: Removing,
    ) -> Result<u64, Fault> {
        let mut removed = 0;
        for name in names.iter().filter_map(|name| ObjectName::parse(name)) {
            removed +=
                u64::from(self.0.blobs.remove(context.call(), &name, removing).await? == Removal::Gone);
        }
        Ok(removed)
    }
}
