//! The job that makes the smaller copies of an image. If it runs again, it makes the same copies.

use std::time::{Duration, Instant};

use pando_images::{Encoded, Format, Picture};
use pando_objects::ObjectName;
use pando_queue::{JobContext, JobError, JobKind, JobResult, JobType};
use pando_service::Fault;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::store::{self, ImageRow, file_row};
use super::{EDGES, Images, described};
use crate::blobs;
use crate::domain::profile::{ProfileId, UUID_PATTERN};

/// The job that makes the variants of an image.
pub(crate) const VARIANTS: JobType<OfImage> = JobType::new("image_variants").within_ms(120_000);

/// In seconds.
const BUCKETS: [f64; 8] = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

/// The payload: an image.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct OfImage {
    pub(crate) profile_id: ProfileId,
    pub(crate) number: i64,
}

pub(crate) fn kind(images: &Images) -> JobKind {
    JobKind {
        public: true,
        scope: Some("images:write"),
        summary: "Makes the smaller copies of an image".to_owned(),
        schema: Some(json!({
            "type": "object",
            "properties": {
                "profile_id": {"type": "string", "pattern": UUID_PATTERN},
                "number": {"type": "integer", "minimum": 1}
            },
            "required": ["profile_id", "number"]
        })),
        ..VARIANTS.run_by(images, run)
    }
}

async fn run(images: Images, context: JobContext, image: OfImage) -> JobResult {
    let OfImage { profile_id: id, number } = image;
    let began = Instant::now();
    let read = context.database().read_primary(context.call());
    let rows = store::list(&read, context.tenant(), id).await?;
    let Some(image) = rows.into_iter().find(|row| row.number == number) else {
        return Ok(json!({"made": 0}));
    };
    let variants = images.variants(&context, &image).await?;
    // One that begins to leave in this moment is made again.
    let mut kept = Vec::with_capacity(variants.len());
    for (edge, variant) in variants {
        let object = images.0.blobs.keep(context.call(), variant.content.clone(), described(variant.format));
        let object = object.await?;
        kept.push((file_row(number, edge, &variant, &object.name), object));
    }
    let mut tx = context.database().transaction(context.call()).await?;
    context.fence(&mut tx).await?;
    if store::find(&mut tx, context.tenant(), id, number).await?.is_none_or(|row| row.blob != image.blob) {
        tx.rollback().await?;
        // The image was deleted meanwhile. After an erasure, no file of the person may be served any more.
        for (_, object) in &kept {
            images.0.blobs.remove_at_once(context.call(), &object.name).await?;
        }
        return Ok(json!({"made": 0}));
    }
    // In one order, so that two jobs with the same content never wait for each other.
    kept.sort_by(|(_, one), (_, other)| one.name.cmp(&other.name));
    for (file, object) in &kept {
        if !blobs::confirm(&mut tx, object, context.clock().now()).await? {
            return Err(JobError::retry_after(Duration::from_millis(200), "a variant began to leave"));
        }
        store::insert_file(&mut tx, context.tenant(), id, file).await?;
    }
    store::set_ready(&mut tx, context.tenant(), id, number).await?;
    context.complete(&mut tx, json!({"made": kept.len()})).await?;
    tx.commit().await?;
    images.told_variants(began.elapsed());
    Ok(json!({"made": kept.len()}))
}

impl Images {
    /// Every smaller copy, largest first: each is made of the one before.
    async fn variants(
        &self,
        context: &JobContext,
        image: &ImageRow,
    ) -> Result<Vec<(u32, Encoded)>, JobError> {
        let name = ObjectName::parse(&image.blob);
        let format = name.as_ref().and_then(|name| Format::of_ending(name.ending()));
        let (Some(name), Some(format)) = (name, format) else {
            return Err(JobError::give_up(format!("{} is not an image", image.blob)));
        };
        let object = self.0.objects.get(context.call(), &name, None).await.map_err(Fault::from)?;
        // It was deleted while this began, or is gone for good: the next attempt can tell.
        let object =
            object.ok_or_else(|| JobError::retry(format!("the object {name} does not exist any more")))?;
        let content = object.read().await.map_err(Fault::from)?;
        let limits = self.0.options.limits();
        let made = self.0.workshop.work(context.call(), move || {
            let mut picture = Picture::decode(format, &content, limits)?;
            drop(content);
            let mut made = Vec::new();
            for edge in EDGES.into_iter().rev() {
                picture = picture.within(edge);
                let plain = picture.encode(format)?;
                if format != Format::WebP {
                    // WebP is written without loss, so for a photograph it would be larger and useless.
                    let webp = picture.encode(Format::WebP)?;
                    made.extend((webp.content.len() < plain.content.len()).then_some((edge, webp)));
                }
                made.push((edge, plain));
            }
            Ok(made)
        });
        Ok(made.await?)
    }

    fn told_variants(&self, took: Duration) {
        let help = "Time to make the variants of one image.";
        self.0
            .metrics
            .histogram("profile_image_variants_seconds", help, &[], &BUCKETS)
            .observe_duration(took);
    }
}
