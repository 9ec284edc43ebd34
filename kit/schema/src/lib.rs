#![doc = include_str!("../README.md")]

mod check;
mod compile;

use std::collections::HashMap;
use std::fmt;

use regex_lite::Regex;
use serde_json::{Map, Value};

/// Most faults that are reported for one document.
pub const FAULTS_MAX: usize = 20;
/// How deep a schema, or a document under a schema that refers to itself, may be nested.
const DEPTH_MAX: usize = 64;

/// A schema that is ready to check documents.
#[derive(Clone, Debug)]
pub struct Schema {
    root: Value,
    /// Every pattern of the schema, by its text.
    patterns: HashMap<String, Regex>,
}

/// A fault at one place of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The place, as a JSON pointer; empty for the whole document.
    pub path: String,
    /// The fault as a sentence.
    pub message: String,
}

impl Schema {
    /// Reads a schema. The error names the first thing that cannot be used, and where it stands.
    pub fn compile(schema: &Value) -> Result<Self, String> {
        let patterns = compile::patterns(schema)?;
        Ok(Self { root: schema.clone(), patterns })
    }

    /// Everything that is wrong with a document, up to [`FAULTS_MAX`] faults.
    pub fn faults(&self, document: &Value) -> Vec<Fault> {
        check::faults(self, document)
    }

    /// The place in this document that a `$ref` names.
    fn referred(&self, reference: &str) -> Option<&Value> {
        referred(&self.root, reference)
    }

    fn matches(&self, pattern: &str, text: &str) -> bool {
        self.patterns.get(pattern).is_none_or(|regex| regex.is_match(text))
    }
}

fn referred<'s>(root: &'s Value, reference: &str) -> Option<&'s Value> {
    root.pointer(reference.strip_prefix('#')?)
}

/// The type names of a `type`: one text, or a list of them.
fn type_names(kind: &Value) -> Vec<&str> {
    match kind {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The schemas of a keyword that holds an object of schemas, such as `properties`.
fn members<'s>(
    schema: &'s Map<String, Value>,
    keyword: &str,
) -> impl Iterator<Item = (&'s String, &'s Value)> {
    schema.get(keyword).and_then(Value::as_object).into_iter().flatten()
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.message),
            path => write!(f, "{path}: {}", self.message),
        }
    }
}
