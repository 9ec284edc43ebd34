//! `pando seed`: creates invented people in the same way as a request does.

mod people;

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use pando_cache::Caches;
use pando_clock::Clock;
use pando_database::Database;
use pando_profiles::{BATCH_ITEMS_MAX, ItemStatus, Profiles};
use pando_resilience::Call;
use pando_telemetry::Metrics;
use serde_json::{Map, Value};

use crate::config::Config;
use crate::{platform, wiring};

use people::{Person, person};

/// How long one batch may take, on a disk as slow as they come.
const BATCH_BUDGET: Duration = Duration::from_secs(60);

/// The result of seeding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seeded {
    /// Profiles made.
    pub created: u64,
    /// People who were there already: seeding twice changes nothing.
    pub present: u64,
}

/// Fills the database the settings name.
pub(crate) async fn run(
    config: &Config,
    count: u64,
    seed: u64,
    clock: &Clock,
    out: &mut dyn Write,
) -> Result<()> {
    let database = Database::open(&config.database_options(), &Metrics::new(), clock)
        .await
        .with_context(|| format!("cannot open the database {}", config.database_place()))?;
    let began = Instant::now();
    let bar = ProgressBar::new(count)
        .with_style(ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} {per_sec} {eta}")?);
    let seeded = async {
        platform::prepare_schema(config, &database).await?;
        // Pages in the caches of other processes are outdated afterwards.
        let caches = Caches::open(&config.redis_options(), &Metrics::new(), clock).await?;
        let parts = wiring::parts(config, (&database, &caches), &Metrics::new(), clock)?;
        let profiles = Profiles::new(&parts, config.profiles_options())?;
        let seeded = seed_profiles(&profiles, count, seed, |done| bar.inc(done)).await;
        caches.close().await;
        seeded
    }
    .await;
    database.close().await;
    bar.finish_and_clear();
    let Seeded { created, present } = seeded?;
    let seconds = began.elapsed().as_secs_f64();
    writeln!(
        out,
        "{created} profiles created, {present} were there already, in {seconds:.1} s ({})",
        config.database_place()
    )?;
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
