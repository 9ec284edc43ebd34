//! The name and the e-mail address of a person.

use pando_service::BadText;
use serde::{Deserialize, Serialize};
use unicode_normalization::char::is_combining_mark;

use crate::domain::search_text::folded;

/// The longest name, in characters.
pub(crate) const NAME_CHARS_MAX: usize = 255;
/// The longest e-mail address, in characters.
pub(crate) const EMAIL_CHARS_MAX: usize = 254;

/// A name of 1 to 255 characters in any script, not only blanks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Name(String);

/// An e-mail address as it was written; [`Email::key`] is what makes it unique.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Email(String);

impl Name {
    /// Reads a name.
    pub fn parse(text: &str) -> Result<Self, BadText> {
        if text.trim().is_empty() {
            return Err(BadText::value("must not be blank"));
        }
        if text.chars().count() > NAME_CHARS_MAX {
            return Err(BadText::too_long(NAME_CHARS_MAX));
        }
        if text.chars().any(char::is_control) {
            return Err(BadText::value("must not contain line ends or other control characters"));
        }
        Ok(Self(text.to_owned()))
    }

    /// Makes a name from a stored text, which was parsed before it was stored.
    pub(crate) fn stored(text: String) -> Self {
        Self(text)
    }

    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

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
    pub(crate) fn stored(text: String) -> Self {
        Self(text)
    }

    /// The address as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address without regard to case: two profiles never share one.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_script_pass() {
        for name in
            ["Zoë", "O'Brien", "李雷", "Robert'); DROP TABLE students;--", "<script>", "select a union", "🌳"]
        {
            assert_eq!(Name::parse(name).unwrap().as_str(), name);
        }
        for bad in [" \t", "a\r\nb", "a\u{1b}[31m", "a\u{85}b"] {
            assert_eq!(Name::parse(bad).unwrap_err().code, "value", "{bad:?}");
        }
        assert_eq!(Name::parse(&"x".repeat(256)).unwrap_err().code, "too_long");
        assert!(Name::parse(&"é".repeat(NAME_CHARS_MAX)).is_ok());
        assert!(Name::parse(&"é".repeat(NAME_CHARS_MAX + 1)).is_err());
    }

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
