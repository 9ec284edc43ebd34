//! The operations over HTTP.

pub(crate) mod deliveries;

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use pando_http::{JsonAnswer, QueryString};
use pando_service::http::{WriteCall, WriteFields};
use pando_service::prelude::*;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::domain::endpoint::WebhookStatus;
use crate::domain::id;
use crate::{
    Created, DeliveryPage, DeliveryStatus, EventTypeShown, Filters, RateLimit, Recovered, RetryPolicy,
    Rotated, Webhook, WebhookPage, WebhookQuestion, Webhooks, no_webhook,
};

/// The endpoint in the path. If the text is not an id, nothing has it: 404.
pub(crate) struct WebhookPath;

/// The fields of an endpoint that a caller gives.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; the domain reads it")]
struct WebhookFields {
    /// A name for people.
    #[schema(required = false, max_length = 200)]
    name: String,
    /// Where events are sent: an https address that everybody can reach.
    #[schema(max_length = 2048)]
    url: String,
    /// The types of events that it gets; `*` stands for all.
    #[schema(min_items = 1, max_items = 100)]
    events: Vec<String>,
    /// The secret that signs; a fresh one is made if there is none.
    #[schema(required = false, min_length = 16, max_length = 256, write_only)]
    secret: String,
    #[schema(required = false)]
    status: WebhookStatus,
    /// The older form of `status`.
    #[schema(required = false)]
    active: bool,
    #[schema(required = false)]
    retry_policy: RetryPolicy,
    #[schema(required = false)]
    rate_limit: Option<RateLimit>,
    /// Headers that each request has besides.
    #[schema(required = false, value_type = std::collections::BTreeMap<String, String>)]
    headers: (),
    #[schema(required = false)]
    filters: Filters,
    /// Whether events of one thing are sent one after the other.
    #[schema(required = false)]
    ordered: bool,
    /// How many events are on their way at once.
    #[schema(required = false, minimum = 1, maximum = 100, default = 10)]
    concurrency: u32,
}

/// The fields to change.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; the domain reads it")]
struct WebhookChange {
    #[schema(required = false, max_length = 200)]
    name: String,
    #[schema(required = false, max_length = 2048)]
    url: String,
    #[schema(required = false, min_items = 1, max_items = 100)]
    events: Vec<String>,
    #[schema(required = false)]
    status: WebhookStatus,
    #[schema(required = false)]
    active: bool,
}

/// The types of events.
#[derive(Serialize, ToSchema)]
struct EventTypes {
    event_types: Vec<EventTypeShown>,
}

/// The question for a page.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the query; list reads it")]
struct ListParameters {
    /// The number of the page
    #[param(required = false, minimum = 1, maximum = 100_000, default = 1)]
    page: i64,
    /// How many webhooks a page has
    #[param(required = false, minimum = 1, maximum = 100, default = 20)]
    page_size: i64,
    /// Only webhooks in this status
    #[param(required = false, inline)]
    status: WebhookStatus,
    /// Only webhooks that get this type of event
    #[param(required = false)]
    event_type: String,
    /// Only webhooks with this text in their name or address
    #[param(required = false)]
    search: String,
}

/// The question for dead letters.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the query; recover reads it")]
struct RecoverParameters {
    /// Only events that happened at this moment or later
    #[param(required = true, format = DateTime)]
    since: String,
    /// Only count them
    #[param(required = false)]
    dry_run: bool,
}

impl InPath for WebhookPath {
    type Id = Uuid;

    fn parse(text: &str) -> Option<Uuid> {
        id::WEBHOOK.parse(text)
    }

    fn refused() -> Problem {
        no_webhook().into()
    }
}

/// The routes of webhooks.
pub(crate) fn routes() -> OpenApiRouter<Webhooks> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(event_types))
        .routes(routes!(read, replace, change, delete))
        .routes(routes!(rotate_secret))
        .routes(routes!(test))
        .routes(routes!(recover))
        .routes(routes!(list_deliveries))
}

/// Create a webhook
#[utoipa::path(post, path = "/api/v1/webhooks", tag = "webhooks", request_body = WebhookFields, params(KeyParameter),
    responses((status = 201, description = "The webhook, and its secret, which is not shown again", body = Created),
        KeyRefused, (status = 400, description = "Every bad field"), (status = 409, description = "There are too many")))]
