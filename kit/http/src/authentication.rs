//! The caller of a request, and whether the caller may do what the request asks for.

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderValue, header};
use pando_resilience::Identity;

use crate::asked::Asked;
use crate::browser::{foreign, unproven};
use crate::connection::Connection;
use crate::edge_state::Edge;
use crate::routes::{MethodIndex, RouteEntry};
use crate::{Authentication, Code, Credential, Problem};

/// A longer credential is refused unread.
const CREDENTIAL_BYTES_MAX: usize = 16 * 1024;
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer");
const BAD_TOKEN: HeaderValue = HeaderValue::from_static("Bearer error=\"invalid_token\"");
const TOO_NARROW: HeaderValue = HeaderValue::from_static("Bearer error=\"insufficient_scope\"");

/// The caller of a request, or what has to be verified first.
pub(crate) enum Recognised {
    Caller(Arc<Identity>),
    Unverified(Credential<String>),
}

/// Recognises the caller of a request, and refuses one who may not use the route.
pub(crate) fn recognise(
    (edge, connection): (&Edge, &Connection),
    (route, method): (&RouteEntry, MethodIndex),
    asked: &Asked<'_>,
    client: impl FnOnce() -> IpAddr,
) -> Result<Recognised, Problem> {
    let (Some(authentication), Some(scope)) = (&edge.authentication, route.scope(method)) else {
        return Ok(Recognised::Caller(edge.anonymous.clone()));
    };
    let encrypted = is_encrypted(edge, connection, asked);
    if scope.for_guests && asked.credentials == 0 && asked.browser.session(encrypted) == Ok(None) {
        return Ok(Recognised::Caller(edge.guest.clone()));
    }
    let credential = credential(asked, encrypted)?;
    if let Credential::Session(session) = credential
        && !method.is_read()
    {
        sent_by_our_page(authentication, session, asked)?;
    }
    match (authentication.recall)(credential, client()) {
        Some(identity) => {
            permit(route, method, &identity)?;
            Ok(Recognised::Caller(identity))
        }
        None => Ok(Recognised::Unverified(credential.to_owned())),
    }
}

/// Verifies a credential that was not recognised.
pub(crate) async fn verify(
    edge: &Edge,
    (route, method): (&RouteEntry, MethodIndex),
    credential: Credential<String>,
    client: IpAddr,
) -> Result<Arc<Identity>, Problem> {
    let Some(authentication) = &edge.authentication else { return Ok(edge.anonymous.clone()) };
    let identity =
        (authentication.verify)(credential, client).await.map_err(|problem| match problem.code() {
            Code::Unauthenticated => problem.with_header(header::WWW_AUTHENTICATE, BAD_TOKEN),
            _ => problem,
        })?;
    permit(route, method, &identity)?;
    Ok(identity)
}

/// The one credential of a request.
fn credential<'r>(asked: &Asked<'r>, encrypted: bool) -> Result<Credential<&'r str>, Problem> {
    let refuse = |detail: &'static str| {
        Problem::new(Code::Unauthenticated, detail).with_header(header::WWW_AUTHENTICATE, CHALLENGE)
    };
    let several = "a request must have one credential: send Authorization, X-API-Key or a session, once";
    let session = asked.browser.session(encrypted).map_err(|()| refuse(several))?;
    if asked.credentials + usize::from(session.is_some()) > 1 {
        return Err(refuse(several));
    }
    if let Some(session) = session {
        return Ok(Credential::Session(session));
    }
    let Some(sent) = asked.credential else {
        return Err(refuse(
            "this request needs a credential: send Authorization: Bearer, X-API-Key or the cookie of a session",
        ));
    };
    let text = std::str::from_utf8(sent).map_err(|_| refuse("the credential cannot be read"))?;
    let text = match asked.is_bearer {
        true => {
            let scheme = text.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("bearer "));
            scheme
                .map(|_| text[7..].trim())
                .ok_or_else(|| refuse("the scheme of Authorization must be Bearer"))?
        }
        false => text.trim(),
    };
    match (1..=CREDENTIAL_BYTES_MAX).contains(&text.len()) {
        true => Ok(Credential::Header(text)),
        false => Err(refuse("the credential is empty, or has more than 16 KiB")),
    }
}

/// A browser sends the cookie of a session whichever page has it send the request. A page of another site cannot read the
/// token, though.
fn sent_by_our_page(
    authentication: &Authentication,
    session: &str,
    asked: &Asked<'_>,
) -> Result<(), Problem> {
    if asked.browser.is_foreign() {
        return Err(foreign());
    }
    let token = asked.browser.csrf.and_then(|token| std::str::from_utf8(token).ok());
    match token.is_some_and(|token| (authentication.proves)(session, token)) {
        true => Ok(()),
        false => Err(unproven()),
    }
}

/// Whether the client's connection is encrypted.
pub(crate) fn is_encrypted(edge: &Edge, connection: &Connection, asked: &Asked<'_>) -> bool {
    let is_trusted = |address| edge.proxies.trusts(address);
    asked.browser.is_encrypted(connection.encrypted, is_trusted, connection.peer.ip())
}

fn permit(route: &RouteEntry, method: MethodIndex, identity: &Arc<Identity>) -> Result<(), Problem> {
    let Some(scope) = route.scope(method) else { return Ok(()) };
    let refuse = |detail: String| {
        let problem = Problem::new(Code::Forbidden, detail);
        Err(problem.with_header(header::WWW_AUTHENTICATE, TOO_NARROW).with_caller(identity.clone()))
    };
    if !identity.scopes.allow(&scope.name) {
        return refuse(format!("this credential does not have the scope {}", scope.name));
    }
    if route.is_for_operators && !identity.tenant.is_default() {
        return refuse("this is about all tenants, and the credential is of one of them".to_owned());
    }
    Ok(())
}
