//! The verdict about a request, and how the outputs of nodes become one.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::policies::{Level, Levels};
use super::trace::Trace;
use super::value::Value;

/// Most reasons, flags and cases of one verdict, each.
pub(crate) const VERDICT_ITEMS_MAX: usize = 100;
/// Longest text of a reason, in characters.
const REASON_CHARS_MAX: usize = 1_000;
const CODE_CHARS_MAX: usize = 100;

/// The decision about a request. A later variant is more severe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Nothing speaks against the business.
    Approve,
    /// A person has to look at it.
    Review,
    /// The business is refused.
    Decline,
}

/// One reason of a decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// A stable code such as `sanctions_match`.
    pub code: String,
    /// The reason as a sentence.
    pub text: String,
    /// How much the reason counts, from 0 to 1. The reasons of a verdict are in falling order of it.
    pub weight: f64,
}

/// The outcome of a ruleset for one request. It never changes the score.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The most severe decision of all nodes that ran.
    pub decision: Decision,
    /// The level of the score.
    pub level: Level,
    /// The levels that the score was compared with.
    pub levels: Levels,
    /// The name of the policy for the industry.
    pub policy: String,
    /// The reasons, the weightiest first.
    pub reasons: Vec<Reason>,
    /// Marks for those who read the decision.
    pub flags: Vec<String>,
    /// The kinds of cases to open for people.
    pub cases: Vec<String>,
    /// How the verdict came about, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
}

impl Decision {
    /// The name, as rules and answers say it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Review => "review",
            Self::Decline => "decline",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Approve, Self::Review, Self::Decline].into_iter().find(|decision| decision.name() == name)
    }
}

/// The part that an output plays in the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// None: later nodes read it.
    Plain,
    Decision,
    Flag,
    Case,
    ReasonCode,
    ReasonText,
    ReasonWeight,
}

impl Role {
    pub(crate) fn of(name: &str) -> Self {
        match name {
            "decision" => Self::Decision,
            "flag" => Self::Flag,
            "case" => Self::Case,
            "reason.code" => Self::ReasonCode,
            "reason.text" => Self::ReasonText,
            "reason.weight" => Self::ReasonWeight,
            _ => Self::Plain,
        }
    }

    /// Whether the name has a dot and belongs to a reason, which later nodes cannot read.
    pub(crate) fn is_of_reason(self) -> bool {
        matches!(self, Self::ReasonCode | Self::ReasonText | Self::ReasonWeight)
    }

    /// Whether a value fits the part. Null fits everywhere: it says nothing.
    pub(crate) fn check(self, value: &Value<'_>) -> Result<(), String> {
        let text = value.text();
        let code = |text: &str| {
            let letter = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
            !text.is_empty() && text.len() <= CODE_CHARS_MAX && text.chars().all(letter)
        };
        let (fits, expected) = match self {
            Self::Plain => (true, ""),
            Self::Decision => (text.and_then(Decision::named).is_some(), "approve, review or decline"),
            Self::Flag | Self::Case | Self::ReasonCode => {
                (text.is_some_and(code), "a code of at most 100 letters, digits, `_`, `.` and `-`")
            }
            Self::ReasonText => {
                let fits = |text: &str| !text.is_empty() && text.chars().nth(REASON_CHARS_MAX).is_none();
                (text.is_some_and(fits), "a text of 1 to 1000 characters")
            }
            Self::ReasonWeight => (
                matches!(value, Value::Number(weight) if (0.0..=1.0).contains(weight)),
                "a number from 0 to 1",
            ),
        };
        if fits || value.is_null() { Ok(()) } else { Err(format!("the output must be {expected}")) }
    }
}

/// The parts of a verdict while its nodes run.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) decision: Option<Decision>,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) flags: Vec<String>,
    pub(crate) cases: Vec<String>,
}

impl Collected {
    /// Takes the outputs of one row, or of one node of expressions, after each has been checked by its role.
    pub(crate) fn take<'v, 'a: 'v>(
        &mut self,
        outputs: impl Iterator<Item = (Role, &'v Value<'a>)>,
    ) -> Result<(), String> {
        let (mut code, mut text, mut weight) = (None, None, None);
        for (role, value) in outputs.filter(|(_, value)| !value.is_null()) {
            let word = value.text().unwrap_or_default();
            match role {
                Role::Plain => {}
                Role::Decision => self.decision = self.decision.max(Decision::named(word)),
                Role::Flag => once(&mut self.flags, word),
                Role::Case => once(&mut self.cases, word),
                Role::ReasonCode => code = Some(word),
                Role::ReasonText => text = Some(word),
                Role::ReasonWeight => {
                    if let Value::Number(number) = value {
                        weight = Some(*number);
                    }
                }
            }
        }
        match (code, text, weight) {
            (Some(code), Some(text), Some(weight)) => {
                self.reasons.push(Reason { code: code.to_owned(), text: text.to_owned(), weight });
            }
            (None, _, _) => {}
            _ => return Err("a reason has a code, a text and a weight, and one of them is null".to_owned()),
        }
        if self.reasons.len().max(self.flags.len()).max(self.cases.len()) > VERDICT_ITEMS_MAX {
            return Err(format!("a verdict has at most {VERDICT_ITEMS_MAX} reasons, flags and cases"));
        }
        Ok(())
    }

    /// Puts the reasons in order: the weightiest first, and equal ones as the nodes gave them.
    pub(crate) fn order(&mut self) {
        self.reasons.sort_by(|left, right| right.weight.total_cmp(&left.weight));
    }
}

fn once(list: &mut Vec<String>, word: &str) {
    if !list.iter().any(|known| known == word) {
        list.push(word.to_owned());
    }
}