async fn create(
    State(webhooks): State<Webhooks>,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let done = webhooks.create_webhook(&call, &fields).await?;
    let place = format!("/api/v1/webhooks/{}", done.value.webhook.webhook_id);
    Ok(WriteAnswer::json(StatusCode::CREATED, &done, &done.value).version(1).location(&place))
}

/// List webhooks, the newest first
#[utoipa::path(get, path = "/api/v1/webhooks", tag = "webhooks", params(ListParameters),
    responses((status = 200, description = "A page", body = WebhookPage), (status = 400, description = "Bad parameters")))]
async fn list(
    State(webhooks): State<Webhooks>,
    Caller(call): Caller,
    mut query: QueryString,
) -> Result<JsonAnswer<WebhookPage>, Problem> {
    let number = |number: Option<i64>, otherwise| {
        number.and_then(|one| usize::try_from(one).ok()).unwrap_or(otherwise)
    };
    let question = WebhookQuestion {
        page: number(query.integer("page", 1..=100_000), 1),
        page_size: number(query.integer("page_size", 1..=100), 20),
        status: query.one_of("status", &WebhookStatus::ALL),
        event: query.text("event_type"),
        search: query.text("search"),
    };
    query.finish()?;
    Ok(JsonAnswer(webhooks.list_webhooks(&call, question).await?))
}

/// List the types of events
#[utoipa::path(get, path = "/api/v1/webhooks/event-types", tag = "webhooks",
    responses((status = 200, description = "Each type, with the JSON Schema of what a webhook gets", body = EventTypes)))]
async fn event_types(State(webhooks): State<Webhooks>, _caller: Caller) -> JsonAnswer<EventTypes> {
    JsonAnswer(EventTypes { event_types: webhooks.event_types() })
}

/// Read a webhook
#[utoipa::path(get, path = "/api/v1/webhooks/{id}", tag = "webhooks", params(("id" = String, Path)),
    responses((status = 200, description = "The webhook", body = Webhook), (status = 404, description = "There is none")))]
async fn read(
    State(webhooks): State<Webhooks>,
    Caller(call): Caller,
    At(id): At<WebhookPath>,
) -> Result<JsonAnswer<Webhook>, Problem> {
    Ok(JsonAnswer(webhooks.get_webhook(&call, id).await?))
}

/// Replace a webhook; its secret stays unless there is another
#[utoipa::path(put, path = "/api/v1/webhooks/{id}", tag = "webhooks", request_body = WebhookFields,
    params(("id" = String, Path), KeyParameter),
    responses((status = 200, description = "The webhook", body = Webhook), KeyRefused,
        (status = 400, description = "Every bad field"), (status = 404, description = "There is none"),
        (status = 412, description = "It has another version")))]
async fn replace(
    State(webhooks): State<Webhooks>,
    At(id): At<WebhookPath>,
    headers: HeaderMap,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let expected = expected(&headers, false)?;
    let done = webhooks.update_webhook(&call, &expected, (id, &fields, true)).await?;
    Ok(WriteAnswer::json(StatusCode::OK, &done, &done.value).version(done.value.version))
}

/// Change fields of a webhook
#[utoipa::path(patch, path = "/api/v1/webhooks/{id}", tag = "webhooks", request_body = WebhookChange,
    params(("id" = String, Path), KeyParameter),
    responses((status = 200, description = "The webhook", body = Webhook), KeyRefused,
        (status = 400, description = "Every bad field"), (status = 404, description = "There is none"),
        (status = 412, description = "It has another version")))]
async fn change(
    State(webhooks): State<Webhooks>,
    At(id): At<WebhookPath>,
    headers: HeaderMap,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let expected = expected(&headers, false)?;
    let done = webhooks.update_webhook(&call, &expected, (id, &fields, false)).await?;
    Ok(WriteAnswer::json(StatusCode::OK, &done, &done.value).version(done.value.version))
}

/// Delete a webhook and its deliveries
#[utoipa::path(delete, path = "/api/v1/webhooks/{id}", tag = "webhooks", params(("id" = String, Path), KeyParameter),
    responses((status = 204, description = "It is deleted"), KeyRefused, (status = 404, description = "There is none"),
        (status = 412, description = "It has another version")))]
