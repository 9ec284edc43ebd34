//! The routes: each parses its input, calls one operation, and answers.

mod admin;
mod schedules;
mod subscribers;
mod task_types;
mod tasks;

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use pando_http::{Problem, RouteLimits};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::Tasks;

/// How long a request that waits for a task may take: the longest wait, and time to answer.
const WAIT_DEADLINE_MS: u64 = 65_000;

/// Every route of the service, with its description.
pub(crate) fn routes(tasks: Tasks) -> OpenApiRouter {
    described_routes().with_state(tasks)
}

/// The routes of operators: for a port, or a role, that not everybody has.
pub(crate) fn admin_routes(tasks: Tasks) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(admin::list_queues))
        .routes(routes!(admin::pause))
        .routes(routes!(admin::resume))
        .routes(routes!(admin::show_job))
        .routes(routes!(admin::dead_letters))
        .routes(routes!(admin::redrive))
        .routes(routes!(subscribers::list))
        .routes(routes!(subscribers::forget))
        .with_state(tasks)
}

/// The routes without a service behind them.
pub(crate) fn described_routes() -> OpenApiRouter<Tasks> {
    let mut router = OpenApiRouter::new()
        .routes(routes!(tasks::create))
        .routes(routes!(tasks::list))
        .routes(routes!(task_types::list_task_types))
        .routes(routes!(schedules::list_schedules))
        .routes(routes!(schedules::read_schedule, schedules::put_schedule, schedules::delete_schedule))
        .routes(routes!(tasks::read, tasks::cancel))
        .routes(routes!(tasks::events));
    let writes = &[("post", "/api/v1/tasks/delayed")];
    pando_http::describe_headers(
        router.get_openapi_mut(),
        &pando_http::HeaderUse { writes, ..Default::default() },
    );
    router
}

/// The routes that take longer than others.
pub(crate) fn limits() -> Vec<RouteLimits> {
    let path = "/api/v1/tasks/{id}";
    vec![RouteLimits { path, deadline_ms: Some(WAIT_DEADLINE_MS), ..RouteLimits::default() }]
}

/// How a request says that it is a repeat.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes the header; `tasks::create` reads it")]
struct KeyParameter {
    /// Repeats with the same key get the first answer
    #[param(rename = "Idempotency-Key", pattern = "^[A-Za-z0-9_-]{1,64}$")]
    idempotency_key: Option<String>,
}

/// The `{id}` of a path. If it is not an id, there is no such task: 404.
pub(crate) struct Id(Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let id = path.ok().and_then(|Path(text)| text.parse().ok());
        id.map(Self).ok_or_else(|| Problem::not_found("task"))
    }
}
