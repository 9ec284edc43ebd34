//! Rows, and reading their columns.

use std::fmt;
use std::ops::Range;
use std::str::Utf8Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pando_clock::Timestamp;
use rusqlite::types::ValueRef;
use uuid::Uuid;

use crate::DatabaseError;

/// One row of a result. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Row(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: Source,
    /// Behind the column that was read by name last. Columns are mostly read in their order, so the search for a name begins here.
    next: AtomicUsize,
}

#[derive(Debug)]
enum Source {
    Sqlite(SqliteRow),
    Postgres(tokio_postgres::Row),
}

/// A row of SQLite, copied out of the engine: three allocations, however many columns it has.
#[derive(Debug)]
pub(crate) struct SqliteRow {
    names: ColumnNames,
    cells: Vec<Cell>,
    texts: String,
    bytes: Vec<u8>,
}

/// A column; texts and bytes by where they stand.
#[derive(Clone, Debug)]
enum Cell {
    Null,
    Int(i64),
    Real(f64),
    Text(Range<usize>),
    Bytes(Range<usize>),
}

impl SqliteRow {
    pub(crate) fn of(names: &ColumnNames) -> Self {
        let cells = Vec::with_capacity(names.len());
        // Most rows fit: a growing string would be copied again and again.
        Self { names: Arc::clone(names), cells, texts: String::with_capacity(256), bytes: Vec::new() }
    }

    /// Adds the next column.
    pub(crate) fn push(&mut self, value: ValueRef<'_>) -> Result<(), Utf8Error> {
        self.cells.push(match value {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(number) => Cell::Int(number),
            ValueRef::Real(number) => Cell::Real(number),
            ValueRef::Text(text) => {
                let start = self.texts.len();
                self.texts.push_str(std::str::from_utf8(text)?);
                Cell::Text(start..self.texts.len())
            }
            ValueRef::Blob(bytes) => {
                let start = self.bytes.len();
                self.bytes.extend_from_slice(bytes);
                Cell::Bytes(start..self.bytes.len())
            }
        });
        Ok(())
    }

    fn column(&self, index: usize) -> Column<'_> {
        match &self.cells[index] {
            Cell::Null => Column::Null,
            Cell::Int(number) => Column::Int(*number),
            Cell::Real(number) => Column::Real(*number),
            Cell::Text(place) => Column::Text(&self.texts[place.clone()]),
            Cell::Bytes(place) => Column::Bytes(&self.bytes[place.clone()]),
        }
    }
}

impl Row {
    pub(crate) fn from_sqlite(row: SqliteRow) -> Self {
        Self::new(Source::Sqlite(row))
    }

    pub(crate) fn from_postgres(row: tokio_postgres::Row) -> Self {
        Self::new(Source::Postgres(row))
    }

    fn new(source: Source) -> Self {
        Self(Arc::new(Inner { source, next: AtomicUsize::new(0) }))
    }

    /// A column, by its name or by its place, counted from 0: `row.get("email")`, `row.get(0)`.
    pub fn get<T: FromColumn>(&self, column: impl ColumnPlace) -> Result<T, DatabaseError> {
        let bad =
            |found| DatabaseError::BadColumn { column: column.to_string(), expected: T::EXPECTED, found };
        let value = column.index_in(self).and_then(|index| self.column(index)).map_err(bad)?;
        T::from_column(value).ok_or_else(|| bad(value.kind().to_owned()))
    }

    /// A column whose texts stand for something: as `read` reads them. A text that stands for nothing is an error, because somebody
    /// changed the row by hand, or a newer version of the program wrote it.
    pub fn parsed<T>(
        &self,
        column: impl ColumnPlace,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, DatabaseError> {
        let name = column.to_string();
        let text: String = self.get(column)?;
        // The text itself may be about a person.
        let found = || "another text".to_owned();
        read(&text).ok_or_else(|| DatabaseError::BadColumn { column: name, expected, found: found() })
    }

    /// How many columns there are.
    pub fn len(&self) -> usize {
        match &self.0.source {
            Source::Sqlite(row) => row.cells.len(),
            Source::Postgres(row) => row.len(),
        }
    }

    /// Whether there is no column at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn column(&self, index: usize) -> Result<Column<'_>, String> {
        if index >= self.len() {
            return Err(format!("nothing: the row has {} columns", self.len()));
        }
        match &self.0.source {
            Source::Sqlite(row) => Ok(row.column(index)),
            Source::Postgres(row) => row
                .try_get::<_, Option<Column<'_>>>(index)
                .map(|column| column.unwrap_or(Column::Null))
                .map_err(|_| format!("the type {}", row.columns()[index].type_())),
        }
    }
}

/// The names of the columns of a result.
pub(crate) type ColumnNames = Arc<[Box<str>]>;

/// A name or a number that says which column is meant.
pub trait ColumnPlace: fmt::Display {
    /// The number of the column, or what the row has instead.
    fn index_in(&self, row: &Row) -> Result<usize, String>;
}

impl ColumnPlace for usize {
    fn index_in(&self, _: &Row) -> Result<usize, String> {
        Ok(*self)
    }
}

