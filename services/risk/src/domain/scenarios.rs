//! Scenarios: named changes of features, which a model then scores.
//!
//! A scenario has no score of its own. It changes features of a business by fixed amounts, and a missing feature stays
//! missing. `docs-outlook.md` beside the README of this crate shows the same table.

use pando_service::prelude::*;
use serde_json::{Map, Value};

use crate::model::{FEATURES, Features};

/// How many scenarios a request may have.
const SCENARIOS_MAX: usize = 10;
const NAME_CHARS_MAX: usize = 50;
const DESCRIPTION_CHARS_MAX: usize = 500;
/// How many features a scenario of a caller may change.
const CHANGES_MAX: usize = 10;
/// The horizon is asked for apart, so no scenario changes it.
const HORIZON: &str = "horizon_months";

/// A scenario that the program knows.
struct Known {
    names: &'static [&'static str],
    description: &'static str,
    changes: &'static [(&'static str, f64)],
}

/// The first name of each is the one that answers have. Revenue and staff are logarithms to the base of ten: +0.097 is a factor of 1.25.
#[rustfmt::skip]
const KNOWN: [Known; 5] = [
    Known {
        names: &["base", "baseline", "realistic", "most_likely"],
        description: "Everything stays as it was described.",
        changes: &[],
    },
    Known {
        names: &["optimistic", "best_case"],
        description: "Revenue is 25 % higher, staff 10 %, and earlier scores are 0.05 lower.",
        changes: &[
            ("annual_revenue_log", 0.097), ("employee_count_log", 0.041), ("last_score", -0.05),
            ("mean_score", -0.05), ("score_trend", -0.01),
        ],
    },
    Known {
        names: &["pessimistic", "worst_case"],
        description: "Revenue is 25 % lower, staff 10 %, and earlier scores are 0.05 higher.",
        changes: &[
            ("annual_revenue_log", -0.125), ("employee_count_log", -0.046), ("last_score", 0.05),
            ("mean_score", 0.05), ("score_trend", 0.01),
        ],
    },
    Known {
        names: &["crisis", "stress"],
        description: "Revenue is halved, staff is 30 % lower, and earlier scores are 0.15 higher.",
        changes: &[
            ("annual_revenue_log", -0.301), ("employee_count_log", -0.155), ("last_score", 0.15),
            ("mean_score", 0.10), ("score_trend", 0.05),
        ],
    },
    Known {
        names: &["recovery"],
        description: "Revenue is 50 % higher, staff 20 %, and earlier scores are 0.10 lower.",
        changes: &[
            ("annual_revenue_log", 0.176), ("employee_count_log", 0.079), ("last_score", -0.10),
            ("mean_score", -0.05), ("score_trend", -0.05),
        ],
    },
];

/// The scenarios of a request that names none.
const USUAL: [&str; 3] = ["optimistic", "base", "pessimistic"];

/// Where a scenario is bad, the published code, and a message.
type BadScenario = (String, &'static str, String);

/// A scenario of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scenario {
    /// The name, as the request writes it.
    pub(crate) name: String,
    pub(crate) description: String,
    /// The chance that the caller gives it. Nothing here can know it.
    pub(crate) probability: Option<f64>,
    /// Positions of features, and the amounts that are added.
    changes: Vec<(usize, f64)>,
}

impl Scenario {
    /// The scenario of a known name.
    pub(crate) fn known(name: &str) -> Option<Self> {
        let known = KNOWN.iter().find(|known| known.names.contains(&name))?;
        let changes = known.changes.iter().filter_map(|(name, by)| Some((position(name)?, *by))).collect();
        let description = known.description.to_owned();
        Some(Self { name: name.to_owned(), description, probability: None, changes })
    }

    /// The scenarios of a request that names none.
    pub(crate) fn usual() -> Vec<Self> {
        USUAL.iter().filter_map(|name| Self::known(name)).collect()
    }

