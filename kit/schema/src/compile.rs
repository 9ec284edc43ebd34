//! Compiles a schema: every keyword must be known, every argument must have the right form, and every reference must
//! have a target.

use std::collections::HashMap;

use regex_lite::Regex;
use serde_json::{Map, Value};

use crate::{DEPTH_MAX, members, referred, type_names};

const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];

/// The required form of a keyword's argument.
enum Form {
    Note,
    Anything,
    Schema,
    Schemas,
    SchemaObject,
    PatternObject,
    Count,
    Number,
    Boolean,
    Pattern,
    Names,
    NameLists,
    Types,
    Values,
    Reference,
}

fn form(keyword: &str) -> Option<Form> {
    Some(match keyword {
        "$schema" | "$id" | "$comment" | "title" | "description" | "default" | "examples" | "deprecated"
        | "readOnly" | "writeOnly" | "format" => Form::Note,
        "const" => Form::Anything,
        "not" | "if" | "then" | "else" | "items" | "contains" | "additionalProperties" | "propertyNames" => {
            Form::Schema
        }
        "allOf" | "anyOf" | "oneOf" | "prefixItems" => Form::Schemas,
        "properties" | "$defs" | "definitions" => Form::SchemaObject,
        "patternProperties" => Form::PatternObject,
        "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties" => {
            Form::Count
        }
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => Form::Number,
        "uniqueItems" => Form::Boolean,
        "pattern" => Form::Pattern,
        "required" => Form::Names,
        "dependentRequired" => Form::NameLists,
        "type" => Form::Types,
        "enum" => Form::Values,
        "$ref" => Form::Reference,
        _ => return None,
    })
}

/// Checks the whole schema, and compiles its patterns.
pub(crate) fn patterns(root: &Value) -> Result<HashMap<String, Regex>, String> {
    let mut reader = Reader { root, patterns: HashMap::new() };
    reader.schema(root, "#", 0)?;
    Ok(reader.patterns)
}

struct Reader<'s> {
    root: &'s Value,
    patterns: HashMap<String, Regex>,
}

impl Reader<'_> {
    fn schema(&mut self, schema: &Value, place: &str, depth: usize) -> Result<(), String> {
        if depth > DEPTH_MAX {
            return Err(format!("the schema is nested more than {DEPTH_MAX} levels deep"));
        }
        let keywords = match schema {
            Value::Bool(_) => return Ok(()),
            Value::Object(keywords) => keywords,
            _ => return Err(format!("{place} must be an object, true or false")),
        };
        for (keyword, argument) in keywords {
            let Some(form) = form(keyword) else {
                return Err(format!("{keyword} at {place} is not a keyword that Pando knows"));
            };
            self.keyword(&form, argument, &format!("{place}/{keyword}"), depth + 1)?;
        }
        self.nested(keywords, place, depth + 1)
    }

    /// The form of one argument; the schemas inside it are read by [`Self::nested`].
    fn keyword(&mut self, form: &Form, argument: &Value, place: &str, depth: usize) -> Result<(), String> {
        let expected = match form {
            Form::Note | Form::Anything | Form::SchemaObject | Form::PatternObject | Form::Schemas => {
                return Ok(());
            }
            Form::Schema => return self.schema(argument, place, depth),
            Form::Pattern => return self.pattern(argument.as_str(), place),
            Form::Count if argument.is_u64() => return Ok(()),
            Form::Count => "a whole number from 0",
            Form::Number
                if place.ends_with("/multipleOf") && argument.as_f64().is_some_and(|by| by <= 0.0) =>
            {
                "a number above 0"
            }
            Form::Number if argument.is_number() => return Ok(()),
            Form::Number => "a number",
            Form::Boolean if argument.is_boolean() => return Ok(()),
            Form::Boolean => "true or false",
            Form::Names if is_names(argument) => return Ok(()),
            Form::Names => "a list of names",
            Form::NameLists if argument.as_object().is_some_and(|lists| lists.values().all(is_names)) => {
                return Ok(());
            }
            Form::NameLists => "an object of lists of names",
            Form::Types if is_types(argument) => return Ok(()),
            Form::Types => "one or several of array, boolean, integer, null, number, object, string",
            Form::Values if argument.as_array().is_some_and(|values| !values.is_empty()) => return Ok(()),
            Form::Values => "a list of values",
            Form::Reference => match argument.as_str() {
                Some(reference) if referred(self.root, reference).is_some() => return Ok(()),
                _ => "a place in this document, such as #/$defs/name",
            },
        };
        Err(format!("{place} must be {expected}"))
    }

    fn nested(&mut self, keywords: &Map<String, Value>, place: &str, depth: usize) -> Result<(), String> {
        for keyword in ["allOf", "anyOf", "oneOf", "prefixItems"] {
            let Some(argument) = keywords.get(keyword) else { continue };
            let Some(schemas) = argument.as_array().filter(|schemas| !schemas.is_empty()) else {
                return Err(format!("{place}/{keyword} must be a list of schemas"));
            };
            for (index, schema) in schemas.iter().enumerate() {
                self.schema(schema, &format!("{place}/{keyword}/{index}"), depth)?;
            }
        }
        for keyword in ["properties", "patternProperties", "$defs", "definitions"] {
            if keywords.get(keyword).is_some_and(|argument| !argument.is_object()) {
                return Err(format!("{place}/{keyword} must be an object of schemas"));
            }
            for (name, schema) in members(keywords, keyword) {
                let place = format!("{place}/{keyword}/{name}");
                if keyword == "patternProperties" {
                    self.pattern(Some(name), &place)?;
                }
                self.schema(schema, &place, depth)?;
            }
        }
        Ok(())
    }

    fn pattern(&mut self, pattern: Option<&str>, place: &str) -> Result<(), String> {
        let pattern = pattern.ok_or_else(|| format!("{place} must be a regular expression"))?;
        let regex = Regex::new(pattern)
            .map_err(|error| format!("{place} is not a regular expression that Pando knows: {error}"))?;
        self.patterns.insert(pattern.to_owned(), regex);
        Ok(())
    }
}

