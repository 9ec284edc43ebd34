//! Features of a comparison, and the score that weights make of them.
//!
//! Every feature is 0..1, and the score grows with each of them:
//!
//! ```text
//! name  = (tokens·w1 + spelling·w2 + phonetic·w3 + order·w4 + initials·w5) / (w1 + w2 + w3 + w4 + w5)
//! name  = 1 for the same words in the same order, and at most 0.999 otherwise
//! score = name, and then for country and birth date, if both sides give one, with e = 2·feature − 1:
//!         e ≥ 0:  score + weight·e·score·(1 − score)       e < 0:  score·(1 + weight·e)
//! ```
//!
//! Agreement of country and date closes a part of the gap to 1 and never the whole; so 1.0 is left to an identical
//! normalised name with nothing against it.

use serde::{Deserialize, Serialize};

/// The most that names get which are not the same words in the same order.
const NOT_IDENTICAL_MAX: f64 = 0.999;

/// How much each feature counts. The weights of the name are relative to each other; the other two are shares of 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Weights {
    /// Of `Features::tokens`.
    pub tokens: f64,
    /// Of `Features::spelling`.
    pub spelling: f64,
    /// Of `Features::phonetic`.
    pub phonetic: f64,
    /// Of `Features::order`.
    pub order: f64,
    /// Of `Features::initials`.
    pub initials: f64,
    /// Of `Features::country`: the share of the score that another country takes away.
    pub country: f64,
    /// Of `Features::birth_date`: the share of the score that another date takes away.
    pub birth_date: f64,
}

impl Default for Weights {
    fn default() -> Self {
        // Chosen on two made sets; docs-screening.md says how, and measures them on a third one.
        Self {
            tokens: 0.05,
            spelling: 0.42,
            phonetic: 0.23,
            order: 0.05,
            initials: 0.25,
            country: 0.1,
            birth_date: 0.2,
        }
    }
}

/// A weight that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeightError {
    /// The weight of this name is out of bounds.
    #[error("the weight of {0} is not a number from 0 to 1")]
    Bounds(&'static str),
    /// No feature of the name would count.
    #[error("the weights of tokens, spelling, phonetic, order and initials are all 0")]
    AllZero,
}

impl Weights {
    /// Names the first weight that cannot be used.
    ///
    /// # Errors
    /// A weight outside 0..=1, or nothing that the name counts with.
    pub fn check(&self) -> Result<(), WeightError> {
        let named =
            self.of_name().into_iter().chain([("country", self.country), ("birth_date", self.birth_date)]);
        for (name, weight) in named {
            if !(0.0..=1.0).contains(&weight) {
                return Err(WeightError::Bounds(name));
            }
        }
        if self.of_name().iter().all(|(_, weight)| *weight == 0.0) {
            return Err(WeightError::AllZero);
        }
        Ok(())
    }

