//! The data that an application adds to profiles, and the rules for it.

use pando_schema::{Fault, Schema};
use serde_json::{Map, Value};

/// Gives a number the one form that both engines write: a large whole number is an integer, not a power of ten.
pub(crate) fn canonical(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(canonical),
        Value::Object(fields) => fields.values_mut().for_each(canonical),
        Value::Number(number) => {
            let float = number
                .as_f64()
                .filter(|float| number.is_f64() && float.abs() >= 1e15 && float.fract() == 0.0);
            // The text of a whole float is its exact value; past 64 bits it stays a float on both engines.
            let Some(text) = float.map(|float| format!("{float}")) else { return };
            if let Ok(whole) = text.parse::<i64>() {
                *value = whole.into();
            } else if let Ok(whole) = text.parse::<u64>() {
                *value = whole.into();
            }
        }
        _ => {}
    }
}

/// The beginning of kit/schema's message about a missing required field.
const MISSING: &str = "must have the field";

/// The rules for `attributes`: a size, and a JSON Schema if one is configured.
#[derive(Debug)]
pub struct AttributeRules {
    bytes_max: usize,
    schema: Option<Schema>,
}

impl AttributeRules {
    /// Compiles the configured schema. The error says what is wrong with it.
    pub fn new(bytes_max: usize, schema: Option<&Value>) -> Result<Self, String> {
        let schema = schema.map(Schema::compile).transpose()?;
        Ok(Self { bytes_max, schema })
    }

    /// Rules that everything follows.
    pub(crate) fn none() -> Self {
        Self { bytes_max: usize::MAX, schema: None }
    }

    /// The violations that a change adds. A violation in an unchanged value is not reported.
    pub(crate) fn new_violations(
        &self,
        before: &Map<String, Value>,
        after: &Map<String, Value>,
    ) -> Vec<Fault> {
        let mut faults = self.violations(after);
        if faults.is_empty() || before.is_empty() {
            return faults;
        }
        let (old, before, after) =
            (self.violations(before), Value::Object(before.clone()), Value::Object(after.clone()));
        faults.retain(|fault| {
            let stays = !fault.path.is_empty() && before.pointer(&fault.path) == after.pointer(&fault.path);
            // A missing attribute was missing before as well, and the fault belongs to the whole.
            let missing = fault.path.is_empty() && fault.message.starts_with(MISSING);
            !(old.contains(fault) && (stays || missing))
        });
        faults
    }

    /// Each violation with its JSON pointer below `attributes`.
    fn violations(&self, attributes: &Map<String, Value>) -> Vec<Fault> {
        if attributes.is_empty() && self.schema.is_none() {
            return Vec::new();
        }
        let document = Value::Object(attributes.clone());
        let bytes = document.to_string().len();
        if bytes > self.bytes_max {
            let message = format!("must be at most {} bytes of JSON, not {bytes}", self.bytes_max);
            return vec![Fault { path: String::new(), message }];
        }
        self.schema.as_ref().map_or_else(Vec::new, |schema| schema.faults(&document))
    }
}
