//! Decides how to search for a text. A sample of the searched texts shows whether it stands in many profiles.
//!
//! A text that stands in many is found soon by going through the list. A text that stands in few is found by the index of
//! trigrams, which is asked for its rarest ones only: each more costs the index a long list of profiles. No engine knows
//! how often a part of a text stands anywhere, so both ask here, and do the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pando_clock::{Clock, Timestamp};
use pando_database::{DatabaseError, Read};
use pando_resilience::Tenant;

use crate::domain::search_text::trigrams;
use crate::store::search as store;

/// How many texts are looked at.
pub(crate) const SIZE: usize = 4_000;
/// How long a sample is good for, and one of fewer texts, because there are not more.
const MAX_AGE: Duration = Duration::from_secs(600);
const MAX_AGE_OF_FEW: Duration = Duration::from_secs(10);

/// One profile in so many has to have a text for it to be looked for in the list: a look at [`store::STRETCH`] of them then
/// finds two or three.
const MANY: usize = 2_000;
/// When the index still finds one profile in so many, the list is gone through as well.
const TOO_MANY: usize = 1_000;
/// The index is asked for one trigram more until it finds no more than one profile in so many. It is asked for two at least:
/// one that the sample does not know may still stand in thousands of profiles that were made together.
const FEW_ENOUGH: usize = 1_000;

/// How to look for a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Through the list, in its order.
    List,
    /// By the index, for profiles that have all of these trigrams.
    Index([String; store::TRIGRAMS]),
}

/// How many tenants have a sample at once.
const TENANTS_MAX: usize = 64;

/// The samples of this process, one of each tenant that was searched lately.
#[derive(Debug, Default)]
pub(crate) struct SearchSample {
    newest: Mutex<HashMap<Tenant, Arc<Sample>>>,
    /// One search at a time takes a new one.
    taking: tokio::sync::Mutex<()>,
}

/// Some texts, and which of them each trigram stands in.
#[derive(Debug)]
struct Sample {
    taken_at: Timestamp,
    texts: Vec<String>,
    places: HashMap<String, Vec<u16>>,
}

impl SearchSample {
    /// How to look for this text.
    pub(crate) async fn way(
        &self,
        (read, tenant): (&Read<'_>, &Tenant),
        clock: &Clock,
        text: &str,
    ) -> Result<Way, DatabaseError> {
        Ok(self.sample(read, tenant, clock).await?.way(text))
    }

    async fn sample(
        &self,
        read: &Read<'_>,
        tenant: &Tenant,
        clock: &Clock,
    ) -> Result<Arc<Sample>, DatabaseError> {
        if let Some(sample) = self.newest(tenant).filter(|sample| sample.is_good(clock.now())) {
            return Ok(sample);
        }
        // While another search takes a new one, the old one will do.
        let _turn = match (self.taking.try_lock(), self.newest(tenant)) {
            (Ok(turn), _) => turn,
            (Err(_), Some(old)) => return Ok(old),
            (Err(_), None) => self.taking.lock().await,
        };
        if let Some(sample) = self.newest(tenant).filter(|sample| sample.is_good(clock.now())) {
            return Ok(sample);
        }
        let sample = Arc::new(Sample::of(store::sample(read, tenant, SIZE).await?, clock.now()));
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.len() >= TENANTS_MAX && !newest.contains_key(tenant) {
            let oldest =
                newest.iter().min_by_key(|(_, sample)| sample.taken_at).map(|(tenant, _)| tenant.clone());
            oldest.and_then(|oldest| newest.remove(&oldest));
        }
        newest.insert(tenant.clone(), Arc::clone(&sample));
        Ok(sample)
    }

    fn newest(&self, tenant: &Tenant) -> Option<Arc<Sample>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned()
    }
}

impl Sample {
    fn of(texts: Vec<String>, taken_at: Timestamp) -> Self {
        let mut places: HashMap<String, Vec<u16>> = HashMap::new();
        for (place, text) in texts.iter().enumerate().take(SIZE) {
            let place = u16::try_from(place).unwrap_or(u16::MAX);
            for trigram in trigrams(text) {
                match places.get_mut(trigram) {
                    Some(places) => places.push(place),
                    None => drop(places.insert(trigram.to_owned(), vec![place])),
                }
            }
        }
        Self { taken_at, texts, places }
    }