    fn of_name(&self) -> [(&'static str, f64); 5] {
        [
            ("tokens", self.tokens),
            ("spelling", self.spelling),
            ("phonetic", self.phonetic),
            ("order", self.order),
            ("initials", self.initials),
        ]
    }

    /// The score of a name without its country and date.
    #[must_use]
    pub fn name_score(&self, features: &Features) -> f64 {
        let values =
            [features.tokens, features.spelling, features.phonetic, features.order, features.initials];
        let (mut sum, mut of) = (0.0, 0.0);
        for ((_, weight), value) in self.of_name().iter().zip(values) {
            sum += weight * value;
            of += weight;
        }
        if of > 0.0 { sum / of } else { 0.0 }
    }

    /// The score of a comparison.
    #[must_use]
    pub fn score(&self, features: &Features, match_type: MatchType) -> f64 {
        let is_identical = match_type == MatchType::Exact;
        let name = if is_identical { 1.0 } else { self.name_score(features).min(NOT_IDENTICAL_MAX) };
        let with_country = with_evidence(name, features.country, self.country);
        with_evidence(with_country, features.birth_date, self.birth_date)
    }
}

fn with_evidence(score: f64, feature: Option<f64>, weight: f64) -> f64 {
    let evidence = feature.map_or(0.0, |value| 2.0 * value - 1.0);
    if evidence >= 0.0 {
        score + weight * evidence * score * (1.0 - score)
    } else {
        score * (1.0 + weight * evidence)
    }
}

/// The agreements between a query and a name of a list, each 0..1.
///
/// Words count by their rarity in the list; legal forms, titles and particles count little. A word of one side that finds no
/// partner on the other lowers every feature of the name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Features {
    /// The share of words that are the same.
    pub tokens: f64,
    /// The share of words with a partner, each as far as its letters are alike.
    pub spelling: f64,
    /// The share of words that sound like their partner.
    pub phonetic: f64,
    /// The share of words that stand in the same order as their partners.
    pub order: f64,
    /// The share of words whose partner begins with the same letter; an initial agrees with every such word.
    pub initials: f64,
    /// 1 for a country of the entry, 0 for another one; none if one side gives no country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<f64>,
    /// 1 for the same birth date, 0.8 for the same year and month or day and month swapped, 0.6 for the same year where
    /// one side knows no more, 0.4 for another day of the same year, 0.3 for a year beside it, and 0 for another year; none if one
    /// side gives no date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birth_date: Option<f64>,
}

/// The weakest kind of agreement that a match rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MatchType {
    /// The same words in the same order.
    Exact,
    /// The same words, initials or abbreviations; some are missing, joined, or in another place.
    Partial,
    /// Words that are spelt alike.
    Fuzzy,
    /// Words that sound alike.
    Phonetic,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn features() -> impl Strategy<Value = Features> {
        let value = 0.0..=1.0_f64;
        let maybe = proptest::option::of(0.0..=1.0_f64);
        ([value.clone(), value.clone(), value.clone(), value.clone(), value], maybe.clone(), maybe).prop_map(
            |([tokens, spelling, phonetic, order, initials], country, birth_date)| Features {
                tokens,
                spelling,
                phonetic,
                order,
                initials,
                country,
                birth_date,
            },
        )
    }

    proptest! {
        #[test]
        fn a_feature_that_falls_never_raises_the_score(features in features(), which in 0..7_usize, share in 0.0..1.0_f64) {
            let mut less = features;
            match which {
                0 => less.tokens *= share,
                1 => less.spelling *= share,
                2 => less.phonetic *= share,
                3 => less.order *= share,
                4 => less.initials *= share,
                5 => less.country = less.country.map(|it| it * share),
                _ => less.birth_date = less.birth_date.map(|it| it * share),
            }
            let weights = Weights::default();
            let score = weights.score(&features, MatchType::Fuzzy);
            prop_assert!(weights.score(&less, MatchType::Fuzzy) <= score);
            prop_assert!((0.0..1.0).contains(&score));
        }
    }

    #[test]
    fn only_an_identical_name_with_nothing_against_it_gets_one() {
        let all = Features {
            tokens: 1.0,
            spelling: 1.0,
            phonetic: 1.0,
            order: 1.0,
            initials: 1.0,
            ..Features::default()
        };
        let weights = Weights::default();
        let score = |country, match_type| weights.score(&Features { country, ..all }, match_type);
        assert_eq!(score(None, MatchType::Exact), 1.0);
        assert_eq!(score(Some(1.0), MatchType::Exact), 1.0);
        assert!(score(Some(0.0), MatchType::Exact) < 1.0);
        assert!(score(Some(1.0), MatchType::Partial) < 1.0);
    }

    #[test]
    fn weights_that_cannot_be_used_are_named() {
        let weights = Weights { order: f64::NAN, ..Weights::default() };
        assert_eq!(weights.check(), Err(WeightError::Bounds("order")));
        let weights =
            Weights { tokens: 0.0, spelling: 0.0, phonetic: 0.0, order: 0.0, initials: 0.0, ..weights };
        assert_eq!(weights.check(), Err(WeightError::AllZero));
        assert_eq!(Weights::default().check(), Ok(()));
    }
}
