//! Profiles as lines of a file: NDJSON or CSV, read from and written to streams in pieces of any size.

use std::borrow::Cow;

use bytes::Bytes;
use pando_service::{Class, Fault, Violations};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::csv::{self, Cell};
use crate::domain::item::Item;
use crate::domain::profile::{FIELDS, JSON_FIELDS, Profile};
use pando_http::parse_json;

/// The mark that some programs put before the first line of a file.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// How records are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordFormat {
    /// One JSON object a line.
    #[default]
    Ndjson,
    /// Comma-separated values with a header; `image_urls` and `attributes` are JSON in their cells.
    Csv,
}

/// The ending and the media type of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileKind {
    pub(crate) ending: &'static str,
    pub(crate) media_type: &'static str,
}

impl RecordFormat {
    /// The media type of a file of such records.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }

    /// The ending of a stored file with such records.
    pub(crate) fn file_kind(self) -> FileKind {
        let ending = match self {
            Self::Ndjson => "jsonl",
            Self::Csv => "csv",
        };
        FileKind { ending, media_type: self.media_type() }
    }

    /// The text before the first record.
    pub(crate) fn header(self) -> Bytes {
        match self {
            Self::Ndjson => Bytes::new(),
            Self::Csv => Bytes::from(format!("{}\r\n", FIELDS.join(","))),
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
                let document = profile.document();
                csv::write(&FIELDS.map(|name| cell(document.get(name))), out);
            }
        }
    }
}

/// One record of a file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    /// The line it begins in, the first being 1.
    pub(crate) line: i64,
    pub(crate) item: Item,
}

/// Cuts a stream into records and reads each.
#[derive(Debug)]
pub(crate) struct RecordReader {
    format: RecordFormat,
    record_bytes_max: usize,
    pending: Vec<u8>,
    /// Where the next record begins in what is pending, and where the search for its end goes on.
    start: usize,
    searched: usize,
    ended: bool,
    cell: Cell,
    /// The beginning of the pending record was thrown away: it is too long.
    overlong: bool,
    line: i64,
    header: Option<Vec<String>>,
    /// The hash of everything before the next record.
    hasher: blake3::Hasher,
}

impl RecordReader {
    pub(crate) fn new(format: RecordFormat, record_bytes_max: usize) -> Self {
        Self {
            format,
            record_bytes_max,
            pending: Vec::new(),
            start: 0,
            searched: 0,
            ended: false,
            cell: Cell::Start,
            overlong: false,
            line: 1,
            header: None,
            hasher: blake3::Hasher::new(),
        }
    }

    /// Takes a piece of the stream; `None` where it ended.
    pub(crate) fn feed(&mut self, piece: Option<Bytes>) {
        self.pending.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        match piece {
            Some(piece) => self.pending.extend_from_slice(&piece),
            None => self.ended = true,
        }
    }

    /// The next record that is complete; none where more has to be fed first, or where all was read.
    pub(crate) fn next(&mut self) -> Result<Option<Record>, Fault> {
        loop {
            let Some(end) = self.record_end()? else { return Ok(None) };
            let record = self.start..end;
            let line = self.line;
            self.start = end;
            let record = &self.pending[record];
            self.hasher.update(record);
            self.line += i64::try_from(record.iter().filter(|byte| **byte == b'\n').count()).unwrap_or(0);
            let overlong = std::mem::take(&mut self.overlong) || record.len() > self.record_bytes_max;
            let item = if overlong {
                let message = format!("is longer than {} bytes", self.record_bytes_max);
                Some(Err(Violations::one("record", "too_long", message)))
            } else {
                read(self.format, &mut self.header, record, line == 1)?
            };
            if let Some(item) = item {
                return Ok(Some(Record { line, item }));
            }
        }
    }

    /// The hash of everything that was read, up to the end of the last record.
    pub(crate) fn hash(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }

    /// The end of the next complete record.
    fn record_end(&mut self) -> Result<Option<usize>, Fault> {
        while let Some(&byte) = self.pending.get(self.searched) {
            self.searched += 1;
            if byte == b'\n' && self.cell != Cell::Quoted {
                self.cell = Cell::Start;
                return Ok(Some(self.searched));
            }
            if self.format == RecordFormat::Csv {
                self.cell = self.cell.after(byte);
            }
        }
        if self.ended {
            if self.cell == Cell::Quoted {
                return Err(unreadable("the file ends inside a quoted cell"));
            }
            let left = self.start < self.pending.len() || self.overlong;
            return Ok(left.then_some(self.pending.len()));
        }
        if self.pending.len() - self.start > self.record_bytes_max {
            if self.cell == Cell::Quoted {
                let max = self.record_bytes_max;
                let detail = format!("a quoted cell is longer than {max} bytes: is a quote left open?");
                return Err(unreadable(detail));
            }
            self.overlong = true;
            self.hasher.update(&self.pending[self.start..]);
            self.start = self.pending.len();
        }
        Ok(None)
    }
}

