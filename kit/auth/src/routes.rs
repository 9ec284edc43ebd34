//! The routes of sessions.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{LOCATION, SET_COOKIE};
use http::{HeaderValue, StatusCode};
use pando_http::{
    BrowserRequest, Caller, ClientAddress, FieldError, JsonAnswer, JsonBody, Problem, QueryString,
    RouteLimits, ServiceRoutes,
};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use zeroize::Zeroizing;

use crate::people::{Begun, LOGIN_SECONDS, Return, Session, csrf_token, is_local_path, proves};
use crate::{AuthMode, LoginError, Operators};

const NAME: &str = "session";
/// The cookie of a browser that is at a provider.
const LOGIN: &str = "login";
const PROVIDER_PATH: &str = "/api/v1/session/oidc/{provider}";
const CALLBACK_PATH: &str = "/api/v1/session/oidc/{provider}/callback";
/// The provider is asked during these requests: its configuration, a code and its keys.
const PROVIDER_DEADLINE_MS: u64 = 15_000;
/// Passwords wait for their turn.
const PASSWORD_DEADLINE_MS: u64 = 10_000;
/// No body here is longer.
const BODY_BYTES_MAX: u64 = 8 * 1024;

/// Name and password of an operator.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; `texts` reads it")]
struct Login {
    /// The name of the account.
    #[schema(max_length = 250)]
    name: String,
    /// The password.
    #[schema(format = "password")]
    password: String,
}

/// The old password and the new one.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; `texts` reads it")]
struct PasswordChange {
    /// The present password.
    #[schema(format = "password")]
    current: String,
    /// The new one.
    #[schema(format = "password", min_length = 12, max_length = 128)]
    new: String,
}

/// A session.
#[derive(Serialize, ToSchema)]
struct SessionView {
    /// The name of the operator.
    operator: String,
    /// `readonly`, `operator` or `admin`.
    role: &'static str,
    /// The tenant whose data the operator sees; null for the one that every installation has.
    tenant: Option<String>,
    /// The value of `X-CSRF-Token` for every request of this session that changes something.
    csrf_token: String,
    /// When the session ends although it is used.
    #[schema(value_type = String, format = "date-time")]
    expires_at: String,
}

/// Whether callers have to log in, and who has.
#[derive(Serialize, ToSchema)]
struct SessionState {
    /// `required`: log in. `loopback` or `off`: nobody is asked.
    mode: AuthMode,
    /// The session of the cookie, if it counts.
    session: Option<SessionView>,
    /// The providers at which people can log in: `/api/v1/session/oidc/{provider}`.
    providers: Vec<String>,
}

/// The routes of sessions.
pub fn session_routes(operators: &Operators) -> ServiceRoutes {
    let limit = |path, deadline_ms| RouteLimits {
        path,
        body_bytes_max: Some(BODY_BYTES_MAX),
        deadline_ms: Some(deadline_ms),
        ..RouteLimits::default()
    };
    let limits = vec![
        limit("/api/v1/session", PASSWORD_DEADLINE_MS),
        limit("/api/v1/session/password", PASSWORD_DEADLINE_MS),
        limit(PROVIDER_PATH, PROVIDER_DEADLINE_MS),
        limit(CALLBACK_PATH, PROVIDER_DEADLINE_MS),
    ];
    ServiceRoutes::new(NAME, routes().with_state(operators.clone()), limits)
}

/// The same, with nothing behind them: to be read, not served.
pub fn described_session_routes() -> ServiceRoutes {
    ServiceRoutes::described(NAME, routes())
}

fn routes() -> OpenApiRouter<Operators> {
    OpenApiRouter::new()
        .routes(routes!(read_session, log_in, log_out))
        .routes(routes!(change_password))
        .routes(routes!(go_to_provider))
        .routes(routes!(come_from_provider))
}

/// Read the session
///
/// Says whether callers have to log in, and returns the session of the cookie.
#[utoipa::path(get, path = "/api/v1/session", tag = "session", security(()), responses(
    (status = 200, description = "The session, if there is one", body = SessionState),
))]
async fn read_session(
    State(operators): State<Operators>,
    Caller(call): Caller,
    browser: BrowserRequest,
) -> Result<Response, Problem> {
    let session = match &browser.session {
        Some(token) => {
            let found = operators.session(&call, token).await.map_err(LoginError::from)?;
            found.map(|session| view(session, token))
        }
        None => None,
    };
    let (mode, providers) = (operators.mode(), operators.providers());
    Ok(JsonAnswer(SessionState { mode, session, providers }).into_response())
}

