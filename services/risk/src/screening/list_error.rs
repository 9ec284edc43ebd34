//! Why a file is no list, or a record no entry.

use std::io;

/// A list holds at most so many entries.
pub const ENTRIES_MAX: usize = 10_000_000;
/// A record of a file has at most so many bytes.
pub const RECORD_BYTES_MAX: usize = 1 << 20;
/// A file with more bad records is refused.
pub const FAULTS_MAX: usize = 1000;

/// A record that did not become an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line that the record begins in, from 1.
    pub line: usize,
    /// The rule that it breaks.
    pub reason: String,
}

/// A file that is no list.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// Reading failed.
    #[error("the list could not be read")]
    Io(#[from] io::Error),
    /// The header lacks a column.
    #[error("the header of the list names no column `{0}`")]
    Column(&'static str),
    /// Something else than objects.
    #[error("line {line} of the list: {found:?} stands where an object should begin")]
    NoObject {
        /// The line, from 1.
        line: usize,
        /// The letter that stands there.
        found: char,
    },
    /// The file ends inside a record.
    #[error("the list ends inside the record that begins in line {0}")]
    CutOff(usize),
    /// Too many bad records.
    #[error("more than {FAULTS_MAX} records of the list are bad; the first, in line {}: {}", .0.line, .0.reason)]
    TooManyFaults(Fault),
    /// Too many entries.
    #[error("the list has more than {ENTRIES_MAX} entries")]
    TooManyEntries,
}
