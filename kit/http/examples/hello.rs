//! The smallest server: one documented route. Try `/hello`, `/docs` and `/health`.

use pando_clock::Clock;
use pando_http::{App, Caller, HttpError, HttpOptions, JsonAnswer, JsonBody, Problem, Server};
use pando_telemetry::Metrics;
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Greets the world.
#[utoipa::path(get, path = "/hello", responses((status = 200, description = "A greeting", body = Value)))]
async fn hello(Caller(call): Caller) -> JsonAnswer<Value> {
    JsonAnswer(json!({ "hello": "world", "request_id": *call.request_id }))
}

/// Greets someone by name.
#[utoipa::path(post, path = "/hello", request_body = Value, responses(
    (status = 200, description = "A greeting", body = Value),
    (status = 422, description = "No name", body = Value),
))]
async fn hello_you(JsonBody(body): JsonBody) -> Result<JsonAnswer<Value>, Problem> {
    let Some(name) = body.get("name").and_then(Value::as_str) else {
        return Err(Problem::invalid(Vec::new()).with_field("name", "required", "must be a string"));
    };
    Ok(JsonAnswer(json!({ "hello": name })))
}

#[tokio::main]
async fn main() -> Result<(), HttpError> {
    let routes = OpenApiRouter::new().routes(routes!(hello, hello_you));
    let app = App::new("Hello", env!("CARGO_PKG_VERSION")).service("hello", routes, Vec::new());
    let options = HttpOptions { drain_delay_ms: 0, ..HttpOptions::default() };
    let server = Server::bind(&options, app, &Metrics::new(), &Clock::system())?;
    eprintln!("http://{}/docs", server.local_addr());
    let drained = server.run(async { drop(tokio::signal::ctrl_c().await) }).await;
    eprintln!("{drained:?}");
    Ok(())
}
