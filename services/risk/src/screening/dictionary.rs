//! The distinct words of an index, and the words among them that are like a given one.

use super::compare::{Word, agreement};
use super::score::Weights;
use super::words::WordClass;
use super::{phonetic, spelling};

/// The place of a word in a dictionary.
pub(crate) type WordId = u32;

/// A word gets at most so many words of the dictionary that are like it.
const ALIKE_MAX: usize = 96;
/// Of words that share trigrams with another, so many are compared with it.
const CHECKED_MAX: usize = 400;
/// At most so many words of trigrams are counted, those of the rarest trigrams first.
const TRIGRAM_POSTINGS_MAX: usize = 60_000;
/// Letters are 1..=26, digits 27..=36, and 0 stands before and behind a word.
const SIGNS: usize = 37;
const TRIGRAMS: usize = SIGNS * SIGNS * SIGNS;
/// Words less valuable than this are not looked for.
const VALUE_MIN: f64 = 0.45;

/// Texts one behind the other, each found by its number.
#[derive(Debug, Default)]
struct Texts {
    text: String,
    ends: Vec<u32>,
}

impl Texts {
    fn new<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut all = Self::default();
        for text in texts {
            all.text.push_str(text);
            all.ends.push(narrow(all.text.len()));
        }
        all.text.shrink_to_fit();
        all.ends.shrink_to_fit();
        all
    }

    fn get(&self, at: usize) -> &str {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        &self.text[start..self.ends[at] as usize]
    }
}

/// Numbers in groups, one group behind the other.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    /// The start of each group, and the end of the last.
    starts: Vec<u32>,
    members: Vec<u32>,
}

impl Groups {
    /// Sorts pairs of a group and a member into their groups; within a group they keep their order.
    pub(crate) fn new(groups: usize, pairs: impl Iterator<Item = (u32, u32)> + Clone) -> Self {
        let mut starts = vec![0_u32; groups + 1];
        for (group, _) in pairs.clone() {
            starts[group as usize + 1] += 1;
        }
        for group in 0..groups {
            starts[group + 1] += starts[group];
        }
        let mut next = starts.clone();
        let mut members = vec![0; starts[groups] as usize];
        for (group, member) in pairs {
            let place = &mut next[group as usize];
            members[*place as usize] = member;
            *place += 1;
        }
        Self { starts, members }
    }

    /// The members of a group.
    pub(crate) fn get(&self, group: u32) -> &[u32] {
        let group = group as usize;
        &self.members[self.starts[group] as usize..self.starts[group + 1] as usize]
    }

    pub(crate) fn bytes(&self) -> usize {
        4 * (self.starts.len() + self.members.len())
    }
}

/// Words, sorted, with their forms, their rarity, and the trigrams of their plain spellings.
#[derive(Debug)]
pub(crate) struct Dictionary {
    texts: Texts,
    plain: Texts,
    codes: Vec<u64>,
    weights: Vec<f64>,
    trigrams: Groups,
    /// The words of each phonetic code.
    by_code: Vec<(u64, WordId)>,
}

/// A word that is like the one that was looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alike {
    pub(crate) word: WordId,
    /// The part of the score that their agreement makes.
    pub(crate) value: f64,
}

/// Counters of shared trigrams, all 0 between two looks.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    counts: Vec<u8>,
    touched: Vec<WordId>,
}

impl Dictionary {
    /// A dictionary of words that are sorted and distinct, each with its weight.
    pub(crate) fn new(words: &[&str], weights: Vec<f64>) -> Self {
        let texts = Texts::new(words.iter().copied());
        let plain: Vec<String> = words.iter().map(|word| spelling::plain(word)).collect();
        let plain = Texts::new(plain.iter().map(String::as_str));
        let codes: Vec<u64> = words.iter().map(|word| phonetic::code(word)).collect();
        let mut by_code: Vec<(u64, WordId)> = codes
            .iter()
            .enumerate()
            .filter(|(_, code)| phonetic::length(**code) > 1)
            .map(|(at, code)| (*code, narrow(at)))
            .collect();
        by_code.sort_unstable();
        by_code.shrink_to_fit();
        let pairs =
            (0..words.len()).flat_map(|at| trigrams(plain.get(at)).map(move |trigram| (trigram, narrow(at))));
        let trigrams = Groups::new(TRIGRAMS, pairs);
        Self { texts, plain, codes, weights, trigrams, by_code }
    }

    pub(crate) fn find(&self, text: &str) -> Option<WordId> {
        let (mut start, mut end) = (0, self.codes.len());
        while start < end {
            let middle = usize::midpoint(start, end);
            match self.texts.get(middle).cmp(text) {
                std::cmp::Ordering::Less => start = middle + 1,
                std::cmp::Ordering::Equal => return Some(narrow(middle)),
                std::cmp::Ordering::Greater => end = middle,
            }
        }
        None
    }

    /// The weight of a word; one that the dictionary lacks is as rare as can be.
    pub(crate) fn weight_of(&self, text: &str) -> f64 {
        self.find(text)
            .map_or_else(|| f64::from(WordClass::of(text).factor()), |word| self.weights[word as usize])
    }

