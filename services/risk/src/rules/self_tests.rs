//! The tests that a ruleset carries: requests, and the verdicts that they must have.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use utoipa::ToSchema;

use super::faults::{Faults, Object, Part, RuleError};
use super::verdict::Verdict;

/// Most tests of a ruleset.
pub(crate) const TESTS_MAX: usize = 200;

/// One test of a ruleset.
#[derive(Clone, Debug)]
pub(crate) struct SelfTest {
    pub(crate) name: String,
    pub(crate) input: Json,
    expect: Expect,
}

/// The expected parts of a verdict. An absent one is not compared.
#[derive(Clone, Debug, Default)]
struct Expect {
    decision: Option<String>,
    level: Option<String>,
    /// The codes of all reasons in order.
    reasons: Option<Vec<String>>,
    flags: Option<Vec<String>>,
    cases: Option<Vec<String>>,
    /// A part of the error that the evaluation must end with.
    error: Option<String>,
}

/// A test that a ruleset does not pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TestFailure {
    /// The name of the test.
    pub test: String,
    /// The difference as a sentence.
    pub message: String,
}

impl SelfTest {
    pub(crate) fn read_all(root: &Object<'_>, faults: &mut Faults) -> Vec<Self> {
        let Some(part) = root.part("tests") else { return Vec::new() };
        let mut tests: Vec<Self> = Vec::new();
        for part in part.items(TESTS_MAX, faults) {
            let Some(test) = Self::read(&part, faults) else { continue };
            if tests.iter().any(|other| other.name == test.name) {
                faults
                    .add(format!("{}/name", part.pointer), format!("the test name `{}` is taken", test.name));
            }
            tests.push(test);
        }
        tests
    }

    fn read(part: &Part<'_>, faults: &mut Faults) -> Option<Self> {
        let object = part.object(&["name", "input", "expect"], faults)?;
        let name = object.text("name", 200, faults);
        let input = object.needed("input", faults);
        let part = object.needed("expect", faults)?;
        let known = ["decision", "level", "reasons", "flags", "cases", "error"];
        let object = part.object(&known, faults)?;
        let mut one = |name| object.text_or_none(name, 200, faults).map(str::to_owned);
        let (decision, level, error) = (one("decision"), one("level"), one("error"));
        let mut many = |name| {
            let items = object.part(name)?.items(100, faults);
            Some(items.iter().filter_map(|item| item.text(200, faults).map(str::to_owned)).collect())
        };
        let (reasons, flags, cases) = (many("reasons"), many("flags"), many("cases"));
        let expect = Expect { decision, level, reasons, flags, cases, error };
        if expect.decision.is_some() == expect.error.is_some() {
            faults.add(part.pointer, "a test expects a decision or an error");
        }
        Some(Self { name: name?.to_owned(), input: input?.json.clone(), expect })
    }

    /// Everything in which an outcome differs from the expected one.
    pub(crate) fn failures(&self, outcome: &Result<Verdict, RuleError>) -> Vec<TestFailure> {
        let expect = &self.expect;
        let messages = match (outcome, &expect.error) {
            (Err(error), Some(part)) if error.to_string().contains(part) => Vec::new(),
            (Err(error), Some(part)) => vec![format!("the error is `{error}` and lacks `{part}`")],
            (Err(error), None) => vec![format!("the evaluation failed: {error}")],
            (Ok(_), Some(_)) => vec!["an error is expected, and there was none".to_owned()],
            (Ok(verdict), None) => expect.differences(verdict),
        };
        messages.into_iter().map(|message| TestFailure { test: self.name.clone(), message }).collect()
    }
}

impl Expect {
    fn differences(&self, verdict: &Verdict) -> Vec<String> {
        let one = |name: &str, expected: &Option<String>, found: &str| {
            let expected = expected.as_deref().filter(|expected| *expected != found)?;
            Some(format!("{name} is `{found}`, not `{expected}`"))
        };
        let many = |name: &str, expected: &Option<Vec<String>>, found: &[&str]| {
            let expected = expected.as_ref().filter(|expected| *expected != found)?;
            Some(format!("{name} are {found:?}, not {expected:?}"))
        };
        let reasons: Vec<&str> = verdict.reasons.iter().map(|reason| reason.code.as_str()).collect();
        let flags: Vec<&str> = verdict.flags.iter().map(String::as_str).collect();
        let cases: Vec<&str> = verdict.cases.iter().map(String::as_str).collect();
        let found = [
            one("the decision", &self.decision, verdict.decision.name()),
            one("the level", &self.level, verdict.level.name()),
            many("the reasons", &self.reasons, &reasons),
            many("the flags", &self.flags, &flags),
            many("the cases", &self.cases, &cases),
        ];
        found.into_iter().flatten().collect()
    }
}
