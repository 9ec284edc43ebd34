//! Faults of a ruleset and errors of an evaluation, and the reading of JSON that finds all faults at once.

use std::fmt::Display;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// Most faults that are reported for one ruleset.
pub(crate) const FAULTS_MAX: usize = 100;

/// A fault at one place of a ruleset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleFault {
    /// The place, as a JSON pointer; empty for the whole document.
    pub pointer: String,
    /// The fault as a sentence.
    pub message: String,
}

/// The reason why a request has no verdict. A ruleset never answers with a default instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("node `{node}`, {place}: {message}")]
pub struct RuleError {
    /// The id of the node.
    pub node: String,
    /// The place inside the node: a field, a row and its column, a key, a statement.
    pub place: String,
    /// The expression as it is written; empty if the error is about none.
    pub expression: String,
    /// The error as a sentence.
    pub message: String,
}

impl RuleError {
    pub(crate) fn new(place: impl Display, expression: &str, message: String) -> Self {
        Self { node: String::new(), place: place.to_string(), expression: expression.to_owned(), message }
    }
}

/// The faults that were found so far.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<RuleFault>);

impl Faults {
    pub(crate) fn add(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        if self.0.len() < FAULTS_MAX {
            self.0.push(RuleFault { pointer: pointer.into(), message: message.into() });
        }
    }

    /// Keeps the value of a result, or its error as a fault at this place.
    pub(crate) fn keep<T>(&mut self, pointer: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.add(pointer, message)).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn into_list(self) -> Vec<RuleFault> {
        self.0
    }
}

/// A part of the document with its place.
#[derive(Clone, Debug)]
pub(crate) struct Part<'j> {
    pub(crate) json: &'j Json,
    pub(crate) pointer: String,
}

/// An object of the document. Every read of a member reports what is wrong with it.
#[derive(Debug)]
pub(crate) struct Object<'j> {
    members: &'j Map<String, Json>,
    pub(crate) pointer: String,
}

impl<'j> Part<'j> {
    pub(crate) fn root(json: &'j Json) -> Self {
        Self { json, pointer: String::new() }
    }

    /// The part as an object that has no other members than these.
    pub(crate) fn object(&self, known: &[&str], faults: &mut Faults) -> Option<Object<'j>> {
        let object = self.open_object(faults)?;
        for name in object.members.keys().filter(|name| !known.contains(&name.as_str())) {
            faults.add(object.at(name), format!("`{name}` is unknown here; known are {}", known.join(", ")));
        }
        Some(object)
    }

    /// The part as an object with members of any names.
    pub(crate) fn open_object(&self, faults: &mut Faults) -> Option<Object<'j>> {
        let Json::Object(members) = self.json else {
            faults.add(self.pointer.as_str(), "an object is expected");
            return None;
        };
        Some(Object { members, pointer: self.pointer.clone() })
    }

    pub(crate) fn text(&self, chars_max: usize, faults: &mut Faults) -> Option<&'j str> {
        match self.json.as_str() {
            Some(text) if text.chars().nth(chars_max).is_none() => return Some(text),
            Some(_) => faults
                .add(self.pointer.as_str(), format!("a text of at most {chars_max} characters is expected")),
            None => faults.add(self.pointer.as_str(), "a text is expected"),
        }
        None
    }

    pub(crate) fn number(&self, faults: &mut Faults) -> Option<f64> {
        let number = self.json.as_f64();
        if number.is_none() {
            faults.add(self.pointer.as_str(), "a number is expected");
        }
        number
    }

    pub(crate) fn items(&self, items_max: usize, faults: &mut Faults) -> Vec<Part<'j>> {
        let Json::Array(items) = self.json else {
            faults.add(self.pointer.as_str(), "a list is expected");
            return Vec::new();
        };
        if items.len() > items_max {
            faults.add(
                self.pointer.as_str(),
                format!("the list has {} items, at most {items_max}", items.len()),
            );
            return Vec::new();
        }
        let part = |(index, json)| Part { json, pointer: format!("{}/{index}", self.pointer) };
        items.iter().enumerate().map(part).collect()
    }
}

impl<'j> Object<'j> {
    /// The place of a member.
    pub(crate) fn at(&self, name: &str) -> String {
        format!("{}/{}", self.pointer, name.replace('~', "~0").replace('/', "~1"))
    }

    pub(crate) fn part(&self, name: &str) -> Option<Part<'j>> {
        Some(Part { json: self.members.get(name)?, pointer: self.at(name) })
    }

    pub(crate) fn needed(&self, name: &str, faults: &mut Faults) -> Option<Part<'j>> {
        let part = self.part(name);
        if part.is_none() {
            faults.add(self.pointer.as_str(), format!("`{name}` is missing"));
        }
        part
    }

    /// A text that must be there and not be empty.
    pub(crate) fn text(&self, name: &str, chars_max: usize, faults: &mut Faults) -> Option<&'j str> {
        let part = self.needed(name, faults)?;
        let text = part.text(chars_max, faults)?;
        if text.is_empty() {
            faults.add(part.pointer, "the text is empty");
            return None;
        }
        Some(text)
    }

    /// A text that may be absent.
    pub(crate) fn text_or_none(&self, name: &str, chars_max: usize, faults: &mut Faults) -> Option<&'j str> {
        self.part(name)?.text(chars_max, faults)
    }

    pub(crate) fn items(&self, name: &str, items_max: usize, faults: &mut Faults) -> Vec<Part<'j>> {
        self.needed(name, faults).map_or_else(Vec::new, |part| part.items(items_max, faults))
    }

    /// The members with their places.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&'j str, Part<'j>)> + '_ {
        self.members.iter().map(|(name, json)| (name.as_str(), Part { json, pointer: self.at(name) }))
    }
}
