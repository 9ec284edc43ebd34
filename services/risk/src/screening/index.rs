//! The index of a list: its names as words, and the names of each word.

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::{Arc, Mutex, PoisonError};

use super::dictionary::{Counts, Dictionary, Groups, WordId, narrow};
use super::entry::Entry;
use super::list::List;
use super::name::Name;
use super::words::WordClass;

/// The weight of the commonest word, before the factor of its class.
const RARITY_MIN: f64 = 0.1;

/// Finds names in one version of a list.
#[derive(Debug)]
pub struct Index {
    list: Arc<List>,
    pub(super) dictionary: Arc<Dictionary>,
    /// The dictionary that says how rare words are; another one in an index of changed entries.
    pub(super) rarity: Arc<Dictionary>,
    /// The entry of each name. The names of an entry follow each other.
    entry_of_name: Vec<u32>,
    /// The words of each name, in order.
    words_of_name: Groups,
    /// The names of each word, each once.
    pub(super) names_of_word: Groups,
    scratches: Mutex<Vec<Scratch>>,
}

/// Memory that a search needs, kept for the next one; everything in it is 0 between two searches.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) sums: Vec<f32>,
    pub(super) touched: Vec<u32>,
    pub(super) counts: Counts,
}

/// The names of some entries, with words by numbers of their own.
#[derive(Default)]
struct Part {
    numbers: HashMap<String, u32>,
    /// The entry, and its words, of each name.
    names: Vec<(u32, Vec<u32>)>,
}

impl Index {
    /// Builds the index of a list, on all cores.
    #[must_use]
    pub fn build(list: Arc<List>) -> Self {
        Self::with_rarity(list, None)
    }

    /// An index of these entries alone in which every name gets the score that it gets in this one.
    ///
    /// Monitoring searches it for the names that it keeps, when the entries are those that a new version of a list has changed.
    #[must_use]
    pub fn of(&self, entries: Vec<Entry>) -> Self {
        Self::with_rarity(Arc::new(List::new(entries)), Some(Arc::clone(&self.rarity)))
    }

    /// The list that is searched.
    #[must_use]
    pub fn list(&self) -> &Arc<List> {
        &self.list
    }

    /// The number of names, main ones and aliases.
    #[must_use]
    pub fn names(&self) -> usize {
        self.entry_of_name.len()
    }

    /// The number of distinct words in the names.
    #[must_use]
    pub fn words(&self) -> usize {
        self.dictionary.words()
    }

    /// The bytes that the index holds in memory, without the list.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.dictionary.bytes() + 4 * self.names() + self.words_of_name.bytes() + self.names_of_word.bytes()
    }

    fn with_rarity(list: Arc<List>, rarity: Option<Arc<Dictionary>>) -> Self {
        let parts = parts(&list);
        let mut words: Vec<&str> =
            parts.iter().flat_map(|part| part.numbers.keys().map(String::as_str)).collect();
        words.sort_unstable();
        words.dedup();
        let (mut entry_of_name, mut flat) = (Vec::new(), Vec::new());
        for part in &parts {
            let mut ids = vec![0; part.numbers.len()];
            for (word, number) in &part.numbers {
                ids[*number as usize] = narrow(words.binary_search(&word.as_str()).unwrap_or(0));
            }
            for (entry, numbers) in &part.names {
                let name = narrow(entry_of_name.len());
                entry_of_name.push(*entry);
                flat.extend(numbers.iter().map(|number| (name, ids[*number as usize])));
            }
        }
        let words_of_name = Groups::new(entry_of_name.len(), flat.iter().copied());
        // A word that stands twice in a name is there once for its names.
        flat.sort_unstable();
        flat.dedup();
        let names_of_word = Groups::new(words.len(), flat.iter().map(|(name, word)| (*word, *name)));
        let weights = (0..words.len()).map(|word| match &rarity {
            Some(rarity) => rarity.weight_of(words[word]),
            None => weight(words[word], names_of_word.get(narrow(word)).len(), entry_of_name.len()),
        });
        let weights = weights.collect();
        let dictionary = Arc::new(Dictionary::new(&words, weights));
        let rarity = rarity.unwrap_or_else(|| Arc::clone(&dictionary));
        let scratches = Mutex::default();
        Self { list, dictionary, rarity, entry_of_name, words_of_name, names_of_word, scratches }
    }

    pub(super) fn entry_of(&self, name: u32) -> u32 {
        self.entry_of_name[name as usize]
    }

    pub(super) fn words_of(&self, name: u32) -> &[WordId] {
        self.words_of_name.get(name)
    }

    pub(super) fn entry(&self, entry: u32) -> &Entry {
        &self.list.entries()[entry as usize]
    }

    /// The name as its entry writes it.
    pub(super) fn text_of(&self, name: u32) -> &str {
        let entry = self.entry_of(name);
        let first = self.entry_of_name.partition_point(|other| *other < entry);
        self.entry(entry).names().nth(name as usize - first).unwrap_or_default()
    }

    /// Runs a search with memory that an earlier one has left.
    pub(super) fn with_scratch<T>(&self, search: impl FnOnce(&mut Scratch) -> T) -> T {
        let kept = self.scratches.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut scratch = kept.unwrap_or_default();
        scratch.sums.resize(self.names(), 0.0);
        let result = search(&mut scratch);
        self.scratches.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
        result
    }
}

/// The rarity of a word that this many names have, times the factor of its class.
fn weight(word: &str, with_word: usize, names: usize) -> f64 {
    let number = |it: usize| f64::from(narrow(it.max(1)));
    let rarity = (1.0 + number(names) / number(with_word)).ln() / (1.0 + number(names)).ln();
    f64::from(WordClass::of(word).factor()) * rarity.max(RARITY_MIN)
}

/// Normalises the names of a list, each core a part of them. The parts are in the order of the entries.
fn parts(list: &List) -> Vec<Part> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(16);
    let size = list.entries().len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let chunks = list.entries().chunks(size).enumerate();
        let running: Vec<_> =
            chunks.map(|(at, entries)| scope.spawn(move || part(entries, at * size))).collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

fn part(entries: &[Entry], first: usize) -> Part {
    let mut part = Part::default();
    for (at, entry) in entries.iter().enumerate() {
        for text in entry.names() {
            let mut numbers = Vec::with_capacity(4);
            for word in Name::new(text).words() {
                let next = narrow(part.numbers.len());
                let number = part.numbers.get(word).copied().unwrap_or(next);
                if number == next {
                    part.numbers.insert(word.clone(), next);
                }
                numbers.push(number);
            }
            part.names.push((narrow(first + at), numbers));
        }
    }
    part
}
