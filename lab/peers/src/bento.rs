//! Both tiers compared with BentoCache: the same Redis, trace, size of values, room in the first tier, and number of
//! readers.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use futures_util::future::join_all;
use pando_cache::{CacheOptions, Policy, Source};
use pando_servers::Redis;
use serde::Deserialize;
use tokio::runtime::{Builder, Runtime};

use crate::contestants::{Ours, VALUE_BYTES, bounded, call, key, value};
use crate::report::{Report, median};
use crate::second_tier::{AT_ONCE, open};
use crate::trace::Zipf;

const KEYS: u32 = 100_000;
/// Room in the first tier.
const ENTRIES: usize = 10_000;
/// So many requests fill both tiers and are not counted; as many again are.
const WARM_UP: usize = 200_000;

/// The results of one run.
#[derive(Debug, Deserialize)]
struct Seen {
    seconds: f64,
    /// Requests answered by each tier, and by a load.
    l1: usize,
    l2: usize,
    loads: usize,
}

/// Rates and hits in a hundred, by rounds.
#[derive(Default)]
struct Kept {
    rates: Vec<f64>,
    l1: Vec<f64>,
    both: Vec<f64>,
}

pub(crate) fn run(rounds: usize, folder: &Path, redis: &Redis, report: &mut Report) -> Result<()> {
    let program = folder.join("bento.js");
    ensure!(folder.join("node_modules").exists(), "run `npm ci` in {} first", folder.display());
    let place = tempfile::tempdir()?;
    let file = place.path().join("trace");
    let (mut one, mut two, mut bento) = (Kept::default(), Kept::default(), Kept::default());
    for round in 0..rounds {
        eprintln!("  round {} of {rounds}", round + 1);
        let trace = Zipf::new(KEYS, round as u64).take(2 * WARM_UP)?;
        std::fs::write(&file, trace.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>())?;
        let trace: Arc<[u32]> = trace.into();
        for threads in [1, 2] {
            let runtime = Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
            let kept = if threads == 1 { &mut one } else { &mut two };
            kept.add(&ours(&runtime, &trace, redis)?);
        }
        empty(redis)?;
        bento.add(&theirs(&program, &file, redis)?);
    }
    for (name, kept) in [("on one thread", &one), ("on two threads", &two)] {
        let text = format!("L1 + L2, Zipf 0.99: ours {name} / BentoCache on Node's one");
        report.compare(crate::name(text), &kept.rates, &bento.rates, "requests/s", None);
    }
    report.compare("L1 hit ratio, same trace and room: ours / BentoCache", &two.l1, &bento.l1, "%", None);
    report.compare("L1 + L2 hit ratio, same trace: ours / BentoCache", &two.both, &bento.both, "%", None);
    report.figure("BentoCache, L1 + L2", median(&bento.rates), "requests/s", None);
    Ok(())
}

impl Kept {
    fn add(&mut self, seen: &Seen) {
        let all = crate::count(seen.l1 + seen.l2 + seen.loads);
        self.rates.push(all / seen.seconds);
        self.l1.push(100.0 * crate::count(seen.l1) / all);
        self.both.push(100.0 * crate::count(seen.l1 + seen.l2) / all);
    }
}

fn ours(runtime: &Runtime, trace: &Arc<[u32]>, redis: &Redis) -> Result<Seen> {
    empty(redis)?;
    let options = CacheOptions { hottest_sample_one_in: 0, ..bounded(Policy::S3Fifo, ENTRIES) };
    let ours = Arc::new(runtime.block_on(open(options, redis))?);
    runtime.block_on(play(&ours, trace, 0..WARM_UP))?;
    let begun = Instant::now();
    let [l1, l2, loads] = runtime.block_on(play(&ours, trace, WARM_UP..2 * WARM_UP))?;
    Ok(Seen { seconds: begun.elapsed().as_secs_f64(), l1, l2, loads })
}

/// Answers how many requests each tier and the loads answered.
async fn play(ours: &Arc<Ours>, trace: &Arc<[u32]>, part: std::ops::Range<usize>) -> Result<[usize; 3]> {
    let next = Arc::new(AtomicUsize::new(part.start));
    let readers = (0..AT_ONCE).map(|_| {
        let (ours, trace, next) = (Arc::clone(ours), Arc::clone(trace), Arc::clone(&next));
        pando_telemetry::spawn("peers.read", async move {
            let (call, value, mut found) = (call(), value(), [0; 3]);
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                if place >= part.end {
                    return anyhow::Ok(found);
                }
                let source = ours.read(&call, &key(trace[place]), &value).await?.source;
                let counted = match source {
                    Source::L1 | Source::Stale => 0,
                    Source::L2 => 1,
                    Source::Origin => 2,
                };
                found[counted] += 1;
            }
        })
    });
    let mut all = [0; 3];
    for reader in join_all(readers.collect::<Vec<_>>()).await {
        let found = reader??;
        all.iter_mut().zip(found).for_each(|(all, found)| *all += found);
    }
    Ok(all)
}

fn theirs(program: &Path, trace: &Path, redis: &Redis) -> Result<Seen> {
    let mut command = Command::new("node");
    command.arg(program).arg(trace).arg(redis.port().to_string());
    command.args([ENTRIES, VALUE_BYTES, AT_ONCE, WARM_UP].map(|it| it.to_string()));
    let answer = command.output().context("node cannot be run: install Node.js 20 or newer")?;
    let said = String::from_utf8_lossy(&answer.stderr);
    ensure!(answer.status.success(), "the BentoCache part failed: {said}");
    serde_json::from_slice(&answer.stdout).with_context(|| format!("the BentoCache part said: {said}"))
}

fn empty(redis: &Redis) -> Result<()> {
    let answer = redis.ask("FLUSHALL").context("Redis does not answer")?;
    ensure!(answer.starts_with("+OK"), "Redis refused to forget: {answer}");
    Ok(())
}
