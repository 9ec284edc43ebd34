//! A business as a caller describes it, checked: every bad field is named with the published code.

use std::collections::BTreeMap;

use http::Uri;
use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::countries::country;
use super::ids;
use crate::model::ModelType;

const METADATA_MAX: usize = 50;
const METADATA_KEY_CHARS_MAX: usize = 100;
const METADATA_TEXT_CHARS_MAX: usize = 1_000;
const METADATA_NUMBER_MAX: f64 = 1e10;
const HORIZON_DEFAULT: u8 = 3;

/// The model that a caller asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ModelChoice {
    /// The one that fits the horizon.
    #[default]
    Auto,
    /// Trees over the business and its history.
    GradientBoosting,
    /// Trees over the course of earlier assessments.
    Sequence,
    /// Both, weighted by the horizon.
    Ensemble,
}

/// A business, and what is asked about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Business {
    pub(crate) business_name: String,
    pub(crate) business_address: String,
    pub(crate) industry: String,
    pub(crate) country: String,
    /// In the form of E.164; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) phone: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) email: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) website: String,
    pub(crate) prediction_horizon: u8,
    pub(crate) model_type: ModelChoice,
    #[serde(default)]
    pub(crate) include_temporal_analysis: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metadata: BTreeMap<String, Value>,
}

/// The ids of the address, the phone number and the e-mail address, which several businesses may share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Traces {
    pub(crate) address: Uuid,
    pub(crate) phone: Option<Uuid>,
    pub(crate) email: Option<Uuid>,
}

impl ModelChoice {
    /// Reads a published name, or one of the older ones.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "auto" => Self::Auto,
            "gradient_boosting" | "xgboost" => Self::GradientBoosting,
            "sequence" | "lstm" => Self::Sequence,
            "ensemble" => Self::Ensemble,
            _ => return None,
        })
    }

    /// Reads a field that may be missing; a name of no model is noted.
    pub(crate) fn read(
        fields: &Map<String, Value>,
        field: &str,
        reader: &mut FieldReader<'_>,
    ) -> Option<Self> {
        let given = match fields.get(field) {
            None | Some(Value::Null) => return None,
            Some(given) => given.as_str().and_then(Self::parse),
        };
        if given.is_none() {
            reader.refuse(field, "INVALID_INPUT", "must be auto, gradient_boosting, sequence or ensemble");
        }
        given
    }

    /// The type of model for a horizon.
    pub(crate) fn kind(self, horizon_months: u8) -> ModelType {
        match self {
            Self::Auto => ModelType::auto(horizon_months),
            Self::GradientBoosting => ModelType::GradientBoosting,
            Self::Sequence => ModelType::Sequence,
            Self::Ensemble => ModelType::Ensemble,
        }
    }
}

impl Business {
    /// Reads a description; every bad field of it is noted, with a prefix.
    pub(crate) fn read(fields: &Map<String, Value>) -> Result<Self, Fault> {
        Self::read_with(fields, FieldReader::new(fields))
    }

    /// The same, beside other fields, of which a reader has noted the bad ones.
    pub(crate) fn read_with(fields: &Map<String, Value>, reader: FieldReader<'_>) -> Result<Self, Fault> {
        let mut reader = Reader { fields, reader };
        let business = Self {
            business_name: reader.required("business_name", 1..=255, "INVALID_BUSINESS_NAME"),
            business_address: reader.required("business_address", 10..=500, "INVALID_BUSINESS_ADDRESS"),
            industry: reader.required("industry", 1..=100, "INVALID_INDUSTRY"),
            country: reader.country(),
            phone: reader.optional("phone", "INVALID_PHONE", phone),
            email: reader.optional("email", "INVALID_EMAIL", email),
            website: reader.optional("website", "INVALID_URL", website),
            prediction_horizon: reader.horizon(),
            model_type: ModelChoice::read(fields, "model_type", &mut reader.reader).unwrap_or_default(),
            include_temporal_analysis: reader.reader.flag("include_temporal_analysis"),
            metadata: reader.metadata(),
        };
        reader.reader.finish()?;
        Ok(business)
    }

