//! The errors of this crate, and whether the caller or the database is at fault.

use std::path::PathBuf;
use std::time::Duration;

/// An error of the database. Its text never contains a parameter, a row or a password.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// The server cannot be reached, the connection broke, or the database is shutting down.
    #[error("the database cannot be reached: {reason}")]
    Unavailable {
        /// The attempted step, and the answer of the other side.
        reason: String,
    },
    /// Every connection (on SQLite: the writer) was busy for as long as a caller may wait.
    #[error("no database connection became free within {} ms", waited.as_millis())]
    PoolTimeout {
        /// How long the caller waited.
        waited: Duration,
    },
    /// The call's deadline passed first. A write did not happen.
    #[error("the deadline passed before the database answered")]
    DeadlineExceeded,
    /// The commit was on its way when the connection broke or the deadline passed: it may have happened.
    #[error("the commit may or may not have happened: {reason}")]
    CommitUnknown {
        /// The reason.
        reason: String,
    },
    /// A row with this key exists.
    #[error("the row would break the unique constraint {constraint}")]
    UniqueViolation {
        /// The constraint, named `<table>_<columns>_key` on both engines.
        constraint: String,
        /// The row of a bulk insert that breaks it, counted from 0, where the engine says which.
        row: Option<usize>,
    },
    /// A statement that must change a certain number of rows changed another number; the transaction is rolled back.
    #[error("{name} did not change exactly {expected} rows")]
    WrongCount {
        /// The statement.
        name: &'static str,
        /// How many rows it had to change.
        expected: u32,
    },
    /// A read has more rows than it may have.
    #[error("{name} has more than {limit} rows")]
    TooManyRows {
        /// The statement.
        name: &'static str,
        /// How many rows it may have.
        limit: usize,
    },
    /// The row refers to one that does not exist, or is still referred to.
    #[error("the row would break a reference ({constraint})")]
    ForeignKeyViolation {
        /// The constraint; SQLite does not say which.
        constraint: String,
    },
    /// A value violates a check of the table, or is missing.
    #[error("the row would break the check {constraint}")]
    CheckViolation {
        /// The constraint, or the column that must not be null.
        constraint: String,
    },
    /// Somebody else had the rows: a deadlock, a serialisation failure, a lock held for too long.
    #[error("{name} lost against a concurrent transaction")]
    Contention {
        /// The statement.
        name: &'static str,
    },
    /// The disk is full.
    #[error("the database has no room left")]
    StorageFull,
    /// The database, the file or the connection can only be read.
    #[error("the database is read-only: {reason}")]
    ReadOnly {
        /// The message of the engine.
        reason: String,
    },
    /// An earlier statement of this transaction failed: it can only be rolled back.
    #[error("an earlier statement of the transaction failed, so {name} was not run")]
    TransactionFailed {
        /// The statement that was not run.
        name: &'static str,
    },
    /// More statements were to wait for the next one than a transaction keeps: none of them was run.
    #[error("too many statements waited when {name} was to wait, too")]
    TooManyWaiting {
        /// The first statement that was too much.
        name: &'static str,
    },
    /// A parameter does not fit the place it is bound to.
    #[error("parameter {parameter} of {name}: {reason}")]
    BadParameter {
        /// The statement.
        name: &'static str,
        /// Counted from 1, as in the text.
        parameter: usize,
        /// The expected and the actual value.
        reason: String,
    },
    /// A column does not hold what the program reads it as.
    #[error("column {column} holds {found}, not {expected}")]
    BadColumn {
        /// Its name, or its number counted from 0.
        column: String,
        /// The requested type.
        expected: &'static str,
        /// The actual type.
        found: String,
    },
    /// A setting cannot be used.
    #[error("database setting {setting}: {reason}")]
    BadSetting {
        /// The option, as the settings file names it.
        setting: &'static str,
        /// Why not.
        reason: String,
    },
    /// The file is not a database, or is damaged.
    #[error("{} is not a usable SQLite database: {reason}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The text is not a consistency token.
    #[error("not a consistency token")]
    BadToken,
    /// The database was migrated by a newer program; nothing was changed.
    #[error(
        "the database has migrations of {service} up to {found}, but this program knows only those up to {known}"
    )]
    NewerSchema {
        /// The service whose migrations are ahead.
        service: String,
        /// The newest version in the database.
        found: u32,
        /// The newest version this program has.
        known: u32,
    },
    /// A migration that was applied reads differently now; nothing was changed.
    #[error("migration {version} ({name}) of {service} was changed after it had been applied")]
    MigrationChanged {
        /// The service it belongs to.
        service: &'static str,
        /// Its number.
        version: u32,
        /// Its name.
        name: &'static str,
    },
    /// A migration failed and was rolled back.
    #[error("migration {version} ({name}) of {service} failed and was rolled back, at: {statement}")]
    MigrationFailed {
        /// The service it belongs to.
        service: &'static str,
        /// Its number.
        version: u32,
        /// Its name.
        name: &'static str,
        /// The first line of the statement.
        statement: String,
        /// The error of the database.
        source: Box<DatabaseError>,
    },
    /// The database refused the statement for another reason: a mistake in the program.
    #[error("{name} failed")]
    Query {
        /// The statement.
        name: &'static str,
        /// The answer of the database.
        source: Refusal,
    },
}

/// The message with which the engine refused a statement.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message} ({code})")]
pub struct Refusal {
    /// SQLSTATE, or SQLite's extended result code.
    pub code: String,
    /// The engine's sentence, without the values it complains about.
    pub message: String,
}

/// The message without what stands between its first quote and its last: a value may hold quotes itself.
pub(crate) fn without_quoted(message: &str) -> String {
    for quote in ['"', '\''] {
        if let (Some(first), Some(last)) = (message.find(quote), message.rfind(quote))
            && first < last
        {
            return format!("{}{quote}…{}", &message[..first], &message[last..]);
        }
    }
    message.to_owned()
}

impl DatabaseError {
    /// Whether the same work, tried again a little later, may well succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::PoolTimeout { .. } | Self::Contention { .. })
    }

    /// One word for metrics.
    pub(crate) fn status(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "unavailable",
            Self::PoolTimeout { .. } => "pool_timeout",
            Self::DeadlineExceeded => "deadline",
            Self::UniqueViolation { .. }
            | Self::ForeignKeyViolation { .. }
            | Self::CheckViolation { .. }
            | Self::WrongCount { .. } => "constraint",
            Self::Contention { .. } => "contention",
            _ => "error",
        }
    }

    pub(crate) fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into() }
    }

    pub(crate) fn closed() -> Self {
        Self::unavailable("it was closed by this program")
    }
}

impl From<pando_resilience::DeadlineExceeded> for DatabaseError {
    fn from(_: pando_resilience::DeadlineExceeded) -> Self {
        Self::DeadlineExceeded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_by_itself_is_transient() {
        assert!(DatabaseError::unavailable("x").is_transient());
        assert!(DatabaseError::Contention { name: "x" }.is_transient());
        assert!(!DatabaseError::DeadlineExceeded.is_transient());
        assert!(!DatabaseError::CommitUnknown { reason: "x".into() }.is_transient());
        assert!(!DatabaseError::UniqueViolation { constraint: "x".into(), row: None }.is_transient());
    }
}
