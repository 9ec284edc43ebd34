//! How alike two words are, letter by letter.

use super::name::WORD_LETTERS_MAX;

/// The number of letters to insert, drop, replace, or swap with their neighbour: Damerau and Levenshtein, each pair of
/// neighbours edited once.
pub(crate) fn distance(one: &[u8], other: &[u8]) -> u8 {
    debug_assert!(one.len() <= WORD_LETTERS_MAX && other.len() <= WORD_LETTERS_MAX);
    let shared = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (one, other) = (&one[shared..], &other[shared..]);
    let shared = one.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count();
    let (one, other) = (&one[..one.len() - shared], &other[..other.len() - shared]);
    let mut rows = [[0_u8; WORD_LETTERS_MAX + 1]; 3];
    rows[0].iter_mut().zip(0..).for_each(|(cost, column)| *cost = column);
    for (row, letter) in one.iter().enumerate() {
        let (above, here, two_above) = (row % 3, (row + 1) % 3, (row + 2) % 3);
        rows[here][0] = rows[above][0] + 1;
        for (column, other_letter) in other.iter().enumerate() {
            let replaced = rows[above][column] + u8::from(letter != other_letter);
            let mut cost = replaced.min(rows[above][column + 1] + 1).min(rows[here][column] + 1);
            if row > 0 && column > 0 && one[row - 1] == *other_letter && *letter == other[column - 1] {
                cost = cost.min(rows[two_above][column - 1] + 1);
            }
            rows[here][column + 1] = cost;
        }
    }
    rows[one.len() % 3][other.len()]
}

/// The similarity of Jaro and Winkler: 1 for equal words; common first letters raise it.
pub(crate) fn jaro_winkler(one: &[u8], other: &[u8]) -> f64 {
    debug_assert!(one.len() <= WORD_LETTERS_MAX && other.len() <= WORD_LETTERS_MAX);
    if one == other {
        return 1.0;
    }
    let window = (one.len().max(other.len()) / 2).saturating_sub(1);
    let (mut in_one, mut in_other) = (0_u64, 0_u64);
    for (at, letter) in one.iter().enumerate() {
        let end = (at + window + 1).min(other.len());
        let free =
            (at.saturating_sub(window)..end).find(|to| in_other >> to & 1 == 0 && other[*to] == *letter);
        if let Some(to) = free {
            in_one |= 1 << at;
            in_other |= 1 << to;
        }
    }
    if in_one == 0 {
        return 0.0;
    }
    let (mut left, mut right, mut moved) = (in_one, in_other, 0);
    while left != 0 {
        moved += u32::from(one[left.trailing_zeros() as usize] != other[right.trailing_zeros() as usize]);
        left &= left - 1;
        right &= right - 1;
    }
    let same = f64::from(in_one.count_ones());
    let share = |word: &[u8]| same / f64::from(u8::try_from(word.len()).unwrap_or(u8::MAX));
    let jaro = (share(one) + share(other) + (same - f64::from(moved) / 2.0) / same) / 3.0;
    let prefix = one.iter().zip(other).take(4).take_while(|(a, b)| a == b).fold(0.0, |sum, _| sum + 0.1);
    jaro + prefix * (1.0 - jaro)
}

/// The mean of both measures: the first is strict with short words, the second lenient with all.
pub(crate) fn similarity(one: &[u8], other: &[u8]) -> f64 {
    let longest = u8::try_from(one.len().max(other.len())).unwrap_or(u8::MAX);
    if longest == 0 {
        return 0.0;
    }
    let edits = f64::from(distance(one, other));
    (1.0 - edits / f64::from(longest) + jaro_winkler(one, other)) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_damerau_and_levenshtein() {
        for (one, other, edits) in [
            ("", "", 0),
            ("", "abc", 3),
            ("smith", "smith", 0),
            ("smith", "smtih", 1),
            ("smith", "smyth", 1),
            ("kitten", "sitting", 3),
            ("ca", "abc", 3),
            ("ivanov", "petrov", 4),
        ] {
            assert_eq!(distance(one.as_bytes(), other.as_bytes()), edits, "{one} {other}");
            assert_eq!(distance(other.as_bytes(), one.as_bytes()), edits, "{other} {one}");
        }
    }

    #[test]
    fn similarities_are_those_of_jaro_and_winkler() {
        for (one, other, expected) in [
            ("martha", "marhta", 0.9611),
            ("dwayne", "duane", 0.84),
            ("dixon", "dicksonx", 0.8133),
            ("abc", "xyz", 0.0),
            ("", "a", 0.0),
        ] {
            let found = jaro_winkler(one.as_bytes(), other.as_bytes());
            assert!((found - expected).abs() < 1e-4, "{one} {other}: {found}");
        }
    }
}