    /// The id of the business.
    pub(crate) fn id(&self) -> Uuid {
        ids::of_business(&self.business_name, &self.business_address, &self.country)
    }

    /// The address, the phone number and the e-mail address as ids, by which other businesses with the same ones are found.
    pub(crate) fn traces(&self) -> Traces {
        let of = |text: &str| (!text.is_empty()).then(|| ids::of_business("", text, ""));
        Traces {
            address: ids::of_business("", &self.business_address, &self.country),
            phone: of(&self.phone),
            email: of(&self.email),
        }
    }

    /// The share of the fields that are filled in, from 0 to 1.
    pub(crate) fn completeness(&self) -> f64 {
        let optional = [&self.phone, &self.email, &self.website];
        let figures = ["annual_revenue", "employee_count", "years_in_business"];
        let filled = optional.iter().filter(|text| !text.is_empty()).count()
            + figures.iter().filter(|name| self.figure(name).is_some()).count();
        #[expect(clippy::cast_precision_loss, reason = "ten fields")]
        let share = (4 + filled) as f64 / 10.0;
        share
    }

    /// A number of the metadata.
    pub(crate) fn figure(&self, name: &str) -> Option<f64> {
        self.metadata.get(name).and_then(Value::as_f64)
    }
}

struct Reader<'a> {
    fields: &'a Map<String, Value>,
    reader: FieldReader<'a>,
}

impl Reader<'_> {
    /// A text that must be there. It is taken as it is: no word in it is suspicious.
    fn required(
        &mut self,
        field: &'static str,
        chars: std::ops::RangeInclusive<usize>,
        code: &'static str,
    ) -> String {
        match self.fields.get(field) {
            Some(Value::String(text)) => {
                let text = text.trim();
                let is_plain = !text.chars().any(|letter| letter == '\0');
                if chars.contains(&text.chars().count()) && is_plain {
                    return text.to_owned();
                }
                let message = format!("must have {} to {} characters", chars.start(), chars.end());
                self.reader.refuse(field, code, &message);
            }
            None | Some(Value::Null) => self.reader.refuse(field, code, "is required"),
            Some(_) => self.reader.refuse(field, code, "must be a string"),
        }
        String::new()
    }

    /// A text that may be missing, in one form.
    fn optional(
        &mut self,
        field: &'static str,
        code: &'static str,
        form: fn(&str) -> Result<String, &'static str>,
    ) -> String {
        match self.fields.get(field) {
            None | Some(Value::Null) => return String::new(),
            Some(Value::String(text)) if text.trim().is_empty() => return String::new(),
            Some(Value::String(text)) => match form(text.trim()) {
                Ok(text) => return text,
                Err(message) => self.reader.refuse(field, code, message),
            },
            Some(_) => self.reader.refuse(field, code, "must be a string"),
        }
        String::new()
    }

    fn country(&mut self) -> String {
        let found = self.fields.get("country").and_then(Value::as_str).and_then(country);
        if found.is_none() {
            self.reader.refuse("country", "INVALID_COUNTRY", "must be a country of ISO 3166 in two letters");
        }
        found.unwrap_or_default()
    }

    fn horizon(&mut self) -> u8 {
        let given = match self.fields.get("prediction_horizon") {
            None | Some(Value::Null) => return HORIZON_DEFAULT,
            Some(given) => given.as_u64().filter(|months| *months <= 24),
        };
        match given.and_then(|months| u8::try_from(months).ok()) {
            Some(months) => months,
            None => {
                let message = "must be a whole number of months from 0 to 24";
                self.reader.refuse("prediction_horizon", "INVALID_PREDICTION_HORIZON", message);
                0
            }
        }
    }

    fn metadata(&mut self) -> BTreeMap<String, Value> {
        let given = self.reader.object("metadata");
        if given.len() > METADATA_MAX {
            self.reader.refuse("metadata", "METADATA_TOO_LARGE", "must have at most 50 entries");
            return BTreeMap::new();
        }
        for (key, value) in &given {
            let field = format!("metadata.{}", key.chars().take(METADATA_KEY_CHARS_MAX).collect::<String>());
            if key.is_empty() || key.chars().count() > METADATA_KEY_CHARS_MAX || key.contains('\0') {
                let message = "the key must have 1 to 100 characters";
                self.reader.refuse(&field, "INVALID_METADATA_KEY", message);
            }
            let fits = match value {
                Value::String(text) => {
                    text.chars().count() <= METADATA_TEXT_CHARS_MAX && !text.contains('\0')
                }
                Value::Number(number) => {
                    number.as_f64().is_some_and(|number| number.abs() <= METADATA_NUMBER_MAX)
                }
                Value::Bool(_) | Value::Null => true,
                Value::Array(_) | Value::Object(_) => false,
            };
            if !fits {
                let message =
                    "must be a text of at most 1000 characters, a number within ±1e10, true, false or null";
                self.reader.refuse(&field, "INVALID_METADATA_VALUE", message);
            }
        }
        given.into_iter().collect()
    }
}

