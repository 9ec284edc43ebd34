//! Statements as the program writes them: a name for metrics and logs, and one SQL text for both engines.

use crate::Engine;

/// A statement. Write it as a `const` beside the type it reads or writes.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
    /// The text for SQLite, where that is another.
    sqlite: Option<&'static str>,
    pub(crate) cost: Cost,
    /// How many rows it must change, where that is certain.
    pub(crate) must_change: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cost {
    Point,
    Scan,
}

impl Query {
    /// An indexed read of a few rows: cheap enough for a shared pipelined connection (PostgreSQL) or for the
    /// calling thread (SQLite). Whatever is slower makes its neighbours wait: use [`Query::scan`].
    pub const fn point(name: &'static str, sql: &'static str) -> Self {
        Self { name, sql, sqlite: None, cost: Cost::Point, must_change: None }
    }

    /// A read that may take its time: a list, a search, a report. It gets a connection of its own.
    pub const fn scan(name: &'static str, sql: &'static str) -> Self {
        Self { cost: Cost::Scan, ..Self::point(name, sql) }
    }

    /// A statement that changes something. It runs inside of a transaction only.
    pub const fn write(name: &'static str, sql: &'static str) -> Self {
        Self { cost: Cost::Scan, ..Self::point(name, sql) }
    }

    /// The statement must change exactly so many rows, or its transaction fails with
    /// [`WrongCount`](crate::DatabaseError::WrongCount). So it can travel with the commit although the commit depends on it: a purchase
    /// that takes the last piece needs no answer before it is committed. The text begins with `insert`, `update` or `delete` and has no
    /// `returning`.
    pub const fn must_change(self, rows: u32) -> Self {
        Self { must_change: Some(rows), ..self }
    }

    /// The same statement with another text on SQLite: for the few things that only one engine has, such as a kind of
    /// index. Both texts take the same parameters and answer the same rows.
    pub const fn on_sqlite(self, sql: &'static str) -> Self {
        Self { sqlite: Some(sql), ..self }
    }

    /// The text that this engine runs.
    pub(crate) fn text_for(&self, engine: Engine) -> &'static str {
        match (engine, self.sqlite) {
            (Engine::Sqlite, Some(text)) => text,
            _ => self.sql,
        }
    }

    /// The name in metrics and logs.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The text for both engines.
    pub const fn text(&self) -> &'static str {
        self.sql
    }
}

/// A read of one row by its key: `select key, … from … where key = any($1)`, with the key as column 0.
/// Reads that happen at the same time travel together.
#[derive(Clone, Copy, Debug)]
pub struct KeyedQuery {
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
}

/// Like a [`KeyedQuery`], of rows that belong to tenants: `select key, … from … where key = any($1) and tenant = $2`. It cannot be
/// run without saying whose row is meant.
#[derive(Clone, Copy, Debug)]
pub struct OwnedQuery(pub(crate) KeyedQuery);

impl OwnedQuery {
    /// `sql` reads `= any($1)` and `tenant = $2`, and has the key, exactly as it is compared, as its first column.
    pub const fn new(name: &'static str, sql: &'static str) -> Self {
        Self(KeyedQuery::new(name, sql))
    }
}

impl KeyedQuery {
    /// `sql` reads `= any($1)` and has the key, exactly as it is compared, as its first column.
    pub const fn new(name: &'static str, sql: &'static str) -> Self {
        Self { name, sql }
    }

    /// The name in metrics and logs.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}
