//! Rulesets: read from JSON with every fault named, and evaluated.

use serde_json::Value as Json;

use super::expression::Scope;
use super::faults::{Faults, Part, RuleError, RuleFault};
use super::fields::{Fields, INDUSTRY, SCORE};
use super::graph::Graph;
use super::policies::{Policies, Policy};
use super::self_tests::{SelfTest, TestFailure};
use super::trace::Trace;
use super::value::Value;
use super::verdict::Verdict;

/// Longest document of a ruleset, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The ruleset that is shipped.
const DEFAULT: &str = include_str!("../../rules/default.json");

/// A ruleset that is ready to decide. It is never changed: another version is another value.
#[derive(Clone, Debug)]
pub struct Ruleset {
    name: String,
    hash: String,
    policies: Policies,
    fields: Fields,
    graph: Graph,
    tests: Vec<SelfTest>,
}

impl Ruleset {
    /// Reads a ruleset, or says everything that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Vec<RuleFault>> {
        let mut faults = Faults::default();
        if text.len() > DOCUMENT_BYTES_MAX {
            faults.add("", format!("a ruleset has at most {DOCUMENT_BYTES_MAX} bytes"));
            return Err(faults.into_list());
        }
        let document: Json = match serde_json::from_str(text) {
            Ok(document) => document,
            Err(error) => {
                faults.add("", format!("the text is not JSON: {error}"));
                return Err(faults.into_list());
            }
        };
        match Self::read(&document, &mut faults) {
            Some(ruleset) if faults.is_empty() => Ok(ruleset),
            _ => Err(faults.into_list()),
        }
    }

    fn read(document: &Json, faults: &mut Faults) -> Option<Self> {
        let known = ["name", "description", "levels", "policies", "nodes", "edges", "tests"];
        let root = Part::root(document).object(&known, faults)?;
        let name = root.text("name", 200, faults);
        root.text_or_none("description", 10_000, faults);
        let policies = Policies::read(&root, faults);
        let tests = SelfTest::read_all(&root, faults);
        let (graph, fields) = Graph::read(&root, faults)?;
        let hash = super::canonical::hash(document);
        Some(Self { name: name?.to_owned(), hash, policies: policies?, fields, graph, tests })
    }

    /// The ruleset that is shipped, as its document.
    pub fn default_document() -> &'static str {
        DEFAULT
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The hash of the document: BLAKE3 of its JSON in the canonical form, in hexadecimal digits. Equal documents
    /// have equal hashes, however they are laid out.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The number of tests that the ruleset carries.
    pub fn tests(&self) -> usize {
        self.tests.len()
    }

    /// The policy for an industry, with its name. Industries without a policy have the one called `general`.
    pub fn policy(&self, industry: &str) -> Option<(&str, &Policy)> {
        self.policies.of(industry)
    }

    /// Decides about one request: an object with a `score` from 0 to 1, an `industry`, and the declared fields.
    /// The same request always has the same verdict. An error is never replaced by a default.
    pub fn evaluate(&self, request: &Json, trace: bool) -> Result<Verdict, RuleError> {
        let of_input = |error: RuleError| RuleError { node: self.graph.input_id().to_owned(), ..error };
        let fields = self.fields.values(request).map_err(of_input)?;
        let score = match fields[SCORE] {
            Value::Number(score) if (0.0..=1.0).contains(&score) => score,
            _ => {
                let message = "the score is not from 0 to 1".to_owned();
                return Err(of_input(RuleError::new("field `score`", "", message)));
            }
        };
        let industry = fields[INDUSTRY].text().unwrap_or_default();
        let Some((name, policy)) = self.policies.of(industry) else {
            let message = "no policy is for this industry".to_owned();
            return Err(of_input(RuleError::new("field `industry`", "", message)));
        };
        let level = policy.levels.of(score);
        let mut scope = Scope {
            fields,
            written: vec![None; self.graph.slots()],
            level: level.name(),
            policy: name,
            subject: Value::Null,
            steps: 0,
        };
        let mut trace = trace.then(Trace::default);
        let (decision, collected) = self.graph.run(&mut scope, trace.as_mut())?;
        Ok(Verdict {
            decision,
            level,
            levels: policy.levels,
            policy: name.to_owned(),
            reasons: collected.reasons,
            flags: collected.flags,
            cases: collected.cases,
            trace,
        })
    }

    /// Runs the tests that the ruleset carries; the differences that they found.
    pub fn run_tests(&self) -> Vec<TestFailure> {
        let run = |test: &SelfTest| test.failures(&self.evaluate(&test.input, false));
        self.tests.iter().flat_map(run).collect()
    }
}
