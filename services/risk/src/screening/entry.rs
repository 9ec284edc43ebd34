//! An entry of a list, and the rules that a record has to keep to become one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::name::Name;

/// A longer text of a record is refused.
pub const TEXT_CHARS_MAX: usize = 2000;
/// An entry has at most so many aliases, countries, dates and programs, each.
pub const VALUES_MAX: usize = 1000;

/// A person, company or thing on a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Unique within its list.
    pub id: String,
    /// The list or data set that it comes from.
    pub source: String,
    /// Its main name.
    pub name: String,
    /// Its other names.
    pub aliases: Vec<String>,
    /// The kind of thing that it is.
    pub kind: Kind,
    /// Countries, in capitals: ISO 3166 alpha-2, or a region of one, as `GB-SCT`.
    pub countries: Vec<String>,
    /// Dates of birth, or of foundation, each as exact as it is known.
    pub birth_dates: Vec<PartialDate>,
    /// The programs that it is listed for.
    pub programs: Vec<String>,
    /// The time of its last change, as the list writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
    /// By what else than its name it is recognised: only entries of a tenant's lists have this.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Box<Contact>>,
}

/// By what else than a name an entry is recognised, exactly. Absent values are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Contact {
    /// A business, by its id.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub business_id: String,
    /// An address in one of the countries of the entry.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// A phone number.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub phone: String,
    /// An e-mail address.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub email: String,
}

/// The kind of thing that an entry is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A natural person.
    Person,
    /// A company, authority, or other body.
    Organization,
    /// A ship.
    Vessel,
    /// An aircraft.
    Aircraft,
    /// Anything else.
    #[default]
    Other,
}

impl Kind {
    /// The kind for a schema of OpenSanctions.
    pub(super) fn of_schema(schema: &str) -> Self {
        match schema {
            "Person" => Self::Person,
            "Organization" | "Company" | "LegalEntity" | "PublicBody" => Self::Organization,
            "Vessel" => Self::Vessel,
            "Airplane" => Self::Aircraft,
            _ => Self::Other,
        }
    }
}

impl Entry {
    /// A hash of everything that the entry says, 32 hexadecimal digits. It is the same wherever and whenever it is made.
    ///
    /// The order of aliases and other values is not part of it, and neither is `updated_at`: some lists write a new
    /// time into every entry each day.
    #[must_use]
    pub fn version(&self) -> String {
        let kind = format!("{:?}", self.kind);
        let dates: Vec<String> = self.birth_dates.iter().map(ToString::to_string).collect();
        let mut hasher = blake3::Hasher::new();
        let mut add = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        [&self.id, &self.source, &self.name, &kind].into_iter().for_each(|text| add(text));
        for values in [&self.aliases, &self.countries, &dates, &self.programs] {
            let mut values: Vec<&str> = values.iter().map(String::as_str).collect();
            values.sort_unstable();
            values.dedup();
            add(&values.len().to_string());
            values.into_iter().for_each(&mut add);
        }
        if let Some(contact) = &self.contact {
            [&contact.business_id, &contact.address, &contact.phone, &contact.email]
                .into_iter()
                .for_each(|text| add(text));
        }
        hasher.finalize().to_hex()[..32].to_owned()
    }

    /// The main name, then the aliases.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.name).chain(&self.aliases).map(String::as_str)
    }
}

/// A date of which the day, or the month too, may be unknown: `1962`, `1962-05`, `1962-05-17`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PartialDate {
    year: u16,
    month: Option<u8>,
    day: Option<u8>,
}

impl PartialDate {
    /// How well two dates agree, 0..1; the steps are those of `Features::birth_date`.
    #[must_use]
    pub fn agreement(&self, other: &Self) -> f64 {
        if self.year != other.year {
            return if self.year.abs_diff(other.year) == 1 { 0.3 } else { 0.0 };
        }
        let is_swapped = self.month == other.day && self.day == other.month;
        match (self.month.zip(other.month), self.day.zip(other.day)) {
            (Some((one, another)), _) if one != another && is_swapped => 0.8,
            (Some((one, another)), _) if one != another => 0.4,
            (Some(_), Some((one, another))) if one == another => 1.0,
            (Some(_), Some(_)) => 0.4,
            (Some(_), None) => 0.8,
            (None, _) => 0.6,
        }
    }
}

