//! The parts of a profile that have rows of their own: an address and preferences.

use pando_service::{FieldReader, Violations};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::domain::profile::Profile;

/// The longest line of an address, in characters.
pub(crate) const ADDRESS_LINE_CHARS_MAX: usize = 255;

/// The address of the person. Before the first write it is absent; an empty line is an empty string.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Address {
    /// Street and number.
    #[schema(max_length = 255)]
    pub street: String,
    /// City or town.
    #[schema(max_length = 255)]
    pub city: String,
    /// State, province or region.
    #[schema(max_length = 255)]
    pub region: String,
    /// Postal code, as it is written in its country.
    #[schema(max_length = 255)]
    pub postal_code: String,
    /// ISO 3166 code of two capital letters, or empty.
    #[schema(max_length = 2, pattern = "^([A-Z]{2})?$", example = "SE")]
    pub country: String,
}

/// The preferences of the person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Preferences {
    /// A language tag such as `de` or `pt-BR`, or empty.
    #[schema(max_length = 35, pattern = "^([A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,8})*)?$", example = "pt-BR")]
    pub language: String,
    /// A time zone name such as `Europe/Berlin`, or empty.
    #[schema(max_length = 64, pattern = "^[A-Za-z0-9/_+-]*$", example = "Europe/Stockholm")]
    pub time_zone: String,
    /// The appearance of pages.
    pub theme: Theme,
    /// Whether the person wants to get mail.
    pub newsletter: bool,
}

/// The appearance of pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// The appearance that the device prefers.
    #[default]
    System,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// A profile with its parts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FullProfile {
    /// The profile itself.
    pub profile: Profile,
    /// The address; absent before the first write.
    pub address: Option<Address>,
    /// The preferences; absent before the first write.
    pub preferences: Option<Preferences>,
}

impl Address {
    /// Reads an address; absent lines are empty, unknown fields are ignored.
    pub fn parse(fields: &Map<String, Value>) -> Result<Self, Violations> {
        let mut reader = FieldReader::new(fields);
        let address = Self {
            street: reader.text("street", ADDRESS_LINE_CHARS_MAX),
            city: reader.text("city", ADDRESS_LINE_CHARS_MAX),
            region: reader.text("region", ADDRESS_LINE_CHARS_MAX),
            postal_code: reader.text("postal_code", ADDRESS_LINE_CHARS_MAX),
            country: reader.text("country", ADDRESS_LINE_CHARS_MAX),
        };
        let is_code = address.country.len() == 2 && address.country.bytes().all(|b| b.is_ascii_uppercase());
        if !address.country.is_empty() && !is_code {
            reader.refuse("country", "value", "must be a code of two capital letters, such as DE");
        }
        reader.finish().map(|()| address)
    }

    /// The address on one line, its empty parts left out.
    pub fn one_line(&self) -> String {
        let town = [self.postal_code.as_str(), self.city.as_str()].join(" ");
        let lines = [self.street.as_str(), town.trim(), self.region.as_str(), self.country.as_str()];
        lines.iter().filter(|line| !line.is_empty()).copied().collect::<Vec<_>>().join(", ")
    }
}

impl Preferences {
    /// Reads preferences; absent ones have their defaults, unknown fields are ignored.
    pub fn parse(fields: &Map<String, Value>) -> Result<Self, Violations> {
        let mut reader = FieldReader::new(fields);
        let mut preferences = Self {
            language: reader.text("language", 35),
            time_zone: reader.text("time_zone", 64),
            theme: Theme::default(),
            newsletter: reader.flag("newsletter"),
        };
        let is_tag = |text: &str| {
            text.split('-')
                .all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
        };
        if !preferences.language.is_empty() && !is_tag(&preferences.language) {
            reader.refuse("language", "value", "must be a language tag such as de or pt-BR");
        }
        let is_zone = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "/_+-".contains(c));
        if !is_zone(&preferences.time_zone) {
            reader.refuse("time_zone", "value", "must be a time zone name such as Europe/Berlin");
        }
        match reader.text("theme", 16).as_str() {
            "" => {}
            name => match Theme::named(name) {
                Some(theme) => preferences.theme = theme,
                None => reader.refuse("theme", "value", "must be system, light or dark"),
            },
        }
        reader.finish().map(|()| preferences)
    }

    /// The preferences on one line.
    pub fn one_line(&self) -> String {
        let or_none = |text: &str| if text.is_empty() { "none".to_owned() } else { text.to_owned() };
        format!(
            "language {}, time zone {}, theme {}, newsletter {}",
            or_none(&self.language),
            or_none(&self.time_zone),
            self.theme.name(),
            if self.newsletter { "yes" } else { "no" }
        )
    }
}

impl Theme {
    /// The name in requests, answers and rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The theme of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::System, Self::Light, Self::Dark].into_iter().find(|theme| theme.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_are_read_whole_and_every_bad_field_is_named() {
        let address = Address::parse(json!({"city": "Köln", "country": "DE"}).as_object().unwrap()).unwrap();
        assert_eq!(address.one_line(), "Köln, DE");
        let refused = Preferences::parse(
            json!({"language": "e n", "time_zone": "a b", "theme": "pink", "newsletter": 1})
                .as_object()
                .unwrap(),
        );
        let refused = refused.unwrap_err();
        let fields: Vec<&str> = refused.iter().map(|violation| &*violation.field).collect();
        assert_eq!(fields, ["newsletter", "language", "time_zone", "theme"]);
    }
}
