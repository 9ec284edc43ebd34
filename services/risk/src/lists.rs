//! The lists against which names are screened: read when the service opens.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pando_service::prelude::*;

use crate::RiskOptions;
use crate::domain::facts::ListSeen;
use crate::domain::list::FalsePositive;
use crate::screening::{Index, List, ListFormat, Match, Query, QueryError};

/// The made-up list that comes with the program.
const SAMPLE: &str = include_str!("../lists/sample.csv");

/// The lists, each with its index. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lists(Arc<Vec<Searched>>);

/// A list that can be searched.
#[derive(Debug)]
struct Searched {
    seen: ListSeen,
    index: Index,
}

impl Searched {
    fn new(name: String, list: List) -> Self {
        let version = list.version();
        Self { seen: ListSeen { name, version }, index: Index::build(Arc::new(list)) }
    }
}

impl Lists {
    /// Reads the lists of the settings. A file that is no list is an error; records that are none are said in the log.
    pub(crate) fn open(options: &RiskOptions) -> Result<Self, BadSetting> {
        let mut indexes = Vec::new();
        for path in &options.lists {
            let list = read(path).map_err(|reason| BadSetting::new("risk", "lists", reason))?;
            indexes.push(Searched::new(source(path), list));
        }
        if options.sample_list {
            let read = List::read(SAMPLE.as_bytes(), ListFormat::Csv, "sample");
            let (list, _) = read.map_err(|error| BadSetting::new("risk", "sample_list", error))?;
            indexes.push(Searched::new("sample".to_owned(), list));
        }
        Ok(Self(Arc::new(indexes)))
    }

    /// Whether there is any list.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The name and the version of each list.
    pub(crate) fn seen(&self) -> Vec<ListSeen> {
        self.0.iter().map(|list| list.seen.clone()).collect()
    }

    /// Each list with its index.
    pub(crate) fn searched(&self) -> impl Iterator<Item = (&ListSeen, &Index)> {
        self.0.iter().map(|list| (&list.seen, &list.index))
    }

    /// Whether a list has this entry with this version.
    pub(crate) fn has_entry(&self, it: &FalsePositive) -> bool {
        let mut entries = self.0.iter().filter_map(|list| list.index.list().get(&it.entry_id));
        entries.any(|entry| entry.source == it.source && entry.version() == it.entry_version)
    }

    /// The number of names on all lists.
    pub(crate) fn names(&self) -> usize {
        self.0.iter().map(|list| list.index.names()).sum()
    }

    /// The matches of a query on each of the lists, those of one list after those of another.
    pub(crate) fn search(&self, query: &Query<'_>) -> Result<Vec<Match<'_>>, QueryError> {
        let mut found = Vec::new();
        for list in &*self.0 {
            found.extend(list.index.search(query)?);
        }
        Ok(found)
    }
}

fn read(path: &PathBuf) -> Result<List, String> {
    let shown = path.display();
    let file = File::open(path).map_err(|error| format!("{shown}: {error}"))?;
    let is_json = path.extension().is_some_and(|ending| ending == "json" || ending == "ndjson");
    let format = if is_json { ListFormat::Json } else { ListFormat::Csv };
    let (list, faults) = List::read(BufReader::new(file), format, &source(path))
        .map_err(|error| format!("{shown}: {error}"))?;
    for fault in &faults {
        tracing::warn!(list = %shown, line = fault.line, reason = fault.reason, "a record of a list is left out");
    }
    tracing::info!(list = %shown, entries = list.entries().len(), "a list for screening is read");
    Ok(list)
}

/// The name of a list whose records name none.
fn source(path: &Path) -> String {
    path.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}