    /// The features in this scenario: within their ranges and on their steps, as models need them.
    pub(crate) fn applied(&self, values: &Features) -> Features {
        let mut values = *values;
        for (at, by) in &self.changes {
            values[*at] = FEATURES[*at].value(values[*at] + by);
        }
        values
    }

    /// The scenarios of a field: names that are known, or objects with changes of features. Without the field there are
    /// the usual three. Every bad one is noted.
    pub(crate) fn read_all(
        fields: &Map<String, Value>,
        field: &'static str,
        reader: &mut FieldReader<'_>,
    ) -> Vec<Self> {
        let items = match fields.get(field) {
            None | Some(Value::Null) => return Self::usual(),
            Some(Value::Array(items)) if items.len() <= SCENARIOS_MAX => items,
            Some(Value::Array(_)) => {
                reader.refuse(field, "TOO_MANY_SCENARIOS", "must have at most 10 scenarios");
                return Vec::new();
            }
            Some(_) => {
                reader.refuse(field, "INVALID_INPUT", "must be an array of scenarios");
                return Vec::new();
            }
        };
        let mut found = Vec::new();
        for (place, item) in items.iter().enumerate() {
            match Self::read(item) {
                Ok(scenario) => found.push(scenario),
                Err((below, code, message)) => {
                    reader.refuse(&format!("{field}[{place}]{below}"), code, &message)
                }
            }
        }
        found
    }

    fn read(item: &Value) -> Result<Self, BadScenario> {
        let empty = Map::new();
        let (name, object) = match item {
            Value::String(name) => (name.as_str(), &empty),
            Value::Object(object) => (object.get("name").and_then(Value::as_str).unwrap_or_default(), object),
            _ => {
                return Err((
                    String::new(),
                    "INVALID_SCENARIO_NAME",
                    "must be a name or an object".to_owned(),
                ));
            }
        };
        let bad_name = |message: &str| (String::new(), "INVALID_SCENARIO_NAME", message.to_owned());
        if !(1..=NAME_CHARS_MAX).contains(&name.chars().count()) || name.chars().any(char::is_control) {
            return Err(bad_name("must have a name of 1 to 50 characters"));
        }
        let mut scenario = match (object.get("changes"), Self::known(name)) {
            (None | Some(Value::Null), Some(known)) => known,
            (None | Some(Value::Null), None) => {
                return Err(bad_name(
                    "must be base, optimistic, pessimistic, crisis or recovery, or an object with `changes` of features",
                ));
            }
            (Some(changes), _) => {
                let description = "Changes of the caller.".to_owned();
                Self { name: name.to_owned(), description, probability: None, changes: changes_of(changes)? }
            }
        };
        let bad = |below: &str, message: &str| (below.to_owned(), "INVALID_INPUT", message.to_owned());
        match object.get("description") {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) if text.chars().count() <= DESCRIPTION_CHARS_MAX => {
                if !text.is_empty() {
                    scenario.description.clone_from(text);
                }
            }
            Some(_) => return Err(bad(".description", "must be a text of at most 500 characters")),
        }
        scenario.probability = match object.get("probability") {
            None | Some(Value::Null) => None,
            Some(given) => match given.as_f64().filter(|chance| (0.0..=1.0).contains(chance)) {
                Some(chance) => Some(chance),
                None => return Err(bad(".probability", "must be a number from 0 to 1")),
            },
        };
        Ok(scenario)
    }
}

/// The changes of a caller, by the names of features.
fn changes_of(changes: &Value) -> Result<Vec<(usize, f64)>, BadScenario> {
    let bad = |below: String, message: &str| (below, "INVALID_INPUT", message.to_owned());
    let wanted = changes.as_object().filter(|object| object.len() <= CHANGES_MAX);
    let object = wanted.ok_or_else(|| {
        bad(".changes".to_owned(), "must be an object of at most 10 features and the amounts to be added")
    })?;
    let mut found = Vec::new();
    for (name, by) in object {
        let below = || format!(".changes.{}", name.chars().take(NAME_CHARS_MAX).collect::<String>());
        let at = position(name).filter(|_| name != HORIZON);
        let at = at.ok_or_else(|| bad(below(), "is no feature that a scenario can change"))?;
        let [least, greatest] = FEATURES[at].range;
        let by = by.as_f64().filter(|by| by.abs() <= greatest - least);
        found.push((at, by.ok_or_else(|| bad(below(), "must be a number within the range of the feature"))?));
    }
    Ok(found)
}