impl ColumnPlace for &str {
    fn index_in(&self, row: &Row) -> Result<usize, String> {
        let is_named = |index: usize| match &row.0.source {
            Source::Sqlite(row) => *row.names[index] == **self,
            Source::Postgres(row) => row.columns()[index].name() == *self,
        };
        let (start, count) = (row.0.next.load(Ordering::Relaxed).min(row.len()), row.len());
        let found = (start..count).chain(0..start).find(|index| is_named(*index));
        let index = found.ok_or_else(|| "nothing: the row has no column of this name".to_owned())?;
        row.0.next.store(index + 1, Ordering::Relaxed);
        Ok(index)
    }
}

/// A column as an engine holds it. SQLite has only the first five kinds, and keeps the others in them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Column<'a> {
    /// No value.
    Null,
    /// A whole number; on SQLite also a boolean or a timestamp.
    Int(i64),
    /// A floating-point number.
    Real(f64),
    /// Text; on SQLite also json.
    Text(&'a str),
    /// Bytes; on SQLite also a uuid.
    Bytes(&'a [u8]),
    /// A boolean.
    Bool(bool),
    /// A uuid.
    Uuid(Uuid),
    /// A moment.
    Timestamp(Timestamp),
    /// The text of a json value.
    Json(&'a str),
}

impl Column<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Int(_) => "an integer",
            Self::Real(_) => "a real number",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::Bool(_) => "a boolean",
            Self::Uuid(_) => "a uuid",
            Self::Timestamp(_) => "a timestamp",
            Self::Json(_) => "json",
        }
    }
}

/// A type as which a column can be read.
pub trait FromColumn: Sized {
    /// The expected type, for messages.
    const EXPECTED: &'static str;

    /// The value, or nothing when the column holds something else.
    fn from_column(column: Column<'_>) -> Option<Self>;
}

macro_rules! from_column {
    ($($type:ty, $expected:literal, { $($pattern:pat => $value:expr),+ $(,)? })+) => {
        $(impl FromColumn for $type {
            const EXPECTED: &'static str = $expected;

            fn from_column(column: Column<'_>) -> Option<Self> {
                match column {
                    $($pattern => $value,)+
                    _ => None,
                }
            }
        })+
    };
}

from_column! {
    bool, "a boolean", {
        Column::Bool(value) => Some(value),
        Column::Int(0) => Some(false),
        Column::Int(1) => Some(true),
    }
    i64, "an integer", { Column::Int(number) => Some(number) }
    f64, "a real number", { Column::Real(number) => Some(number) }
    String, "text", { Column::Text(text) => Some(text.to_owned()) }
    Vec<u8>, "bytes", { Column::Bytes(bytes) => Some(bytes.to_vec()) }
    Uuid, "a uuid", {
        Column::Uuid(id) => Some(id),
        Column::Bytes(bytes) => Uuid::from_slice(bytes).ok(),
    }
    Timestamp, "a timestamp", {
        Column::Timestamp(moment) => Some(moment),
        Column::Int(micros) => Some(Timestamp::from_micros(micros)),
    }
    serde_json::Value, "json", {
        Column::Json(text) | Column::Text(text) => serde_json::from_str(text).ok(),
    }
}

/// A json column read straight into a type of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: serde::de::DeserializeOwned> FromColumn for Json<T> {
    const EXPECTED: &'static str = "json of another shape";

    fn from_column(column: Column<'_>) -> Option<Self> {
        match column {
            Column::Json(text) | Column::Text(text) => serde_json::from_str(text).ok().map(Self),
            _ => None,
        }
    }
}

impl<T: FromColumn> FromColumn for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;

    fn from_column(column: Column<'_>) -> Option<Self> {
        match column {
            Column::Null => Some(None),
            other => T::from_column(other).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_never_bent_into_another_type() {
        let names: ColumnNames = ["a", "b", "c", "d"].map(Box::from).into();
        let mut copied = SqliteRow::of(&names);
        for value in [ValueRef::Integer(1), ValueRef::Text(b"1"), ValueRef::Null, ValueRef::Blob(&[1; 15])] {
            copied.push(value).unwrap();
        }
        assert!(copied.push(ValueRef::Text(b"\xff")).is_err());
        let row = Row::from_sqlite(copied);
        assert_eq!(row.get::<i64>(0).unwrap(), 1);
        assert!(row.get::<f64>(0).is_err());
        assert!(row.get::<i64>(1).is_err());
        assert_eq!(row.get::<Option<i64>>(2).unwrap(), None);
        assert_eq!(row.get::<i64>("a").unwrap(), 1);
        assert_eq!(row.get::<i64>("b").unwrap_err().to_string(), "column b holds text, not an integer");
        let error = row.get::<i64>("e").unwrap_err();
        assert_eq!(
            error.to_string(),
            "column e holds nothing: the row has no column of this name, not an integer"
        );
        let error = row.get::<i64>(2).unwrap_err();
        assert_eq!(error.to_string(), "column 2 holds null, not an integer");
        assert!(row.get::<Uuid>(3).is_err());
        let error = row.get::<i64>(4).unwrap_err();
        assert_eq!(error.to_string(), "column 4 holds nothing: the row has 4 columns, not an integer");
    }
}
