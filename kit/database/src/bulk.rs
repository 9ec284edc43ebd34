//! Inserting many rows at once.

use uuid::Uuid;

use crate::{ColumnType, DatabaseError, Value};

/// An insert of rows. Many go by COPY on PostgreSQL and by one prepared statement in a loop on SQLite; one goes by itself.
#[derive(Clone, Copy, Debug)]
pub struct BulkInsert {
    /// The name in metrics and logs.
    pub name: &'static str,
    /// The table.
    pub table: &'static str,
    /// The columns, in the order of the values of a row.
    pub columns: &'static [(&'static str, ColumnType)],
    /// How existing rows are treated.
    pub on_conflict: OnConflict,
    /// The column, a uuid, whose values name the rows that were inserted or changed.
    pub key: &'static str,
}

/// How existing rows are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// Nothing is inserted, and the error names the constraint and the row.
    Fail,
    /// It is left out. The text is what stands between `on conflict` and `do nothing`, as in
    /// `(email_key) where deleted_at is null`.
    Skip(&'static str),
    /// It is changed. The text is what follows `on conflict`, as in
    /// `(email_key) do update set name = excluded.name where users.version < excluded.version`. Two rows of one insert must not have
    /// the same key.
    Change(&'static str),
}

impl BulkInsert {
    pub(crate) fn column_list(&self) -> String {
        let quoted: Vec<String> = self.columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        quoted.join(", ")
    }

    /// The statement that inserts one row.
    pub(crate) fn one_row(&self) -> String {
        let places: Vec<String> = (1..=self.columns.len()).map(|number| format!("${number}")).collect();
        let (columns, places) = (self.column_list(), places.join(", "));
        format!("insert into \"{}\" ({columns}) values ({places})", self.table)
    }

    /// The statement that inserts or changes one of many rows, and returns its key if it did.
    pub(crate) fn one_of_many(&self) -> String {
        format!("{} {} returning \"{}\"", self.one_row(), self.on_conflict_text(), self.key)
    }

    pub(crate) fn on_conflict_text(&self) -> String {
        match self.on_conflict {
            OnConflict::Fail => String::new(),
            OnConflict::Skip(target) => format!("on conflict {target} do nothing"),
            OnConflict::Change(change) => format!("on conflict {change}"),
        }
    }

    /// The keys of rows that were all inserted.
    pub(crate) fn keys_of(&self, rows: &[Vec<Value>]) -> Result<Vec<Uuid>, DatabaseError> {
        let place = self.columns.iter().position(|(name, _)| *name == self.key);
        let key = |row: &Vec<Value>| match place.and_then(|place| row.get(place)) {
            Some(Value::Uuid(id)) => Ok(*id),
            _ => Err(DatabaseError::BadParameter {
                name: self.name,
                parameter: place.map_or(0, |place| place + 1),
                reason: format!("the key column {} must be among the columns and hold a uuid", self.key),
            }),
        };
        rows.iter().map(key).collect()
    }
}
