//! A list of entries: read from a file, immutable, and compared with the version before it.

use std::io::BufRead;

use super::entry::{Entry, Kind, Record};
use super::list_error::{ENTRIES_MAX, FAULTS_MAX, Fault, ListError};
use super::read_csv::CsvRecords;
use super::read_json::JsonObjects;

/// The ways in which a list is written. `services/risk/docs-screening.md` describes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListFormat {
    /// Comma-separated values with a header, of our columns or of OpenSanctions' `targets.simple.csv`.
    Csv,
    /// An array of objects, or one object after the other.
    Json,
}

/// Entries, sorted by id, each id once.
#[derive(Clone, Debug, Default)]
pub struct List {
    entries: Vec<Entry>,
}

/// How two versions of a list differ.
#[derive(Clone, Debug, Default)]
pub struct ListChanges<'a> {
    /// Entries that only the new list has.
    pub added: Vec<&'a Entry>,
    /// Entries whose content differs, as the new list has them.
    pub changed: Vec<&'a Entry>,
    /// Entries that only the old list has.
    pub removed: Vec<&'a Entry>,
}

impl List {
    /// A list of these entries. Of entries with one id the first is kept.
    #[must_use]
    pub fn new(mut entries: Vec<Entry>) -> Self {
        entries.sort_by(|one, other| one.id.cmp(&other.id));
        entries.dedup_by(|later, first| later.id == first.id);
        Self { entries }
    }

    /// Reads a list record by record. `source` names the list for entries that do not.
    ///
    /// A bad record is left out and its line is named; the caller decides whether the rest may be used.
    ///
    /// # Errors
    /// A file that cannot be read, has no usable header or structure, or too many bad records.
    pub fn read(
        reader: impl BufRead,
        format: ListFormat,
        source: &str,
    ) -> Result<(Self, Vec<Fault>), ListError> {
        let mut reading = Reading { source, entries: Vec::new(), faults: Vec::new() };
        match format {
            ListFormat::Csv => reading.csv(reader)?,
            ListFormat::Json => reading.json(reader)?,
        }
        reading.finish()
    }

    /// All entries, sorted by id.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Entry> {
        let at = self.entries.binary_search_by(|entry| entry.id.as_str().cmp(id)).ok()?;
        Some(&self.entries[at])
    }

    /// A hash of all that the list says, 32 hexadecimal digits: it changes when the version of an entry does.
    #[must_use]
    pub fn version(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for entry in &self.entries {
            hasher.update(entry.version().as_bytes());
        }
        hasher.finalize().to_hex()[..32].to_owned()
    }

    /// The entries in which `new` differs from this list, each sorted by id. `updated_at` alone is no difference.
    #[must_use]
    pub fn changes_to<'a>(&'a self, new: &'a Self) -> ListChanges<'a> {
        let mut changes = ListChanges::default();
        let (mut old, mut left) = (self.entries.iter().peekable(), new.entries.iter().peekable());
        loop {
            match (old.peek(), left.peek()) {
                (None, None) => return changes,
                (Some(one), Some(other)) if one.id == other.id => {
                    // Equal fields spare the hashes of entries that did not change.
                    if one != other && one.version() != other.version() {
                        changes.changed.push(other);
                    }
                    old.next();
                    left.next();
                }
                (Some(one), other) if other.is_none_or(|other| one.id < other.id) => {
                    changes.removed.push(one);
                    old.next();
                }
                _ => changes.added.extend(left.next()),
            }
        }
    }
}

struct Reading<'a> {
    source: &'a str,
    entries: Vec<(Entry, usize)>,
    faults: Vec<Fault>,
}