/// Log in
///
/// Begins a session, whose cookie the answer sets. Five wrong passwords in a row lock an account for a minute, and each further one
/// for twice as long, up to an hour. The answer does not say whether the name or the password is wrong, or the account locked.
#[utoipa::path(post, path = "/api/v1/session", tag = "session", security(()), request_body = Login, responses(
    (status = 200, description = "The session has begun", body = SessionView),
    (status = 401, description = "Name or password is wrong, or the account is locked or disabled"),
    (status = 403, description = "A page of another site sends this, or the connection is not encrypted"),
    (status = 422, description = "A field is missing"),
    (status = 429, description = "Too many logins from this address have failed"),
    (status = 503, description = "Too many people log in at this moment"),
))]
async fn log_in(
    State(operators): State<Operators>,
    Caller(call): Caller,
    ClientAddress(client): ClientAddress,
    browser: BrowserRequest,
    JsonBody(mut fields): JsonBody,
) -> Result<Response, Problem> {
    browser.from_our_site()?;
    browser.on_a_safe_way()?;
    let [name, password] = texts(&mut fields, ["name", "password"])?;
    let before = browser.session.as_deref();
    let begun = operators.log_in(&call, (&name, password), (client, before)).await?;
    let cookie = begin(&operators, &browser, &begun);
    Ok(([(SET_COOKIE, cookie)], JsonAnswer(view(begun.session, &begun.token))).into_response())
}

/// Log out
///
/// Ends the session.
#[utoipa::path(delete, path = "/api/v1/session", tag = "session", security(()),
    params(("X-CSRF-Token" = Option<String>, Header, description = "The `csrf_token` of the session")),
    responses(
        (status = 204, description = "The session has ended"),
        (status = 401, description = "The request has no session"),
        (status = 403, description = "The token of the session is missing, or wrong"),
    ))]
async fn log_out(
    State(operators): State<Operators>,
    Caller(call): Caller,
    browser: BrowserRequest,
) -> Result<Response, Problem> {
    let token = own_session(&browser)?;
    operators.log_out(&call, token).await?;
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, browser.set_session(None, 0))]).into_response())
}

/// Change the password
///
/// Ends every other session of the operator.
#[utoipa::path(post, path = "/api/v1/session/password", tag = "session", security(()),
    params(("X-CSRF-Token" = Option<String>, Header, description = "The `csrf_token` of the session")),
    request_body = PasswordChange,
    responses(
        (status = 204, description = "The password was changed"),
        (status = 401, description = "There is no session, or it has ended"),
        (status = 403, description = "The token of the session is missing, or wrong"),
        (status = 422, description = "The present password is wrong, or the new one too short or too long"),
        (status = 429, description = "Too many logins from this address have failed"),
        (status = 503, description = "Too many people log in at this moment"),
    ))]
async fn change_password(
    State(operators): State<Operators>,
    Caller(call): Caller,
    ClientAddress(client): ClientAddress,
    browser: BrowserRequest,
    JsonBody(mut fields): JsonBody,
) -> Result<StatusCode, Problem> {
    let token = own_session(&browser)?;
    let [current, new] = texts(&mut fields, ["current", "new"])?;
    operators.change_password(&call, token, (current, new), client).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Log in at a provider
///
/// Sends the browser to a provider of OpenID Connect (`auth.login`).
#[utoipa::path(get, path = "/api/v1/session/oidc/{provider}", tag = "session", security(()),
    params(
        ("provider" = String, Path, description = "The name of the provider"),
        ("return_to" = Option<String>, Query, description = "The path to which the browser goes afterwards; `/` by default"),
    ),
    responses(
        (status = 302, description = "Go to the provider"),
        (status = 400, description = "`return_to` is not a path of this server"),
        (status = 403, description = "The connection is not encrypted"),
        (status = 404, description = "No provider has this name"),
        (status = 503, description = "The provider cannot be reached"),
    ))]
async fn go_to_provider(
    State(operators): State<Operators>,
    Path(provider): Path<String>,
    browser: BrowserRequest,
    mut query: QueryString,
) -> Result<Response, Problem> {
    let path = query.text("return_to").unwrap_or_else(|| "/".to_owned());
    if !is_local_path(&path) {
        query.error("return_to", "not_local", "must be a path of this server, such as /console");
    }
    query.finish()?;
    browser.on_a_safe_way()?;
    let departure = operators.depart(&provider, &path, &callback(&browser, &provider)).await?;
    let cookie = browser.set_cookie(LOGIN, Some(&departure.cookie), LOGIN_SECONDS);
    redirect(&departure.page, [cookie].into())
}

