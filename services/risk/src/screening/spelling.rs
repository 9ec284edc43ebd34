//! One spelling for the many in which languages write one sound in Latin letters: Yuri, Juri and Iouri.
//!
//! Unlike a phonetic code it keeps the vowels, so that the distance between two spellings still says something.

/// Groups of letters and the letters that stand for them; the first group that fits is taken.
const GROUPS: [(&[u8], &[u8]); 26] = [
    (b"shch", b"sh"),
    (b"sch", b"sh"),
    (b"tch", b"ch"),
    (b"dzh", b"z"),
    (b"kh", b"h"),
    (b"gh", b"g"),
    (b"ph", b"f"),
    (b"th", b"t"),
    (b"dh", b"d"),
    (b"ck", b"k"),
    (b"tz", b"ts"),
    (b"zh", b"z"),
    (b"dj", b"i"),
    (b"ou", b"u"),
    (b"oo", b"u"),
    (b"ee", b"i"),
    (b"ei", b"i"),
    (b"ij", b"i"),
    (b"iy", b"i"),
    (b"yy", b"i"),
    (b"yi", b"i"),
    (b"ce", b"se"),
    (b"ci", b"si"),
    (b"ch", b"ch"),
    (b"ff", b"f"),
    (b"cz", b"ch"),
];

/// The plain spelling of a normalised word.
pub(crate) fn plain(word: &str) -> String {
    let mut plain = String::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let Some(letter) = rest.first() {
        // Zhou and Zhu are two names; `ou` is `u` in longer ones.
        let fits = |group: &[u8]| rest.starts_with(group) && (group != b"ou" || word.len() > 4);
        let group = GROUPS.iter().find(|(group, _)| fits(group));
        let (letters, taken) =
            group.map_or((std::slice::from_ref(letter), 1), |(group, plain)| (*plain, group.len()));
        rest = &rest[taken..];
        for letter in letters {
            push(*letter, rest.is_empty(), &mut plain);
        }
    }
    plain
}

fn push(letter: u8, is_last: bool, plain: &mut String) {
    let letter = match letter {
        b'y' | b'j' => 'i',
        b'w' => 'v',
        b'f' if is_last && plain.ends_with(['o', 'e']) => 'v',
        b'q' => 'k',
        b'c' => 'k',
        b'x' => {
            plain.push('k');
            's'
        }
        other => char::from(other),
    };
    if !plain.ends_with(letter) {
        plain.push(letter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn romanisations_of_one_name_have_one_plain_spelling() {
        for words in [
            &["yuri", "juri", "yuriy", "jurij"][..],
            &["ivanov", "iwanow", "ivanoff"],
            &["khabibulin", "habibulin", "khabibullin"],
            &["philip", "filip", "philipp"],
            &["alexander", "aleksander"],
        ] {
            for word in words {
                assert_eq!(plain(words[0]), plain(word));
            }
        }
    }
}