    pub(crate) fn weight(&self, word: WordId) -> f64 {
        self.weights[word as usize]
    }

    pub(crate) fn word(&self, word: WordId) -> Word<'_> {
        let at = word as usize;
        Word {
            text: self.texts.get(at),
            plain: self.plain.get(at),
            code: self.codes[at],
            weight: self.weights[at],
        }
    }

    /// The words that are like this one, best first.
    pub(crate) fn alike(&self, word: &Word<'_>, weights: &Weights, counts: &mut Counts) -> Vec<Alike> {
        let mut found = Vec::new();
        let mut check = |id: WordId| {
            let value = agreement(word, &self.word(id)).map_or(0.0, |it| it.value(weights));
            if value >= VALUE_MIN {
                found.push(Alike { word: id, value });
            }
        };
        // Everything like an initial would be every word that begins with it.
        if word.text.len() == 1 {
            self.find(word.text).into_iter().for_each(&mut check);
            return found;
        }
        self.find(&word.text[..1]).into_iter().for_each(&mut check);
        if word.text.bytes().any(|byte| byte.is_ascii_digit()) {
            self.find(word.text).into_iter().for_each(&mut check);
            return found;
        }
        if phonetic::length(word.code) > 1 {
            let start = self.by_code.partition_point(|(code, _)| *code < word.code);
            let same = self.by_code[start..].iter().take_while(|(code, _)| *code == word.code);
            same.for_each(|(_, id)| check(*id));
        }
        self.sharing_trigrams(word, counts, &mut check);
        self.find(word.text).into_iter().for_each(&mut check);
        found.sort_unstable_by_key(|it| it.word);
        found.dedup_by_key(|it| it.word);
        found.sort_by(|one, other| other.value.total_cmp(&one.value));
        found.truncate(ALIKE_MAX);
        found
    }

    /// Checks the words that share the largest parts of their trigrams with this one.
    fn sharing_trigrams(&self, word: &Word<'_>, counts: &mut Counts, check: &mut impl FnMut(WordId)) {
        counts.counts.resize(self.codes.len(), 0);
        let mut groups: Vec<&[WordId]> =
            trigrams(word.plain).map(|trigram| self.trigrams.get(trigram)).collect();
        groups.sort_by_key(|group| group.len());
        let (mut read, mut left) = (0_usize, TRIGRAM_POSTINGS_MAX);
        for group in groups {
            // The trigrams that most words have tell least; three are always read.
            if read >= 3 && group.len() > left {
                break;
            }
            (read, left) = (read + 1, left.saturating_sub(group.len()));
            for id in group {
                let count = &mut counts.counts[*id as usize];
                if *count == 0 {
                    counts.touched.push(*id);
                }
                *count = count.saturating_add(1);
            }
        }
        // An edit spoils up to three trigrams. More than a quarter of the letters is never edited.
        let letters = word.plain.len();
        let shared_min = if letters < 7 { read.saturating_sub(4) } else { read.saturating_sub(6) }.max(2);
        let mut shared: Vec<(u32, WordId)> = Vec::new();
        for id in counts.touched.drain(..) {
            let count = usize::from(std::mem::take(&mut counts.counts[id as usize]));
            if count >= shared_min {
                // The share of common trigrams in both words, in thousandths.
                shared.push((narrow(2000 * count / (letters + self.plain.get(id as usize).len() + 4)), id));
            }
        }
        let better =
            |one: &(u32, WordId), other: &(u32, WordId)| other.0.cmp(&one.0).then(one.1.cmp(&other.1));
        if shared.len() > CHECKED_MAX {
            shared.select_nth_unstable_by(CHECKED_MAX, better);
            shared.truncate(CHECKED_MAX);
        }
        shared.into_iter().for_each(|(_, id)| check(id));
    }

    /// The bytes that it holds in memory.
    pub(crate) fn bytes(&self) -> usize {
        let texts = |texts: &Texts| texts.text.len() + 4 * texts.ends.len();
        let of_words = 8 * (self.codes.len() + self.weights.len()) + 16 * self.by_code.len();
        texts(&self.texts) + texts(&self.plain) + of_words + self.trigrams.bytes()
    }

    pub(crate) fn words(&self) -> usize {
        self.codes.len()
    }
}

/// The trigrams of a word, as numbers below `TRIGRAMS`; there are two more than the word has letters.
fn trigrams(word: &str) -> impl Iterator<Item = u32> + Clone + '_ {
    let sign = |byte: u8| match byte {
        b'a'..=b'z' => u32::from(byte - b'a') + 1,
        b'0'..=b'9' => u32::from(byte - b'0') + 27,
        _ => 0,
    };
    let mut window = [0_u32; 3];
    word.bytes().chain([0, 0]).map(move |byte| {
        window = [window[1], window[2], sign(byte)];
        (window[0] * 37 + window[1]) * 37 + window[2]
    })
}

/// A number of words or names. `ENTRIES_MAX` keeps them all below the limit.
pub(crate) fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