/// A number in the form of E.164: the signs that people put between digits are left out.
pub(crate) fn phone(text: &str) -> Result<String, &'static str> {
    let digits: String = text
        .chars()
        .filter(|letter| !matches!(letter, ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}'))
        .collect();
    let number = digits.strip_prefix('+').unwrap_or_default();
    let fits = (2..=15).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && !number.starts_with('0');
    if fits { Ok(digits) } else { Err("must be a phone number with a country code, such as +41446681800") }
}

pub(crate) fn email(text: &str) -> Result<String, &'static str> {
    match pando_service::Email::parse(text) {
        Ok(email) if email.as_str().len() <= 254 => Ok(email.as_str().to_owned()),
        _ => Err("must be an e-mail address of at most 254 characters"),
    }
}

fn website(text: &str) -> Result<String, &'static str> {
    let message = "must be an address that begins with http:// or https://, of at most 2048 characters";
    let uri: Uri = text.parse().map_err(|_| message)?;
    let fits = text.len() <= 2_048
        && matches!(uri.scheme_str(), Some("http" | "https"))
        && uri.host().is_some_and(|host| !host.is_empty());
    if fits { Ok(text.to_owned()) } else { Err(message) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(change: Value) -> Result<Business, Fault> {
        let mut fields = json!({
            "business_name": "Acme", "business_address": "1 Main Street, Springfield", "industry": "retail",
            "country": "us",
        });
        fields.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        Business::read(fields.as_object().unwrap())
    }

    #[test]
    fn no_word_in_a_name_is_suspicious() {
        for name in ["O'Brien & Sons", "Union Create Ltd", "Müller GmbH", "Select; Execute", "<script>"] {
            assert_eq!(read(json!({"business_name": name})).unwrap().business_name, name);
        }
    }

    #[test]
    fn every_bad_field_has_its_published_code() {
        let bad = json!({
            "business_name": "", "business_address": "short", "industry": 5, "country": "XX", "phone": "12",
            "email": "nobody", "website": "ftp://x", "prediction_horizon": 25, "model_type": "magic",
            "metadata": {"a": {}, "": 1},
        });
        let fault = read(bad).unwrap_err();
        let codes: Vec<&str> = fault.errors().iter().map(|error| &*error.code).collect();
        let expected = [
            "INVALID_BUSINESS_NAME",
            "INVALID_BUSINESS_ADDRESS",
            "INVALID_INDUSTRY",
            "INVALID_COUNTRY",
            "INVALID_PHONE",
            "INVALID_EMAIL",
            "INVALID_URL",
            "INVALID_PREDICTION_HORIZON",
            "INVALID_INPUT",
            "INVALID_METADATA_KEY",
            "INVALID_METADATA_VALUE",
        ];
        assert_eq!(codes, expected);
    }

    #[test]
    fn values_get_one_form() {
        let business =
            read(json!({"phone": "+1 (555) 123-4567", "model_type": "xgboost", "prediction_horizon": 0}));
        let business = business.unwrap();
        assert_eq!((business.phone.as_str(), business.country.as_str()), ("+15551234567", "US"));
        assert_eq!((business.model_type, business.prediction_horizon), (ModelChoice::GradientBoosting, 0));
        assert_eq!(read(json!({})).unwrap().prediction_horizon, 3);
    }
}
