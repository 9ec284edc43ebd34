//! Describes in the OpenAPI document the headers that operations read and send. Generated clients need them for
//! consistent reads and for conditional requests.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{Header, OpenApi, RefOr, Required};

use crate::operation_names::operations;

/// Which operations of a service honour which headers. Paths are as the routes have them.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeaderUse {
    /// Paths whose `GET` never answers less than what `Pando-Consistency` asks for.
    pub consistent: &'static [&'static str],
    /// Paths whose `GET` answers with an `ETag` and honours `If-None-Match`.
    pub tagged: &'static [&'static str],
    /// Paths whose `GET` says with `X-Cache` where the answer came from.
    pub cached: &'static [&'static str],
    /// Methods (in lower case) and paths of writes that answer with a `Pando-Consistency` token.
    pub writes: &'static [(&'static str, &'static str)],
}

/// Describes the headers. The answer headers of an `Idempotency-Key` are described on operations that have this parameter.
pub fn describe_headers(document: &mut OpenApi, used: &HeaderUse) {
    for (path, item) in &mut document.paths.paths {
        let path = path.as_str();
        for (method, operation) in operations(item) {
            let reads = |paths: &[&str]| method == "get" && paths.contains(&path);
            if reads(used.consistent) {
                let text = "The answer includes at least the write that returned this token";
                ask(operation, "Pando-Consistency", text, None);
            }
            if reads(used.tagged) {
                let pattern = r#"^(\*|(W/)?"[0-9]{1,18}")$"#;
                ask(
                    operation,
                    "If-None-Match",
                    "Answer with 304 if the resource still has this version",
                    Some(pattern),
                );
                tell(operation, &["200", "304"], "ETag", "The version");
            }
            if reads(used.cached) {
                let text = "The tier that gave the answer, and the answer's age in seconds: `l1; age=3`";
                tell(operation, &["200", "304"], "X-Cache", text);
            }
            if used.writes.contains(&(method, path)) {
                let text = "A token: a read that sends it back sees at least this write";
                tell(operation, &["200", "201", "202", "204"], "Pando-Consistency", text);
            }
            if takes(operation, "Idempotency-Key") {
                let text = "`true` if this is the answer to an earlier request with the same Idempotency-Key";
                tell(operation, &["200", "201", "202", "204"], "Idempotent-Replayed", text);
            }
        }
    }
}

fn text(pattern: Option<&str>) -> Schema {
    ObjectBuilder::new().schema_type(Type::String).pattern(pattern).build().into()
}

fn takes(operation: &Operation, name: &str) -> bool {
    operation.parameters.iter().flatten().any(|known| match known {
        RefOr::T(known) => known.name.eq_ignore_ascii_case(name),
        RefOr::Ref(_) => false,
    })
}

fn ask(operation: &mut Operation, name: &str, description: &str, pattern: Option<&str>) {
    if takes(operation, name) {
        return;
    }
    let parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(text(pattern)))
        .build();
    operation.parameters.get_or_insert_default().push(parameter.into());
}

fn tell(operation: &mut Operation, statuses: &[&str], name: &str, description: &str) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        let is_told = response.headers.keys().any(|known: &String| known.eq_ignore_ascii_case(name));
        if statuses.contains(&status.as_str()) && !is_told {
            let header: Header =
                HeaderBuilder::new().schema(Some(text(None))).description(Some(description)).build();
            response.headers.insert(name.to_owned(), header.into());
        }
    }
}