/// The file cannot be read further.
fn unreadable(detail: impl Into<Cow<'static, str>>) -> Fault {
    Fault::new(Class::Malformed, detail)
}

/// Reads one record; blank lines and the CSV header are none.
fn read(
    format: RecordFormat,
    header: &mut Option<Vec<String>>,
    record: &[u8],
    first: bool,
) -> Result<Option<Item>, Fault> {
    let record = if first { record.strip_prefix(BYTE_ORDER_MARK).unwrap_or(record) } else { record };
    if record.trim_ascii().is_empty() {
        return Ok(None);
    }
    if format == RecordFormat::Ndjson {
        return Ok(Some(read_json(record.trim_ascii())));
    }
    let cells = csv::read(record);
    let Some(names) = header else {
        let cells = cells.map_err(|why| unreadable(format!("the CSV header {why}")))?;
        *header = Some(read_header(&cells)?);
        return Ok(None);
    };
    let cells = match cells {
        Ok(cells) => cells,
        Err(why) => return Ok(Some(Err(Violations::one("record", "malformed", why)))),
    };
    if cells.len() != names.len() {
        let message = format!("has {} cells where the header has {}", cells.len(), names.len());
        return Ok(Some(Err(Violations::one("record", "malformed", message))));
    }
    let named = names.iter().zip(cells);
    Ok(Some(named.filter_map(|(name, cell)| read_cell(name, cell).transpose()).collect()))
}

/// The names of the columns, each once, e-mail or id among them.
fn read_header(cells: &[String]) -> Result<Vec<String>, Fault> {
    let names: Vec<String> = cells.iter().map(|name| name.trim().to_owned()).collect();
    if !names.iter().any(|name| name == "email" || name == "id") {
        let detail = "the first line of a CSV file must name its columns, email among them";
        return Err(unreadable(detail));
    }
    match names.iter().enumerate().find(|(index, name)| names[..*index].contains(name)) {
        Some((_, name)) => Err(unreadable(format!("the CSV header names the column {name:?} twice"))),
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

/// A field as a cell: a text as it is, anything else as JSON.
fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// One cell as a field. An empty cell is an empty text; where a text makes no sense, it is nothing.
fn read_cell(name: &str, cell: String) -> Result<Option<(String, Value)>, Violations> {
    let value = match name {
        "id" if cell.is_empty() => return Ok(None),
        _ if JSON_FIELDS.contains(&name) && cell.trim().is_empty() => Value::Null,
        _ if JSON_FIELDS.contains(&name) => parse_json(cell.as_bytes())
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
        let mut lines = Vec::new();
        for piece in text.as_bytes().chunks(size).map(Some).chain([None]) {
            for record in push(&mut reader, piece).unwrap() {
                lines.push(record.line);
                items.push(record.item);
            }
        }
        assert!(lines.is_sorted(), "{lines:?}");
        assert_eq!(reader.hash(), blake3::hash(text.as_bytes()).to_hex().to_string());
        items
    }

    /// The records that are complete after another piece.
    fn push(reader: &mut RecordReader, piece: Option<&[u8]>) -> Result<Vec<Record>, Fault> {
        reader.feed(piece.map(Bytes::copy_from_slice));
        std::iter::from_fn(|| reader.next().transpose()).collect()
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
        push(&mut reader, Some(b"email\n\"open")).unwrap();
        let refused = push(&mut reader, Some(&[b'x'; 100])).unwrap_err();
        assert!(refused.to_string().contains("quote left open"), "{refused}");
        let mut reader = RecordReader::new(RecordFormat::Csv, 64);
        push(&mut reader, Some(b"email\n\"open\nb@e.org\n")).unwrap();
        assert!(push(&mut reader, None).is_err());
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
        assert!(push(&mut reader, Some(b"name,email\rA,a@e.org\r")).unwrap().is_empty());
        assert!(push(&mut reader, None).is_err(), "a file without line feeds is no file of one header");
        let items = read_in_pieces(RecordFormat::Csv, "email\r\na@e.org\rb@e.org\n");
        assert!(items[0].is_err());
        let mut reader = RecordReader::new(RecordFormat::Csv, 64);
        assert!(push(&mut reader, Some(b"email,name,email\n")).is_err());
    }

    #[test]
    fn a_record_knows_the_line_it_begins_in() {
        let mut reader = RecordReader::new(RecordFormat::Csv, 1024);
        let text = b"name,email\n\n\"two\nlines\",a@e.org\nB,b@e.org\n";
        let records = push(&mut reader, Some(text)).unwrap();
        assert_eq!(records.iter().map(|record| record.line).collect::<Vec<_>>(), [3, 5]);
    }

    #[test]
    fn a_csv_file_must_name_its_columns() {
        let mut reader = RecordReader::new(RecordFormat::Csv, 64);
        assert!(push(&mut reader, Some(b"Ada,ada@example.org\n")).is_err());
    }
}
