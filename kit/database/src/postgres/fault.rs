//! Translates PostgreSQL's errors into those of this crate.

use std::error::Error;

use tokio_postgres::error::{DbError, Severity};

use crate::DatabaseError;
use crate::error::{Refusal, without_quoted};

pub(crate) fn fault(name: &'static str, error: &tokio_postgres::Error) -> DatabaseError {
    if let Some(refused) = error.as_db_error() {
        return refusal(name, refused);
    }
    // Not the server's words but the driver's: they hold no values.
    let cause = error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
    let is_io = error.source().is_some_and(|source| source.is::<std::io::Error>());
    if error.is_closed() || is_io {
        return DatabaseError::unavailable(cause);
    }
    DatabaseError::Query { name, source: Refusal { code: "driver".into(), message: cause } }
}

fn refusal(name: &'static str, error: &DbError) -> DatabaseError {
    let code = error.code().code();
    let constraint = || error.constraint().unwrap_or("unnamed").to_owned();
    match code {
        "57014" => DatabaseError::DeadlineExceeded,
        "23505" => DatabaseError::UniqueViolation { constraint: constraint(), row: copied_row(error) },
        "23503" => DatabaseError::ForeignKeyViolation { constraint: constraint() },
        "23514" => DatabaseError::CheckViolation { constraint: constraint() },
        "23502" => DatabaseError::CheckViolation {
            constraint: format!("{}.{}", error.table().unwrap_or("?"), error.column().unwrap_or("?")),
        },
        "40001" | "40P01" | "55P03" => DatabaseError::Contention { name },
        // The table was changed under a prepared statement: the next attempt prepares it afresh.
        "26000" => DatabaseError::Contention { name },
        "0A000" if error.message().contains("cached plan") => DatabaseError::Contention { name },
        "53100" => DatabaseError::StorageFull,
        "25006" => DatabaseError::ReadOnly { reason: error.message().to_owned() },
        "25P02" => DatabaseError::TransactionFailed { name },
        "53300" | "25P03" | "25P04" => unavailable(error),
        // A pooler has lost its server while it prepared it for this client: nothing was run.
        "08P01" if error.message() == "invalid server parameter" => unavailable(error),
        // A mistake of the program in the protocol, though it is of the class of broken connections; unless it ends the
        // connection, as it does when a pooler has lost its server.
        "08P01" if error.parsed_severity() != Some(Severity::Fatal) => query(name, error),
        _ if code.starts_with("57P") || code.starts_with("08") || code.starts_with("28") => {
            unavailable(error)
        }
        _ if code == "3D000" => unavailable(error),
        _ => query(name, error),
    }
}

/// The row of a COPY: its context is `COPY accounts, line 3`.
fn copied_row(error: &DbError) -> Option<usize> {
    let (_, line) = error.where_()?.strip_prefix("COPY ")?.split_once(", line ")?;
    let digits = line.find(|c: char| !c.is_ascii_digit()).unwrap_or(line.len());
    line[..digits].parse::<usize>().ok()?.checked_sub(1)
}

fn query(name: &'static str, error: &DbError) -> DatabaseError {
    let code = error.code().code();
    let source = Refusal { code: code.to_owned(), message: without_values(code, error.message()) };
    DatabaseError::Query { name, source }
}

fn unavailable(error: &DbError) -> DatabaseError {
    DatabaseError::unavailable(format!("{} ({})", error.message(), error.code().code()))
}

/// Data exceptions quote what they complain about in ever new ways, and triggers say what they like. Mistakes in a
/// text name what is in the text; elsewhere what is quoted is left out.
fn without_values(code: &str, message: &str) -> String {
    match code.get(..2) {
        Some("22") => "a value does not fit".to_owned(),
        Some("P0") => "a trigger or a function refused it".to_owned(),
        Some("42") => message.to_owned(),
        _ => without_quoted(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_lose_the_data() {
        for (code, message, kept) in [
            ("22P02", "invalid input syntax for type integer: \"4111 1111\"", "a value does not fit"),
            ("22003", "value \"4111\" is out of range for type integer", "a value does not fit"),
            ("P0001", "4111 is taken", "a trigger or a function refused it"),
            ("XX000", "unexpected \"4111\" and \"1111\" found", "unexpected \"…\" found"),
            ("42P01", "relation \"t\" does not exist", "relation \"t\" does not exist"),
        ] {
            assert_eq!(without_values(code, message), kept);
        }
    }
}
