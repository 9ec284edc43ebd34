//! Shows what stands out among the assessments of a tenant. Each insight comes from a rule about figures.

use pando_service::prelude::*;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Risk;
use crate::show_trends::{AnalyticsQuestion, change_percent, percent};
use crate::store::analytics::{self, Segment, Totals};

/// How many segments are looked at.
const SEGMENTS_MAX: i64 = 100;
/// Fewer assessments say nothing.
const SAMPLE_MIN: i64 = 10;
/// From this share of high and critical assessments on, there are many, in percent.
const HIGH_PERCENT_MIN: f64 = 20.0;
/// From this share of reviews on, there are many, in percent.
const REVIEW_PERCENT_MIN: f64 = 30.0;
/// From this share on, one segment outweighs the others, in percent.
const CONCENTRATION_PERCENT_MIN: f64 = 50.0;
/// From this change on, a segment stands out, in percent.
const CHANGE_PERCENT_MIN: f64 = 10.0;
/// Below this mean confidence, too little is known.
const CONFIDENCE_MIN: f64 = 0.5;

/// Something that stands out.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Insight {
    /// The rule that found it.
    #[serde(rename = "type")]
    pub kind: String,
    /// A few words.
    pub title: String,
    /// A sentence with the figures.
    pub description: String,
    /// `high`, `medium` or `low`.
    pub impact: String,
    /// A sentence that says what can be done.
    pub recommendation: String,
}

/// Something that can be done.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Recommendation {
    /// The type of the insight that it follows from.
    pub category: String,
    /// A sentence.
    pub action: String,
    /// `high`, `medium` or `low`.
    pub priority: String,
}

/// All that stands out.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RiskInsights {
    /// The weightiest first.
    pub insights: Vec<Insight>,
    /// One for each type of insight.
    pub recommendations: Vec<Recommendation>,
}

impl Risk {
    /// The insights into the assessments of a tenant.
    pub async fn show_insights(
        &self,
        call: &Call,
        question: &AnalyticsQuestion,
    ) -> Result<RiskInsights, Fault> {
        let sample = self.sample(question);
        let read = self.0.parts.database.read(call);
        let segments = analytics::segments(&read, call.tenant(), &sample, SEGMENTS_MAX).await?;
        let totals = analytics::totals(&read, call.tenant(), &sample).await?;
        let insights = insights(&totals, &segments, question.risk_level.is_some());
        let mut recommendations: Vec<Recommendation> = Vec::new();
        for insight in &insights {
            if recommendations.iter().all(|known| known.category != insight.kind) {
                recommendations.push(Recommendation {
                    category: insight.kind.clone(),
                    action: insight.recommendation.clone(),
                    priority: insight.impact.clone(),
                });
            }
        }
        Ok(RiskInsights { insights, recommendations })
    }
}