/// A text that is no date.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no date: it is written 1962, 1962-05 or 1962-05-17")]
pub struct DateError(String);

impl FromStr for PartialDate {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Self, DateError> {
        let mut parts = text.split('-');
        let mut part = |length: usize, bounds: std::ops::RangeInclusive<u16>| match parts.next() {
            None => Ok(None),
            Some(digits) if digits.len() == length && digits.bytes().all(|it| it.is_ascii_digit()) => {
                digits.parse().ok().filter(|number| bounds.contains(number)).map(Some).ok_or(())
            }
            Some(_) => Err(()),
        };
        let date = (|| {
            let year = part(4, 1..=9999)?.ok_or(())?;
            let small = |number: Option<u16>| number.and_then(|number| u8::try_from(number).ok());
            let (month, day) = (small(part(2, 1..=12)?), small(part(2, 1..=31)?));
            Ok::<Self, ()>(Self { year, month, day })
        })();
        date.ok().filter(|_| parts.next().is_none()).ok_or_else(|| DateError(text.to_owned()))
    }
}

impl fmt::Display for PartialDate {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{:04}", self.year)?;
        self.month.map_or(Ok(()), |month| write!(to, "-{month:02}"))?;
        self.day.map_or(Ok(()), |day| write!(to, "-{day:02}"))
    }
}

impl Serialize for PartialDate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An entry as files write it, before its rules are checked.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Record {
    pub(super) id: String,
    pub(super) source: Option<String>,
    pub(super) name: String,
    pub(super) aliases: Vec<String>,
    pub(super) kind: Kind,
    pub(super) countries: Vec<String>,
    pub(super) birth_dates: Vec<String>,
    pub(super) programs: Vec<String>,
    pub(super) updated_at: Option<String>,
    pub(super) business_id: String,
    pub(super) address: String,
    pub(super) phone: String,
    pub(super) email: String,
}

impl Record {
    /// The entry, or the rule that the record breaks. `source` is taken if the record names none.
    pub(super) fn into_entry(self, source: &str) -> Result<Entry, String> {
        let source = self.source.filter(|it| !it.is_empty()).unwrap_or_else(|| source.to_owned());
        let contacts = [
            ("business_id", &self.business_id),
            ("address", &self.address),
            ("phone", &self.phone),
            ("email", &self.email),
        ];
        let has_contact = contacts.iter().any(|(_, text)| !text.is_empty());
        for (field, text) in contacts.into_iter().filter(|(_, text)| !text.is_empty()) {
            check_text(field, text)?;
        }
        let nameless = has_contact && self.name.is_empty() && self.aliases.is_empty();
        for (field, text) in [("id", &self.id), ("source", &source)] {
            check_text(field, text)?;
        }
        if !nameless {
            check_text("name", &self.name)?;
        }
        for (field, values) in [
            ("aliases", &self.aliases),
            ("countries", &self.countries),
            ("birth_dates", &self.birth_dates),
            ("programs", &self.programs),
        ] {
            if values.len() > VALUES_MAX {
                return Err(format!("{field}: {} values, at most {VALUES_MAX}", values.len()));
            }
            values.iter().try_for_each(|value| check_text(field, value))?;
        }
        if self.updated_at.as_ref().is_some_and(|text| text.chars().count() > TEXT_CHARS_MAX) {
            return Err(format!("updated_at: longer than {TEXT_CHARS_MAX} letters"));
        }
        if !nameless && Name::new(&self.name).words().is_empty() {
            return Err(format!("name: {:?} holds no letter and no digit", self.name));
        }
        let is_country = |it: &String| {
            (2..=12).contains(&it.len()) && it.bytes().all(|it| it.is_ascii_alphabetic() || it == b'-')
        };
        if let Some(country) = self.countries.iter().find(|it| !is_country(it)) {
            return Err(format!("countries: {country:?} is no code of a country"));
        }
        let dates: Result<_, DateError> = self.birth_dates.iter().map(|date| date.parse()).collect();
        Ok(Entry {
            id: self.id,
            source,
            name: self.name,
            aliases: self.aliases,
            kind: self.kind,
            countries: self.countries.iter().map(|country| country.to_ascii_uppercase()).collect(),
            birth_dates: dates.map_err(|error| format!("birth_dates: {error}"))?,
            programs: self.programs,
            updated_at: self.updated_at.filter(|it| !it.is_empty()),
            contact: has_contact.then(|| {
                let (business_id, address) = (self.business_id, self.address);
                Box::new(Contact { business_id, address, phone: self.phone, email: self.email })
            }),
        })
    }
}

