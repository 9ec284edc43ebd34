//! The rules of a tenant over HTTP.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use pando_http::{JsonAnswer, JsonDocument, QueryString};
use pando_service::http::{WriteCall, WriteFields};
use pando_service::prelude::*;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::backtest_ruleset::no_backtest;
use crate::domain::ids;
use crate::domain::ruleset::no_ruleset;
use crate::{
    Backtest, Evaluated, Risk, RulesetDifferences, RulesetPage, RulesetShown, RulesetTests, RulesetVersion,
    ShadowReport,
};

/// The version in the path. If the text is no number, nothing has it: 404.
struct NumberPath;

/// The run in the path.
struct BacktestPath;

/// A document of rules.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; the domain reads it")]
struct RulesetFields {
    /// The ruleset: levels, policies, nodes, edges and tests.
    #[schema(value_type = Object)]
    document: (),
    /// A word for those who read the list of versions.
    #[schema(required = false, max_length = 1000)]
    note: String,
}

/// A request to try a version on.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; evaluate_ruleset reads it")]
struct EvaluationFields {
    /// The request as rules get it.
    #[schema(required = false, value_type = Object)]
    request: (),
    /// An assessment, whose request is taken instead.
    #[schema(required = false)]
    assessment_id: String,
}

/// The assessments that a run takes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; backtest_ruleset reads it")]
struct BacktestFields {
    #[schema(required = false, format = DateTime)]
    from: String,
    #[schema(required = false, format = DateTime)]
    to: String,
    #[schema(required = false, minimum = 1, maximum = 10_000_000, default = 100_000)]
    limit: i64,
}

/// The question for a page.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the query; list_rulesets reads it")]
struct ListParameters {
    /// How many versions
    #[param(required = false, minimum = 1, maximum = 100, default = 20)]
    limit: i64,
    /// Only versions with a lower number: the `next` of the page before
    #[param(required = false, minimum = 1)]
    before: i64,
}

/// Two versions.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the query; compare_rulesets reads it")]
struct CompareParameters {
    /// The first version; 0 is the shipped one
    #[param(required = true, minimum = 0)]
    from: i64,
    /// The second version
    #[param(required = true, minimum = 0)]
    to: i64,
}

impl InPath for NumberPath {
    type Id = u64;

    fn parse(text: &str) -> Option<u64> {
        text.parse::<u32>().ok().map(u64::from)
    }

    fn refused() -> Problem {
        no_ruleset().into()
    }
}

impl InPath for BacktestPath {
    type Id = Uuid;

    fn parse(text: &str) -> Option<Uuid> {
        ids::BACKTEST.parse(text)
    }

    fn refused() -> Problem {
        no_backtest().into()
    }
}

/// The routes of rules.
pub(crate) fn routes() -> OpenApiRouter<Risk> {
    OpenApiRouter::new()
        .routes(routes!(list_rulesets, create_ruleset))
        .routes(routes!(compare_rulesets))
        .routes(routes!(ruleset_shadow, stop_ruleset_shadow))
        .routes(routes!(ruleset_backtest, cancel_ruleset_backtest))
        .routes(routes!(read_ruleset, change_ruleset))
        .routes(routes!(test_ruleset))
        .routes(routes!(evaluate_ruleset))
        .routes(routes!(publish_ruleset))
        .routes(routes!(roll_back_ruleset))
        .routes(routes!(start_ruleset_shadow))
        .routes(routes!(start_ruleset_backtest))
}

/// List the versions of the rules, the newest first
#[utoipa::path(get, path = "/api/v1/rules", tag = "rulesets", params(ListParameters),
    responses((status = 200, description = "A page", body = RulesetPage), (status = 400, description = "Bad parameters")))]
async fn list_rulesets(
    State(risk): State<Risk>,
    Caller(call): Caller,
    mut query: QueryString,
) -> Result<JsonAnswer<RulesetPage>, Problem> {
    let limit = query.integer("limit", 1..=100).and_then(|limit| usize::try_from(limit).ok()).unwrap_or(20);
    let before = query.integer("before", 1..=i64::MAX).and_then(|before| u64::try_from(before).ok());
    query.finish()?;
    Ok(JsonAnswer(risk.list_rulesets(&call, (before, limit)).await?))
}

/// Create a draft of rules
#[utoipa::path(post, path = "/api/v1/rules", tag = "rulesets", security(("token" = ["rules:write"])),
    request_body = RulesetFields, params(KeyParameter),
    responses((status = 201, description = "The draft", body = RulesetVersion), KeyRefused,
        (status = 400, description = "Every fault of the document, with its place")))]
async fn create_ruleset(
    State(risk): State<Risk>,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let done = risk.create_ruleset(&call, &fields).await?;
    let place = format!("/api/v1/rules/{}", done.value.number);
    Ok(WriteAnswer::json(StatusCode::CREATED, &done, &done.value)
        .version(done.value.version)
        .location(&place))
}