    fn is_good(&self, now: Timestamp) -> bool {
        let most = if self.texts.len() < SIZE / 2 { MAX_AGE_OF_FEW } else { MAX_AGE };
        let age = now.as_micros().abs_diff(self.taken_at.as_micros());
        u128::from(age) < most.as_micros()
    }

    fn way(&self, text: &str) -> Way {
        let mut asked: Vec<(&[u16], &str)> = trigrams(text)
            .into_iter()
            .map(|trigram| (self.places.get(trigram).map_or(&[][..], Vec::as_slice), trigram))
            .collect();
        asked.sort_unstable_by_key(|(places, trigram)| (places.len(), *trigram));
        let mut chosen: Vec<&str> = Vec::new();
        let mut found: Vec<u16> = Vec::new();
        for (places, trigram) in asked {
            let fewer: Vec<u16> = match chosen.is_empty() {
                true => places.to_vec(),
                false => found.iter().copied().filter(|at| places.binary_search(at).is_ok()).collect(),
            };
            // One that always stands beside the others only costs.
            if chosen.len() < 2 || fewer.len() < found.len() {
                found = fewer;
                chosen.push(trigram);
            }
            let is_few = chosen.len() >= 2 && found.len() * FEW_ENOUGH <= self.texts.len();
            if is_few || chosen.len() == store::TRIGRAMS {
                break;
            }
        }
        let having = |at: &&u16| self.texts[usize::from(**at)].contains(text);
        let is_many = |count: usize, one_in: usize| count > 0 && count * one_in >= self.texts.len();
        if chosen.is_empty()
            || is_many(found.len(), TOO_MANY)
            || is_many(found.iter().filter(having).count(), MANY)
        {
            return Way::List;
        }
        let mut chosen = chosen.into_iter().cycle();
        Way::Index(std::array::from_fn(|_| chosen.next().unwrap_or_default().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::search_text::{kept, sought};

    fn sample(texts: impl Iterator<Item = String>) -> Sample {
        Sample::of(texts.map(|text| kept(&text)).collect(), Timestamp::from_micros(0))
    }

    fn way(sample: &Sample, text: &str) -> Way {
        sample.way(&sought(text).unwrap())
    }

    #[test]
    fn a_text_of_many_profiles_is_looked_for_in_the_list_and_one_of_few_by_its_rarest_trigrams() {
        let sample = sample((0..4_000).map(|n| match n {
            0..2 => "rare enough".to_owned(),
            2 => "rarest".to_owned(),
            _ => format!("person{n} @example.org"),
        }));
        assert_eq!(way(&sample, "person"), Way::List);
        assert_eq!(way(&sample, "@"), Way::List);
        assert_eq!(way(&sample, "rare eno"), Way::List, "two of four thousand are many");
        let Way::Index(asked) = way(&sample, "rarest") else { panic!("one of four thousand is few") };
        assert!(asked.iter().all(|trigram| ["are", "res", "est", "rar"].contains(&trigram.as_str())));
        assert!(asked.iter().any(|trigram| ["res", "est"].contains(&trigram.as_str())), "{asked:?}");
        assert_eq!(way(&sample, "zzzz"), Way::Index(std::array::from_fn(|_| "zzz".to_owned())));
    }

    #[test]
    fn a_rare_text_of_frequent_trigrams_is_looked_for_in_the_list() {
        let sample = sample((0..2_000).map(|n| if n % 50 == 0 { "bana anab" } else { "x" }.to_owned()));
        assert_eq!(way(&sample, "banab"), Way::List);
    }

    #[test]
    fn in_an_empty_table_the_index_is_asked() {
        assert!(matches!(way(&sample(std::iter::empty()), "anything"), Way::Index(_)));
    }

    #[test]
    fn a_sample_grows_old() {
        let young = Timestamp::from_micros(0).plus_micros(1_000_000);
        let old = young.plus_micros(15_000_000);
        let few = sample(["x".to_owned()].into_iter());
        assert!(few.is_good(young) && !few.is_good(old));
        let many = sample((0..SIZE).map(|_| "x".to_owned()));
        assert!(many.is_good(old) && !many.is_good(old.plus_micros(600_000_000)));
    }
}
