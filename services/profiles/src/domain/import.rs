//! An import and its progress.

use pando_clock::Timestamp;
use pando_service::{Fault, Violations};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::item::{Item, ItemOutcome, ItemStatus};
use super::profile::unknown_fields;
use super::records::{Record, RecordFormat, RecordReader};

/// How many bad records an import lists; further ones are only counted.
const PROBLEMS_MAX: usize = 100;

/// How many unknown fields an import lists, and how many bytes their names may have.
const IGNORED_MAX: (usize, usize) = (20, 64);

/// The parameters of an upload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImportRequest {
    /// The name of the import: an upload with the same token continues where the import stopped.
    pub token: String,
    /// The format of the records.
    pub format: RecordFormat,
    /// Only report what would happen.
    #[serde(default)]
    pub dry_run: bool,
}

/// The progress of an import.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Import {
    /// The name of the import: send it again to continue where the import stopped.
    pub token: String,
    /// Whether all records were read.
    pub state: ImportState,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// Records with an outcome.
    pub records_done: i64,
    /// Records that created a profile.
    pub created: i64,
    /// Records that changed a profile.
    pub updated: i64,
    /// Records whose e-mail address or id was taken.
    pub conflicts: i64,
    /// Records that were not valid.
    pub invalid: i64,
    /// The first bad records, and what is wrong with them.
    pub problems: Vec<ImportProblem>,
    /// Fields, or columns, that no profile has: they were ignored.
    pub ignored: Vec<String>,
    /// The hash of the file up to the end of the last record that is done.
    #[serde(skip)]
    pub(crate) content_hash: Option<String>,
    /// When the first upload began.
    #[schema(value_type = String, format = "date-time")]
    pub started_at: Timestamp,
    /// When the last batch was written.
    #[schema(value_type = String, format = "date-time")]
    pub updated_at: Timestamp,
}

/// A record that was not written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ImportProblem {
    /// The number of the record, beginning with 1; the header of a CSV file does not count.
    pub record: i64,
    /// The line of the file in which the record begins; absent if the line is no longer known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<i64>,
    /// What is wrong with the record.
    pub message: String,
}

/// The state of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImportState {
    /// An upload is being imported, or broke off and can be repeated.
    Running,
    /// Every record has an outcome.
    Completed,
}

/// Records that are written together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) items: Vec<Item>,
    /// The line each begins in.
    lines: Vec<i64>,
    /// The hash of the file up to the end of the last one.
    pub(crate) content_hash: String,
}

impl Batch {
    pub(crate) fn push(&mut self, record: Record) {
        self.items.push(record.item);
        self.lines.push(record.line);
    }
}

/// Where an import can be followed.
pub(crate) fn place_of_import(token: &str) -> String {
    format!("/api/v1/profiles:import?token={token}")
}

pub(crate) fn another_file() -> Fault {
    Violations::one("token", "reused", "was used for another file: choose another token").into()
}

impl Import {
    pub(crate) fn begun(request: &ImportRequest, now: Timestamp) -> Self {
        Self {
            token: request.token.clone(),
            state: ImportState::Running,
            dry_run: request.dry_run,
            records_done: 0,
            created: 0,
            updated: 0,
            conflicts: 0,
            invalid: 0,
            problems: Vec::new(),
            ignored: Vec::new(),
            content_hash: None,
            started_at: now,
            updated_at: now,
        }
    }

    /// This import with the outcomes of one batch more.
    pub(crate) fn advanced(&self, batch: &Batch, outcomes: &[ItemOutcome], now: Timestamp) -> Self {
        let content_hash = Some(batch.content_hash.clone());
        let mut next = Self { updated_at: now, content_hash, ..self.clone() };
        for ((item, line), outcome) in batch.items.iter().zip(&batch.lines).zip(outcomes) {
            next.count(outcome, *line);
            item.iter().flat_map(unknown_fields).for_each(|name| next.ignore(name));
        }
        next
    }

    fn count(&mut self, outcome: &ItemOutcome, line: i64) {
        self.records_done += 1;
        let counter = match outcome.status {
            ItemStatus::Created => &mut self.created,
            ItemStatus::Updated => &mut self.updated,
            ItemStatus::Conflict => &mut self.conflicts,
            ItemStatus::Invalid => &mut self.invalid,
        };
        *counter += 1;
        if !outcome.errors.is_empty() && self.problems.len() < PROBLEMS_MAX {
            let words = outcome.errors.iter().map(|error| format!("{} {}", error.field, error.message));
            let message = words.collect::<Vec<_>>().join("; ");
            self.problems.push(ImportProblem { record: self.records_done, line: Some(line), message });
        }
    }

    fn ignore(&mut self, name: &str) {
        let (names_max, bytes_max) = IGNORED_MAX;
        if self.ignored.len() < names_max
            && name.len() <= bytes_max
            && !self.ignored.iter().any(|it| it == name)
        {
            self.ignored.push(name.to_owned());
        }
    }

    /// Refuses a file whose beginning differs from the records that were already imported under this token.
    pub(crate) fn check_same_file(&self, reader: &RecordReader) -> Result<(), Fault> {
        match &self.content_hash {
            Some(hash) if *hash != reader.hash() => Err(another_file()),
            _ => Ok(()),
        }
    }

    /// For an upload that broke off or cannot be read further: reports how much is written and how to continue.
    pub(crate) fn broken_off(&self, fault: Fault) -> Fault {
        if self.dry_run || !fault.is_of_input() {
            return fault;
        }
        let (token, done) = (&self.token, self.records_done);
        let message = format!("{token}: {done} records are done; send the file again to continue");
        fault.with_field("token", "broken_off", message).with_place(place_of_import(token))
    }

    pub(crate) fn problems_json(&self) -> serde_json::Value {
        serde_json::json!(self.problems)
    }
}

impl ImportState {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
        }
    }
}
