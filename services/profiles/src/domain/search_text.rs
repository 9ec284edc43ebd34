//! What a search looks through, and how what is asked for is found in it.
//!
//! Both engines have an index of trigrams: it finds any text of three characters or more. So that one or two letters can be
//! found, every word stands behind two spaces: `  zo` begins with a trigram. Letters that are words of their own, as in
//! Chinese, and signs such as `@` stand behind two spaces each.
//!
//! PostgreSQL's index knows letters and digits only, and which letters there are depends on the locale of the database. So
//! everything but `a` to `z` and `0` to `9` is spelled in capital letters, which no folded text has.

use std::collections::BTreeSet;

use pando_service::folded;
use unicode_normalization::char::is_combining_mark;

/// What stands before every word.
const BEFORE: &str = "  ";

/// The text that is kept of these words.
pub(crate) fn kept(words: &str) -> String {
    spelled(&apart(words))
}

/// The text that a kept text must contain. Three characters or more may stand anywhere in it; fewer find words that begin
/// with them. Returns nothing if the search is empty.
pub(crate) fn sought(words: &str) -> Option<String> {
    let text = apart(words);
    let anywhere = text.trim_start();
    let first = anywhere.chars().next()?;
    let goes_on = first.is_alphanumeric() && !is_word(first);
    Some(spelled(if goes_on && anywhere.chars().count() >= 3 { anywhere } else { &text }))
}

/// Words and signs in small letters, each behind two spaces.
fn apart(words: &str) -> String {
    let folded = folded(words);
    let mut text = String::with_capacity(folded.len() + 16);
    let mut within = false;
    for letter in folded.chars() {
        if letter.is_whitespace() {
            within = false;
            continue;
        }
        let goes_on = is_combining_mark(letter) || letter.is_alphanumeric() && !is_word(letter);
        if !(within && goes_on) {
            text.push_str(BEFORE);
        }
        text.push(letter);
        within = goes_on;
    }
    text
}

/// The same text in ASCII letters, digits and spaces. The first capital letter of a character says how many follow, and is
/// none of those: so a spelled text stands in another one exactly where the text itself does.
fn spelled(text: &str) -> String {
    const COUNTS: &[u8; 6] = b"ABCDEF";
    const DIGITS: &[u8; 16] = b"GHIJKLMNOPQRSTUV";
    let mut spelled = String::with_capacity(text.len() * 2);
    for letter in text.chars() {
        if matches!(letter, ' ' | 'a'..='z' | '0'..='9') {
            spelled.push(letter);
            continue;
        }
        let code = u32::from(letter);
        let digits = (u32::BITS - code.leading_zeros()).div_ceil(4).max(1);
        spelled.push(char::from(COUNTS[digits as usize - 1]));
        for place in (0..digits).rev() {
            spelled.push(char::from(DIGITS[(code >> (4 * place) & 15) as usize]));
        }
    }
    spelled
}

/// Whether a letter is a word of its own: Chinese, Japanese and Korean are written without spaces between words.
fn is_word(letter: char) -> bool {
    matches!(letter, '\u{2e80}'..='\u{9fff}' | '\u{a000}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7af}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// The different trigrams of a text that both indexes have. PostgreSQL's has none of the end of one word and the spaces
/// before the next.
pub(crate) fn trigrams(text: &str) -> BTreeSet<&str> {
    let known = |trigram: &&str| match trigram.as_bytes() {
        [first, second, _] => *second != b' ' || *first == b' ',
        _ => false,
    };
    // The text is ASCII: every byte is a character.
    (0..text.len()).filter_map(|start| text.get(start..start + 3)).filter(known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_and_sign_stands_behind_two_spaces() {
        assert_eq!(apart("Zoë  Ångström"), "  zoë  ångström");
        assert_eq!(apart("o'brien@x.org"), "  o  '  brien  @  x  .  org");
        assert_eq!(apart("李雷 A1"), "  李  雷  a1");
        assert_eq!(apart(" "), "");
    }

    #[test]
    fn what_is_no_letter_of_ascii_is_spelled_in_capital_letters() {
        assert_eq!(spelled("  zoë  @"), "  zoBUR  BKG");
        assert_eq!(spelled("李\u{10ffff}\0"), "DMNKUFHGVVVVAG");
        assert!(kept("Zoë 李雷 %_'\"").bytes().all(|byte| byte == b' ' || byte.is_ascii_alphanumeric()));
        // The end of one character and the beginning of the next are not a third.
        for (text, other) in [("ë", "\u{beb}"), ("\u{beb}", "ë"), ("\u{1234}", "\u{34}")] {
            assert!(!spelled(text).contains(&spelled(other)), "{other} in {text}");
        }
    }

    #[test]
    fn a_text_is_found_anywhere_and_one_or_two_letters_at_the_beginning_of_a_word() {
        let found = |asked: &str, words: &str| kept(words).contains(&sought(asked).unwrap());
        for (asked, words) in [
            ("ngstr", "Zoë Ångström"),
            ("ZOË å", "Zoë Ångström"),
            ("oë ångs", "Zoë Ångström"),
            ("z", "Zoë"),
            ("ån", "Zoë Ångström"),
            ("雷", "李雷"),
            ("李雷", "李雷 lei@example.org"),
            ("@ex", "zoe@example.org"),
            ("e@e", "zoe@example.org"),
            ("example.org", "zoe@example.org"),
            ("%", "100%"),
            ("A\u{30a}ngs", "Ångström"),
        ] {
            assert!(found(asked, words), "{asked} in {words}");
        }
        for (asked, words) in [("oë", "Zoë"), ("x", "Zoë"), ("雷李", "李雷"), ("zoëå", "Zoë Ångström")]
        {
            assert!(!found(asked, words), "{asked} in {words}");
        }
        assert_eq!(sought("  "), None);
    }

    #[test]
    fn whatever_is_sought_has_a_trigram() {
        assert_eq!(Vec::from_iter(trigrams("zo  a")), ["  a", "zo "]);
        assert_eq!(Vec::from_iter(trigrams(&"a".repeat(50))), ["aaa"]);
        for short in ["z", "zo", "雷", "@", "%", "a b", "ab c", "'", "ë"] {
            assert!(!trigrams(&sought(short).unwrap()).is_empty(), "{short}");
        }
    }
}
