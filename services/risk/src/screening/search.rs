//! One search: words like those of the query, the names that have most of them, and the exact score of each.

use std::collections::HashMap;

use super::compare::{Agreement, Word, agreement, compare};
use super::dictionary::{Alike, WordId};
use super::entry::{Entry, PartialDate};
use super::index::{Index, Scratch};
use super::name::{NAME_CHARS_MAX, Name};
use super::phonetic;
use super::score::{Features, MatchType, WeightError, Weights};
use super::spelling;

/// A search gives at most so many matches.
pub const MATCHES_MAX: usize = 100;
/// At most so many names are compared exactly, those first that promise most.
const CANDIDATES_MAX: usize = 600;
/// Once so many names share a word with the query, further words add none.
const TOUCHED_MAX: usize = 50_000;
/// At most so many names of words are looked at, those of the rarest words first.
const POSTINGS_MAX: usize = 2_000_000;

/// A name to look for, and how.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    /// The name, of at most 255 characters.
    pub name: &'a str,
    /// The country of the named, as two letters in capitals.
    pub country: Option<&'a str>,
    /// The birth date of the named, or the date of foundation.
    pub birth_date: Option<PartialDate>,
    /// At most so many matches are given, and never more than `MATCHES_MAX`.
    pub limit: usize,
    /// Matches below this score are not given.
    pub threshold: f64,
    /// How much each feature counts.
    pub weights: Weights,
}

impl<'a> Query<'a> {
    /// A query for a name alone, with the defaults: up to ten matches from 0.8, and the default weights.
    #[must_use]
    pub fn new(name: &'a str) -> Self {
        Self { name, country: None, birth_date: None, limit: 10, threshold: 0.8, weights: Weights::default() }
    }
}

impl Query<'_> {
    /// The name that is looked for, if the query can be answered.
    ///
    /// # Errors
    /// A name without letters or of too many, a threshold or a weight out of bounds.
    pub fn check(&self) -> Result<Name, QueryError> {
        self.weights.check()?;
        if !(0.0..=1.0).contains(&self.threshold) {
            return Err(QueryError::Threshold);
        }
        if self.name.chars().nth(NAME_CHARS_MAX).is_some() {
            return Err(QueryError::NameTooLong);
        }
        let name = Name::new(self.name);
        if name.words().is_empty() { Err(QueryError::NoWords) } else { Ok(name) }
    }
}

/// A query that cannot be answered. It must not be taken for one without matches.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum QueryError {
    /// The name is longer than names may be.
    #[error("the name is longer than {NAME_CHARS_MAX} characters")]
    NameTooLong,
    /// The name has nothing to compare.
    #[error("the name holds no letter and no digit")]
    NoWords,
    /// The threshold is out of bounds.
    #[error("the threshold is not a number from 0 to 1")]
    Threshold,
    /// A weight is out of bounds.
    #[error(transparent)]
    Weight(#[from] WeightError),
}

/// An entry whose name is like the one that was looked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Match<'a> {
    /// The entry.
    pub entry: &'a Entry,
    /// The name of the entry that is most like it.
    pub matched_name: &'a str,
    /// How well it matches, 0..1.
    pub score: f64,
    /// The weakest kind of agreement that the match rests on.
    pub match_type: MatchType,
    /// All that agrees, from which the weights make the score.
    pub features: Features,
}

/// A word of the query, with its forms.
struct QueryWord {
    text: String,
    plain: String,
    weight: f64,
}

impl QueryWord {
    fn as_word(&self) -> Word<'_> {
        Word { text: &self.text, plain: &self.plain, code: phonetic::code(&self.text), weight: self.weight }
    }
}