/// The rules. If only one level is looked at, its share says nothing.
fn insights(totals: &Totals, segments: &[Segment], of_one_level: bool) -> Vec<Insight> {
    let mut found = Vec::new();
    let mut add = |(kind, impact): (&str, &str), title: String, description: String, recommendation: &str| {
        found.push(Insight {
            kind: kind.to_owned(),
            title,
            description,
            impact: impact.to_owned(),
            recommendation: recommendation.to_owned(),
        });
    };
    if totals.count < SAMPLE_MIN {
        return found;
    }
    let of_all = |part| percent(part, totals.count).unwrap_or(0.0);
    if !of_one_level && of_all(totals.high) >= HIGH_PERCENT_MIN {
        let text =
            format!("{:.1} % of {} assessments are high or critical.", of_all(totals.high), totals.count);
        let advice = "Look at the reasons of these assessments, and at the rules for new customers.";
        add(("high_risk_share", "high"), "Many high risks".to_owned(), text, advice);
    }
    for segment in segments.iter().filter(|one| one.earlier.count.min(one.later.count) >= SAMPLE_MIN) {
        let Some(change) = change_percent(segment) else { continue };
        let name = format!("{} in {}", segment.industry, segment.country);
        if change >= CHANGE_PERCENT_MIN {
            let text =
                format!("The mean score of {name} rose by {change:.1} % ({} assessments).", segment.count);
            let advice = "Assess the businesses of this segment again.";
            add(("deteriorating_segment", "high"), format!("{name} gets worse"), text, advice);
        } else if change <= -CHANGE_PERCENT_MIN {
            let text =
                format!("The mean score of {name} fell by {:.1} % ({} assessments).", -change, segment.count);
            let advice = "Nothing needs to be done.";
            add(("improving_segment", "low"), format!("{name} gets better"), text, advice);
        }
    }
    if of_all(totals.reviews) >= REVIEW_PERCENT_MIN {
        let text = format!("{:.1} % of {} assessments need a review.", of_all(totals.reviews), totals.count);
        let advice = "Look at the reasons of reviews: lists that are not loaded, and incomplete requests, are common ones.";
        add(("many_reviews", "medium"), "Many reviews".to_owned(), text, advice);
    }
    if let Some(confidence) = totals.confidence.filter(|confidence| *confidence < CONFIDENCE_MIN) {
        let text = format!("The mean confidence of {} assessments is {confidence:.2}.", totals.count);
        let advice = "Send more fields, such as annual_revenue, employee_count and years_in_business.";
        add(("thin_data", "medium"), "Little is known".to_owned(), text, advice);
    }
    let greatest = segments.first().filter(|_| segments.len() > 1);
    if let Some(segment) = greatest.filter(|one| of_all(one.count) >= CONCENTRATION_PERCENT_MIN) {
        let name = format!("{} in {}", segment.industry, segment.country);
        let text = format!("{:.1} % of {} assessments are of {name}.", of_all(segment.count), totals.count);
        let advice = "Keep in mind that the figures of all assessments are mostly those of this segment.";
        add(("concentration", "low"), format!("Most are of {name}"), text, advice);
    }
    let rank = |impact: &str| ["high", "medium", "low"].iter().position(|one| *one == impact);
    found.sort_by_key(|insight| rank(&insight.impact));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::analytics::Half;

    fn segment(industry: &str, count: i64, means: (f64, f64)) -> Segment {
        Segment {
            industry: industry.to_owned(),
            country: "CH".to_owned(),
            count,
            mean: f64::midpoint(means.0, means.1),
            earlier: Half { count: count / 2, mean: Some(means.0) },
            later: Half { count: count - count / 2, mean: Some(means.1) },
        }
    }

    fn kinds(totals: Totals, segments: &[Segment]) -> Vec<String> {
        insights(&totals, segments, false).into_iter().map(|insight| insight.kind).collect()
    }

    const QUIET: Totals =
        Totals { count: 100, mean: Some(0.2), high: 19, reviews: 29, confidence: Some(0.5), is_cut: false };

    #[test]
    fn an_insight_comes_from_its_figure_and_from_nothing_else() {
        let calm = [segment("retail", 49, (0.2, 0.219)), segment("energy", 48, (0.2, 0.181))];
        assert_eq!(kinds(QUIET, &calm), [""; 0]);
        assert_eq!(kinds(Totals { high: 20, ..QUIET }, &calm), ["high_risk_share"]);
        assert_eq!(kinds(Totals { reviews: 30, ..QUIET }, &calm), ["many_reviews"]);
        assert_eq!(kinds(Totals { confidence: Some(0.49), ..QUIET }, &calm), ["thin_data"]);
        let moved = [segment("retail", 49, (0.2, 0.221)), segment("energy", 48, (0.2, 0.179))];
        assert_eq!(kinds(QUIET, &moved), ["deteriorating_segment", "improving_segment"]);
        let alone = [segment("retail", 60, (0.2, 0.2)), segment("energy", 40, (0.2, 0.2))];
        assert_eq!(kinds(QUIET, &alone), ["concentration"]);
    }

    #[test]
    fn few_assessments_say_nothing() {
        let few = Totals { count: 9, high: 9, reviews: 9, confidence: Some(0.1), ..QUIET };
        assert_eq!(kinds(few, &[]), [""; 0]);
        let halves = [segment("retail", 19, (0.2, 0.9)), segment("energy", 81, (0.2, 0.2))];
        assert_eq!(kinds(QUIET, &halves), [""; 0], "9 assessments in the earlier half are too few");
    }
}
