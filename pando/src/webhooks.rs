//! `pando webhooks listen`: a receiver for development, which checks signatures and prints events.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::extract::State;
use clap::{Args, Subcommand};
use http::{HeaderMap, StatusCode};
use pando_clock::Clock;
use pando_http::{App, HttpOptions, RawBody, Server, ServiceRoutes};
use pando_telemetry::Metrics;
use pando_webhooks::check_signature;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::signals::StopSignals;

/// Commands about webhooks.
#[derive(Debug, Subcommand)]
pub(crate) enum WebhooksCommand {
    /// Receive events, check their signatures and print them
    ///
    /// Events are received at /. A server sends them there if webhooks.allow_http is true and webhooks.networks has
    /// 127.0.0.0/8.
    Listen(Listen),
}

/// A receiver.
#[derive(Args, Debug)]
pub(crate) struct Listen {
    /// The secret of the webhook, as its creation has shown it
    #[arg(long)]
    secret: String,
    /// Address and port to listen on; with port 0 the system chooses a free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9999")]
    listen: SocketAddr,
}

struct Receiver {
    secret: String,
    clock: Clock,
}

/// Runs the command.
pub(crate) async fn run(command: WebhooksCommand, clock: &Clock) -> Result<()> {
    let WebhooksCommand::Listen(Listen { secret, listen }) = command;
    let receiver = Arc::new(Receiver { secret, clock: clock.clone() });
    let routes = OpenApiRouter::new().routes(routes!(receive)).with_state(receiver);
    let app = App::new("Receiver", crate::VERSION).serve(ServiceRoutes::new("receiver", routes, Vec::new()));
    let options = HttpOptions { listen, drain_delay_ms: 0, ..HttpOptions::default() };
    let server = Server::bind(&options, app, &Metrics::new(), clock)
        .with_context(|| format!("cannot listen on {listen}"))?;
    writeln!(io::stdout(), "events are received at http://{}/", server.local_addr())?;
    let signals = StopSignals::listen()?;
    server.run(async { signals.told(1).await }).await;
    Ok(())
}

/// Receive an event
#[utoipa::path(post, path = "/", responses((status = 200, description = "It is right"), (status = 401, description = "It is not")))]
async fn receive(
    State(receiver): State<Arc<Receiver>>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> StatusCode {
    match checked(&receiver, &headers, &body) {
        Ok(()) => {
            match writeln!(io::stdout(), "{}", shown(&body)) {
                Ok(()) => StatusCode::OK,
                // The event comes again.
                Err(_) => StatusCode::SERVICE_UNAVAILABLE,
            }
        }
        Err(reason) => {
            eprintln!("refused: {reason}");
            StatusCode::UNAUTHORIZED
        }
    }
}

fn checked(receiver: &Receiver, headers: &HeaderMap, body: &[u8]) -> Result<(), &'static str> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let id = header("webhook-id").ok_or("there is no webhook-id")?;
    let timestamp = header("webhook-timestamp").ok_or("there is no webhook-timestamp")?;
    let signatures = header("webhook-signature").ok_or("there is no webhook-signature")?;
    check_signature(&receiver.secret, (id, timestamp, signatures), body, receiver.clock.now())
}

/// The event in one line, so that other programs can read it.
fn shown(body: &[u8]) -> String {
    match serde_json::from_slice::<Value>(body) {
        Ok(event) => event.to_string(),
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    }
}