async fn delete(
    State(webhooks): State<Webhooks>,
    At(id): At<WebhookPath>,
    headers: HeaderMap,
    WriteCall(call): WriteCall,
) -> Result<WriteAnswer, Problem> {
    let expected = expected(&headers, false)?;
    let done = webhooks.delete_webhook(&call, &expected, id).await?;
    Ok(WriteAnswer::empty(StatusCode::NO_CONTENT, &done))
}

/// Give a webhook a fresh secret; for a time the one before signs as well
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/rotate-secret", tag = "webhooks",
    params(("id" = String, Path), KeyParameter),
    responses((status = 200, description = "The secret, which is not shown again", body = Rotated), KeyRefused,
        (status = 404, description = "There is none")))]
async fn rotate_secret(
    State(webhooks): State<Webhooks>,
    At(id): At<WebhookPath>,
    WriteCall(call): WriteCall,
) -> Result<WriteAnswer, Problem> {
    let done = webhooks.rotate_secret(&call, id).await?;
    Ok(WriteAnswer::json(StatusCode::OK, &done, &done.value))
}

/// Send a webhook the event `webhook.test`
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/test", tag = "webhooks", params(("id" = String, Path), KeyParameter),
    responses((status = 202, description = "The delivery", body = crate::Delivery), KeyRefused,
        (status = 404, description = "There is none"), (status = 409, description = "It is not active")))]
async fn test(
    State(webhooks): State<Webhooks>,
    At(id): At<WebhookPath>,
    WriteCall(call): WriteCall,
) -> Result<WriteAnswer, Problem> {
    let done = webhooks.test_webhook(&call, id).await?;
    Ok(WriteAnswer::json(StatusCode::ACCEPTED, &done, &done.value))
}

/// Send the dead letters of a webhook anew
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/recover", tag = "webhooks",
    params(("id" = String, Path), RecoverParameters, KeyParameter),
    responses((status = 200, description = "How many", body = Recovered), KeyRefused,
        (status = 400, description = "Bad parameters"), (status = 404, description = "There is none")))]
async fn recover(
    State(webhooks): State<Webhooks>,
    At(id): At<WebhookPath>,
    mut query: QueryString,
    WriteCall(call): WriteCall,
) -> Result<WriteAnswer, Problem> {
    let since = query.parsed::<Timestamp>("since", "a time such as 2026-11-30T08:00:00Z");
    let dry_run = query.boolean("dry_run").unwrap_or(false);
    if since.is_none() {
        query.error("since", "required", "is required: the moment from which dead letters are sent anew");
    }
    query.finish()?;
    let since = since.unwrap_or(Timestamp::from_micros(0));
    let done = webhooks.recover_deliveries(&call, id, (since, dry_run)).await?;
    Ok(WriteAnswer::json(StatusCode::OK, &done, &done.value))
}

/// List the deliveries of a webhook, the newest event first
#[utoipa::path(get, path = "/api/v1/webhooks/{id}/deliveries", tag = "webhooks",
    params(("id" = String, Path), deliveries::ListParameters),
    responses((status = 200, description = "A page", body = DeliveryPage), (status = 400, description = "Bad parameters"),
        (status = 404, description = "There is none")))]
async fn list_deliveries(
    State(webhooks): State<Webhooks>,
    Caller(call): Caller,
    At(id): At<WebhookPath>,
    mut query: QueryString,
) -> Result<JsonAnswer<DeliveryPage>, Problem> {
    let status = query.one_of("status", &DeliveryStatus::ALL);
    let limit = query.integer("limit", 1..=100).and_then(|limit| usize::try_from(limit).ok()).unwrap_or(20);
    let cursor = query.text("cursor");
    let after = cursor.as_deref().and_then(id::parse_delivery).filter(|(webhook, _)| *webhook == id);
    if cursor.is_some() && after.is_none() {
        query.error("cursor", "value", "is not a cursor of this list");
    }
    query.finish()?;
    let after = after.map(|(_, event)| event);
    Ok(JsonAnswer(webhooks.list_deliveries(&call, id, (status, after, limit)).await?))
}
