//! Translates SQLite's errors into those of this crate.

use rusqlite::ErrorCode;
use rusqlite::ffi;

use crate::DatabaseError;
use crate::error::{Refusal, without_quoted};

pub(crate) fn fault(name: &'static str, error: &rusqlite::Error) -> DatabaseError {
    // An error that is found while a statement runs may quote a value, such as a path into a document or a word of a search.
    let (code, message, from_text) = match error {
        rusqlite::Error::SqliteFailure(code, message) => (*code, message.clone(), false),
        // A mistake in the text: the message, without the text around it.
        rusqlite::Error::SqlInputError { error, msg, .. } => (*error, Some(msg.clone()), true),
        other => {
            let refusal = Refusal { code: "driver".into(), message: other.to_string() };
            return DatabaseError::Query { name, source: refusal };
        }
    };
    let message = message.unwrap_or_else(|| code.to_string());
    match code.code {
        ErrorCode::OperationInterrupted => DatabaseError::DeadlineExceeded,
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => DatabaseError::Contention { name },
        ErrorCode::DiskFull => DatabaseError::StorageFull,
        ErrorCode::ReadOnly => DatabaseError::ReadOnly { reason: message },
        ErrorCode::ConstraintViolation => constraint(name, code.extended_code, message),
        _ => {
            let message = if from_text { message } else { without_quoted(&message) };
            DatabaseError::Query { name, source: Refusal { code: code.extended_code.to_string(), message } }
        }
    }
}

fn constraint(name: &'static str, code: i32, message: String) -> DatabaseError {
    // "UNIQUE constraint failed: profiles.tenant, profiles.email_key"
    let subject = message.split_once("failed: ").map_or(message.as_str(), |(_, subject)| subject).to_owned();
    match code {
        ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            let table = subject.split_once('.').map_or(subject.as_str(), |(table, _)| table);
            DatabaseError::UniqueViolation { constraint: format!("{table}_pkey"), row: None }
        }
        ffi::SQLITE_CONSTRAINT_UNIQUE => {
            DatabaseError::UniqueViolation { constraint: unique_name(&subject), row: None }
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => {
            DatabaseError::ForeignKeyViolation { constraint: "foreign key".into() }
        }
        ffi::SQLITE_CONSTRAINT_CHECK | ffi::SQLITE_CONSTRAINT_NOTNULL => {
            DatabaseError::CheckViolation { constraint: subject }
        }
        _ => {
            // A trigger says what it likes, values included.
            let said = code != ffi::SQLITE_CONSTRAINT_TRIGGER;
            let message = if said { without_quoted(&message) } else { "a trigger refused it".to_owned() };
            DatabaseError::Query { name, source: Refusal { code: code.to_string(), message } }
        }
    }
}

/// `profiles.tenant, profiles.email_key` → `profiles_tenant_email_key_key`; `index 'name'` → `name`.
fn unique_name(subject: &str) -> String {
    if let Some(index) = subject.strip_prefix("index '") {
        return index.trim_end_matches('\'').to_owned();
    }
    let mut columns = subject.split(", ").filter_map(|column| column.split_once('.'));
    let Some((table, first)) = columns.next() else { return subject.to_owned() };
    let rest: String = columns.map(|(_, column)| format!("_{column}")).collect();
    format!("{table}_{first}{rest}_key")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unique_constraints_are_named_as_postgresql_names_them() {
        for (subject, name) in [
            ("profiles.email_key", "profiles_email_key_key"),
            ("items.tenant, items.sku", "items_tenant_sku_key"),
            ("index 'items_lower_key'", "items_lower_key"),
            ("odd", "odd"),
        ] {
            assert_eq!(unique_name(subject), name);
        }
    }
}
