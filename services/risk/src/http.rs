//! The operations over HTTP, in the shapes that published clients expect.

pub(crate) mod analytics;
pub(crate) mod batches;
pub(crate) mod cases;
pub(crate) mod compliance;
pub(crate) mod lists;
pub(crate) mod media;
pub(crate) mod models;
pub(crate) mod monitoring;
pub(crate) mod outlook;
pub(crate) mod rulesets;
pub(crate) mod screening;

use axum::extract::State;
use http::StatusCode;
use pando_http::{JsonAnswer, QueryString, decode_cursor};
use pando_service::http::WriteFields;
use pando_service::prelude::*;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::domain::assessment::AssessmentStatus;
use crate::domain::business::ModelChoice;
use crate::domain::ids;
use crate::{
    Assessment, AssessmentHistory, AssessmentPage, AssessmentQuestion, Explanation, Replay, Risk,
    no_assessment,
};

/// The assessment in the path. If the text is not an id, nothing has it: 404.
struct AssessmentPath;

/// The description of a business.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; the domain reads it")]
struct AssessmentRequest {
    #[schema(min_length = 1, max_length = 255)]
    business_name: String,
    #[schema(min_length = 10, max_length = 500)]
    business_address: String,
    #[schema(min_length = 1, max_length = 100)]
    industry: String,
    /// ISO 3166, two letters.
    #[schema(min_length = 2, max_length = 2)]
    country: String,
    /// With a country code; signs between digits are left out.
    #[schema(required = false)]
    phone: String,
    #[schema(required = false, max_length = 254)]
    email: String,
    #[schema(required = false, max_length = 2048)]
    website: String,
    /// In months; 0 is now.
    #[schema(required = false, minimum = 0, maximum = 24, default = 3)]
    prediction_horizon: u8,
    /// `xgboost` and `lstm` are older names of `gradient_boosting` and `sequence`.
    #[schema(required = false)]
    model_type: ModelChoice,
    #[schema(required = false)]
    include_temporal_analysis: bool,
    /// At most 50 texts, numbers and truth values; `annual_revenue`, `employee_count` and `years_in_business` count.
    #[schema(required = false, value_type = std::collections::BTreeMap<String, Object>)]
    metadata: (),
}

/// The question for a page.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the query; list reads it")]
struct ListParameters {
    /// How many assessments
    #[param(required = false, minimum = 1, maximum = 100, default = 20)]
    limit: i64,
    /// How many to step over
    #[param(required = false, minimum = 0, maximum = 10_000, default = 0)]
    offset: i64,
    /// Only those in this status
    #[param(required = false, inline)]
    status: AssessmentStatus,
    /// The `next` of the page before
    #[param(required = false)]
    cursor: String,
}

impl InPath for AssessmentPath {
    type Id = Uuid;

    fn parse(text: &str) -> Option<Uuid> {
        ids::ASSESSMENT.parse(text)
    }

    fn refused() -> Problem {
        no_assessment().into()
    }
}

/// The routes of assessments.
pub(crate) fn routes() -> OpenApiRouter<Risk> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(read))
        .routes(routes!(history))
        .merge(batches::routes())
        .routes(routes!(replay))
        .merge(outlook::of_assessments())
}

/// The routes of explanations.
pub(crate) fn explain_routes() -> OpenApiRouter<Risk> {
    OpenApiRouter::new().routes(routes!(explain))
}

/// Assess a business
#[utoipa::path(post, path = "/api/v1/assess", tag = "assessments", request_body = AssessmentRequest, params(KeyParameter),
    responses((status = 200, description = "The assessment", body = Assessment), KeyRefused,
        (status = 400, description = "Every bad field")))]
async fn create(
    State(risk): State<Risk>,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let done = risk.assess(&call, &fields).await?;
    Ok(WriteAnswer::json(StatusCode::OK, &done, &done.value).version(done.value.version))
}

/// Read an assessment
#[utoipa::path(get, path = "/api/v1/assess/{id}", tag = "assessments", params(("id" = String, Path)),
    responses((status = 200, description = "The assessment", body = Assessment), (status = 404, description = "There is none")))]
async fn read(
    State(risk): State<Risk>,
    Caller(call): Caller,
    At(id): At<AssessmentPath>,
) -> Result<JsonAnswer<Assessment>, Problem> {
    Ok(JsonAnswer(risk.get_assessment(&call, id).await?))
}

/// List assessments, the newest first
#[utoipa::path(get, path = "/api/v1/assess", tag = "assessments", params(ListParameters),
    responses((status = 200, description = "A page", body = AssessmentPage), (status = 400, description = "Bad parameters")))]
async fn list(
    State(risk): State<Risk>,
    Caller(call): Caller,
    mut query: QueryString,
) -> Result<JsonAnswer<AssessmentPage>, Problem> {
    let number = |number: Option<i64>, otherwise| {
        number.and_then(|one| usize::try_from(one).ok()).unwrap_or(otherwise)
    };
    let limit = number(query.integer("limit", 1..=100), 20);
    let offset = number(query.integer("offset", 0..=10_000), 0);
    let status = query.one_of("status", &AssessmentStatus::ALL);
    let cursor = query.text("cursor").filter(|cursor| !cursor.is_empty());
    query.finish()?;
    let after = cursor.map(|cursor| decode_cursor(&cursor)).transpose()?;
    let question = AssessmentQuestion { limit, offset, after, status };
    Ok(JsonAnswer(risk.list_assessments(&call, question).await?))
}

/// Show the assessments of one business over time
#[utoipa::path(get, path = "/api/v1/assess/{id}/history", tag = "assessments", params(("id" = String, Path)),
    responses((status = 200, description = "The latest assessments of the business", body = AssessmentHistory),
        (status = 404, description = "There is none")))]
async fn history(
    State(risk): State<Risk>,
    Caller(call): Caller,
    At(id): At<AssessmentPath>,
) -> Result<JsonAnswer<AssessmentHistory>, Problem> {
    Ok(JsonAnswer(risk.assessment_history(&call, id).await?))
}

/// Explain the score of an assessment
#[utoipa::path(get, path = "/api/v1/explain/{id}", tag = "assessments", params(("id" = String, Path)),
    responses((status = 200, description = "What each feature adds to the score, exactly", body = Explanation),
        (status = 404, description = "There is none")))]
async fn explain(
    State(risk): State<Risk>,
    Caller(call): Caller,
    At(id): At<AssessmentPath>,
) -> Result<JsonAnswer<Explanation>, Problem> {
    Ok(JsonAnswer(risk.explain(&call, id).await?))
}

/// Make the decision of an assessment again from what was stored with it, and compare
#[utoipa::path(get, path = "/api/v1/assess/{id}/replay", tag = "assessments", params(("id" = String, Path)),
    responses((status = 200, description = "Both assessments, and where they differ", body = Replay),
        (status = 404, description = "There is none"),
        (status = 409, description = "It was stored without everything that a replay needs")))]
async fn replay(
    State(risk): State<Risk>,
    Caller(call): Caller,
    At(id): At<AssessmentPath>,
) -> Result<JsonAnswer<Replay>, Problem> {
    Ok(JsonAnswer(risk.replay_assessment(&call, id).await?))
}
