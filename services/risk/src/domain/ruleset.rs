//! The versions of a tenant's rules, as rows and as callers see them.

use pando_service::FieldError;
use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::rules::{Ruleset, State, Version};

const NOTE_CHARS_MAX: usize = 1_000;

/// A version of the rules of a tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RulesetVersion {
    /// Its number. The shipped rules have 0.
    pub number: u64,
    /// The name that the document has.
    pub name: String,
    /// The hash of the document.
    pub hash: String,
    /// Where it is in its life.
    #[schema(value_type = String)]
    pub state: State,
    /// A word of its author.
    pub note: String,
    /// The version whose document this one has, if it came by a roll-back.
    pub restores: Option<u64>,
    /// The version that decided before the roll-back.
    pub rolled_back_from: Option<u64>,
    /// Counts the changes.
    pub version: i64,
    /// The caller who made it.
    pub created_by: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// The caller who made it decide.
    pub published_by: Option<String>,
    /// Since when it decides, or has decided.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub published_at: Option<Timestamp>,
}

/// A version as its row has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct VersionRecord {
    pub(crate) id: Uuid,
    pub(crate) shown: RulesetVersion,
}

/// A document and a note, as a caller gives them.
pub(crate) struct GivenRuleset {
    pub(crate) ruleset: Ruleset,
    pub(crate) document: String,
    pub(crate) note: String,
}

impl VersionRecord {
    /// The version as its life sees it.
    pub(crate) fn life(&self) -> Version {
        Version {
            number: self.shown.number,
            hash: self.shown.hash.clone(),
            state: self.shown.state,
            restores: self.shown.restores,
            rolled_back_from: self.shown.rolled_back_from,
        }
    }

    /// The entry of the audit log about something that was done to it.
    pub(crate) fn act(&self, event: &'static str, details: Value) -> Change {
        let mut data = serde_json::json!({"number": self.shown.number, "hash": self.shown.hash});
        if let (Value::Object(data), Value::Object(details)) = (&mut data, details) {
            data.extend(details);
        }
        Change { event, id: self.id, version: self.shown.version, data }
    }

    /// The same after a step of its life.
    pub(crate) fn stepped(&self, life: Version, now: Timestamp) -> Self {
        let shown = RulesetVersion {
            state: life.state,
            hash: life.hash,
            version: self.shown.version + 1,
            updated_at: now,
            ..self.shown.clone()
        };
        Self { id: self.id, shown }
    }
}

impl GivenRuleset {
    /// Reads the fields of a request; every fault of the document is named with its place.
    pub(crate) fn read(fields: &Map<String, Value>) -> Result<Self, Fault> {
        let mut reader = FieldReader::new(fields);
        let note = reader.text("note", NOTE_CHARS_MAX);
        if !fields.get("document").is_some_and(Value::is_object) {
            reader.refuse(
                "document",
                "INVALID_RULES",
                "must be a ruleset: an object with levels, policies, nodes and edges",
            );
        }
        reader.finish()?;
        let document = fields.get("document").map(Value::to_string).unwrap_or_default();
        let ruleset = Ruleset::parse(&document).map_err(|faults| {
            let error = |fault: crate::rules::RuleFault| {
                FieldError::new(format!("document{}", fault.pointer), "INVALID_RULES", fault.message)
            };
            Fault::invalid(faults.into_iter().map(error).collect())
        })?;
        Ok(Self { ruleset, document, note })
    }
}

/// The version that a caller named does not exist.
pub(crate) fn no_ruleset() -> Fault {
    Fault::not_found("version of the rules")
}
