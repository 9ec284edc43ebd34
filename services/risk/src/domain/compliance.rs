//! The rules of compliance checks.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::assessment::Assessed;
use super::scenarios::position;
use crate::model::country_group;
use crate::rules::Decision;
use crate::screening::MatchType;

/// Below this share of fields, a person should look at the data.
const COMPLETENESS_MIN: f64 = 0.7;
/// From this score on, a match on a list is as good as exact; the shipped rules say the same.
const CERTAIN_MATCH: f64 = 0.95;
/// The groups of industries with more money laundering, as the model groups them.
const WATCHED_INDUSTRIES: [(f64, &str); 2] = [(2.0, "financial business"), (6.0, "real estate")];

/// The types of checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckType {
    /// Know your customer: whether the data is complete and fits together.
    Kyc,
    /// Anti-money-laundering: the rules, the country and the industry.
    Aml,
    /// Whether the name is on a list.
    Sanctions,
}

/// The status of a check; a later one is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// Nothing speaks against the business.
    Passed,
    /// A person should look at it.
    Warning,
    /// The business should be refused.
    Failed,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Checked {
    /// The type.
    #[serde(rename = "type")]
    pub kind: CheckType,
    /// The status.
    pub status: CheckStatus,
    /// From 0 to 1; more is better.
    pub score: f64,
    /// Sentences.
    pub details: String,
}

impl CheckType {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kyc => "kyc",
            Self::Aml => "aml",
            Self::Sanctions => "sanctions",
        }
    }
}

/// The data of the request: with two contradictions it fails; with one, or with less than 70 % of the fields, it is a
/// warning. The score is the share of fields that are filled in, less 0.2 for each contradiction.
pub(crate) fn kyc(assessed: &Assessed) -> Checked {
    let is = |feature: &str, value: f64| {
        position(feature).and_then(|at| assessed.basis.features.get(at).copied().flatten()) == Some(value)
    };
    let contradictions: Vec<&str> = [
        ("phone_matches_country", 0.0, "The phone number is of another country."),
        ("email_matches_website", 0.0, "The e-mail address and the website have different domains."),
        ("address_has_number", 0.0, "The address has no number."),
    ]
    .into_iter()
    .filter(|(feature, value, _)| is(feature, *value))
    .map(|(.., text)| text)
    .collect();
    let completeness = assessed.business.completeness();
    let status = match contradictions.len() {
        0 if completeness >= COMPLETENESS_MIN => CheckStatus::Passed,
        0 | 1 => CheckStatus::Warning,
        _ => CheckStatus::Failed,
    };
    let mut details = vec![format!("{:.0} % of the fields are filled in.", completeness * 100.0)];
    details.extend(contradictions.iter().map(|text| (*text).to_owned()));
    #[expect(clippy::cast_precision_loss, reason = "three contradictions at most")]
    let score = (completeness - 0.2 * contradictions.len() as f64).max(0.0);
    Checked { kind: CheckType::Kyc, status, score, details: details.join(" ") }
}

/// The decision of the rules, and the groups of the country and the industry. It fails if the rules decline, or if the
/// country is under FATF's call for action. The score is one less the risk score.
pub(crate) fn aml(assessed: &Assessed) -> Checked {
    let of_country = aml_of_country(&assessed.business.country);
    let mut status = of_country.status.max(match assessed.decision {
        Decision::Approve => CheckStatus::Passed,
        Decision::Review => CheckStatus::Warning,
        Decision::Decline => CheckStatus::Failed,
    });
    let mut details = vec![format!("The rules say {}.", assessed.decision.name()), of_country.details];
    let group = position("industry_group").and_then(|at| assessed.basis.features.get(at).copied().flatten());
    if let Some((_, name)) = WATCHED_INDUSTRIES.iter().find(|(watched, _)| Some(*watched) == group) {
        status = status.max(CheckStatus::Warning);
        details.push(format!("The industry counts as {name}, which has to be looked at more closely."));
    }
    Checked { kind: CheckType::Aml, status, score: 1.0 - assessed.score, details: details.join(" ") }
}

/// The country alone: 1 if it is on no list of FATF, 0.5 under increased monitoring, and 0 under a call for action.
pub(crate) fn aml_of_country(country: &str) -> Checked {
    let (status, score, text) = match country_group(country) {
        0 => (CheckStatus::Passed, 1.0, "The country is on no list of FATF."),
        1 => (CheckStatus::Warning, 0.5, "The country is under increased monitoring by FATF."),
        _ => (CheckStatus::Failed, 0.0, "The country is under FATF's call for action."),
    };
    Checked { kind: CheckType::Aml, status, score, details: text.to_owned() }
}

/// The matches on lists, the best first. An exact match, or one from 0.95 on, fails; any other is a warning. The score is one
/// less that of the best match.
pub(crate) fn sanctions<'a>(
    mut matches: impl Iterator<Item = (f64, MatchType, &'a String, &'a str)>,
) -> Checked {
    let kind = CheckType::Sanctions;
    let Some((score, match_type, source, name)) = matches.next() else {
        let details = "No name on a list matches.".to_owned();
        return Checked { kind, status: CheckStatus::Passed, score: 1.0, details };
    };
    let is_certain = match_type == MatchType::Exact || score >= CERTAIN_MATCH;
    Checked {
        kind,
        status: if is_certain { CheckStatus::Failed } else { CheckStatus::Warning },
        score: 1.0 - score,
        details: format!("{name} on the list {source} matches with a score of {score:.2}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_country_and_the_best_match_decide() {
        for (country, status) in
            [("CH", CheckStatus::Passed), ("BG", CheckStatus::Warning), ("IR", CheckStatus::Failed)]
        {
            assert_eq!(aml_of_country(country).status, status, "{country}");
        }
        let list = "List".to_owned();
        for (score, match_type, status) in [
            (0.9, MatchType::Exact, CheckStatus::Failed),
            (0.95, MatchType::Fuzzy, CheckStatus::Failed),
            (0.94, MatchType::Fuzzy, CheckStatus::Warning),
        ] {
            assert_eq!(sanctions(std::iter::once((score, match_type, &list, "A"))).status, status);
        }
        assert_eq!(sanctions(std::iter::empty()).status, CheckStatus::Passed);
    }
}
