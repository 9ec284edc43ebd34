//! Batches over HTTP, in each of their published forms.

use axum::extract::State;
use http::StatusCode;
use pando_http::{JsonAnswer, QueryString};
use pando_service::http::WriteCall;
use pando_service::prelude::*;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::AssessmentRequest;
use crate::domain::batch::{BatchJob, BatchReceipt, BatchStatus};
use crate::domain::ids;
use crate::{BatchPage, BatchQuestion, BatchResults, BatchState, Batched, Risk, no_batch};

/// The batch in the path. If the text is not an id, nothing has it: 404.
struct BatchPath;

/// Many descriptions, under either name.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; batch_assess reads it")]
struct BatchRequest {
    #[schema(required = false, min_items = 1, max_items = 10_000)]
    requests: Vec<AssessmentRequest>,
    #[schema(required = false, min_items = 1, max_items = 10_000)]
    businesses: Vec<AssessmentRequest>,
}

/// Many descriptions for a job.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; create_batch reads it")]
struct BatchJobRequest {
    /// `risk_assessment`.
    #[schema(required = false)]
    job_type: String,
    #[schema(min_items = 1, max_items = 10_000)]
    requests: Vec<AssessmentRequest>,
    /// 10 is the most urgent.
    #[schema(required = false, minimum = 1, maximum = 10, default = 5)]
    priority: u8,
    /// How often the batch is tried again after an error of the server.
    #[schema(required = false, minimum = 0, maximum = 5, default = 3)]
    max_retries: u8,
    /// At most 10,000 bytes.
    #[schema(required = false, value_type = Object)]
    metadata: (),
    #[schema(min_length = 1, max_length = 255)]
    created_by: String,
}

/// Many descriptions with options, for a job.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; submit_batch reads it")]
struct BusinessesRequest {
    #[schema(min_items = 1, max_items = 10_000)]
    businesses: Vec<AssessmentRequest>,
    #[schema(required = false)]
    options: BusinessesOptions,
}

/// Options for all businesses.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; submit_batch reads it")]
struct BusinessesOptions {
    /// The horizon of businesses without one of their own.
    #[schema(required = false, minimum = 0, maximum = 24)]
    prediction_horizon: u8,
    /// Accepted; the results name the path of each explanation in any case.
    #[schema(required = false)]
    include_explainability: bool,
    /// `low`, `normal` or `high`.
    #[schema(required = false)]
    priority: String,
}

/// The question for a page of batches.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the query; list reads it")]
struct BatchListParameters {
    /// How many batches
    #[param(required = false, minimum = 1, maximum = 100, default = 20)]
    limit: i64,
    /// How many to step over
    #[param(required = false, minimum = 0, maximum = 10_000, default = 0)]
    offset: i64,
    /// Only those in this status
    #[param(required = false, inline)]
    status: BatchStatus,
    /// Only those of this type: risk_assessment
    #[param(required = false)]
    job_type: String,
    /// Only those of this name
    #[param(required = false)]
    created_by: String,
    /// Only those accepted at this moment or later
    #[param(required = false, value_type = String, format = DateTime)]
    start_date: Timestamp,
    /// Only those accepted at this moment or before
    #[param(required = false, value_type = String, format = DateTime)]
    end_date: Timestamp,
}

/// The question for a page of results.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the query; place_of reads it")]
struct ResultParameters {
    /// How many results
    #[param(required = false, minimum = 1, maximum = 1_000)]
    limit: i64,
    /// How many to step over
    #[param(required = false, minimum = 0, maximum = 10_000, default = 0)]
    offset: i64,
}

impl InPath for BatchPath {
    type Id = Uuid;

    fn parse(text: &str) -> Option<Uuid> {
        ids::BATCH.parse(text)
    }

    fn refused() -> Problem {
        no_batch().into()
    }
}

