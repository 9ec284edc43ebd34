//! `pando seed`: creates invented people in the same way as a request does, and a shop full of invented products.

mod dice;
mod goods;
mod people;
mod shop;

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use pando_cache::Caches;
use pando_clock::Clock;
use pando_commerce::Commerce;
use pando_database::Database;
use pando_profiles::{BATCH_ITEMS_MAX, ItemStatus, Profiles};
use pando_resilience::Call;
use pando_service::Parts;
use pando_telemetry::Metrics;
use serde_json::{Map, Value};

use crate::config::Config;
use crate::{platform, wiring};

use people::{Person, person};
pub use shop::seed_products;

/// How long one batch may take, on a disk as slow as they come.
const BATCH_BUDGET: Duration = Duration::from_secs(60);

/// The result of seeding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seeded {
    /// Things made.
    pub created: u64,
    /// Things that were there already: seeding twice changes nothing.
    pub present: u64,
}

/// How many things of each kind are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub(crate) profiles: u64,
    pub(crate) products: u64,
}

/// Fills the database the settings name.
pub(crate) async fn run(
    config: &Config,
    counts: Counts,
    seed: u64,
    clock: &Clock,
    out: &mut dyn Write,
) -> Result<()> {
    if counts.profiles == 0 && counts.products == 0 {
        bail!("say how many things to make: --profiles N, --products N, or both");
    }
    let database = Database::open(&config.database_options(), &Metrics::new(), clock)
        .await
        .with_context(|| format!("cannot open the database {}", config.database_place()))?;
    let seeded = async {
        platform::prepare_schema(config, &database).await?;
        // Pages in the caches of other processes are outdated afterwards.
        let caches = Caches::open(&config.redis_options(), &Metrics::new(), clock).await?;
        let parts = wiring::parts(config, (&database, &caches), &Metrics::new(), clock)?;
        let seeded = seed_all(config, &parts, (counts, seed), out).await;
        caches.close().await;
        seeded
    }
    .await;
    database.close().await;
    seeded
}

async fn seed_all(
    config: &Config,
    parts: &Parts,
    (counts, seed): (Counts, u64),
    out: &mut dyn Write,
) -> Result<()> {
    if counts.profiles > 0 {
        let profiles = Profiles::new(parts, config.profiles_options())?;
        let (began, bar) = (Instant::now(), bar(counts.profiles)?);
        let seeded = seed_profiles(&profiles, counts.profiles, seed, |done| bar.inc(done)).await;
        bar.finish_and_clear();
        report(out, ("profiles", seeded?), began, config)?;
    }
    if counts.products > 0 {
        let commerce = Commerce::new(parts, config.commerce_options(), None)?;
        let (began, bar) = (Instant::now(), bar(counts.products)?);
        let seeded = seed_products(&commerce, counts.products, seed, |done| bar.inc(done)).await;
        bar.finish_and_clear();
        report(out, ("products", seeded?), began, config)?;
    }
    Ok(())
}

fn bar(count: u64) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} {per_sec} {eta}")?;
    Ok(ProgressBar::new(count).with_style(style))
}

fn report(
    out: &mut dyn Write,
    (things, Seeded { created, present }): (&str, Seeded),
    began: Instant,
    config: &Config,
) -> Result<()> {
    let (seconds, place) = (began.elapsed().as_secs_f64(), config.database_place());
    writeln!(out, "{created} {things} created, {present} were there already, in {seconds:.1} s ({place})")?;
    Ok(())
}

/// Writes the first `count` people of the crowd that grows from `seed`, and reports each batch to `progress`.
pub async fn seed_profiles(
    profiles: &Profiles,
    count: u64,
    seed: u64,
    progress: impl Fn(u64),
) -> Result<Seeded> {
    let mut seeded = Seeded::default();
    let mut next = 0;
    while next < count {
        let end = count.min(next + BATCH_ITEMS_MAX as u64);
        let items: Vec<_> = (next..end).map(|index| Ok(fields(person(seed, index)))).collect();
        let written = profiles.write_batch(&Call::internal("seed", BATCH_BUDGET), &items).await?;
        for outcome in &written.value {
            match outcome.status {
                ItemStatus::Created | ItemStatus::Updated => seeded.created += 1,
                ItemStatus::Conflict => seeded.present += 1,
                ItemStatus::Invalid => anyhow::bail!("a made-up profile was refused: {:?}", outcome.errors),
            }
        }
        progress(end - next);
        next = end;
    }
    Ok(seeded)
}

fn fields(person: Person) -> Map<String, Value> {
    [("name", person.name), ("email", person.email), ("bio", person.bio)]
        .into_iter()
        .map(|(field, value)| (field.to_owned(), Value::from(value)))
        .collect()
}
