//! Categories of products, which form a tree.

use pando_service::prelude::*;
use pando_service::{BadText, Violations};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

pub(crate) const NAME_CHARS_MAX: usize = 50;
/// How many levels the tree has.
pub(crate) const DEPTH_MAX: usize = 5;
/// How far the products of a category are counted.
pub(crate) const COUNT_MAX: i64 = 1_000;

/// A category as callers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Category {
    /// Its id.
    pub id: Uuid,
    /// Its name, which no other category has.
    pub name: String,
    /// The category above it; none for one at the top.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub parent_id: Option<Uuid>,
    /// The names from the top down to its own.
    #[schema(min_items = 1, max_items = 5)]
    pub path: Vec<String>,
    /// How many products it has that are offered, without those of the categories below it; counted to 1,000.
    pub product_count: i64,
    /// Counts its changes.
    pub version: i64,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// The fields of a category that a caller gives: those that are absent stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CategoryFields {
    pub(crate) name: Option<String>,
    /// `Some(None)` puts it at the top.
    pub(crate) parent: Option<Option<Uuid>>,
}

/// A name without spaces around it.
pub(crate) fn category_name(text: &str) -> Result<String, BadText> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err(BadText::value("must not be empty")),
        _ if text.contains('\0') => Err(BadText::value("must not have the character NUL")),
        1..=NAME_CHARS_MAX => Ok(text.to_owned()),
        _ => Err(BadText::too_long(NAME_CHARS_MAX)),
    }
}

impl CategoryFields {
    /// Reads the fields, or says every bad one.
    pub(crate) fn read(fields: &Map<String, Value>) -> Result<Self, Violations> {
        let mut reader = FieldReader::new(fields);
        let name = match fields.get("name") {
            None => None,
            Some(_) => {
                reader.required_text("name").and_then(|name| reader.check("name", category_name(name)))
            }
        };
        let parent = match fields.get("parentId") {
            None => None,
            Some(Value::Null) => Some(None),
            Some(_) => reader.required_text("parentId").and_then(|text| {
                let id = Uuid::try_parse(text).map_err(|_| BadText::value("must be an id: a UUID"));
                reader.check("parentId", id).map(Some)
            }),
        };
        reader.finish()?;
        Ok(Self { name, parent })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(fields: Value) -> Result<CategoryFields, Vec<String>> {
        let read = CategoryFields::read(fields.as_object().unwrap());
        read.map_err(|bad| bad.iter().map(|one| one.field.to_string()).collect())
    }

    #[test]
    fn absent_fields_are_told_from_empty_ones() {
        assert_eq!(read(json!({})), Ok(CategoryFields { name: None, parent: None }));
        let top = read(json!({"name": " Tea ", "parentId": null}));
        assert_eq!(top, Ok(CategoryFields { name: Some("Tea".to_owned()), parent: Some(None) }));
        let id = Uuid::from_u128(7);
        assert_eq!(read(json!({"parentId": id})).unwrap().parent, Some(Some(id)));
        assert_eq!(read(json!({"name": "", "parentId": "x"})).unwrap_err(), ["name", "parentId"]);
        assert_eq!(read(json!({"name": "a".repeat(51)})).unwrap_err(), ["name"]);
        assert_eq!(read(json!({"name": null, "parentId": 7})).unwrap_err(), ["name", "parentId"]);
    }
}