/// The routes of batches below those of assessments.
pub(crate) fn routes() -> OpenApiRouter<Risk> {
    OpenApiRouter::new()
        .routes(routes!(assess, list))
        .routes(routes!(create))
        .routes(routes!(read, cancel))
        .routes(routes!(results))
        .routes(routes!(resume))
}

/// The routes of the older form.
pub(crate) fn older_routes() -> OpenApiRouter<Risk> {
    OpenApiRouter::new().routes(routes!(submit)).routes(routes!(state))
}

/// Assess many businesses; each has an outcome of its own
///
/// Up to 100 are assessed at once. A job assesses more.
#[utoipa::path(post, path = "/api/v1/assess/batch", tag = "batches", request_body = BatchRequest, params(KeyParameter),
    responses((status = 200, description = "The outcome for each business", body = crate::Batch),
        (status = 202, description = "A job will assess them", body = BatchJob), KeyRefused,
        (status = 400, description = "The batch is bad")))]
async fn assess(
    State(risk): State<Risk>,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let done = risk.batch_assess(&call, &fields).await?;
    Ok(match &done.value {
        Batched::Done(batch) => WriteAnswer::json(StatusCode::OK, &done, batch),
        Batched::Accepted(job) => {
            WriteAnswer::json(StatusCode::ACCEPTED, &done, job).location(&place(&job.id))
        }
    })
}

/// Have a job assess many businesses
#[utoipa::path(post, path = "/api/v1/assess/batch/async", tag = "batches", request_body = BatchJobRequest,
    params(KeyParameter),
    responses((status = 201, description = "The batch", body = BatchJob), KeyRefused,
        (status = 400, description = "Every bad field")))]
async fn create(
    State(risk): State<Risk>,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let done = risk.create_batch(&call, &fields).await?;
    Ok(WriteAnswer::json(StatusCode::CREATED, &done, &done.value).location(&place(&done.value.id)))
}

/// List batches, the newest first
#[utoipa::path(get, path = "/api/v1/assess/batch", tag = "batches", params(BatchListParameters),
    responses((status = 200, description = "A page", body = BatchPage), (status = 400, description = "Bad parameters")))]
async fn list(
    State(risk): State<Risk>,
    Caller(call): Caller,
    mut query: QueryString,
) -> Result<JsonAnswer<BatchPage>, Problem> {
    let limit = number(query.integer("limit", 1..=100), 20);
    let offset = number(query.integer("offset", 0..=10_000), 0);
    let status = query.one_of("status", &BatchStatus::ALL);
    query.one_of("job_type", &[("risk_assessment", ())]);
    let created_by = query.text("created_by").unwrap_or_default();
    let start_date = moment(&mut query, "start_date");
    let end_date = moment(&mut query, "end_date");
    query.finish()?;
    let question = BatchQuestion { limit, offset, status, created_by, start_date, end_date };
    Ok(JsonAnswer(risk.list_batches(&call, question).await?))
}

/// Read a batch
#[utoipa::path(get, path = "/api/v1/assess/batch/{id}", tag = "batches", params(("id" = String, Path)),
    responses((status = 200, description = "The batch", body = BatchJob), (status = 404, description = "There is none")))]
async fn read(
    State(risk): State<Risk>,
    Caller(call): Caller,
    At(id): At<BatchPath>,
) -> Result<JsonAnswer<BatchJob>, Problem> {
    Ok(JsonAnswer(risk.get_batch(&call, id).await?))
}

/// Show the outcomes of a batch
#[utoipa::path(get, path = "/api/v1/assess/batch/{id}/results", tag = "batches",
    params(("id" = String, Path), ResultParameters),
    responses((status = 200, description = "A page, of 100 unless the request says otherwise", body = BatchResults),
        (status = 400, description = "Bad parameters"), (status = 404, description = "There is none")))]
async fn results(
    State(risk): State<Risk>,
    Caller(call): Caller,
    At(id): At<BatchPath>,
    query: QueryString,
) -> Result<JsonAnswer<BatchResults>, Problem> {
    Ok(JsonAnswer(risk.batch_results(&call, id, place_of(query, 100)?).await?))
}

