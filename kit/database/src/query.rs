//! Statements as the program writes them: a name for metrics and logs, and one SQL text for both engines.

/// A statement. Write it as a `const` beside the type it reads or writes.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
    pub(crate) cost: Cost,
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
        Self { name, sql, cost: Cost::Point }
    }

    /// A read that may take its time: a list, a search, a report. It gets a connection of its own.
    pub const fn scan(name: &'static str, sql: &'static str) -> Self {
        Self { name, sql, cost: Cost::Scan }
    }

    /// A statement that changes something. It runs inside of a transaction only.
    pub const fn write(name: &'static str, sql: &'static str) -> Self {
        Self { name, sql, cost: Cost::Scan }
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
