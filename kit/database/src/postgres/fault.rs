//! PostgreSQL's errors in the words of this crate.

use std::error::Error;

use tokio_postgres::error::DbError;

use crate::{DatabaseError, error::Refusal};

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
        "23505" => DatabaseError::UniqueViolation { constraint: constraint() },
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
        // A mistake of the program in the protocol, though it is of the class of broken connections.
        "08P01" => query(name, error),
        _ if code.starts_with("57P") || code.starts_with("08") || code.starts_with("28") => {
            unavailable(error)
        }
        _ if code == "3D000" => unavailable(error),
        _ => query(name, error),
    }
}

fn query(name: &'static str, error: &DbError) -> DatabaseError {
    let code = error.code().code();
    let source = Refusal { code: code.to_owned(), message: without_values(code, error.message()) };
    DatabaseError::Query { name, source }
}

fn unavailable(error: &DbError) -> DatabaseError {
    DatabaseError::unavailable(format!("{} ({})", error.message(), error.code().code()))
}

/// Data exceptions quote what they complain about, after a colon.
fn without_values(code: &str, message: &str) -> String {
    let kept = if code.starts_with("22") { message.split(": \"").next() } else { None };
    kept.unwrap_or(message).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_exceptions_lose_the_data() {
        let message = "invalid input syntax for type integer: \"4111 1111\"";
        assert_eq!(without_values("22P02", message), "invalid input syntax for type integer");
        assert_eq!(without_values("42P01", "relation \"t\" does not exist"), "relation \"t\" does not exist");
    }
}