/// The position of a feature.
pub(crate) fn position(name: &str) -> Option<usize> {
    FEATURES.iter().position(|spec| spec.name == name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::FEATURE_COUNT;

    fn read(scenarios: Value) -> Result<Vec<Scenario>, Vec<(String, String)>> {
        let fields = json!({"scenarios": scenarios}).as_object().unwrap().clone();
        let mut reader = FieldReader::new(&fields);
        let found = Scenario::read_all(&fields, "scenarios", &mut reader);
        match reader.finish() {
            Ok(()) => Ok(found),
            Err(bad) => Err(bad.iter().map(|one| (one.field.to_string(), one.code.to_string())).collect()),
        }
    }

    #[test]
    fn every_known_scenario_changes_features_that_exist() {
        for known in &KNOWN {
            assert!(known.changes.iter().all(|(name, _)| position(name).is_some() && *name != HORIZON));
            for name in known.names {
                assert_eq!(Scenario::known(name).unwrap().changes.len(), known.changes.len());
            }
        }
    }

    #[test]
    fn a_missing_feature_stays_missing_and_a_value_stays_in_its_range() {
        let mut values = [f64::NAN; FEATURE_COUNT];
        let (revenue, score) = (position("annual_revenue_log").unwrap(), position("last_score").unwrap());
        values[score] = 0.02;
        let changed = Scenario::known("recovery").unwrap().applied(&values);
        assert!(changed[revenue].is_nan());
        assert_eq!(changed[score], 0.0);
    }

    #[test]
    fn scenarios_of_a_caller_name_their_changes() {
        let given = json!([
            "optimistic",
            {"name": "new owner", "probability": 0.25, "changes": {"years_in_business": -1.0}},
            {"name": "crisis", "description": "A war."},
        ]);
        let found = read(given).unwrap();
        assert_eq!((found[1].name.as_str(), found[1].probability), ("new owner", Some(0.25)));
        assert_eq!(found[2].description, "A war.");
        assert_eq!(read(Value::Null).unwrap().len(), 3);
        assert_eq!(read(json!([])).unwrap(), []);
    }

    #[test]
    fn every_bad_scenario_has_its_published_code() {
        let named = |code: &str, at: &str| Err(vec![(format!("scenarios{at}"), code.to_owned())]);
        for (given, expected) in [
            (json!(vec!["base"; 11]), named("TOO_MANY_SCENARIOS", "")),
            (json!(["alien invasion"]), named("INVALID_SCENARIO_NAME", "[0]")),
            (json!(["base", ""]), named("INVALID_SCENARIO_NAME", "[1]")),
            (json!(["x".repeat(51)]), named("INVALID_SCENARIO_NAME", "[0]")),
            (json!([5]), named("INVALID_SCENARIO_NAME", "[0]")),
            (json!("base"), named("INVALID_INPUT", "")),
            (json!([{"name": "base", "probability": 2}]), named("INVALID_INPUT", "[0].probability")),
            (json!([{"name": "a", "changes": {"magic": 1}}]), named("INVALID_INPUT", "[0].changes.magic")),
            (
                json!([{"name": "a", "changes": {"horizon_months": 1}}]),
                named("INVALID_INPUT", "[0].changes.horizon_months"),
            ),
            (
                json!([{"name": "a", "changes": {"last_score": 7}}]),
                named("INVALID_INPUT", "[0].changes.last_score"),
            ),
        ] {
            assert_eq!(read(given.clone()), expected, "{given}");
        }
    }
}