fn check_text(field: &str, text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err(format!("{field}: empty"));
    }
    if text.chars().count() > TEXT_CHARS_MAX {
        return Err(format!("{field}: longer than {TEXT_CHARS_MAX} letters"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let record = Record {
            id: "x-1".to_owned(),
            name: "Ada".to_owned(),
            aliases: ["B", "A"].map(str::to_owned).to_vec(),
            countries: vec!["de".to_owned()],
            birth_dates: vec!["1962-05".to_owned()],
            ..Record::default()
        };
        record.into_entry("list").unwrap()
    }

    #[test]
    fn a_version_is_that_of_the_content() {
        let (one, mut other) = (entry(), entry());
        other.aliases.reverse();
        other.updated_at = Some("2026-01-01".to_owned());
        assert_eq!(one.version(), other.version());
        assert_eq!(one.version().len(), 32);
        other.aliases.pop();
        assert_ne!(one.version(), other.version());
    }

    #[test]
    fn dates_are_as_exact_as_they_are_known() {
        for text in ["1962", "1962-05", "1962-05-17"] {
            assert_eq!(text.parse::<PartialDate>().unwrap().to_string(), text);
        }
        for text in ["", "62", "1962-13", "1962-5", "1962-05-17-1", "1962-05-", "+962", "0000"] {
            assert!(text.parse::<PartialDate>().is_err(), "{text}");
        }
        let agreement = |one: &str, other: &str| {
            let (one, other) = (one.parse::<PartialDate>().unwrap(), other.parse::<PartialDate>().unwrap());
            assert!((one.agreement(&other) - other.agreement(&one)).abs() < 1e-9);
            one.agreement(&other)
        };
        for (one, other, expected) in [
            ("1962-05-17", "1962-05-17", 1.0),
            ("1962-05-07", "1962-07-05", 0.8),
            ("1962-05-17", "1962-05", 0.8),
            ("1962-05-17", "1962", 0.6),
            ("1962-05-17", "1962-05-18", 0.4),
            ("1962-05-17", "1963-05-17", 0.3),
            ("1962-05-17", "1970", 0.0),
        ] {
            assert!((agreement(one, other) - expected).abs() < 1e-9, "{one} {other}");
        }
    }

    #[test]
    fn a_broken_rule_is_named() {
        let base = || Record { id: "x".to_owned(), name: "Ada".to_owned(), ..Record::default() };
        let error = |record: Record| record.into_entry("list").unwrap_err();
        assert_eq!(error(Record { id: String::new(), ..base() }), "id: empty");
        assert_eq!(
            error(Record { name: "…".to_owned(), ..base() }),
            "name: \"…\" holds no letter and no digit"
        );
        assert_eq!(
            error(Record { countries: vec!["1".to_owned()], ..base() }),
            "countries: \"1\" is no code of a country"
        );
        assert!(
            error(Record { birth_dates: vec!["May".to_owned()], ..base() })
                .starts_with("birth_dates: \"May\" is no date")
        );
        assert_eq!(
            error(Record { aliases: vec!["a".to_owned(); 1001], ..base() }),
            "aliases: 1001 values, at most 1000"
        );
    }
}
