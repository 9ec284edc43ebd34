//! E-mail addresses: which ones there are, and when two are the same.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::BadText;

/// The longest e-mail address, in characters.
pub const EMAIL_CHARS_MAX: usize = 254;

/// An e-mail address as it was written; [`Email::key`] compares it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Email(String);

impl Email {
    /// Parses an address of the form `local@domain.tld`, also an international one; quoted local parts are refused.
    pub fn parse(text: &str) -> Result<Self, BadText> {
        if text.chars().count() > EMAIL_CHARS_MAX {
            return Err(BadText::too_long(EMAIL_CHARS_MAX));
        }
        let valid =
            text.rsplit_once('@').is_some_and(|(local, domain)| is_local_part(local) && is_domain(domain));
        if !valid {
            return Err(BadText::value("must be an e-mail address such as name@example.org"));
        }
        Ok(Self(text.to_owned()))
    }

    /// Makes an address from a stored text, which was parsed before it was stored.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// The address as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address without regard to case: two with the same key are the same.
    pub fn key(&self) -> String {
        folded(&self.0)
    }
}

/// A letter or digit, or a mark that belongs to one: a vowel of an Indic script, an accent beside its letter.
fn is_letter(character: char) -> bool {
    character.is_alphanumeric() || is_combining_mark(character)
}

fn is_local_part(local: &str) -> bool {
    let dots_apart = !local.starts_with('.') && !local.ends_with('.') && !local.contains("..");
    let begins = local.chars().next().is_some_and(|c| !is_combining_mark(c));
    let letters = |c: char| is_letter(c) || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    (1..=64).contains(&local.len()) && begins && dots_apart && local.chars().all(letters)
}

fn is_domain(domain: &str) -> bool {
    let labels: Vec<&str> = domain.split('.').collect();
    let is_label = |label: &&str| {
        (1..=63).contains(&label.len())
            && label.chars().next().is_some_and(|c| c != '-' && !is_combining_mark(c))
            && !label.ends_with('-')
            && label.chars().all(|c| is_letter(c) || c == '-')
    };
    labels.len() >= 2 && labels.iter().all(is_label)
}

/// The form in which e-mail addresses and search texts are compared: in lower case and composed (NFC), however the letters
/// were encoded.
pub fn folded(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { text.to_lowercase().nfc().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn email_addresses_are_read_strictly_and_compared_loosely() {
        for good in [
            "a@b.co",
            "first.last+tag@sub.example.org",
            "o'brien@example.ie",
            "李雷@例子.中国",
            "x_y@a-b.de",
            "हिन्दी@उदाहरण.भारत",
            "A\u{30a}sa@example.org",
        ] {
            assert!(Email::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a",
            "@b.co",
            "a@",
            "a@b",
            "a b@c.de",
            "a@b..co",
            "a@-b.co",
            "a@b-.co",
            ".a@b.co",
            "a.@b.co",
            "a..b@c.de",
            "a@b@c.de",
            "a@b.co\n",
            "a@b_c.de",
            "\"a\"@b.co",
            "\u{30a}a@b.co",
        ] {
            assert!(Email::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Email::parse(&format!("{}@{}.org", "a".repeat(64), "b".repeat(63))).is_ok());
        assert!(Email::parse(&format!("{}@b.org", "a".repeat(65))).is_err());
        for written in ["ÅSA@Example.ORG", "A\u{30a}SA@example.org", "a\u{30a}sa@example.org"] {
            assert_eq!(Email::parse(written).unwrap().key(), "åsa@example.org", "{written}");
        }
    }
}
