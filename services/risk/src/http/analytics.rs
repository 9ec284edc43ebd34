//! Analytics over HTTP.

use axum::extract::State;
use pando_http::{JsonAnswer, QueryString};
use pando_service::prelude::*;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::{AnalyticsQuestion, Risk, RiskInsights, RiskTrends, Timeframe};

const LEVELS: [(&str, &str); 4] =
    [("low", "low"), ("medium", "medium"), ("high", "high"), ("critical", "critical")];

/// The question for trends.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the query; trends reads it")]
struct TrendParameters {
    /// Only this industry, in any case
    #[param(required = false)]
    industry: String,
    /// Only this country
    #[param(required = false)]
    country: String,
    /// `7d`, `30d`, `90d` or `1y`
    #[param(required = false, default = "30d")]
    timeframe: String,
    /// How many industries and countries
    #[param(required = false, minimum = 1, maximum = 1000, default = 100)]
    limit: i64,
}

/// The question for insights.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the query; insights reads it")]
struct InsightParameters {
    /// Only this industry, in any case
    #[param(required = false)]
    industry: String,
    /// Only this country
    #[param(required = false)]
    country: String,
    /// Only `low`, `medium`, `high` or `critical`
    #[param(required = false)]
    risk_level: String,
    /// The same by its other published name
    #[param(required = false, rename = "riskLevel")]
    other_risk_level: String,
    /// `7d`, `30d`, `90d` or `1y`
    #[param(required = false, default = "90d")]
    timeframe: String,
}

pub(crate) fn routes() -> OpenApiRouter<Risk> {
    OpenApiRouter::new().routes(routes!(trends)).routes(routes!(insights))
}

/// Show where the scores of industries and countries go
#[utoipa::path(get, path = "/api/v1/analytics/trends", tag = "analytics", params(TrendParameters),
    responses((status = 200, description = "The trends", body = RiskTrends), (status = 400, description = "Bad parameters")))]
async fn trends(
    State(risk): State<Risk>,
    Caller(call): Caller,
    mut query: QueryString,
) -> Result<JsonAnswer<RiskTrends>, Problem> {
    let question = question(&mut query, Timeframe::Month);
    let count = query.integer("limit", 1..=1_000).unwrap_or(100);
    query.finish()?;
    Ok(JsonAnswer(risk.show_trends(&call, &question, count).await?))
}

/// Show what stands out among the assessments
#[utoipa::path(get, path = "/api/v1/analytics/insights", tag = "analytics", params(InsightParameters),
    responses((status = 200, description = "The insights", body = RiskInsights), (status = 400, description = "Bad parameters")))]
async fn insights(
    State(risk): State<Risk>,
    Caller(call): Caller,
    mut query: QueryString,
) -> Result<JsonAnswer<RiskInsights>, Problem> {
    let mut question = question(&mut query, Timeframe::Quarter);
    let levels = ["risk_level", "riskLevel"].map(|name| query.one_of(name, &LEVELS));
    question.risk_level = match levels {
        [Some(one), Some(other)] if one != other => {
            query.error("riskLevel", "contradiction", "is another level than risk_level");
            None
        }
        [one, other] => one.or(other),
    };
    query.finish()?;
    Ok(JsonAnswer(risk.show_insights(&call, &question).await?))
}

fn question(query: &mut QueryString, otherwise: Timeframe) -> AnalyticsQuestion {
    let mut text = |name: &'static str, chars_max: usize| {
        let given = query.text(name).filter(|text| !text.is_empty());
        if given.as_ref().is_some_and(|text| text.chars().count() > chars_max || text.contains('\0')) {
            query.error(name, "too_long", format!("must have at most {chars_max} characters, and no NUL"));
        }
        given
    };
    let (industry, country) = (text("industry", 100), text("country", 2));
    let timeframe = query.one_of("timeframe", &Timeframe::ALL).unwrap_or(otherwise);
    AnalyticsQuestion { industry, country, risk_level: None, timeframe }
}
