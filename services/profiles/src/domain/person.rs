//! The name of a person.

use pando_service::BadText;
use serde::{Deserialize, Serialize};

/// The longest name, in characters.
pub(crate) const NAME_CHARS_MAX: usize = 255;

/// A name of 1 to 255 characters in any script, not only blanks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Name(String);

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
}
