//! Risk factors: what the features add to a score, in the words and categories that callers know.

use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How many factors an assessment shows.
const SHOWN_MAX: usize = 10;
/// A smaller part of the log-odds is not shown.
const SHOWN_MIN: f64 = 0.01;

/// One factor of an assessment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RiskFactor {
    /// `financial`, `operational`, `compliance`, `reputational` or `regulatory`.
    pub category: String,
    /// A part of the category.
    pub subcategory: String,
    /// The feature.
    pub name: String,
    /// 0.5 if the feature changes nothing, up to 1 the more it raises the risk, and down to 0 the more it lowers it.
    pub score: f64,
    /// The weight of the subcategory in its category, times that of the category.
    pub weight: f64,
    /// A sentence about the feature.
    pub description: String,
    /// Where it comes from.
    pub source: String,
    /// How much the assessment can be relied on, from 0 to 1.
    pub confidence: f64,
    /// The amount that the feature adds to the log-odds of the score.
    pub impact: f64,
    /// A way to lower the risk; empty if it lowers the risk.
    pub mitigation: String,
    /// When it was found out.
    #[schema(value_type = String, format = DateTime)]
    pub last_updated: Timestamp,
}

/// The values that a factor is made of.
pub(crate) struct Part<'a> {
    pub(crate) feature: &'static str,
    pub(crate) description: &'static str,
    pub(crate) contribution: f64,
    pub(crate) source: &'a str,
    pub(crate) confidence: f64,
    pub(crate) at: Timestamp,
}

/// The place of a feature among the factors.
struct Place {
    feature: &'static str,
    category: &'static str,
    subcategory: &'static str,
    mitigation: &'static str,
}

/// The weights of the categories, and of the subcategories within them, unless the rules say otherwise.
const CATEGORIES: [(&str, f64); 5] = [
    ("financial", 0.30),
    ("operational", 0.25),
    ("compliance", 0.20),
    ("reputational", 0.15),
    ("regulatory", 0.10),
];

const SUBCATEGORIES: [(&str, f64); 9] = [
    ("liquidity", 0.3),
    ("credit", 0.25),
    ("market", 0.2),
    ("process", 0.25),
    ("continuity", 0.1),
    ("regulatory", 0.3),
    ("brand", 0.3),
    ("enforcement", 0.2),
    ("jurisdictional", 0.15),
];

const ASK_FIGURES: &str = "Ask for recent accounts.";
const ASK_DOCUMENTS: &str = "Ask for an extract of the commercial register.";
const ASK_CONTACT: &str = "Check the contact details with the business.";
const WATCH: &str = "Look at the earlier assessments of this business.";
const SCREEN: &str = "Look at the matches on lists.";

#[rustfmt::skip]
const PLACES: &[(&str, &str, &str, &str)] = &[
    ("annual_revenue_log", "financial", "liquidity", ASK_FIGURES),
    ("employee_count_log", "financial", "market", ASK_FIGURES),
    ("years_in_business", "financial", "credit", ASK_DOCUMENTS),
    ("horizon_months", "financial", "market", "Assess the business again when time has passed."),
    ("industry_group", "regulatory", "enforcement", "Check the licences of the industry."),
    ("country_group", "regulatory", "jurisdictional", "Follow the due diligence that the country asks for."),
    ("list_hits", "compliance", "regulatory", SCREEN),
    ("list_best_score", "compliance", "regulatory", SCREEN),
    ("name_length", "reputational", "brand", ASK_DOCUMENTS),
    ("name_digit_share", "reputational", "brand", ASK_DOCUMENTS),
    ("name_uppercase_share", "reputational", "brand", ASK_DOCUMENTS),
    ("name_legal_form", "reputational", "brand", ASK_DOCUMENTS),
    ("last_score", "operational", "continuity", WATCH),
    ("mean_score", "operational", "continuity", WATCH),
    ("score_spread", "operational", "continuity", WATCH),
    ("score_trend", "operational", "continuity", WATCH),
    ("earlier_count", "operational", "continuity", WATCH),
    ("days_since_last", "operational", "continuity", WATCH),
    ("days_since_first", "operational", "continuity", WATCH),
    ("assessed_per_month", "operational", "continuity", WATCH),
    ("assessed_1h", "operational", "process", WATCH),
    ("assessed_24h", "operational", "process", WATCH),
    ("assessed_7d", "operational", "process", WATCH),
];

/// The place of a feature; those that tell of contacts and addresses share one.
fn place(feature: &'static str) -> Place {
    let found = PLACES.iter().find(|(name, ..)| *name == feature);
    let (_, category, subcategory, mitigation) =
        *found.unwrap_or(&(feature, "operational", "process", ASK_CONTACT));
    Place { feature, category, subcategory, mitigation }
}

/// The factors of an assessment, the weightiest first.
pub(crate) fn factors<'a>(parts: impl Iterator<Item = Part<'a>>) -> Vec<RiskFactor> {
    let mut parts: Vec<Part<'a>> = parts.filter(|part| part.contribution.abs() >= SHOWN_MIN).collect();
    parts.sort_by(|a, b| {
        b.contribution.abs().total_cmp(&a.contribution.abs()).then_with(|| a.feature.cmp(b.feature))
    });
    parts.truncate(SHOWN_MAX);
    parts.into_iter().map(factor).collect()
}

fn factor(part: Part<'_>) -> RiskFactor {
    let Place { feature, category, subcategory, mitigation } = place(part.feature);
    let weight = |all: &[(&str, f64)], name: &str| {
        all.iter().find(|(known, _)| *known == name).map_or(0.0, |(_, weight)| *weight)
    };
    RiskFactor {
        category: category.to_owned(),
        subcategory: subcategory.to_owned(),
        name: feature.to_owned(),
        score: 1.0 / (1.0 + (-part.contribution).exp()),
        weight: weight(&CATEGORIES, category) * weight(&SUBCATEGORIES, subcategory),
        description: part.description.to_owned(),
        source: part.source.to_owned(),
        confidence: part.confidence,
        impact: part.contribution,
        mitigation: if part.contribution > 0.0 { mitigation } else { "" }.to_owned(),
        last_updated: part.at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weightiest_factors_come_first_and_small_ones_are_left_out() {
        let part = |feature, contribution| Part {
            feature,
            description: "",
            contribution,
            source: "test",
            confidence: 1.0,
            at: Timestamp::from_micros(0),
        };
        let parts = [part("name_length", 0.001), part("country_group", -0.5), part("phone_present", 0.9)];
        let factors = factors(parts.into_iter());
        let names: Vec<_> = factors.iter().map(|factor| factor.name.as_str()).collect();
        assert_eq!(names, ["phone_present", "country_group"]);
        assert!(factors[0].score > 0.5 && factors[1].score < 0.5);
        assert_eq!(factors[1].mitigation, "");
        assert!((factors[1].weight - 0.015).abs() < 1e-12);
    }

    #[test]
    fn every_category_and_subcategory_has_a_weight() {
        for (feature, category, subcategory, _) in PLACES {
            assert!(CATEGORIES.iter().any(|(name, _)| name == category), "{feature}");
            assert!(SUBCATEGORIES.iter().any(|(name, _)| name == subcategory), "{feature}");
        }
    }
}
