//! Compares the words of two names: pairs them in the best way, and tells what agrees.

use super::assignment::best_pairs;
use super::edit;
use super::phonetic;
use super::score::{Features, MatchType, Weights};

/// Words less alike than this are strangers, unless they sound the same.
const SPELLING_MIN: f64 = 0.7;
/// Words that sound the same need to be this much alike.
const SOUND_SPELLING_MIN: f64 = 0.4;
/// Words of up to four letters that sound the same need to be this much alike.
const SHORT_SOUND_SPELLING_MIN: f64 = 0.65;
/// Up to so many words of one name may be written as one in the other.
const JOINED_MAX: usize = 3;

/// A word with all that it is compared by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word<'a> {
    pub(crate) text: &'a str,
    /// Its spelling by `spelling::plain`.
    pub(crate) plain: &'a str,
    /// Its code by `phonetic::code`.
    pub(crate) code: u64,
    /// Its rarity, 0..1, times the factor of its class.
    pub(crate) weight: f64,
}

/// The agreements between two words, each 0..1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Agreement {
    token: f64,
    spelling: f64,
    phonetic: f64,
    initial: f64,
    kind: MatchType,
}

impl Agreement {
    const SAME: Self =
        Self { token: 1.0, spelling: 1.0, phonetic: 1.0, initial: 1.0, kind: MatchType::Exact };
    const JOINED: Self =
        Self { token: 0.9, spelling: 0.97, phonetic: 1.0, initial: 1.0, kind: MatchType::Partial };

    /// The part of the score that it makes, order left aside.
    pub(crate) fn value(&self, weights: &Weights) -> f64 {
        weights.name_score(&Features {
            tokens: self.token,
            spelling: self.spelling,
            phonetic: self.phonetic,
            order: 1.0,
            initials: self.initial,
            ..Features::default()
        })
    }
}

/// The agreements between two words; none for strangers.
pub(crate) fn agreement(one: &Word<'_>, other: &Word<'_>) -> Option<Agreement> {
    if one.text == other.text {
        return Some(Agreement::SAME);
    }
    let (first, second) = (one.text.as_bytes(), other.text.as_bytes());
    let (short, long) = if first.len() <= second.len() { (first, second) } else { (second, first) };
    let has_digit = |word: &[u8]| word.iter().any(u8::is_ascii_digit);
    if short.is_empty() || has_digit(first) || has_digit(second) {
        return None;
    }
    let initial = f64::from(u8::from(short[0] == long[0]));
    if short.len() == 1 {
        let agreement =
            Agreement { token: 0.0, spelling: 0.6, phonetic: 0.6, initial, kind: MatchType::Partial };
        return (initial > 0.0).then_some(agreement);
    }
    let sounds_same = one.code == other.code && phonetic::length(one.code) > 1;
    if !sounds_same && long.len() > 2 * short.len() + 1 && short.len() < 4 {
        return None;
    }
    // Another spelling of the same sounds is not quite the same word.
    let plain = 0.98 * strict(edit::similarity(one.plain.as_bytes(), other.plain.as_bytes()), long.len());
    let mut spelling = plain.max(strict(edit::similarity(first, second), long.len()));
    let mut phonetic = phonetic::similarity(one.code, other.code);
    let mut kind = MatchType::Fuzzy;
    if is_abbreviation(short, long) {
        (spelling, phonetic, kind) = (spelling.max(0.8), phonetic.max(0.6), MatchType::Partial);
    } else if spelling < SPELLING_MIN {
        // The vowels of a short word tell it from others: Jung and Jang. Some scripts write none.
        let has_vowels = !is_skeleton(first) && !is_skeleton(second);
        let least = if has_vowels && long.len() < 5 { SHORT_SOUND_SPELLING_MIN } else { SOUND_SPELLING_MIN };
        if !sounds_same || spelling < least {
            return None;
        }
        kind = MatchType::Phonetic;
    }
    if sounds_same && phonetic::length(one.code) > 2 {
        spelling = spelling.max(0.85);
    }
    Some(Agreement { token: 0.0, spelling, phonetic, initial, kind })
}