fn is_names(argument: &Value) -> bool {
    argument.as_array().is_some_and(|names| names.iter().all(Value::is_string))
}

fn is_types(argument: &Value) -> bool {
    let names = type_names(argument);
    let all = argument.as_array().map_or(1, Vec::len);
    !names.is_empty() && names.len() == all && names.iter().all(|name| TYPES.contains(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_that_cannot_be_used_is_refused_with_the_place_of_its_fault() {
        for (schema, expected) in [
            (json!([]), "# must be an object, true or false"),
            (json!({"typ": "string"}), "typ at # is not a keyword that Pando knows"),
            (json!({"type": "text"}), "#/type must be one or several of"),
            (json!({"type": []}), "#/type must be one or several of"),
            (json!({"minLength": -1}), "#/minLength must be a whole number from 0"),
            (json!({"maximum": "3"}), "#/maximum must be a number"),
            (json!({"multipleOf": 0}), "#/multipleOf must be a number above 0"),
            (json!({"uniqueItems": 1}), "#/uniqueItems must be true or false"),
            (json!({"required": "name"}), "#/required must be a list of names"),
            (json!({"dependentRequired": {"a": "b"}}), "#/dependentRequired must be an object of lists"),
            (json!({"enum": []}), "#/enum must be a list of values"),
            (json!({"anyOf": []}), "#/anyOf must be a list of schemas"),
            (json!({"allOf": [{"x": 1}]}), "x at #/allOf/0 is not a keyword"),
            (json!({"properties": [1]}), "#/properties must be an object of schemas"),
            (json!({"properties": {"a": 3}}), "#/properties/a must be an object, true or false"),
            (json!({"items": {"pattern": "("}}), "#/items/pattern is not a regular expression"),
            (json!({"patternProperties": {"(": true}}), "#/patternProperties/( is not a regular expression"),
            (json!({"$ref": "https://example.org/other"}), "#/$ref must be a place in this document"),
            (json!({"$ref": "#/$defs/none"}), "#/$ref must be a place in this document"),
        ] {
            let error = patterns(&schema).expect_err("it cannot be used");
            assert!(error.contains(expected), "{schema}: {error}");
        }
    }

    #[test]
    fn a_schema_that_is_nested_without_end_is_refused() {
        let mut schema = json!(true);
        for _ in 0..=DEPTH_MAX {
            schema = json!({"not": schema});
        }
        assert!(patterns(&schema).expect_err("too deep").contains("levels deep"));
    }
}
