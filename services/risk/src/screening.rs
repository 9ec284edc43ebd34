//! Screening of names against lists: `List` is read from a file, `Index` finds names in it, `Query` says how.
//!
//! Everything here is computed by the calling thread, without a database or a network. A list and its index never change:
//! the caller exchanges both for those of the next version. `docs-screening.md` beside this crate's README describes
//! formats, formula and measurements.

mod articles;
mod assignment;
mod compare;
mod dictionary;
mod edit;
mod entry;
mod index;
mod list;
mod list_error;
mod name;
mod phonetic;
mod read_csv;
mod read_json;
mod score;
mod script;
mod search;
mod spelling;
mod words;

pub use articles::{Article, ArticleType, Articles, Mention, Severity};
pub use entry::{Contact, DateError, Entry, Kind, PartialDate, TEXT_CHARS_MAX, VALUES_MAX};
pub use index::Index;
pub use list::{List, ListChanges, ListFormat};
pub use list_error::{ENTRIES_MAX, FAULTS_MAX, Fault, ListError, RECORD_BYTES_MAX};
pub use name::{NAME_CHARS_MAX, NAME_WORDS_MAX, Name};
pub use score::{Features, MatchType, WeightError, Weights};
pub use search::{MATCHES_MAX, Match, Query, QueryError};
