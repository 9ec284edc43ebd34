//! Profiles as lines of a file: NDJSON or CSV, read from and written to streams in pieces of any size.

use bytes::Bytes;
use serde_json::Value;

use crate::files::FileKind;
use crate::profile::Profile;
use crate::violations::Violations;
use crate::write_batch::Item;
use pando_http::{Problem, parse_json};

/// The columns of a CSV export, which an import reads by their names.
const CSV_COLUMNS: [&str; 9] =
    ["id", "name", "email", "bio", "image_urls", "attributes", "version", "created_at", "updated_at"];

/// What some programs put before the first line of a file.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordFormat {
    /// One JSON object a line.
    Ndjson,
    /// Comma-separated values with a header; `image_urls` and `attributes` are JSON in their cells.
    Csv,
}

impl RecordFormat {
    /// The media type of a file of such records.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv",
        }
    }

    /// The format of this name, as parameters and payloads have it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Ndjson, Self::Csv].into_iter().find(|format| format.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
        }
    }

    /// What a file of such records is called, where it is kept.
    pub(crate) fn file_kind(self) -> FileKind {
        let ending = match self {
            Self::Ndjson => "jsonl",
            Self::Csv => "csv",
        };
        FileKind { ending, media_type: self.media_type() }
    }

    /// What stands before the first record.
    pub(crate) fn header(self) -> Bytes {
        match self {
            Self::Ndjson => Bytes::new(),
            Self::Csv => Bytes::from(format!("{}\r\n", CSV_COLUMNS.join(","))),
        }
    }

    /// Appends one profile.
    pub(crate) fn write(self, profile: &Profile, out: &mut Vec<u8>) {
        match self {
            Self::Ndjson => {
                serde_json::to_writer(&mut *out, profile).expect("a profile is written into memory");
                out.push(b'\n');
            }
            Self::Csv => {
                let cells: [String; 9] = [
                    profile.id.to_string(),
                    profile.name.as_str().to_owned(),
                    profile.email.as_str().to_owned(),
                    profile.bio.clone(),
                    Value::from(profile.image_urls.clone()).to_string(),
                    Value::Object(profile.attributes.clone()).to_string(),
                    profile.version.to_string(),
                    profile.created_at.to_string(),
                    profile.updated_at.to_string(),
                ];
                let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
                writer.write_record(&cells).expect("a record is written into memory");
            }
        }
    }
}

/// Cuts a stream into records and reads each.
#[derive(Debug)]
pub(crate) struct RecordReader {
    format: RecordFormat,
    record_bytes_max: usize,
    pending: Vec<u8>,
    /// Where the search for the end of the pending record goes on.
    searched: usize,
    cut: Cut,
    /// The beginning of the pending record was thrown away: it is too long.
    overlong: bool,
    begun: bool,
    header: Option<Vec<String>>,
}

/// Where in a CSV record the search is: a line end inside of quotes ends nothing, and a quote opens only a cell that
/// begins with it. NDJSON is plain all through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    CellStart,
    Plain,
    Quoted,
    QuoteInQuoted,
}

impl RecordReader {
    pub(crate) fn new(format: RecordFormat, record_bytes_max: usize) -> Self {
        Self {
            format,
            record_bytes_max,
            pending: Vec::new(),
            searched: 0,
            cut: Cut::CellStart,
            overlong: false,
            begun: false,
            header: None,
        }
    }

    /// Takes a piece of the stream (`None`: it ended) and answers with the records that are complete now.
    pub(crate) fn push(&mut self, chunk: Option<Bytes>) -> Result<Vec<Item>, Problem> {
        let ended = chunk.is_none();
        self.pending.extend_from_slice(&chunk.unwrap_or_default());
        let mut items = Vec::new();
        let mut start = 0;
        while let Some(end) = self.record_end() {
            let record = self.pending[start..end].to_vec();
            items.extend(self.read(&record)?);
            start = end;
        }
        if ended && self.cut == Cut::Quoted {
            return Err(Problem::malformed("the file ends inside a quoted cell"));
        }
        if ended && (start < self.pending.len() || self.overlong) {
            let record = self.pending[start..].to_vec();
            items.extend(self.read(&record)?);
            start = self.pending.len();
        }
        self.pending.drain(..start);
        self.searched -= start.min(self.searched);
        if self.pending.len() > self.record_bytes_max {
            if self.cut == Cut::Quoted {
                let max = self.record_bytes_max;
                return Err(Problem::malformed(format!(
                    "a quoted cell is longer than {max} bytes: is a quote left open?"
                )));
            }
            self.overlong = true;
            self.pending.clear();
            self.searched = 0;
        }
        Ok(items)
    }

