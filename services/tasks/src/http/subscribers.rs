//! The routes for operators about subscribers of events.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use pando_http::{Caller, Code, JsonAnswer, Problem, QueryString};
use pando_queue::{Outbox, SubscriberStatus};
use pando_resilience::Call;
use pando_service::Fault;
use serde_json::json;

use crate::Tasks;
use crate::domain::faults::of_task;

/// List subscribers
///
/// The durable subscribers: the position of each in the log, how far it is behind, and how many events are kept for it alone.
#[utoipa::path(
    get, path = "/api/v1/admin/subscribers", tag = "subscribers",
    responses((status = 200, description = "The subscribers", body = Vec<Object>))
)]
pub(super) async fn list(State(tasks): State<Tasks>, Caller(call): Caller) -> Result<Response, Problem> {
    Ok(JsonAnswer(known(&tasks, &call).await?).into_response())
}

/// Forget a subscriber
///
/// Events are no longer kept for the subscriber. If it is in use, the request is refused unless `force` is given. In that
/// case it gets no more events until a process with this subscriber starts.
#[utoipa::path(
    delete, path = "/api/v1/admin/subscribers/{name}", tag = "subscribers",
    params(
        ("name" = String, Path, description = "Its name"),
        ("force" = Option<bool>, Query, description = "Removes the subscriber even if it is in use"),
    ),
    responses(
        (status = 200, description = "How many events were kept for it alone", body = Object),
        (status = 404, description = "No subscriber has this name"),
        (status = 409, description = "The subscriber is in use"),
    )
)]
pub(super) async fn forget(
    State(tasks): State<Tasks>,
    Caller(call): Caller,
    Path(name): Path<String>,
    mut query: QueryString,
) -> Result<Response, Problem> {
    let force = query.boolean("force").unwrap_or(false);
    query.finish()?;
    let found = known(&tasks, &call).await?.into_iter().find(|status| status.subscriber == name);
    let status = found.ok_or_else(|| Problem::not_found("subscriber"))?;
    if status.in_use && !force {
        let detail = "the subscriber is in use: take it out of the settings of every process first";
        return Err(Problem::new(Code::Conflict, detail));
    }
    outbox(&tasks).forget(&call, &name).await.map_err(of_task)?;
    tracing::info!(subscriber = name, events = status.kept_alone, "an operator removed a subscriber");
    Ok(JsonAnswer(json!({"subscriber": name, "events": status.kept_alone})).into_response())
}

async fn known(tasks: &Tasks, call: &Call) -> Result<Vec<SubscriberStatus>, Fault> {
    Ok(outbox(tasks).subscribers(call).await?)
}

/// Operators see the whole log, whichever service published an event.
fn outbox(tasks: &Tasks) -> Outbox {
    Outbox::new(&tasks.0.queue, "tasks")
}
