//! The hottest keys, from a sample of the hits, in bounded memory (Space-Saving).

use serde::Serialize;

use crate::lock::{Mutex, lock};

const KEYS_MAX: usize = 64;
/// Counts are halved after so many samples, so that yesterday's heat cools down.
const COOLED_EVERY: u64 = 16_384;

#[derive(Default)]
pub(crate) struct Hottest(Mutex<Samples>);

#[derive(Default)]
struct Samples {
    keys: Vec<(Box<[u8]>, u64)>,
    total: u64,
    since_cooled: u64,
}

/// A key that is asked for often.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HotKey {
    /// The key, as far as it is text.
    pub key: String,
    /// Its share of the hits, in percent; at most this much too high where many keys compete.
    pub percent: f64,
}

impl Hottest {
    /// Counts one sampled hit; skipped when another thread is counting.
    pub(crate) fn sample(&self, key: &[u8]) {
        let Ok(mut samples) = self.0.try_lock() else { return };
        samples.total += 1;
        samples.since_cooled += 1;
        if let Some((_, count)) = samples.keys.iter_mut().find(|(known, _)| **known == *key) {
            *count += 1;
        } else if samples.keys.len() < KEYS_MAX {
            samples.keys.push((key.into(), 1));
        } else if let Some(least) = samples.keys.iter_mut().min_by_key(|(_, count)| *count) {
            *least = (key.into(), least.1 + 1);
        }
        if samples.since_cooled >= COOLED_EVERY {
            samples.since_cooled = 0;
            samples.total /= 2;
            samples.keys.iter_mut().for_each(|(_, count)| *count /= 2);
        }
    }

    pub(crate) fn list(&self) -> Vec<HotKey> {
        let samples = lock(&self.0);
        let mut keys: Vec<_> = samples.keys.iter().collect();
        keys.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let percent = |count: u64| count as f64 * 100.0 / samples.total.max(1) as f64;
        let name = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
        keys.into_iter()
            .take(20)
            .map(|(key, count)| HotKey { key: name(key), percent: percent(*count) })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_most_is_found_among_many() {
        let hottest = Hottest::default();
        for number in 0_u32..10_000 {
            hottest.sample(&number.to_be_bytes());
            if number.is_multiple_of(5) {
                hottest.sample(b"hot");
            }
        }
        assert_eq!(hottest.list()[0].key, "hot");
    }
}
