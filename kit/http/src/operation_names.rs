//! The names of operations in the OpenAPI document. Client generators make a method of each name, so no two names may
//! be equal, and each should say what its operation is about. Handlers are called `list` or `create` in the module of
//! their service; this file adds the noun of their tag.

use std::collections::BTreeMap;

use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi, PathItem};

use crate::HttpError;

/// The tag of operations about the server itself.
pub(crate) const SYSTEM: &str = "system";
/// The verbs with which the name of a `GET` may begin; without one, the operation is named after its answer.
const ASKING: [&str; 9] = ["download", "export", "fetch", "find", "get", "list", "read", "search", "show"];
/// The verbs of operations about one thing although their path names no single one.
const MAKING: [&str; 2] = ["add", "create"];

/// Names every operation of the document after its handler and its tag, and refuses two of one name.
pub(crate) fn name_operations(document: &mut OpenApi) -> Result<(), HttpError> {
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            let handler = operation.operation_id.take().unwrap_or_else(|| method.to_owned());
            let tag = operation.tags.iter().flatten().next().map_or(SYSTEM, String::as_str);
            let name = name(&handler, tag, method, path.contains('{'));
            if let Some(other) = taken.insert(name.clone(), format!("{method} {path}")) {
                let reason = format!(
                    "{method} is called {name} in the document, like {other}: rename one of the handlers"
                );
                return Err(HttpError::Route { path: path.clone(), reason });
            }
            operation.operation_id = Some(name);
        }
    }
    Ok(())
}

/// The operations of a path with their methods.
pub(crate) fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let methods = [
        ("get", &mut item.get),
        ("head", &mut item.head),
        ("post", &mut item.post),
        ("put", &mut item.put),
        ("patch", &mut item.patch),
        ("delete", &mut item.delete),
        ("options", &mut item.options),
    ];
    methods.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// `list` of profiles is `list_profiles`, `put_address` is `put_profile_address`, and `history`, which only says what
/// is answered, is `profile_history`.
fn name(handler: &str, tag: &str, method: &str, of_one: bool) -> String {
    let one = singular(tag);
    if tag == SYSTEM || handler.split('_').any(|word| word == one || word == tag) {
        return handler.to_owned();
    }
    let (first, rest) = handler.split_once('_').unwrap_or((handler, ""));
    let noun = if of_one || MAKING.contains(&first) { &one } else { tag };
    let is_verb = method != "get" || ASKING.contains(&first);
    match (is_verb, rest) {
        (false, _) => format!("{noun}_{handler}"),
        (true, "") => format!("{first}_{noun}"),
        (true, rest) => format!("{first}_{noun}_{rest}"),
    }
}

/// The singular of a tag.
fn singular(tag: &str) -> String {
    if let Some(stem) = tag.strip_suffix("es").filter(|stem| stem.ends_with("ch")) {
        return stem.to_owned();
    }
    match (tag.strip_suffix("ies"), tag.strip_suffix('s')) {
        (Some(stem), _) => format!("{stem}y"),
        (None, Some(stem)) => stem.to_owned(),
        (None, None) => tag.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use utoipa::openapi::HttpMethod;
    use utoipa::openapi::path::OperationBuilder;

    use super::*;

    fn document(operations: &[(&str, HttpMethod, &str, &str)]) -> OpenApi {
        let mut document = OpenApi::default();
        for (path, method, tag, handler) in operations {
            let operation = OperationBuilder::new().tag(*tag).operation_id(Some(*handler)).build();
            document.paths.add_path_operation(*path, vec![method.clone()], operation);
        }
        document
    }

    #[test]
    fn operations_are_named_after_their_handler_and_what_it_is_about() {
        for (handler, tag, method, of_one, expected) in [
            ("list", "profiles", "get", false, "list_profiles"),
            ("create", "profiles", "post", false, "create_profile"),
            ("create", "tasks", "post", false, "create_task"),
            ("read", "tasks", "get", true, "read_task"),
            ("events", "tasks", "get", true, "task_events"),
            ("put_address", "profiles", "put", true, "put_profile_address"),
            ("data_export", "profiles", "get", true, "profile_data_export"),
            ("import", "profiles", "post", false, "import_profiles"),
            ("import_progress", "profiles", "get", false, "profiles_import_progress"),
            ("delete", "companies", "delete", true, "delete_company"),
            ("list_queues", "queues", "get", false, "list_queues"),
            ("get_user_profile", "profiles", "get", false, "get_user_profile"),
            ("health", "system", "get", false, "health"),
        ] {
            assert_eq!(name(handler, tag, method, of_one), expected);
        }
    }

    #[test]
    fn two_operations_of_one_name_are_refused() {
        let (get, post) = (HttpMethod::Get, HttpMethod::Post);
        let mut apart = document(&[
            ("/profiles", get.clone(), "profiles", "list"),
            ("/tasks", get.clone(), "tasks", "list"),
            ("/tasks", post, "tasks", "create"),
        ]);
        name_operations(&mut apart).unwrap();
        let item = &apart.paths.paths["/tasks"];
        assert_eq!(item.get.as_ref().unwrap().operation_id.as_deref(), Some("list_tasks"));
        let mut alike =
            document(&[("/tasks", get.clone(), "tasks", "list"), ("/tasks/old", get, "tasks", "list")]);
        let refused = name_operations(&mut alike).unwrap_err().to_string();
        assert!(refused.contains("list_tasks in the document, like get /tasks:"), "{refused}");
    }
}
