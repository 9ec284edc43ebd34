//! Two rulesets over the same requests: the differences of one, and a summary of many.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::faults::RuleError;
use super::policies::Level;
use super::ruleset::Ruleset;
use super::verdict::{Decision, Verdict};

/// Most examples that a summary keeps.
pub(crate) const EXAMPLES_MAX: usize = 20;
/// Most codes of reasons that a summary counts, added and removed each: rules can make codes out of requests.
const CODES_MAX: usize = 200;

/// The outcome of one ruleset, as a comparison sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The decision is approve.
    Approve,
    /// The decision is review.
    Review,
    /// The decision is decline.
    Decline,
    /// The evaluation failed.
    Failed,
}

/// A value of the live ruleset and that of the candidate, where they differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change<T> {
    /// The value of the live ruleset.
    pub live: T,
    /// The value of the candidate.
    pub candidate: T,
}

/// Words that only one of two verdicts has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// The words that only the candidate has.
    pub added: Vec<String>,
    /// The words that only the live ruleset has.
    pub removed: Vec<String>,
}

/// The differences between two rulesets for one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Both outcomes, also if they are equal.
    pub outcome: Change<Outcome>,
    /// The levels, if both rulesets have one and they differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Change<Level>>,
    /// The codes of reasons.
    pub reasons: Words,
    /// Whether both have the same reasons in another order, or with other texts or weights.
    pub reasons_changed: bool,
    /// The flags.
    pub flags: Words,
    /// The cases.
    pub cases: Words,
    /// The error of each ruleset that failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<RuleError>,
}

/// The differences for many requests: of a shadow run, or of a backtest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The compared requests.
    pub compared: u64,
    /// The requests with any difference.
    pub different: u64,
    /// How many requests have each pair of outcomes: first the live one, then the candidate's.
    pub outcomes: BTreeMap<Outcome, BTreeMap<Outcome, u64>>,
    /// How many requests have another level.
    pub levels_changed: u64,
    /// How often the candidate adds each code of a reason.
    pub reasons_added: BTreeMap<String, u64>,
    /// How often the candidate lacks each code of a reason.
    pub reasons_removed: BTreeMap<String, u64>,
    /// The first requests with a difference, at most 20.
    pub examples: Vec<Example>,
}

/// One request with a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// The name that the caller gave the request, such as the id of an assessment.
    pub request: String,
    /// The difference.
    pub difference: Difference,
}

/// Evaluates a request with both rulesets and compares the outcomes.
pub fn compare(live: &Ruleset, candidate: &Ruleset, request: &Json) -> Difference {
    Difference::between(&live.evaluate(request, false), &candidate.evaluate(request, false))
}

impl Difference {
    /// Compares two outcomes for the same request.
    pub fn between(live: &Result<Verdict, RuleError>, candidate: &Result<Verdict, RuleError>) -> Self {
        let outcome = Change { live: Outcome::of(live), candidate: Outcome::of(candidate) };
        let errors =
            [live, candidate].into_iter().filter_map(|outcome| outcome.as_ref().err().cloned()).collect();
        let codes = |verdict: &Verdict| verdict.reasons.iter().map(|reason| reason.code.clone()).collect();
        let mut difference = Self {
            outcome,
            level: None,
            reasons: Words::between(live, candidate, codes),
            reasons_changed: false,
            flags: Words::between(live, candidate, |verdict| verdict.flags.clone()),
            cases: Words::between(live, candidate, |verdict| verdict.cases.clone()),
            errors,
        };
        if let (Ok(live), Ok(candidate)) = (live, candidate) {
            difference.level = (live.level != candidate.level)
                .then_some(Change { live: live.level, candidate: candidate.level });
            difference.reasons_changed = difference.reasons.is_empty() && live.reasons != candidate.reasons;
        }
        difference
    }

    /// Whether the two outcomes are the same. Two rulesets that both fail are the same if their errors are.
    pub fn is_empty(&self) -> bool {
        let same_errors = match self.errors.as_slice() {
            [live, candidate] => live == candidate,
            errors => errors.is_empty(),
        };
        self.outcome.live == self.outcome.candidate
            && self.level.is_none()
            && !self.reasons_changed
            && [&self.reasons, &self.flags, &self.cases].into_iter().all(Words::is_empty)
            && same_errors
    }
}

impl Words {
    /// Whether both verdicts have the same words.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }

    fn between(
        live: &Result<Verdict, RuleError>,
        candidate: &Result<Verdict, RuleError>,
        words: impl Fn(&Verdict) -> Vec<String>,
    ) -> Self {
        let of = |outcome: &Result<Verdict, RuleError>| outcome.as_ref().map(&words).unwrap_or_default();
        let (live, candidate) = (of(live), of(candidate));
        let only = |these: &[String], those: &[String]| {
            these.iter().filter(|word| !those.contains(word)).cloned().collect()
        };
        Self { added: only(&candidate, &live), removed: only(&live, &candidate) }
    }
}

impl Outcome {
    fn of(outcome: &Result<Verdict, RuleError>) -> Self {
        match outcome.as_ref().map(|verdict| verdict.decision) {
            Ok(Decision::Approve) => Self::Approve,
            Ok(Decision::Review) => Self::Review,
            Ok(Decision::Decline) => Self::Decline,
            Err(_) => Self::Failed,
        }
    }
}

impl Summary {
    /// Counts one request.
    pub fn add(&mut self, request: &str, difference: Difference) {
        self.compared += 1;
        let Change { live, candidate } = difference.outcome;
        *self.outcomes.entry(live).or_default().entry(candidate).or_default() += 1;
        if difference.is_empty() {
            return;
        }
        self.different += 1;
        self.levels_changed += u64::from(difference.level.is_some());
        for code in &difference.reasons.added {
            count(&mut self.reasons_added, code, 1);
        }
        for code in &difference.reasons.removed {
            count(&mut self.reasons_removed, code, 1);
        }
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(Example { request: request.to_owned(), difference });
        }
    }

    /// Adds the counts and examples of another part of the same run.
    pub fn merge(&mut self, other: Self) {
        self.compared += other.compared;
        self.different += other.different;
        self.levels_changed += other.levels_changed;
        for (live, row) in other.outcomes {
            for (candidate, requests) in row {
                *self.outcomes.entry(live).or_default().entry(candidate).or_default() += requests;
            }
        }
        for (mine, theirs) in [
            (&mut self.reasons_added, other.reasons_added),
            (&mut self.reasons_removed, other.reasons_removed),
        ] {
            for (code, requests) in theirs {
                count(mine, &code, requests);
            }
        }
        self.examples.extend(other.examples);
        self.examples.truncate(EXAMPLES_MAX);
    }
}

fn count(counts: &mut BTreeMap<String, u64>, code: &str, requests: u64) {
    if let Some(counted) = counts.get_mut(code) {
        *counted += requests;
    } else if counts.len() < CODES_MAX {
        counts.insert(code.to_owned(), requests);
    }
}