    /// The end of the next complete record, counted from the start of what is pending.
    fn record_end(&mut self) -> Option<usize> {
        while let Some(&byte) = self.pending.get(self.searched) {
            self.searched += 1;
            if byte == b'\n' && self.cut != Cut::Quoted {
                self.cut = Cut::CellStart;
                return Some(self.searched);
            }
            if self.format == RecordFormat::Csv {
                self.cut = self.cut.after(byte);
            }
        }
        None
    }

    /// Reads one record; blank lines and the CSV header are none.
    fn read(&mut self, record: &[u8]) -> Result<Option<Item>, Problem> {
        if std::mem::take(&mut self.overlong) || record.len() > self.record_bytes_max {
            let message = format!("is longer than {} bytes", self.record_bytes_max);
            return Ok(Some(Err(Violations::one("record", "too_long", message))));
        }
        let record = if self.begun { record } else { record.strip_prefix(BYTE_ORDER_MARK).unwrap_or(record) };
        self.begun = true;
        if record.trim_ascii().is_empty() {
            return Ok(None);
        }
        match self.format {
            RecordFormat::Ndjson => Ok(Some(read_json(record.trim_ascii()))),
            RecordFormat::Csv => self.read_csv(record),
        }
    }

    fn read_csv(&mut self, record: &[u8]) -> Result<Option<Item>, Problem> {
        let mut rows = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(record);
        let mut rows = rows.records();
        let Some(row) = rows.next() else { return Ok(None) };
        let stray = rows.next().is_some();
        let Some(header) = &self.header else {
            let row =
                row.map_err(|error| Problem::malformed(format!("the CSV header cannot be read: {error}")))?;
            if stray {
                return Err(Problem::malformed("the lines of a CSV file must end with a line feed"));
            }
            self.header = Some(read_header(&row)?);
            return Ok(None);
        };
        if stray {
            let message = "holds a carriage return outside of quotes";
            return Ok(Some(Err(Violations::one("record", "malformed", message))));
        }
        Ok(Some(row.map_err(|error| Violations::one("record", "malformed", error.to_string())).and_then(
            |row| {
                if row.len() != header.len() {
                    let message = format!("has {} cells where the header has {}", row.len(), header.len());
                    return Err(Violations::one("record", "malformed", message));
                }
                header
                    .iter()
                    .zip(row.iter())
                    .filter_map(|(name, cell)| read_cell(name, cell).transpose())
                    .collect()
            },
        )))
    }
}

impl Cut {
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::CellStart, b'"') | (Self::QuoteInQuoted, b'"') => Self::Quoted,
            (Self::Quoted, b'"') => Self::QuoteInQuoted,
            (Self::Quoted, _) => Self::Quoted,
            (_, b',') => Self::CellStart,
            _ => Self::Plain,
        }
    }
}

/// The names of the columns, each once, e-mail or id among them.
fn read_header(row: &csv::StringRecord) -> Result<Vec<String>, Problem> {
    let names: Vec<String> = row.iter().map(|name| name.trim().to_owned()).collect();
    if !names.iter().any(|name| name == "email" || name == "id") {
        let detail = "the first line of a CSV file must name its columns, email among them";
        return Err(Problem::malformed(detail));
    }
    match names.iter().enumerate().find(|(index, name)| names[..*index].contains(name)) {
        Some((_, name)) => Err(Problem::malformed(format!("the CSV header names the column {name:?} twice"))),
        None => Ok(names),
    }
}

fn read_json(record: &[u8]) -> Item {
    match parse_json(record) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(Violations::one("record", "type", "must be a JSON object")),
        Err(problem) => Err(Violations::one("record", "malformed", problem.to_string())),
    }
}

