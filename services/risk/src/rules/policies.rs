//! Levels of scores, and the policy of each industry: its weights of categories, and levels of its own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::faults::{Faults, Object, Part};
use super::lexer::is_name;

/// Most policies of a ruleset.
pub(crate) const POLICIES_MAX: usize = 100;
/// The policy of industries that have none of their own.
pub(crate) const GENERAL: &str = "general";

/// How high a score is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Below `medium`.
    Low,
    /// From `medium` on.
    Medium,
    /// From `high` on.
    High,
    /// From `critical` on.
    Critical,
}

/// The lowest score of each level above `low`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Levels {
    /// The lowest medium score.
    pub medium: f64,
    /// The lowest high score.
    pub high: f64,
    /// The lowest critical score.
    pub critical: f64,
}

/// The policy for an industry.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Policy {
    /// The levels of scores: those of the ruleset, unless the policy has its own.
    pub levels: Levels,
    /// The weight of each category of risk factors. The sum is 1.
    pub weights: BTreeMap<String, f64>,
}

impl Level {
    /// The name, as requests and rules say it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl Levels {
    /// The level of a score.
    pub fn of(&self, score: f64) -> Level {
        match score {
            score if score >= self.critical => Level::Critical,
            score if score >= self.high => Level::High,
            score if score >= self.medium => Level::Medium,
            _ => Level::Low,
        }
    }

    fn read(part: &Part<'_>, faults: &mut Faults) -> Option<Self> {
        let object = part.object(&["medium", "high", "critical"], faults)?;
        let mut number = |name| object.needed(name, faults).and_then(|part| part.number(faults));
        let (medium, high, critical) = (number("medium"), number("high"), number("critical"));
        let levels = Self { medium: medium?, high: high?, critical: critical? };
        if 0.0 < levels.medium
            && levels.medium < levels.high
            && levels.high < levels.critical
            && levels.critical <= 1.0
        {
            return Some(levels);
        }
        faults.add(part.pointer.as_str(), "0 < medium < high < critical <= 1 does not hold");
        None
    }
}

/// The policies of a ruleset by their names.
#[derive(Clone, Debug)]
pub(crate) struct Policies(BTreeMap<String, Policy>);

impl Policies {
    pub(crate) fn read(root: &Object<'_>, faults: &mut Faults) -> Option<Self> {
        let levels = root.needed("levels", faults).and_then(|part| Levels::read(&part, faults));
        let part = root.needed("policies", faults)?;
        let policies = part.open_object(faults)?;
        let mut found = BTreeMap::new();
        for (name, part) in policies.parts() {
            if found.len() >= POLICIES_MAX {
                faults
                    .add(policies.pointer.as_str(), format!("a ruleset has at most {POLICIES_MAX} policies"));
                break;
            }
            if !is_name(name) || name != normal(name) {
                faults.add(part.pointer.as_str(), "a policy has a name of small letters, digits and `_`");
            }
            if let Some(policy) = Policy::read(&part, levels, faults) {
                found.insert(name.to_owned(), policy);
            }
        }
        if policies.part(GENERAL).is_none() {
            faults.add(policies.pointer.as_str(), format!("the policy `{GENERAL}` is missing"));
        }
        Some(Self(found))
    }

    /// The policy for an industry, with its name: `Real Estate` has the policy `real_estate`.
    pub(crate) fn of(&self, industry: &str) -> Option<(&str, &Policy)> {
        let found = self.0.get_key_value(industry).or_else(|| self.0.get_key_value(&normal(industry)));
        let (name, policy) = found.or_else(|| self.0.get_key_value(GENERAL))?;
        Some((name, policy))
    }
}

fn normal(industry: &str) -> String {
    industry.trim().to_lowercase().replace([' ', '-'], "_")
}

impl Policy {
    fn read(part: &Part<'_>, levels: Option<Levels>, faults: &mut Faults) -> Option<Self> {
        let object = part.object(&["levels", "weights"], faults)?;
        let levels = match object.part("levels") {
            Some(part) => Levels::read(&part, faults),
            None => levels,
        };
        let part = object.needed("weights", faults)?;
        let mut weights = BTreeMap::new();
        for (name, part) in part.open_object(faults)?.parts().take(100) {
            let weight = part.number(faults)?;
            if !is_name(name) || !(0.0..=1.0).contains(&weight) {
                faults.add(part.pointer, "a weight has the name of a category and is from 0 to 1");
            }
            weights.insert(name.to_owned(), weight);
        }
        let sum: f64 = weights.values().sum();
        if (sum - 1.0).abs() > 1e-9 {
            faults.add(part.pointer, format!("the weights add up to {sum}, not to 1"));
        }
        Some(Self { levels: levels?, weights })
    }
}
