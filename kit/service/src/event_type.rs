//! The types of events that services publish, described by the Rust types of their data.

use serde_json::Value;
use utoipa::ToSchema;

/// A type of events that a service publishes.
#[derive(Clone, Copy, Debug)]
pub struct EventType {
    /// Its name.
    pub name: &'static str,
    /// When it happens, as a sentence.
    pub description: &'static str,
    /// The JSON Schema of its data.
    pub data: fn() -> Value,
}

impl EventType {
    /// A type whose data is written from `T`.
    pub const fn of<T: ToSchema>(name: &'static str, description: &'static str) -> Self {
        Self { name, description, data: schema_of::<T> }
    }
}

/// The schema with those that it refers to, so that it can be read alone.
fn schema_of<T: ToSchema>() -> Value {
    let mut schema = serde_json::to_value(T::schema()).unwrap_or_default();
    let mut named = Vec::new();
    T::schemas(&mut named);
    let named: serde_json::Map<String, Value> = named
        .into_iter()
        .map(|(name, schema)| (name, serde_json::to_value(schema).unwrap_or_default()))
        .collect();
    inline(&mut schema, &named, 0);
    schema
}

/// Puts schemas in the place of references to them. A type that contains itself ends as any value.
fn inline(schema: &mut Value, named: &serde_json::Map<String, Value>, depth: usize) {
    const DEPTH_MAX: usize = 16;
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        let name = name.trim_start_matches("#/components/schemas/");
        let found = named.get(name).filter(|_| depth < DEPTH_MAX).cloned();
        *schema = found.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    }
    match schema {
        Value::Object(members) => members.values_mut().for_each(|member| inline(member, named, depth + 1)),
        Value::Array(items) => items.iter_mut().for_each(|item| inline(item, named, depth + 1)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(ToSchema)]
    #[expect(dead_code, reason = "only its schema is read")]
    struct Inner {
        count: i64,
    }

    #[derive(ToSchema)]
    #[expect(dead_code, reason = "only its schema is read")]
    struct Outer {
        inner: Vec<Inner>,
    }

    #[test]
    fn a_schema_stands_alone() {
        let schema = (EventType::of::<Outer>("thing.done", "A thing was done.").data)();
        assert_eq!(schema["properties"]["inner"]["items"]["properties"]["count"]["type"], "integer");
        assert!(!schema.to_string().contains("$ref"));
    }
}
