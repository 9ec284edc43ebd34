//! A hot key that expires every second under 10,000 requests a second, which come whether or not the last was answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pando_cache::CacheOptions;
use tokio::runtime::Handle;

use crate::report::Report;
use crate::stampede::{LOAD, Reader};

const TTL: Duration = Duration::from_secs(1);
/// Requests come in small bunches, as a sleeping thread can send them.
const TICK: Duration = Duration::from_millis(1);
const IN_A_TICK: usize = 10;
/// The time before and after a load that still belongs to its expiry.
const BEFORE: Duration = Duration::from_millis(2);
const AFTER: Duration = Duration::from_millis(10);

const OURS: &str = "ours";
const OURS_EARLY: &str = "ours, refreshed early";

/// The results of one run of one cache. Times are in microseconds.
struct Seen {
    /// The 99th percentile while the value was loaded, and as long a time half a second later.
    around: f64,
    away: f64,
    /// The most loads that one expiry caused.
    loads: usize,
}

pub(crate) async fn run(rounds: usize, seconds: u64, report: &mut Report) -> Result<()> {
    let mut seen: Vec<(&'static str, Vec<Seen>)> =
        [OURS, OURS_EARLY, "moka"].into_iter().map(|name| (name, Vec::new())).collect();
    for round in 0..rounds {
        eprintln!("  round {} of {rounds}", round + 1);
        for (name, kept) in &mut seen {
            let options = CacheOptions {
                l1_ttl_ms: u64::try_from(TTL.as_millis())?,
                jitter_percent: 0,
                early_refresh_beta: if *name == OURS {
                    0.0
                } else {
                    CacheOptions::default().early_refresh_beta
                },
                ..CacheOptions::default()
            };
            let reader = match *name {
                "moka" => Reader::moka(TTL),
                name => Reader::ours(name, options).await?,
            };
            kept.push(watch(Arc::new(reader), seconds).await?);
        }
    }
    for (name, kept) in &seen {
        let goal = |goal: f64| (*name != "moka").then_some(goal);
        let (around, away): (Vec<f64>, Vec<f64>) = kept.iter().map(|it| (it.around, it.away)).unzip();
        let text = format!("hot key expiring under 10,000 req/s, p99 away from it / around it: {name}");
        report.compare(crate::name(text), &away, &around, "µs away", None);
        let added: Vec<f64> = kept.iter().map(|it| it.around - it.away).collect();
        let text = format!("what a hot key's expiry adds to the p99: {name}");
        report.difference(crate::name(text), &added, "µs", goal(1_000.0));
        let loads = kept.iter().map(|it| it.loads).max().unwrap_or(0);
        let text = format!("loads of one expiry of a hot key, at most: {name}");
        report.figure(crate::name(text), crate::count(loads), "", goal(1.0));
    }
    Ok(())
}

async fn watch(reader: Arc<Reader>, seconds: u64) -> Result<Seen> {
    let key: Arc<[u8]> = (*b"hot").into();
    ensure!(reader.read(&key).await, "{} answered nothing", reader.name);
    reader.loads.take();
    let ticks = usize::try_from(Duration::from_secs(seconds).as_micros() / TICK.as_micros())?;
    let took: Arc<[AtomicU64]> = (0..ticks * IN_A_TICK).map(|_| AtomicU64::new(0)).collect();
    let begun = Instant::now() + TICK;
    let (sender, to) = (Arc::clone(&reader), Arc::clone(&took));
    let handle = Handle::current();
    // A thread of its own, so that a busy runtime does not delay the sending of requests.
    let sent = tokio::task::spawn_blocking(move || send(&sender, &key, begun, ticks, &to, &handle));
    sent.await?;
    let all_answered = || took.iter().all(|it| it.load(Ordering::Relaxed) > 0);
    let until = Instant::now() + Duration::from_secs(5);
    while !all_answered() && Instant::now() < until {
        tokio::time::sleep(TICK).await;
    }
    ensure!(all_answered(), "{} left requests without an answer", reader.name);
    let loads = reader.loads.take();
    let end = begun + Duration::from_secs(seconds) - TTL;
    let whole: Vec<_> = loads.iter().filter(|(from, to)| *from > begun && *to < end).collect();
    ensure!(!whole.is_empty(), "nothing expired in {seconds} s: --seconds must be more");
    let within = |shift: Duration| {
        let windows = whole.iter().flat_map(|(from, to)| {
            let first = (*from + shift).saturating_duration_since(begun + BEFORE);
            let last = (*to + shift + AFTER).saturating_duration_since(begun);
            tick_of(first)..tick_of(last)
        });
        let places = windows.flat_map(|tick| tick * IN_A_TICK..(tick + 1) * IN_A_TICK);
        let figures = places.filter_map(|place| took.get(place).map(|it| it.load(Ordering::Relaxed)));
        #[expect(clippy::cast_precision_loss, reason = "microseconds of a second")]
        let figures = figures.map(|it| it as f64).collect();
        crate::percentile(figures, 99)
    };
    let loads = most_together(&loads.iter().map(|(from, _)| *from).collect::<Vec<_>>());
    let loads = loads.context("there was a load")?;
    Ok(Seen { around: within(Duration::ZERO), away: within(TTL / 2), loads })
}

/// Sends what is due, when it is due. Latency counts from then, so that no delay of the sender hides one of the cache.
fn send(
    reader: &Arc<Reader>,
    key: &Arc<[u8]>,
    begun: Instant,
    ticks: usize,
    took: &Arc<[AtomicU64]>,
    handle: &Handle,
) {
    let _inside = handle.enter();
    for tick in 0..ticks {
        let due = begun + TICK * u32::try_from(tick).unwrap_or(u32::MAX);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        for place in tick * IN_A_TICK..(tick + 1) * IN_A_TICK {
            let (read, took) = (reader.read(key), Arc::clone(took));
            pando_telemetry::spawn("peers.read", async move {
                if read.await {
                    let micros = u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX);
                    took[place].store(micros.max(1), Ordering::Relaxed);
                }
            });
        }
    }
}

fn tick_of(time: Duration) -> usize {
    usize::try_from(time.as_micros() / TICK.as_micros()).unwrap_or(usize::MAX)
}

/// The most loads that began within the time of two loads: an entry lives longer than that.
fn most_together(begun: &[Instant]) -> Option<usize> {
    let mut begun = begun.to_vec();
    begun.sort();
    begun.iter().map(|from| begun.iter().filter(|it| **it >= *from && **it < *from + 2 * LOAD).count()).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_that_begin_together_belong_to_one_expiry() {
        let now = Instant::now();
        let at = |millis: &[u64]| {
            let begun: Vec<_> = millis.iter().map(|it| now + Duration::from_millis(*it)).collect();
            most_together(&begun)
        };
        assert_eq!(at(&[]), None);
        assert_eq!(at(&[0, 1_000, 2_000]), Some(1));
        assert_eq!(at(&[2_010, 0, 1_000, 2_000]), Some(2));
    }
}
