//! The requests and their order: the same for every contestant, and the same in every run.

use anyhow::{Context, Result};
use fastrand::Rng;

/// How uneven the demand is: that of many measured caches.
const EXPONENT: f64 = 0.99;

/// Draws numbers from 0 up, the smaller the more often: Zipf's law.
pub(crate) struct Zipf {
    /// The share of all draws that a number and those before it have.
    shares: Vec<f64>,
    chance: Rng,
}

impl Zipf {
    pub(crate) fn new(numbers: u32, seed: u64) -> Self {
        let mut sum = 0.0;
        let weights = (1..=numbers).map(|rank| {
            sum += f64::from(rank).powf(-EXPONENT);
            sum
        });
        let shares = weights.collect();
        Self { shares, chance: Rng::with_seed(seed) }
    }

    pub(crate) fn draw(&mut self) -> Result<u32> {
        let all = self.shares.last().context("a law of no numbers")?;
        let drawn = self.chance.f64() * all;
        Ok(u32::try_from(self.shares.partition_point(|share| *share <= drawn))?)
    }

    /// The next so many.
    pub(crate) fn take(&mut self, count: usize) -> Result<Vec<u32>> {
        (0..count).map(|_| self.draw()).collect()
    }
}

/// The same demand, with regular scans through keys that are not requested again.
pub(crate) fn with_scans(zipf: &mut Zipf, count: usize, between: usize, scan: usize) -> Result<Vec<u32>> {
    let mut unseen = u32::try_from(zipf.shares.len())?;
    let mut trace = Vec::with_capacity(count);
    while trace.len() < count {
        trace.extend(zipf.take(between)?);
        let end = unseen + u32::try_from(scan)?;
        trace.extend(unseen..end);
        unseen = end;
    }
    trace.truncate(count);
    Ok(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_drawn_as_often_as_the_law_says_and_every_run_draws_alike() {
        let trace = Zipf::new(1_000, 7).take(100_000).unwrap();
        assert_eq!(trace, Zipf::new(1_000, 7).take(100_000).unwrap());
        assert_ne!(trace, Zipf::new(1_000, 8).take(100_000).unwrap());
        // 1 / (1 + 1/2^0.99 + … + 1/1000^0.99) is 12.9 %.
        let first = trace.iter().filter(|number| **number == 0).count();
        assert!((12_400..13_400).contains(&first), "{first}");
        assert!(trace.iter().all(|number| *number < 1_000));
    }

    #[test]
    fn what_a_scan_reads_is_read_once() {
        let trace = with_scans(&mut Zipf::new(10, 7), 100, 20, 10).unwrap();
        assert_eq!(trace.len(), 100);
        let mut scanned: Vec<u32> = trace.into_iter().filter(|number| *number >= 10).collect();
        let count = scanned.len();
        scanned.dedup();
        assert_eq!((scanned.len(), count), (30, 30));
    }
}
