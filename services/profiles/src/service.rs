//! The service as a process runs it.

use std::time::Duration;

use pando_http::ServiceRoutes;
use pando_queue::Registry;
use pando_resilience::Call;
use pando_service::{Blueprint, OwnQueue, Parts, Service};

use crate::domain::events::EVENTS;
use crate::http;
use crate::images::{described_image_routes, image_limits, image_routes};
use crate::{Images, MIGRATIONS, Profiles, ProfilesOptions};

/// How long filling the cache may hold up the start.
const WARM_BUDGET: Duration = Duration::from_secs(30);

/// The service before it is opened.
pub const BLUEPRINT: Blueprint = Blueprint {
    name: "profiles",
    migrations: Some(MIGRATIONS),
    events: EVENTS,
    queues: &[
        OwnQueue { name: "erasure", concurrency: 2, kinds: &["erase", "image_blobs_remove"] },
        OwnQueue { name: "exports", concurrency: 2, kinds: &["export"] },
        OwnQueue { name: "imports", concurrency: 2, kinds: &["import", "profile_reindex"] },
        OwnQueue { name: "images", concurrency: 4, kinds: &["image_variants", "image_sweep"] },
    ],
    described: || {
        vec![
            ServiceRoutes::described("profiles", http::described_routes()),
            ServiceRoutes::described("images", described_image_routes()),
        ]
    },
};

/// Opens the service, and adds its jobs to those that the process can run.
pub fn open(
    parts: &Parts,
    options: ProfilesOptions,
    registry: &mut Registry,
) -> Result<Service, Box<dyn std::error::Error + Send + Sync>> {
    let profiles = Profiles::new(parts, options.clone())?;
    let images = Images::new(&profiles, parts, &options)?;
    profiles.add_kinds(registry)?;
    images.add_kinds(registry)?;
    let routes = ServiceRoutes::new("profiles", http::routes(profiles.clone()), http::limits())
        .hot_read(http::hot_read(&profiles));
    let image_service = ServiceRoutes::new("images", image_routes(images.clone()), image_limits());
    Ok(Service {
        routes: vec![routes, image_service],
        operator_routes: vec![ServiceRoutes::new(
            "profiles",
            http::operator_routes(profiles.clone()),
            Vec::new(),
        )],
        subscribers: vec![profiles.memory().subscriber()],
        schedules: images.schedules(registry)?,
        warm_up: Some(Box::pin(warm(profiles, options.cache_warm_profiles))),
        on_drain: None,
    })
}

/// A cold cache is no reason not to start.
async fn warm(profiles: Profiles, profiles_max: usize) {
    if profiles_max > 0
        && let Err(error) = profiles.warm_cache(&Call::internal("warm-up", WARM_BUDGET), profiles_max).await
    {
        tracing::warn!(%error, "the cache was not warmed");
    }
}
