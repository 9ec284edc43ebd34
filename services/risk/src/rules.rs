//! Rules: decision tables and graphs in JSON, which decide about a scored request and say why.
//!
//! A [`Ruleset`] is read from a document, checked completely, and then gives each request a [`Verdict`]. Rules never
//! change a score. A request that the rules cannot decide about has a [`RuleError`] and no verdict.
//!
//! ```
//! use pando_risk::rules::{Decision, Ruleset};
//!
//! let ruleset = Ruleset::parse(Ruleset::default_document()).unwrap();
//! let request = serde_json::json!({
//!     "score": 0.12, "industry": "retail", "completeness": 1.0,
//!     "lists": {"blocked": false}, "screening": {"status": "clear"},
//!     "velocity": {"last_hour": 1, "last_day": 1, "last_week": 1},
//! });
//! let verdict = ruleset.evaluate(&request, false).unwrap();
//! assert_eq!(verdict.decision, Decision::Approve);
//! ```

mod canonical;
mod diff;
mod expression;
mod faults;
mod fields;
mod functions;
mod graph;
mod lexer;
mod output;
mod parser;
mod policies;
mod ruleset;
mod self_tests;
mod shape;
mod steps;
mod table;
mod trace;
mod value;
mod verdict;
mod version;

pub use diff::{Change, Difference, Example, Outcome, Summary, Words, compare};
pub use expression::STEPS_MAX;
pub use faults::{RuleError, RuleFault};
pub use graph::NODES_MAX;
pub use parser::EXPRESSION_CHARS_MAX;
pub use policies::{Level, Levels, Policy};
pub use ruleset::{DOCUMENT_BYTES_MAX, Ruleset};
pub use self_tests::TestFailure;
pub use table::ROWS_MAX;
pub use trace::{NodeTrace, Trace};
pub use verdict::{Decision, Reason, Verdict};
pub use version::{Publication, State, Version, VersionError};