/// Come back from a provider
///
/// The provider sends the browser here. The session begins if an account is linked with the person.
#[utoipa::path(get, path = "/api/v1/session/oidc/{provider}/callback", tag = "session", security(()),
    params(
        ("provider" = String, Path, description = "The name of the provider"),
        ("state" = Option<String>, Query, description = "As the provider was given it"),
        ("code" = Option<String>, Query, description = "The code that stands for the person"),
        ("error" = Option<String>, Query, description = "The reason of the provider, if there is no code"),
    ),
    responses(
        (status = 302, description = "The session has begun: go on"),
        (status = 401, description = "The provider does not confirm who the person is"),
        (status = 403, description = "This browser did not begin the login, or the person has no account"),
        (status = 404, description = "No provider has this name"),
        (status = 503, description = "The provider cannot be reached"),
    ))]
async fn come_from_provider(
    State(operators): State<Operators>,
    Caller(call): Caller,
    Path(provider): Path<String>,
    browser: BrowserRequest,
    mut query: QueryString,
) -> Result<Response, Problem> {
    let [state, code, error] = ["state", "code", "error"].map(|name| query.text(name));
    query.finish()?;
    browser.on_a_safe_way()?;
    // The words of a provider are short; anything else is not repeated.
    let is_word =
        |word: &String| word.len() <= 60 && word.bytes().all(|it| it.is_ascii_lowercase() || it == b'_');
    let error = error.filter(is_word).unwrap_or_else(|| "it sent no code".to_owned());
    let brought = Return {
        cookie: browser.cookie(LOGIN),
        state: state.as_deref().unwrap_or_default(),
        code: code.as_deref().ok_or(&error),
        callback: &callback(&browser, &provider),
        before: browser.session.as_deref(),
    };
    // A login is tried once.
    let over = browser.set_cookie(LOGIN, None, 0);
    match operators.arrive(&call, &provider, brought).await {
        Ok((begun, path)) => redirect(&path, [over, begin(&operators, &browser, &begun)].into()),
        Err(error) => Err(Problem::from(error).with_header(SET_COOKIE, over)),
    }
}

/// The session of the cookie, if a page of ours sends the request.
fn own_session(browser: &BrowserRequest) -> Result<&str, Problem> {
    let token = browser.session.as_deref().ok_or(LoginError::NoSession)?;
    browser.from_our_page(proves)?;
    Ok(token)
}

/// The cookie of a session that has begun.
fn begin(operators: &Operators, browser: &BrowserRequest, begun: &Begun) -> HeaderValue {
    browser.set_session(Some(&begun.token), operators.session_seconds())
}

fn view(session: Session, token: &str) -> SessionView {
    SessionView {
        operator: session.operator,
        role: session.role.name(),
        tenant: Some(session.tenant.as_str().to_owned()).filter(|name| !name.is_empty()),
        csrf_token: csrf_token(token),
        expires_at: session.expires_at.to_string(),
    }
}

/// The address of this server to which the provider sends the browser back.
fn callback(browser: &BrowserRequest, provider: &str) -> String {
    let scheme = if browser.encrypted { "https" } else { "http" };
    format!("{scheme}://{}{}", browser.authority, CALLBACK_PATH.replace("{provider}", provider))
}

fn redirect(place: &str, cookies: Vec<HeaderValue>) -> Result<Response, Problem> {
    let place = HeaderValue::try_from(place).map_err(Problem::internal)?;
    let mut answer = (StatusCode::FOUND, [(LOCATION, place)]).into_response();
    for cookie in cookies {
        answer.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(answer)
}

/// Fields of a body, each of which must be a text.
fn texts<const N: usize>(
    fields: &mut Map<String, Value>,
    names: [&'static str; N],
) -> Result<[Zeroizing<String>; N], Problem> {
    let mut errors = Vec::new();
    let found = names.map(|name| match fields.remove(name) {
        Some(Value::String(text)) => Zeroizing::new(text),
        _ => {
            errors.push(FieldError::new(name, "not_a_string", "must be a text"));
            Zeroizing::default()
        }
    });
    if errors.is_empty() { Ok(found) } else { Err(Problem::invalid(errors)) }
}
