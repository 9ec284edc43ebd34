//! Which scope each operation asks for: `SERVICE:read` to read, `SERVICE:delete` to delete, and otherwise `SERVICE:write`, unless the
//! operation names another one, is for everybody, or also serves guests: callers without a credential.

use std::sync::Arc;

use serde_json::Value;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};

use crate::GrpcMethod;
use crate::operation_names::{SYSTEM, operations};

/// The ways to send a credential, by their names in the document.
const TOKEN: &str = "token";
const KEY: &str = "key";
const SESSION: &str = "session";

/// The scope that an operation asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) name: Arc<str>,
    /// Whether a caller may send no credential.
    pub(crate) for_guests: bool,
}

/// The scope that an operation of a service asks for; none if it is for everybody, as `security(())` beside it says. With
/// `security((), ("token" = ["products:read"]))` a caller may be a guest, and one who sends a credential needs the scope.
pub(crate) fn scope_of(service: &str, method: &str, operation: &Operation) -> Option<Scope> {
    match operation.security.as_deref() {
        None => {
            let verb = match method {
                "get" | "head" => "read",
                "delete" => "delete",
                _ => "write",
            };
            Some(Scope { name: format!("{service}:{verb}").into(), for_guests: false })
        }
        Some(requirements) => {
            let for_guests = requirements.contains(&SecurityRequirement::default());
            let name = requirements.iter().find_map(named_scope)?;
            Some(Scope { name: name.into(), for_guests })
        }
    }
}

/// The scope that a gRPC method asks for. Health and reflection are for everybody, as `/health` and `/openapi.json` are.
pub(crate) fn scope_of_method(service: &str, method: &GrpcMethod) -> Option<Scope> {
    if service == SYSTEM {
        return None;
    }
    let name = method.path.rsplit('/').next().unwrap_or_default();
    let verb = match () {
        () if method.reads => "read",
        () if name.starts_with("Delete") => "delete",
        () => "write",
    };
    Some(Scope { name: format!("{service}:{verb}").into(), for_guests: false })
}

fn named_scope(requirement: &SecurityRequirement) -> Option<String> {
    let Value::Object(schemes) = serde_json::to_value(requirement).ok()? else { return None };
    schemes.values().find_map(|scopes| Some(scopes.get(0)?.as_str()?.to_owned()))
}

/// Shows in the document of a service which scope each operation asks for.
pub(crate) fn describe_scopes(service: &str, document: &mut OpenApi) {
    for item in document.paths.paths.values_mut() {
        for (method, operation) in operations(item) {
            let scope = scope_of(service, method, operation);
            let guests =
                scope.iter().filter(|scope| scope.for_guests).map(|_| SecurityRequirement::default());
            let credentials = scope.iter().flat_map(|scope| {
                [TOKEN, KEY, SESSION].map(|scheme| SecurityRequirement::new(scheme, [&*scope.name]))
            });
            operation.security = Some(guests.chain(credentials).collect());
        }
    }
}

/// Says in the document how a credential is sent.
pub(crate) fn describe_credentials(document: &mut OpenApi) {
    let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT");
    let token =
        token.description(Some("A token of one of the issuers in auth.issuers, or an API key")).build();
    let key =
        ApiKey::Header(ApiKeyValue::with_description("X-API-Key", "An API key: see `pando keys create`"));
    let session = ApiKey::Cookie(ApiKeyValue::with_description(
        "__Host-pando_session",
        "The session of a person who has logged in. Over plain HTTP on this machine the cookie is called `pando_session`. Changes \
         need the header X-CSRF-Token, too",
    ));
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(TOKEN, SecurityScheme::Http(token));
    components.add_security_scheme(KEY, SecurityScheme::ApiKey(key));
    components.add_security_scheme(SESSION, SecurityScheme::ApiKey(session));
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use utoipa::openapi::path::OperationBuilder;

    use super::*;

    #[test]
    fn the_scope_of_an_operation_follows_from_its_method_unless_it_says_otherwise() {
        let plain = OperationBuilder::new().build();
        let scope = |method: &str| scope_of("tasks", method, &plain).unwrap();
        for (method, name) in [("get", "tasks:read"), ("put", "tasks:write"), ("delete", "tasks:delete")] {
            assert_eq!(scope(method), Scope { name: name.into(), for_guests: false });
        }
        let own = OperationBuilder::new().security(SecurityRequirement::new(TOKEN, ["tasks:write"])).build();
        assert_eq!(&*scope_of("tasks", "delete", &own).unwrap().name, "tasks:write");
        let guests = OperationBuilder::new()
            .securities(Some([
                SecurityRequirement::default(),
                SecurityRequirement::new(TOKEN, ["products:read"]),
            ]))
            .build();
        let scope = Scope { name: "products:read".into(), for_guests: true };
        assert_eq!(scope_of("commerce", "get", &guests), Some(scope));
        let public = OperationBuilder::new().security(SecurityRequirement::default()).build();
        assert_eq!(scope_of("system", "get", &public), None);
        let shown = serde_json::to_value(&public.security).unwrap();
        assert_eq!(shown, json!([{}]));
    }
}
