//! The two engines, and the kinds of transactions they know.

use std::fmt;

/// The kind of a transaction.
#[derive(Clone, Copy, Default)]
pub(crate) struct Manner {
    /// A migration, which waits for other processes until its deadline.
    pub(crate) patient: bool,
    /// The commit does not wait for the disk.
    pub(crate) unflushed: bool,
}

/// The two engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file of this process.
    Sqlite,
    /// A server.
    Postgres,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        })
    }
}