impl Index {
    /// The entries with a name like that of the query: best score first, and equal scores by id.
    ///
    /// # Errors
    /// A name without letters or of too many, a threshold or a weight out of bounds.
    pub fn search(&self, query: &Query<'_>) -> Result<Vec<Match<'_>>, QueryError> {
        let name = query.check()?;
        let words: Vec<QueryWord> = name.words().iter().map(|word| self.query_word(word.clone())).collect();
        let names = self.with_scratch(|scratch| self.candidates(&words, query, scratch));
        let mut best = self.best_names(&words, &names, query);
        best.sort_by(|one, other| {
            other.score.total_cmp(&one.score).then_with(|| one.entry.id.cmp(&other.entry.id))
        });
        best.truncate(query.limit.min(MATCHES_MAX));
        Ok(best)
    }

    fn query_word(&self, text: String) -> QueryWord {
        QueryWord { plain: spelling::plain(&text), weight: self.rarity.weight_of(&text), text }
    }

    /// The names that promise most, by the words that they share with the query.
    fn candidates(&self, words: &[QueryWord], query: &Query<'_>, scratch: &mut Scratch) -> Vec<u32> {
        let of_query: f64 = words.iter().map(|word| word.weight).sum();
        let mut keys: Vec<(WordId, f64)> = Vec::new();
        for word in words.iter().chain(&self.joined(words)) {
            let alike = self.dictionary.alike(&word.as_word(), &query.weights, &mut scratch.counts);
            let alike = if word.text.len() > 4 && alike.first().is_none_or(|it| it.value < 0.9) {
                self.parts(word, alike)
            } else {
                alike
            };
            keys.extend(alike.into_iter().map(|it| {
                let weight = f64::midpoint(word.weight, self.dictionary.weight(it.word));
                (it.word, it.value * weight)
            }));
        }
        keys.sort_by_key(|(word, _)| (self.names_of_word.get(*word).len(), *word));
        let mut left = POSTINGS_MAX;
        for (word, value) in keys {
            let names = self.names_of_word.get(word);
            // Once the rare words have named enough candidates, a common word only adds to those.
            let adds = scratch.touched.len() < TOUCHED_MAX;
            left = left.saturating_sub(names.len());
            for name in names.iter().filter(|_| left > 0) {
                let sum = &mut scratch.sums[*name as usize];
                if *sum == 0.0 {
                    if !adds {
                        continue;
                    }
                    scratch.touched.push(*name);
                }
                *sum += single(value);
            }
        }
        let mut ranked: Vec<(f32, u32)> = Vec::new();
        for name in scratch.touched.drain(..) {
            let sum = std::mem::take(&mut scratch.sums[name as usize]);
            // Half of what the score needs: sums leave out what only the exact comparison sees.
            if f64::from(sum) * 2.0 >= of_query * query.threshold {
                let of_name: f64 = self.words_of(name).iter().map(|word| self.dictionary.weight(*word)).sum();
                ranked.push((sum / single(of_query + of_name), name));
            }
        }
        let better =
            |one: &(f32, u32), other: &(f32, u32)| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1));
        if ranked.len() > CANDIDATES_MAX {
            ranked.select_nth_unstable_by(CANDIDATES_MAX, better);
            ranked.truncate(CANDIDATES_MAX);
        }
        ranked.into_iter().map(|(_, name)| name).collect()
    }

    /// Neighbours of the query written as one word, where one of them is short enough to be a part.
    fn joined(&self, words: &[QueryWord]) -> Vec<QueryWord> {
        let is_short = |words: &[QueryWord]| words.iter().any(|word| word.text.len() <= 4);
        let joined =
            [2, 3].into_iter().flat_map(|count| words.windows(count).filter(|words| is_short(words)));
        joined
            .map(|words| QueryWord {
                weight: words.iter().map(|word| word.weight).sum(),
                ..self.query_word(words.iter().map(|word| word.text.as_str()).collect())
            })
            .filter(|word| word.text.len() <= 16)
            .collect()
    }

    /// Adds the words of the dictionary that, written together, are this one.
    fn parts(&self, word: &QueryWord, mut alike: Vec<Alike>) -> Vec<Alike> {
        for split in 2..word.text.len() - 1 {
            let (left, right) = word.text.split_at(split);
            if let Some((left, right)) = self.dictionary.find(left).zip(self.dictionary.find(right)) {
                alike.extend([left, right].map(|word| Alike { word, value: 0.5 }));
            }
        }
        alike
    }

    /// The best name of each entry among these, from the threshold on.
    fn best_names(&self, words: &[QueryWord], names: &[u32], query: &Query<'_>) -> Vec<Match<'_>> {
        let query_words: Vec<Word<'_>> = words.iter().map(QueryWord::as_word).collect();
        let mut known: Vec<HashMap<WordId, Option<Agreement>>> = vec![HashMap::new(); words.len()];
        let mut best: HashMap<u32, (f64, u32, Features, MatchType)> = HashMap::new();
        let mut name_words = Vec::new();
        for name in names {
            let (entry_at, ids) = (self.entry_of(*name), self.words_of(*name));
            name_words.clear();
            name_words.extend(ids.iter().map(|word| self.dictionary.word(*word)));
            let (mut features, match_type) =
                compare(&query_words, &name_words, &query.weights, |row, column| {
                    *known[row]
                        .entry(ids[column])
                        .or_insert_with(|| agreement(&query_words[row], &name_words[column]))
                });
            let entry = self.entry(entry_at);
            features.country = country_agreement(query.country, entry);
            features.birth_date = query.birth_date.and_then(|date| date_agreement(date, entry));
            let score = query.weights.score(&features, match_type);
            if score >= query.threshold {
                let found = (score, *name, features, match_type);
                let is_better = |known: &(f64, u32, Features, MatchType)| {
                    score > known.0 || (score == known.0 && *name < known.1)
                };
                if best.get(&entry_at).is_none_or(is_better) {
                    best.insert(entry_at, found);
                }
            }
        }
        let matches = best.into_iter().map(|(entry, (score, name, features, match_type))| Match {
            entry: self.entry(entry),
            matched_name: self.text_of(name),
            score,
            match_type,
            features,
        });
        matches.collect()
    }
}

fn country_agreement(country: Option<&str>, entry: &Entry) -> Option<f64> {
    let country = country.filter(|_| !entry.countries.is_empty())?;
    // A region of a country is in it.
    let is_in =
        |other: &String| other.split('-').next().is_some_and(|other| other.eq_ignore_ascii_case(country));
    Some(f64::from(u8::from(entry.countries.iter().any(is_in))))
}

fn date_agreement(date: PartialDate, entry: &Entry) -> Option<f64> {
    entry.birth_dates.iter().map(|other| date.agreement(other)).max_by(f64::total_cmp)
}

/// Sums that only rank candidates need no more digits.
#[expect(clippy::cast_possible_truncation, reason = "the value is small, and its last digits do not matter")]
fn single(value: f64) -> f32 {
    value as f32
}