/// One cell as a field. An empty cell is an empty text; where a text makes no sense, it is nothing.
fn read_cell(name: &str, cell: &str) -> Result<Option<(String, Value)>, Violations> {
    let value = match name {
        "id" if cell.is_empty() => return Ok(None),
        "image_urls" | "attributes" if cell.trim().is_empty() => Value::Null,
        "image_urls" | "attributes" => parse_json(cell.as_bytes())
            .map_err(|problem| Violations::one(name, "malformed", format!("must be JSON: {problem}")))?,
        _ if cell.contains('\0') => return Err(Violations::one(name, "value", "contains a NUL character")),
        _ => Value::from(cell),
    };
    Ok(Some((name.to_owned(), value)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Feeds a text in pieces of every size: the cut must never matter.
    fn read_in_pieces(format: RecordFormat, text: &str) -> Vec<Item> {
        let whole = read_with(format, text, text.len().max(1));
        for size in 1..text.len() {
            assert_eq!(read_with(format, text, size), whole, "pieces of {size} bytes");
        }
        whole
    }

    fn read_with(format: RecordFormat, text: &str, size: usize) -> Vec<Item> {
        let mut reader = RecordReader::new(format, 1024);
        let mut items = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            items.extend(reader.push(Some(Bytes::copy_from_slice(piece))).unwrap());
        }
        items.extend(reader.push(None).unwrap());
        items
    }

    #[test]
    fn ndjson_is_cut_at_lines() {
        let items =
            read_in_pieces(RecordFormat::Ndjson, "{\"name\":\"李雷\"}\r\n\n[1]\n{\"name\": \"no end\"}");
        assert_eq!(items[0].as_ref().unwrap()["name"], "李雷");
        assert!(items[1].is_err());
        assert_eq!(items[2].as_ref().unwrap()["name"], "no end");
        assert_eq!(items.len(), 3);
    }

    #[test]
    fn csv_cells_may_hold_quotes_commas_and_lines() {
        let text = "\u{feff}name,email,attributes,bio\r\n\"O\"\"Brien, Pat\",p@e.org,\"{\"\"a\"\":[1,2]}\",\"two\nlines\"\nx,y\n";
        let items = read_in_pieces(RecordFormat::Csv, text);
        let first = Value::Object(items[0].clone().unwrap());
        let expected = json!({"name": "O\"Brien, Pat", "email": "p@e.org", "attributes": {"a": [1, 2]}, "bio": "two\nlines"});
        assert_eq!(first, expected);
        assert!(items[1].is_err(), "a row with too few cells is one bad record");
    }

    #[test]
    fn a_quote_inside_a_plain_cell_opens_nothing() {
        let text = "name,email\nAnn 6\" tall,a@e.org\nBo,b@e.org \n\"C\"\"\",c@e.org\n";
        let items = read_in_pieces(RecordFormat::Csv, text);
        let names: Vec<&Value> = items.iter().map(|item| &item.as_ref().unwrap()["name"]).collect();
        assert_eq!(names, ["Ann 6\" tall", "Bo", "C\""]);
        assert_eq!(items[1].as_ref().unwrap()["email"], "b@e.org ", "blanks belong to the cell");
    }

    #[test]
    fn a_quote_left_open_is_refused_and_loses_no_row_silently() {
        let mut reader = RecordReader::new(RecordFormat::Csv, 64);
        reader.push(Some(Bytes::from_static(b"email\n\"open"))).unwrap();
        let refused = reader.push(Some(Bytes::from(vec![b'x'; 100]))).unwrap_err();
        assert!(refused.to_string().contains("quote left open"), "{refused}");
        let mut reader = RecordReader::new(RecordFormat::Csv, 64);
        reader.push(Some(Bytes::from_static(b"email\n\"open\nb@e.org\n"))).unwrap();
        assert!(reader.push(None).is_err());
    }

    #[test]
    fn a_record_too_long_is_one_bad_record_wherever_the_stream_is_cut() {
        let text =
            format!("{{\"a\":1}}\n{{\"b\":\"{}\"}}\n{{\"c\":3}}\n{}", "x".repeat(1500), "y".repeat(1500));
        let items = read_in_pieces(RecordFormat::Ndjson, &text);
        assert_eq!(items.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true, false]);
    }

    #[test]
    fn lines_that_end_in_other_ways_are_told_apart() {
        let mut reader = RecordReader::new(RecordFormat::Csv, 64);
        assert!(reader.push(Some(Bytes::from_static(b"name,email\rA,a@e.org\r"))).unwrap().is_empty());
        assert!(reader.push(None).is_err(), "a file without line feeds is no file of one header");
        let items = read_in_pieces(RecordFormat::Csv, "email\r\na@e.org\rb@e.org\n");
        assert!(items[0].is_err());
        let mut reader = RecordReader::new(RecordFormat::Csv, 64);
        assert!(reader.push(Some(Bytes::from_static(b"email,name,email\n"))).is_err());
    }

    #[test]
    fn a_csv_file_must_name_its_columns() {
        let mut reader = RecordReader::new(RecordFormat::Csv, 64);
        assert!(reader.push(Some(Bytes::from_static(b"Ada,ada@example.org\n"))).is_err());
    }
}
