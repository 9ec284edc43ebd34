//! A request for a batch, in each of its published forms.

use pando_service::Violations;
use pando_service::prelude::*;
use serde_json::{Map, Value};

/// How many businesses a batch may have that a job assesses.
pub const BATCH_JOB_MAX: usize = 10_000;

const METADATA_BYTES_MAX: usize = 10_000;
const CREATED_BY_CHARS_MAX: usize = 255;
const PRIORITY_DEFAULT: i64 = 5;
const RETRIES_DEFAULT: i64 = 3;

/// A batch that a job is to assess.
#[derive(Clone, Debug)]
pub(crate) struct BatchDraft {
    /// The businesses, as they came.
    pub(crate) items: Vec<Value>,
    pub(crate) priority: i64,
    pub(crate) retries_max: i64,
    pub(crate) metadata: Map<String, Value>,
    /// Empty if the request does not say.
    pub(crate) created_by: String,
}

impl BatchDraft {
    /// A batch of these businesses, with default settings.
    pub(crate) fn of(items: Vec<Value>) -> Self {
        Self {
            items,
            priority: PRIORITY_DEFAULT,
            retries_max: RETRIES_DEFAULT,
            metadata: Map::new(),
            created_by: String::new(),
        }
    }

    /// Reads the body of `POST /assess/batch/async`.
    pub(crate) fn read(fields: &Map<String, Value>) -> Result<Self, Fault> {
        let items = items(fields, BATCH_JOB_MAX)?.to_vec();
        let mut reader = FieldReader::new(fields);
        let job_type = reader.text("job_type", 100);
        if !matches!(job_type.as_str(), "" | "risk_assessment") {
            reader.refuse("job_type", "INVALID_INPUT", "must be risk_assessment");
        }
        let created_by = match reader.required_text("created_by") {
            Some(name) if name.is_empty() || name.chars().count() > CREATED_BY_CHARS_MAX => {
                reader.refuse("created_by", "INVALID_INPUT", "must have 1 to 255 characters");
                String::new()
            }
            name => name.unwrap_or_default().to_owned(),
        };
        let metadata = reader.object("metadata");
        if serde_json::to_string(&metadata).map_or(0, |text| text.len()) > METADATA_BYTES_MAX {
            reader.refuse("metadata", "METADATA_TOO_LARGE", "must have at most 10000 bytes");
        }
        let priority = number(&mut reader, fields, ("priority", PRIORITY_DEFAULT), 1..=10);
        let retries_max = number(&mut reader, fields, ("max_retries", RETRIES_DEFAULT), 0..=5);
        reader.finish()?;
        Ok(Self { items, priority, retries_max, metadata, created_by })
    }

    /// Reads the body of `POST /batch/assess`. The horizon of its options counts for businesses without one of their own.
    pub(crate) fn read_with_options(fields: &Map<String, Value>) -> Result<Self, Fault> {
        let mut items = items(fields, BATCH_JOB_MAX)?.to_vec();
        let mut reader = FieldReader::new(fields);
        let options = reader.object("options");
        let mut inner = FieldReader::new(&options);
        let horizon = number(&mut inner, &options, ("prediction_horizon", -1), 0..=24);
        let priority = match inner.text("priority", 20).as_str() {
            "" | "normal" => PRIORITY_DEFAULT,
            "low" => 2,
            "high" => 9,
            _ => {
                inner.refuse("priority", "INVALID_INPUT", "must be low, normal or high");
                PRIORITY_DEFAULT
            }
        };
        // Every assessment can be explained; the answer names the address of the explanation in any case.
        inner.flag("include_explainability");
        if let Err(violations) = inner.finish() {
            for bad in violations.iter() {
                let code = if bad.field == "prediction_horizon" {
                    "INVALID_PREDICTION_HORIZON"
                } else {
                    "INVALID_INPUT"
                };
                reader.refuse(&format!("options.{}", bad.field), code, &bad.message);
            }
        }
        reader.finish()?;
        if horizon >= 0 {
            for item in items.iter_mut().filter_map(Value::as_object_mut) {
                item.entry("prediction_horizon").or_insert_with(|| horizon.into());
            }
        }
        Ok(Self { priority, ..Self::of(items) })
    }
}

/// The businesses of a request, under either of their published names.
pub(crate) fn items(fields: &Map<String, Value>, count_max: usize) -> Result<&[Value], Fault> {
    let refuse = |field: &str, message: &str| Violations::one(field, "INVALID_INPUT", message).into();
    let (name, items) = match (fields.get("requests"), fields.get("businesses")) {
        (Some(items), None) => ("requests", items),
        (None, Some(items)) => ("businesses", items),
        _ => return Err(refuse("requests", "give either requests or businesses: an array of businesses")),
    };
    match items.as_array() {
        Some(items) if (1..=count_max).contains(&items.len()) => Ok(items),
        Some(_) => Err(refuse(name, &format!("must have 1 to {count_max} businesses"))),
        None => Err(refuse(name, "must be an array of businesses")),
    }
}

/// A whole number that may be missing.
fn number(
    reader: &mut FieldReader<'_>,
    fields: &Map<String, Value>,
    (field, otherwise): (&str, i64),
    range: std::ops::RangeInclusive<i64>,
) -> i64 {
    let given = match fields.get(field) {
        None | Some(Value::Null) => return otherwise,
        Some(given) => given.as_i64().filter(|number| range.contains(number)),
    };
    given.unwrap_or_else(|| {
        let message = format!("must be a whole number from {} to {}", range.start(), range.end());
        reader.refuse(field, "INVALID_INPUT", &message);
        otherwise
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn every_bad_field_of_a_request_is_named() {
        let bad = json!({
            "requests": [{}], "job_type": "magic", "priority": 11, "max_retries": "3", "created_by": "",
            "metadata": {"note": "x".repeat(METADATA_BYTES_MAX)},
        });
        let fault = BatchDraft::read(&fields(bad)).unwrap_err();
        let bad: Vec<&str> = fault.errors().iter().map(|error| &*error.field).collect();
        assert_eq!(bad, ["job_type", "created_by", "metadata", "priority", "max_retries"]);
        let bad = json!({"businesses": [{}], "options": {"prediction_horizon": 25, "priority": "now"}});
        let fault = BatchDraft::read_with_options(&fields(bad)).unwrap_err();
        let bad: Vec<(&str, &str)> =
            fault.errors().iter().map(|error| (&*error.field, &*error.code)).collect();
        let expected = [
            ("options.prediction_horizon", "INVALID_PREDICTION_HORIZON"),
            ("options.priority", "INVALID_INPUT"),
        ];
        assert_eq!(bad, expected);
    }

    #[test]
    fn the_horizon_of_the_options_counts_for_businesses_without_one() {
        let asked = json!({
            "businesses": [{"a": 1}, {"prediction_horizon": 1}, 5],
            "options": {"prediction_horizon": 12, "priority": "high", "include_explainability": true},
        });
        let draft = BatchDraft::read_with_options(&fields(asked)).unwrap();
        assert_eq!(
            draft.items,
            [json!({"a": 1, "prediction_horizon": 12}), json!({"prediction_horizon": 1}), json!(5)]
        );
        assert_eq!(draft.priority, 9);
    }
}