/// Whether a word has no vowel.
fn is_skeleton(word: &[u8]) -> bool {
    !word.iter().any(|letter| b"aeiouy".contains(letter))
}

/// An edit says more in a short word: Zhu and Zhou are two names.
fn strict(similarity: f64, letters: usize) -> f64 {
    let factor = match letters {
        0..=4 => 2.0,
        5..=6 => 1.3,
        _ => 1.0,
    };
    1.0 - factor * (1.0 - similarity)
}

/// Whether the short word is the beginning of the long one, or its consonants: `constr`, `mgmnt`.
fn is_abbreviation(short: &[u8], long: &[u8]) -> bool {
    if short.len() < 3 || short.len() + 2 > long.len() || short[0] != long[0] {
        return false;
    }
    let mut rest = long.iter();
    let mut in_order = || short.iter().all(|letter| rest.any(|other| other == letter));
    (short.len() >= 4 && long.starts_with(short)) || (is_skeleton(short) && long.len() >= 6 && in_order())
}

/// Words `query.0..query.1` of the query that are the words `name.0..name.1` of the name.
struct Pair {
    query: (usize, usize),
    name: (usize, usize),
    agreement: Agreement,
}

/// Compares a query with a name. Country and date are left to the caller.
///
/// `agreement_of` is `agreement` of the words at these places, or what is remembered of it.
pub(crate) fn compare(
    query: &[Word<'_>],
    name: &[Word<'_>],
    weights: &Weights,
    mut agreement_of: impl FnMut(usize, usize) -> Option<Agreement>,
) -> (Features, MatchType) {
    if query.len() == name.len() && query.iter().zip(name).all(|(one, other)| one.text == other.text) {
        let all = Features {
            tokens: 1.0,
            spelling: 1.0,
            phonetic: 1.0,
            order: 1.0,
            initials: 1.0,
            ..Features::default()
        };
        return (all, MatchType::Exact);
    }
    let mut pairs = joined_pairs(query, name);
    let is_free = |at: usize, side: fn(&Pair) -> (usize, usize), pairs: &[Pair]| {
        pairs.iter().all(|pair| at < side(pair).0 || at >= side(pair).1)
    };
    let rows: Vec<usize> = (0..query.len()).filter(|at| is_free(*at, |pair| pair.query, &pairs)).collect();
    let columns: Vec<usize> = (0..name.len()).filter(|at| is_free(*at, |pair| pair.name, &pairs)).collect();
    let (of_query, of_name) = (total(query), total(name));
    let mut found = Vec::with_capacity(rows.len() * columns.len());
    let mut profit = Vec::with_capacity(rows.len() * columns.len());
    for row in &rows {
        for column in &columns {
            let agreement = agreement_of(*row, *column);
            let share = query[*row].weight / of_query + name[*column].weight / of_name;
            profit.push(agreement.map_or(0.0, |it| it.value(weights) * share));
            found.push(agreement);
        }
    }
    for (row, column) in best_pairs(&profit, rows.len(), columns.len()) {
        if let Some(agreement) = found[row * columns.len() + column] {
            let (row, column) = (rows[row], columns[column]);
            pairs.push(Pair { query: (row, row + 1), name: (column, column + 1), agreement });
        }
    }
    pairs.sort_unstable_by_key(|pair| pair.query);
    let match_type = pairs.iter().map(|pair| pair.agreement.kind).fold(MatchType::Partial, MatchType::max);
    (features(query, name, &pairs), match_type)
}

fn total(words: &[Word<'_>]) -> f64 {
    words.iter().map(|word| word.weight).sum()
}

fn features(query: &[Word<'_>], name: &[Word<'_>], pairs: &[Pair]) -> Features {
    let (of_query, of_name) = (total(query), total(name));
    let shares: Vec<(f64, f64)> = pairs
        .iter()
        .map(|pair| {
            let (query, name) = (&query[pair.query.0..pair.query.1], &name[pair.name.0..pair.name.1]);
            (total(query) / of_query, total(name) / of_name)
        })
        .collect();
    let covered = |value: &dyn Fn(usize) -> f64| {
        let sum: f64 =
            shares.iter().enumerate().map(|(at, (one, other))| f64::midpoint(*one, *other) * value(at)).sum();
        sum.min(1.0)
    };
    let in_order = longest_in_order(pairs, &shares);
    Features {
        tokens: covered(&|at| pairs[at].agreement.token),
        spelling: covered(&|at| pairs[at].agreement.spelling),
        phonetic: covered(&|at| pairs[at].agreement.phonetic),
        order: covered(&|at| f64::from(u8::from(in_order[at]))),
        initials: covered(&|at| pairs[at].agreement.initial),
        ..Features::default()
    }
}

/// The pairs of the weightiest chain that stands in one order on both sides.
fn longest_in_order(pairs: &[Pair], shares: &[(f64, f64)]) -> Vec<bool> {
    let mut best: Vec<(f64, Option<usize>)> = Vec::with_capacity(pairs.len());
    for (at, pair) in pairs.iter().enumerate() {
        let before = (0..at)
            .filter(|other| pairs[*other].name < pair.name)
            .max_by(|a, b| best[*a].0.total_cmp(&best[*b].0));
        let sum = shares[at].0 + shares[at].1 + before.map_or(0.0, |before| best[before].0);
        best.push((sum, before));
    }
    let mut in_order = vec![false; pairs.len()];
    let mut next = (0..pairs.len()).max_by(|a, b| best[*a].0.total_cmp(&best[*b].0));
    while let Some(at) = next {
        in_order[at] = true;
        next = best[at].1;
    }
    in_order
}

/// Words that stand apart on one side and together on the other: `al qaida` and `alqaida`.
fn joined_pairs(query: &[Word<'_>], name: &[Word<'_>]) -> Vec<Pair> {
    let mut pairs = Vec::new();
    let mut find = |parts: &[Word<'_>], wholes: &[Word<'_>], parts_are_query: bool| {
        for (at, whole) in wholes.iter().enumerate().filter(|(_, whole)| whole.text.len() > 3) {
            if parts.iter().any(|part| part.text == whole.text) {
                continue;
            }
            let found = (0..parts.len()).find_map(|from| Some((from, joins(&parts[from..], whole)?)));
            let Some((from, (count, agreement))) = found else { continue };
            let (of_parts, of_whole) = ((from, from + count), (at, at + 1));
            let (query, name) = if parts_are_query { (of_parts, of_whole) } else { (of_whole, of_parts) };
            let overlaps = |one: (usize, usize), other: (usize, usize)| one.0 < other.1 && other.0 < one.1;
            if !pairs.iter().any(|pair: &Pair| overlaps(pair.query, query) || overlaps(pair.name, name)) {
                pairs.push(Pair { query, name, agreement });
            }
        }
    };
    if query.len() > 1 {
        find(query, name, true);
    }
    if name.len() > 1 {
        find(name, query, false);
    }
    pairs
}

/// How many of the first words are, written together, this one; and how well they agree.
fn joins(parts: &[Word<'_>], whole: &Word<'_>) -> Option<(usize, Agreement)> {
    if parts.first()?.text.as_bytes()[0] != whole.text.as_bytes()[0] {
        return None;
    }
    let mut length = parts[0].text.len();
    for (before, part) in parts.iter().enumerate().take(JOINED_MAX).skip(1) {
        length += part.text.len();
        if length + 1 < whole.text.len() {
            continue;
        }
        if length > whole.text.len() + 1 {
            return None;
        }
        let text: String = parts[..=before].iter().map(|part| part.text).collect();
        if text == whole.text {
            return Some((before + 1, Agreement::JOINED));
        }
        let plain: String = parts[..=before].iter().map(|part| part.plain).collect();
        let short = parts[..=before].iter().any(|part| part.text.len() <= 4);
        // One letter may differ where words are joined and romanised at once.
        if plain == whole.plain
            || (short && length > 5 && edit::distance(text.as_bytes(), whole.text.as_bytes()) <= 1)
        {
            let (token, spelling) = (0.0, 0.9);
            return Some((
                before + 1,
                Agreement { token, spelling, kind: MatchType::Fuzzy, ..Agreement::JOINED },
            ));
        }
    }
    None
}