/// Cancel a batch; assessments that were made stay
#[utoipa::path(delete, path = "/api/v1/assess/batch/{id}", tag = "batches", params(("id" = String, Path), KeyParameter),
    responses((status = 204, description = "It is cancelled"), (status = 404, description = "There is none"),
        (status = 409, description = "It has ended"), (status = 422, description = "The Idempotency-Key was used for another request")))]
async fn cancel(
    State(risk): State<Risk>,
    WriteCall(call): WriteCall,
    At(id): At<BatchPath>,
) -> Result<WriteAnswer, Problem> {
    let done = risk.cancel_batch(&call, id).await?;
    Ok(WriteAnswer::empty(StatusCode::NO_CONTENT, &done))
}

/// Go on with a batch that was cancelled or failed
#[utoipa::path(post, path = "/api/v1/assess/batch/{id}/resume", tag = "batches", params(("id" = String, Path), KeyParameter),
    responses((status = 200, description = "The batch", body = BatchJob), (status = 404, description = "There is none"),
        (status = 409, description = "Its job lives, or nothing is left to be assessed"),
        (status = 422, description = "The Idempotency-Key was used for another request")))]
async fn resume(
    State(risk): State<Risk>,
    WriteCall(call): WriteCall,
    At(id): At<BatchPath>,
) -> Result<WriteAnswer, Problem> {
    let done = risk.resume_batch(&call, id).await?;
    Ok(WriteAnswer::json(StatusCode::OK, &done, &done.value))
}

/// Have a job assess many businesses, in the older form
#[utoipa::path(post, path = "/api/v1/batch/assess", tag = "batches", request_body = BusinessesRequest,
    params(KeyParameter),
    responses((status = 202, description = "The batch", body = BatchReceipt), KeyRefused,
        (status = 400, description = "Every bad field")))]
async fn submit(
    State(risk): State<Risk>,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let done = risk.submit_batch(&call, &fields).await?;
    let place = format!("/api/v1/batch/{}/status", done.value.batch_id);
    Ok(WriteAnswer::json(StatusCode::ACCEPTED, &done, &done.value).location(&place))
}

/// Show a batch with its outcomes, in the older form
#[utoipa::path(get, path = "/api/v1/batch/{id}/status", tag = "batches", params(("id" = String, Path), ResultParameters),
    responses((status = 200, description = "The batch, with 1,000 outcomes unless the request says otherwise", body = BatchState),
        (status = 400, description = "Bad parameters"), (status = 404, description = "There is none")))]
async fn state(
    State(risk): State<Risk>,
    Caller(call): Caller,
    At(id): At<BatchPath>,
    query: QueryString,
) -> Result<JsonAnswer<BatchState>, Problem> {
    Ok(JsonAnswer(risk.get_batch_state(&call, id, place_of(query, 1_000)?).await?))
}

/// Where a page of results begins, and how many it has.
fn place_of(mut query: QueryString, otherwise: usize) -> Result<(usize, usize), Problem> {
    let count = number(query.integer("limit", 1..=1_000), otherwise);
    let offset = number(query.integer("offset", 0..=10_000), 0);
    query.finish()?;
    Ok((offset, count))
}

fn number(given: Option<i64>, otherwise: usize) -> usize {
    given.and_then(|one| usize::try_from(one).ok()).unwrap_or(otherwise)
}

/// A moment that both engines can hold.
fn moment(query: &mut QueryString, name: &'static str) -> Option<Timestamp> {
    let moment = query.parsed::<Timestamp>(name, "a moment such as 2026-01-31T12:00:00Z")?;
    let storable = (0..=253_402_300_799_999_999).contains(&moment.as_micros());
    if !storable {
        query.error(name, "not_readable", "must be within the years 1970 and 9999");
    }
    storable.then_some(moment)
}

fn place(id: &str) -> String {
    format!("/api/v1/assess/batch/{id}")
}