/// Compare the documents of two versions
#[utoipa::path(get, path = "/api/v1/rules/compare", tag = "rulesets", params(CompareParameters),
    responses((status = 200, description = "Where they differ", body = RulesetDifferences),
        (status = 400, description = "Bad parameters"), (status = 404, description = "One of them does not exist")))]
async fn compare_rulesets(
    State(risk): State<Risk>,
    Caller(call): Caller,
    mut query: QueryString,
) -> Result<JsonAnswer<RulesetDifferences>, Problem> {
    let mut number = |name: &'static str| {
        let given = query.integer(name, 0..=i64::from(u32::MAX));
        if given.is_none() {
            query.error(name, "required", "is required: the number of a version");
        }
        given.and_then(|number| u64::try_from(number).ok()).unwrap_or_default()
    };
    let versions = (number("from"), number("to"));
    query.finish()?;
    Ok(JsonAnswer(risk.compare_rulesets(&call, versions).await?))
}

/// Read a version of the rules
#[utoipa::path(get, path = "/api/v1/rules/{number}", tag = "rulesets", params(("number" = String, Path)),
    responses((status = 200, description = "The version with its document", body = RulesetShown),
        (status = 404, description = "There is none")))]
async fn read_ruleset(
    State(risk): State<Risk>,
    Caller(call): Caller,
    At(number): At<NumberPath>,
) -> Result<JsonAnswer<RulesetShown>, Problem> {
    Ok(JsonAnswer(risk.get_ruleset(&call, number).await?))
}

/// Change a draft
#[utoipa::path(put, path = "/api/v1/rules/{number}", tag = "rulesets", security(("token" = ["rules:write"])),
    request_body = RulesetFields, params(("number" = String, Path), KeyParameter),
    responses((status = 200, description = "The draft", body = RulesetVersion), KeyRefused,
        (status = 400, description = "Every fault of the document, with its place"),
        (status = 404, description = "There is none"), (status = 409, description = "It is no draft"),
        (status = 412, description = "It has another version")))]
async fn change_ruleset(
    State(risk): State<Risk>,
    At(number): At<NumberPath>,
    headers: HeaderMap,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let expected = expected(&headers, false)?;
    let done = risk.change_ruleset(&call, &expected, (number, &fields)).await?;
    Ok(WriteAnswer::json(StatusCode::OK, &done, &done.value).version(done.value.version))
}

/// Run the tests that a version carries; a draft that passes them may be published
#[utoipa::path(post, path = "/api/v1/rules/{number}/test", tag = "rulesets", security(("token" = ["rules:write"])),
    params(("number" = String, Path), KeyParameter),
    responses((status = 200, description = "The outcome", body = RulesetTests), KeyRefused,
        (status = 404, description = "There is none"), (status = 409, description = "It was changed meanwhile")))]
async fn test_ruleset(
    State(risk): State<Risk>,
    At(number): At<NumberPath>,
    WriteCall(call): WriteCall,
) -> Result<WriteAnswer, Problem> {
    let done = risk.test_ruleset(&call, number).await?;
    Ok(WriteAnswer::json(StatusCode::OK, &done, &done.value))
}

/// Try a version on a request, with a trace; nothing is stored
#[utoipa::path(post, path = "/api/v1/rules/{number}/evaluate", tag = "rulesets", security(("token" = ["risk:read"])),
    request_body = EvaluationFields, params(("number" = String, Path)),
    responses((status = 200, description = "The verdict, or the error", body = Evaluated),
        (status = 400, description = "Every bad field"), (status = 404, description = "There is none"),
        (status = 409, description = "The assessment was stored without its request")))]
async fn evaluate_ruleset(
    State(risk): State<Risk>,
    Caller(call): Caller,
    At(number): At<NumberPath>,
    body: JsonDocument,
) -> Result<JsonAnswer<Evaluated>, Problem> {
    Ok(JsonAnswer(risk.evaluate_ruleset(&call, (number, &body.into_object()?)).await?))
}

/// Publish a version whose tests pass: it decides from now on
#[utoipa::path(post, path = "/api/v1/rules/{number}/publish", tag = "rulesets", security(("token" = ["rules:write"])),
    params(("number" = String, Path), KeyParameter),
    responses((status = 200, description = "The version", body = RulesetVersion), KeyRefused,
        (status = 404, description = "There is none"),
        (status = 409, description = "It cannot be published; every failed test is named"),
        (status = 412, description = "It has another version")))]
async fn publish_ruleset(
    State(risk): State<Risk>,
    At(number): At<NumberPath>,
    headers: HeaderMap,
    WriteCall(call): WriteCall,
) -> Result<WriteAnswer, Problem> {
    let expected = expected(&headers, false)?;
    let done = risk.publish_ruleset(&call, &expected, number).await?;
    Ok(WriteAnswer::json(StatusCode::OK, &done, &done.value).version(done.value.version))
}

