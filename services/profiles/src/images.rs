//! Images of profiles: uploaded, stored as objects, served, made smaller by a job, and deleted when no row refers to
//! them any more.

mod add_image;
mod addresses;
mod delete_image;
mod http;
mod list_images;
mod make_variants;
pub(crate) mod options;
mod remove_blobs;
mod store;
mod sweep_images;
mod workshop;

use std::sync::Arc;

use pando_database::Database;
use pando_images::{Format, Refusal};
use pando_objects::Objects;
use pando_queue::{Queue, QueueError, Registry, Schedule};
use pando_service::{BadSetting, Class, Fault, Parts, Violations, Writes};
use pando_telemetry::Metrics;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::Profiles;
use crate::blobs::Blobs;
use sweep_images::SWEEP;
use workshop::Workshop;

pub use add_image::Added;
pub use delete_image::ImageDeleted;
pub use list_images::{Image, Variant};
pub use options::ImagesOptions;

pub(crate) use addresses::Addresses;
pub(crate) use delete_image::{enqueue_removal, forget_images, has_images};
pub(crate) use http::{described_image_routes, image_limits, image_routes};
pub(crate) use list_images::of_person;

/// The longest sides of variants.
pub(crate) const EDGES: [u32; 3] = [64, 256, 1024];

/// Images of profiles. Cloning shares them.
#[derive(Clone)]
pub struct Images(Arc<Inner>);

struct Inner {
    /// The owners of the images: a change of images is a change of a profile.
    profiles: Profiles,
    database: Database,
    writes: Writes,
    objects: Objects,
    blobs: Blobs,
    queue: Queue,
    metrics: Metrics,
    workshop: Workshop,
    uploads: Semaphore,
    options: ImagesOptions,
    /// How long a deleted profile can be restored; its images stay as long.
    restore_days: u32,
}

impl Images {
    /// Puts them together.
    pub fn new(
        profiles: &Profiles,
        parts: &Parts,
        options: &crate::ProfilesOptions,
    ) -> Result<Self, BadSetting> {
        let Parts { database, objects, queue, metrics, .. } = parts.clone();
        let images = options.images.clone();
        images.check()?;
        let blobs = Blobs::new(objects.clone(), queue.clone(), images.grace_seconds);
        let inner = Inner {
            profiles: profiles.clone(),
            database,
            writes: profiles.writes().clone(),
            objects,
            blobs,
            queue,
            metrics,
            workshop: Workshop::new(images.decoders),
            uploads: Semaphore::new(images.uploads_max),
            options: images,
            restore_days: options.restore_days,
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Adds the jobs of images to what a program can run.
    pub fn add_kinds(&self, registry: &mut Registry) -> Result<(), QueueError> {
        registry.add(make_variants::kind(self))?;
        registry.add(remove_blobs::kind(self))?;
        registry.add(sweep_images::kind(self))
    }

    /// When the sweep comes.
    pub fn schedules(&self, registry: &Registry) -> Result<Vec<Schedule>, QueueError> {
        let job = registry.job(SWEEP.name(), json!({}));
        let reason =
            |_| QueueError::BadSetting { setting: "images.sweep".into(), reason: "has no job".into() };
        Ok(vec![Schedule {
            name: SWEEP.name().to_owned(),
            expression: self.0.options.sweep.clone(),
            job: job.map_err(reason)?,
        }])
    }
}

/// The profile does not have an image of this number.
fn no_image() -> Fault {
    Fault::not_found("image")
}

/// The upload cannot be taken.
fn refused(refusal: Refusal) -> Fault {
    let told = refusal.to_string();
    match refusal {
        Refusal::Unknown | Refusal::Trailing => Fault::new(Class::UnsupportedMedia, told),
        Refusal::Damaged(_) => Violations::one("image", "damaged", told).into(),
        Refusal::TooManyPixels { .. } | Refusal::TooLong { .. } => {
            Violations::one("image", "too_many_pixels", told).into()
        }
    }
}

/// The ending of the name of such a file, and its media type.
fn described(format: Format) -> (&'static str, &'static str) {
    (format.ending(), format.media_type())
}
