//! What a search looks through, and how what is asked for is found in it.
//!
//! Both engines have an index of trigrams: it finds any text of three characters or more. So that one or two letters can be
//! found, every word stands behind two spaces: `  zo` begins with a trigram. Letters that are words of their own, as in
//! Chinese, and signs such as `@` stand behind two spaces each.

use unicode_normalization::char::is_combining_mark;

use crate::profile::folded;

/// What stands before every word.
const BEFORE: &str = "  ";

/// The text that is kept of these words.
pub(crate) fn kept(words: &str) -> String {
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

/// What has to stand in a kept text for what is asked for: anywhere from three characters on; less than that finds words
/// that begin with it. Nothing where nothing is asked for.
pub(crate) fn sought(words: &str) -> Option<String> {
    let text = kept(words);
    let first = text.trim_start().chars().next()?;
    let anywhere = text.trim_start();
    let goes_on = first.is_alphanumeric() && !is_word(first);
    Some(if goes_on && anywhere.chars().count() >= 3 { anywhere.to_owned() } else { text })
}

/// Whether a letter is a word of its own: Chinese, Japanese and Korean are written without spaces between words.
fn is_word(letter: char) -> bool {
    matches!(letter, '\u{2e80}'..='\u{9fff}' | '\u{a000}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7af}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// A `like` pattern that finds this text anywhere, its own wildcards taken literally.
pub(crate) fn pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

/// What the index of SQLite is asked for: a few different trigrams of the text, which all have to be there. Whether they
/// stand in its order is seen in the rows: the index would compare every place of every letter of `aaaa…`.
pub(crate) fn trigrams(text: &str) -> String {
    const TRIGRAMS_MAX: usize = 8;
    let letters: Vec<char> = text.chars().collect();
    let mut asked: Vec<String> = Vec::new();
    let last = letters.len().saturating_sub(3);
    for start in (0..last).step_by(3).chain([last]) {
        let trigram: String = letters[start..].iter().take(3).collect();
        let quoted = format!("\"{}\"", trigram.replace('"', "\"\""));
        if !asked.contains(&quoted) && (asked.len() < TRIGRAMS_MAX || start == last) {
            asked.push(quoted);
        }
    }
    asked.join(" AND ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_and_sign_stands_behind_two_spaces() {
        assert_eq!(kept("Zoë  Ångström"), "  zoë  ångström");
        assert_eq!(kept("o'brien@x.org"), "  o  '  brien  @  x  .  org");
        assert_eq!(kept("李雷 A1"), "  李  雷  a1");
        assert_eq!(kept(" "), "");
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
        assert!(["z", "zo", "雷", "@", "%"].iter().all(|short| sought(short).unwrap().chars().count() >= 3));
    }

    #[test]
    fn signs_of_patterns_and_phrases_are_literal() {
        assert_eq!(pattern("50%_!"), "%50!%!_!!%");
        assert_eq!(trigrams("a\"b"), "\"a\"\"b\"");
    }

    #[test]
    fn an_index_is_asked_for_few_trigrams_and_for_none_twice() {
        assert_eq!(trigrams("zoë  ån"), "\"zoë\" AND \"  å\" AND \" ån\"");
        assert_eq!(trigrams(&"a".repeat(50)), "\"aaa\"");
        assert_eq!(trigrams(&format!("{}b", "a".repeat(50))), "\"aaa\" AND \"aab\"");
        let long: String = ('a'..='z').chain('A'..='Z').collect();
        assert_eq!(trigrams(&long).matches(" AND ").count(), 8);
    }
}
