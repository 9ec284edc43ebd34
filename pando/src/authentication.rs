//! Authentication: the credentials that the settings name.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::Request;
use pando_auth::{AuthMode, Credentials, DevelopmentIssuer, Fetch};
use pando_client::{Client, ClientError, ClientOptions, Destination};
use pando_clock::Clock;
use pando_database::Database;
use pando_http::{App, JsonAnswer, ServiceRoutes};
use pando_resilience::Call;
use pando_telemetry::Metrics;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::config::Config;

/// How long the keys of an issuer may take.
const FETCH_BUDGET: Duration = Duration::from_secs(4);

/// Has callers of both servers, that of the services and that of operators, prove who they are, if the settings ask for it.
pub(crate) fn guard(
    config: &Config,
    (app, operators): (App, App),
    (database, clock, metrics): (&Database, &Clock, &Metrics),
) -> Result<(App, App)> {
    if config.auth.mode != AuthMode::Required {
        return Ok((app, operators));
    }
    let development = match config.auth.development_issuer {
        true => Some(DevelopmentIssuer::open(&config.data_dir).context("the development issuer")?),
        false => None,
    };
    let parts = (database, clock, metrics);
    let credentials = Credentials::new(&config.auth, development.as_ref(), &fetch(config)?, parts)?;
    let app = match development {
        Some(issuer) => app.serve(published(issuer)),
        None => app,
    };
    let (of_callers, of_operators) = (credentials.authentication(), credentials.authentication());
    Ok((app.authentication(of_callers), operators.authentication(of_operators)))
}

/// The keys of the development issuer, for other programs that read its tokens.
fn published(issuer: DevelopmentIssuer) -> ServiceRoutes {
    let routes = OpenApiRouter::new().routes(routes!(key_set)).with_state(Arc::new(issuer));
    ServiceRoutes::new("issuer", routes, Vec::new())
}

/// The public key of the development issuer
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "system", security(()),
    responses((status = 200, description = "A JSON Web Key Set", body = Object)))]
async fn key_set(State(issuer): State<Arc<DevelopmentIssuer>>) -> Response {
    JsonAnswer(issuer.key_set()).into_response()
}

/// Reads the keys of issuers, whose addresses the settings name.
fn fetch(config: &Config) -> Result<Fetch, ClientError> {
    let client = Client::new(&ClientOptions::default(), Destination::Trusted, &config.tls)?;
    Ok(Arc::new(move |address| {
        let client = client.clone();
        Box::pin(async move {
            let request = Request::get(&address).body(Bytes::new());
            let request = request.map_err(|error| format!("{address} is no address: {error}"))?;
            let answer = client.send(&Call::internal("auth.keys", FETCH_BUDGET), request).await;
            let answer = answer.map_err(|error| format!("{address}: {error}"))?;
            match answer.status().is_success() {
                true => Ok(answer.into_body().to_vec()),
                false => Err(format!("{address} answered {}", answer.status())),
            }
        })
    }))
}