/// Publish an earlier version again, under the next number
#[utoipa::path(post, path = "/api/v1/rules/{number}/rollback", tag = "rulesets", security(("token" = ["rules:write"])),
    params(("number" = String, Path), KeyParameter),
    responses((status = 200, description = "The new version", body = RulesetVersion), KeyRefused,
        (status = 404, description = "There is none"), (status = 409, description = "It has not decided before")))]
async fn roll_back_ruleset(
    State(risk): State<Risk>,
    At(number): At<NumberPath>,
    WriteCall(call): WriteCall,
) -> Result<WriteAnswer, Problem> {
    let done = risk.roll_back_ruleset(&call, number).await?;
    Ok(WriteAnswer::json(StatusCode::OK, &done, &done.value).version(done.value.version))
}

/// Run a version in the shadow of the live one
#[utoipa::path(post, path = "/api/v1/rules/{number}/shadow", tag = "rulesets", security(("token" = ["rules:write"])),
    params(("number" = String, Path), KeyParameter),
    responses((status = 200, description = "It runs from now on", body = ShadowReport), KeyRefused,
        (status = 404, description = "There is none"), (status = 409, description = "It decides already")))]
async fn start_ruleset_shadow(
    State(risk): State<Risk>,
    At(number): At<NumberPath>,
    WriteCall(call): WriteCall,
) -> Result<WriteAnswer, Problem> {
    let done = risk.start_ruleset_shadow(&call, number).await?;
    Ok(WriteAnswer::json(StatusCode::OK, &done, &done.value))
}

/// Show how the version in the shadow differs from the live one
#[utoipa::path(get, path = "/api/v1/rules/shadow", tag = "rulesets",
    responses((status = 200, description = "The counts, and examples", body = ShadowReport)))]
async fn ruleset_shadow(
    State(risk): State<Risk>,
    Caller(call): Caller,
) -> Result<JsonAnswer<ShadowReport>, Problem> {
    Ok(JsonAnswer(risk.ruleset_shadow(&call).await?))
}

/// End the run in the shadow
#[utoipa::path(delete, path = "/api/v1/rules/shadow", tag = "rulesets", security(("token" = ["rules:write"])),
    params(KeyParameter),
    responses((status = 204, description = "It has ended"), KeyRefused,
        (status = 404, description = "No version runs in the shadow")))]
async fn stop_ruleset_shadow(
    State(risk): State<Risk>,
    WriteCall(call): WriteCall,
) -> Result<WriteAnswer, Problem> {
    let done = risk.stop_ruleset_shadow(&call).await?;
    Ok(WriteAnswer::empty(StatusCode::NO_CONTENT, &done))
}

/// Run a version over stored assessments, as a job
#[utoipa::path(post, path = "/api/v1/rules/{number}/backtest", tag = "rulesets", security(("token" = ["rules:write"])),
    request_body = BacktestFields, params(("number" = String, Path), KeyParameter),
    responses((status = 202, description = "The run", body = Backtest), KeyRefused,
        (status = 400, description = "Every bad field"), (status = 404, description = "There is no such version")))]
async fn start_ruleset_backtest(
    State(risk): State<Risk>,
    At(number): At<NumberPath>,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let done = risk.start_ruleset_backtest(&call, (number, &fields)).await?;
    let place = format!("/api/v1/rules/backtests/{}", done.value.id);
    Ok(WriteAnswer::json(StatusCode::ACCEPTED, &done, &done.value).location(&place))
}

/// Show a run over stored assessments
#[utoipa::path(get, path = "/api/v1/rules/backtests/{id}", tag = "rulesets", params(("id" = String, Path)),
    responses((status = 200, description = "The run, and what it has found so far", body = Backtest),
        (status = 404, description = "There is none")))]
async fn ruleset_backtest(
    State(risk): State<Risk>,
    Caller(call): Caller,
    At(id): At<BacktestPath>,
) -> Result<JsonAnswer<Backtest>, Problem> {
    Ok(JsonAnswer(risk.ruleset_backtest(&call, id).await?))
}

/// Cancel a run over stored assessments
#[utoipa::path(delete, path = "/api/v1/rules/backtests/{id}", tag = "rulesets", security(("token" = ["rules:write"])),
    params(("id" = String, Path), KeyParameter),
    responses((status = 204, description = "It is cancelled"), KeyRefused, (status = 404, description = "There is none"),
        (status = 409, description = "It is completed")))]
async fn cancel_ruleset_backtest(
    State(risk): State<Risk>,
    At(id): At<BacktestPath>,
    WriteCall(call): WriteCall,
) -> Result<WriteAnswer, Problem> {
    let done = risk.cancel_ruleset_backtest(&call, id).await?;
    Ok(WriteAnswer::empty(StatusCode::NO_CONTENT, &done))
}