impl Reading<'_> {
    fn add(&mut self, line: usize, record: Result<Record, String>) -> Result<(), ListError> {
        match record.and_then(|record| record.into_entry(self.source)) {
            Ok(_) if self.entries.len() == ENTRIES_MAX => return Err(ListError::TooManyEntries),
            Ok(entry) => self.entries.push((entry, line)),
            Err(reason) => self.faults.push(Fault { line, reason }),
        }
        if self.faults.len() > FAULTS_MAX {
            Err(ListError::TooManyFaults(self.faults.swap_remove(0)))
        } else {
            Ok(())
        }
    }

    fn csv(&mut self, reader: impl BufRead) -> Result<(), ListError> {
        let mut records = CsvRecords::new(reader);
        let header = match records.next_record()? {
            Some((_, Ok(header))) => header,
            _ => return Err(ListError::Column("id")),
        };
        let columns = Columns::of(&header)?;
        while let Some((line, fields)) = records.next_record()? {
            let record = fields.and_then(|fields| columns.record(fields, header.len()));
            self.add(line, record)?;
        }
        Ok(())
    }

    fn json(&mut self, reader: impl BufRead) -> Result<(), ListError> {
        let mut objects = JsonObjects::new(reader);
        while let Some((line, object)) = objects.next_object()? {
            let record =
                object.and_then(|bytes| serde_json::from_slice(bytes).map_err(|error| error.to_string()));
            self.add(line, record)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(List, Vec<Fault>), ListError> {
        self.entries.sort_by(|(one, line), (other, later)| (&one.id, line).cmp(&(&other.id, later)));
        self.entries.dedup_by(|(later, line), (first, first_line)| {
            let is_second = later.id == first.id;
            if is_second {
                let reason = format!("id: {:?} stands in line {first_line} already", later.id);
                self.faults.push(Fault { line: *line, reason });
            }
            is_second
        });
        self.faults.sort_by_key(|fault| fault.line);
        if self.faults.len() > FAULTS_MAX {
            return Err(ListError::TooManyFaults(self.faults.swap_remove(0)));
        }
        Ok((List { entries: self.entries.into_iter().map(|(entry, _)| entry).collect() }, self.faults))
    }
}

/// The places of the columns in a CSV file: of ours, or under the names that OpenSanctions gives them.
struct Columns {
    id: usize,
    name: usize,
    source: Option<usize>,
    aliases: Option<usize>,
    kind: Option<usize>,
    schema: Option<usize>,
    countries: Option<usize>,
    birth_dates: Option<usize>,
    programs: Option<usize>,
    updated_at: Option<usize>,
    business_id: Option<usize>,
    address: Option<usize>,
    phone: Option<usize>,
    email: Option<usize>,
}

impl Columns {
    fn of(header: &[String]) -> Result<Self, ListError> {
        let place = |names: [&str; 2]| header.iter().position(|column| names.contains(&column.trim()));
        Ok(Self {
            id: place(["id", "id"]).ok_or(ListError::Column("id"))?,
            name: place(["name", "name"]).ok_or(ListError::Column("name"))?,
            source: place(["source", "dataset"]),
            aliases: place(["aliases", "aliases"]),
            kind: place(["kind", "kind"]),
            schema: place(["schema", "schema"]),
            countries: place(["countries", "countries"]),
            birth_dates: place(["birth_dates", "birth_date"]),
            programs: place(["programs", "sanctions"]),
            updated_at: place(["updated_at", "last_change"]),
            business_id: place(["business_id", "business_id"]),
            address: place(["address", "address"]),
            phone: place(["phone", "phone"]),
            email: place(["email", "email"]),
        })
    }

    fn record(&self, mut fields: Vec<String>, of_header: usize) -> Result<Record, String> {
        if fields.len() != of_header {
            return Err(format!("{} fields, but the header has {of_header}", fields.len()));
        }
        let mut take =
            |place: Option<usize>| place.map(|place| std::mem::take(&mut fields[place]).trim().to_owned());
        let values = |text: Option<String>| -> Vec<String> {
            let text = text.unwrap_or_default();
            text.split(';').map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect()
        };
        let kind = match (take(self.kind), take(self.schema)) {
            (Some(kind), _) if !kind.is_empty() => {
                serde_json::from_value(kind.as_str().into()).map_err(|_| {
                    format!("kind: {kind:?} is none of person, organization, vessel, aircraft, other")
                })?
            }
            (_, schema) => Kind::of_schema(&schema.unwrap_or_default()),
        };
        Ok(Record {
            id: take(Some(self.id)).unwrap_or_default(),
            source: take(self.source),
            name: take(Some(self.name)).unwrap_or_default(),
            aliases: values(take(self.aliases)),
            kind,
            countries: values(take(self.countries)),
            birth_dates: values(take(self.birth_dates)),
            programs: values(take(self.programs)),
            updated_at: take(self.updated_at),
            business_id: take(self.business_id).unwrap_or_default(),
            address: take(self.address).unwrap_or_default(),
            phone: take(self.phone).unwrap_or_default(),
            email: take(self.email).unwrap_or_default(),
        })
    }
}
