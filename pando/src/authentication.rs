//! Authentication: the credentials that the settings name.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use pando_auth::{AuthMode, Credentials, DevelopmentIssuer, Fetch, Operators, session_routes};
use pando_client::{Client, ClientError, ClientOptions, Destination};
use pando_clock::Clock;
use pando_database::Database;
use pando_http::{App, JsonAnswer, ServiceRoutes, TokenCover};
use pando_resilience::Call;
use pando_telemetry::{Metrics, shown_address};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::config::Config;

/// How long an answer of an issuer may take.
const FETCH_BUDGET: Duration = Duration::from_secs(4);

/// Hides positions of the log from callers who have to say who they are: the log has the writes of all tenants.
pub(crate) async fn cover(config: &Config, database: &Database) -> Result<Option<TokenCover>> {
    match config.auth.mode {
        AuthMode::Required => Ok(Some(pando_auth::token_cover(database).await?)),
        AuthMode::Loopback | AuthMode::Off => Ok(None),
    }
}

/// Serves logins on both servers, that of the services and that of operators, and has their callers prove who they are, if the
/// settings ask for it.
pub(crate) fn guard(
    config: &Config,
    (app, operators): (App, App),
    (database, clock, metrics): (&Database, &Clock, &Metrics),
    cover: Option<TokenCover>,
) -> Result<(App, App)> {
    let (fetch, parts) = (fetch(config)?, (database, clock, metrics));
    let people = Operators::new(&config.auth, &fetch, parts)?;
    people.keep_swept();
    let routes = session_routes(&people);
    let (app, operators) = (app.serve(routes.clone()), operators.serve(routes));
    let Some(cover) = cover else { return Ok((app, operators)) };
    let development = match config.auth.development_issuer {
        true => Some(DevelopmentIssuer::open(&config.data_dir).context("the development issuer")?),
        false => None,
    };
    let credentials = Credentials::new(&config.auth, (development.as_ref(), &people), &fetch, parts, cover)?;
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

/// Reaches issuers, whose addresses the settings name.
pub(crate) fn fetch(config: &Config) -> Result<Fetch, ClientError> {
    let client = Client::new(&ClientOptions::default(), Destination::Trusted, &config.tls)?;
    Ok(Arc::new(move |request| {
        let client = client.clone();
        Box::pin(async move {
            let shown = shown_address(&request.uri().to_string());
            let answer = client.send(&Call::internal("auth.issuer", FETCH_BUDGET), request).await;
            answer.map_err(|error| format!("{shown}: {error}"))
        })
    }))
}
