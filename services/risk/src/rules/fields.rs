//! The fields of the request that a ruleset declares, and their reading out of one request.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::faults::{Faults, Object, Part, RuleError};
use super::lexer::is_name;
use super::value::Value;

/// Most fields that a ruleset may declare.
pub(crate) const FIELDS_MAX: usize = 300;

const KINDS: [(&str, Kind); 6] = [
    ("number", Kind::Number),
    ("string", Kind::Text),
    ("boolean", Kind::Bool),
    ("list", Kind::List),
    ("object", Kind::Object),
    ("any", Kind::Any),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Number,
    Text,
    Bool,
    List,
    Object,
    Any,
}

#[derive(Clone, Debug)]
struct Field {
    path: String,
    kind: Kind,
    required: bool,
}

/// The declared fields as a tree, so that one walk through the request reads them all.
#[derive(Clone, Debug, Default)]
struct Tree {
    field: Option<usize>,
    below: BTreeMap<String, Tree>,
}

/// All fields that expressions may read.
#[derive(Clone, Debug)]
pub(crate) struct Fields {
    list: Vec<Field>,
    numbers: BTreeMap<String, usize>,
    tree: Tree,
}

/// The number of the field `score`, which every ruleset has.
pub(crate) const SCORE: usize = 0;
/// The number of the field `industry`, which every ruleset has.
pub(crate) const INDUSTRY: usize = 1;

impl Fields {
    pub(crate) fn new() -> Self {
        let mut fields = Self { list: Vec::new(), numbers: BTreeMap::new(), tree: Tree::default() };
        fields.declare("score", Kind::Number, true);
        fields.declare("industry", Kind::Text, true);
        fields
    }

    /// Reads the declarations of an input node.
    pub(crate) fn read(content: &Object<'_>, faults: &mut Faults) -> Self {
        let mut fields = Self::new();
        for part in content.items("fields", FIELDS_MAX, faults) {
            fields.read_field(&part, faults);
        }
        fields
    }

    fn read_field(&mut self, part: &Part<'_>, faults: &mut Faults) {
        let Some(object) = part.object(&["path", "type", "required", "description"], faults) else { return };
        object.text_or_none("description", 1_000, faults);
        let kind = object.text("type", 20, faults).and_then(|name| {
            let kind = KINDS.iter().find(|kind| kind.0 == name).map(|kind| kind.1);
            if kind.is_none() {
                let known: Vec<&str> = KINDS.iter().map(|kind| kind.0).collect();
                faults.add(
                    object.at("type"),
                    format!("`{name}` is no type; the types are {}", known.join(", ")),
                );
            }
            kind
        });
        let required = match object.part("required").map(|part| part.json) {
            None => false,
            Some(Json::Bool(required)) => *required,
            Some(_) => {
                faults.add(object.at("required"), "true or false is expected");
                false
            }
        };
        let Some(path) = object.text("path", 200, faults) else { return };
        let at = object.at("path");
        if path.split('.').count() > 8 || !path.split('.').all(is_name) {
            faults.add(at, format!("`{path}` is not a path of at most 8 names with dots between them"));
        } else if self.numbers.contains_key(path) {
            faults.add(at, format!("`{path}` is declared already"));
        } else if let Some(kind) = kind {
            self.declare(path, kind, required);
        }
    }

    fn declare(&mut self, path: &str, kind: Kind, required: bool) {
        let number = self.list.len();
        let mut tree = &mut self.tree;
        for name in path.split('.') {
            tree = tree.below.entry(name.to_owned()).or_default();
        }
        tree.field = Some(number);
        self.numbers.insert(path.to_owned(), number);
        self.list.push(Field { path: path.to_owned(), kind, required });
    }

    pub(crate) fn number(&self, path: &str) -> Option<usize> {
        self.numbers.get(path).copied()
    }

    /// Whether this is the first word of a declared field.
    pub(crate) fn is_root(&self, name: &str) -> bool {
        self.tree.below.contains_key(name)
    }

    /// Whether expressions may read undeclared members of this field.
    pub(crate) fn check_members(&self, number: usize) -> Result<(), String> {
        match self.list[number].kind {
            Kind::Object | Kind::Any => Ok(()),
            _ => Err(format!("`{}` is declared with a type that has no members", self.list[number].path)),
        }
    }

    /// The value of each field in a request.
    pub(crate) fn values<'a>(&self, request: &'a Json) -> Result<Vec<Value<'a>>, RuleError> {
        let mut values = vec![Value::Null; self.list.len()];
        if !request.is_object() {
            return Err(RuleError::new("the request", "", "a request is an object".to_owned()));
        }
        self.tree.fill(request, &mut values);
        for (field, value) in self.list.iter().zip(&values) {
            if !field.accepts(value) {
                let message = match value {
                    Value::Null => "the field is required and missing".to_owned(),
                    other => format!("the field has the wrong type: {}", other.kind()),
                };
                return Err(RuleError::new(format!("field `{}`", field.path), "", message));
            }
        }
        Ok(values)
    }
}

impl Field {
    fn accepts(&self, value: &Value<'_>) -> bool {
        match (value, self.kind) {
            (Value::Null, _) => !self.required,
            (_, Kind::Any)
            | (Value::Number(_), Kind::Number)
            | (Value::Text(_), Kind::Text)
            | (Value::Bool(_), Kind::Bool)
            | (Value::Json(Json::Array(_)), Kind::List)
            | (Value::Json(Json::Object(_)), Kind::Object) => true,
            _ => false,
        }
    }
}

impl Tree {
    fn fill<'a>(&self, json: &'a Json, values: &mut [Value<'a>]) {
        if let Some(number) = self.field {
            values[number] = Value::of(json);
        }
        if let (Json::Object(members), false) = (json, self.below.is_empty()) {
            for (name, tree) in &self.below {
                if let Some(json) = members.get(name) {
                    tree.fill(json, values);
                }
            }
        }
    }
}
