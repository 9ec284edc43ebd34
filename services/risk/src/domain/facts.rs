//! The facts from which a decision was made, besides the business and its features: with them it can be made again.

use pando_clock::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::list::ListKind;
use crate::screening::{Match, MatchType};

/// Everything that a decision was made from, as it was at that moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// The request as the rules got it: score, industry, lists, screening, velocity and completeness.
    pub(crate) request: Value,
    /// The hash of the model's card, from which the confidence comes.
    pub(crate) card_hash: String,
    /// The lists that were searched; empty if the name was not screened.
    pub(crate) lists: Vec<ListSeen>,
    /// The entries that matched, the best first.
    pub(crate) matches: Vec<MatchSeen>,
    /// The entries of the tenant's lists that allow or block the business.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) hits: Vec<ListHit>,
    /// When the business was decided about, to the microsecond.
    pub(crate) decided_at: Timestamp,
}

/// A list that was searched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ListSeen {
    /// Its name.
    pub(crate) name: String,
    /// A hash of all that it said.
    pub(crate) version: String,
}

/// An entry of a list that allows or blocks a business.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ListHit {
    /// The name of the list.
    pub(crate) list: String,
    /// Its meaning.
    pub(crate) kind: ListKind,
    /// The version that it had.
    pub(crate) version: String,
    /// The entry.
    pub(crate) entry_id: String,
    /// `business_id`, `address`, `phone`, `email` or `name`.
    pub(crate) by: String,
    /// How well it matched: 1 for everything but a name.
    pub(crate) score: f64,
}

/// An entry that matched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MatchSeen {
    /// The list, as the entry names it.
    pub(crate) source: String,
    /// The entry.
    pub(crate) entry_id: String,
    /// A hash of the content of the entry at that time.
    pub(crate) entry_version: String,
    /// How well the name matched, from 0 to 1.
    pub(crate) score: f64,
    /// The weakest kind of agreement.
    pub(crate) match_type: MatchType,
    /// Whether the match did not count, because it is remembered as a false positive.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) suppressed: bool,
}

impl MatchSeen {
    pub(crate) fn of(found: &Match<'_>, suppressed: bool) -> Self {
        Self {
            source: found.entry.source.clone(),
            entry_id: found.entry.id.clone(),
            entry_version: found.entry.version(),
            score: found.score,
            match_type: found.match_type,
            suppressed,
        }
    }
}
