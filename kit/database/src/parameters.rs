//! Checks of parameters that do not depend on the engine.

use crate::{DatabaseError, Value};

/// Refuses a wrong number of parameters, and values that one of the engines could not keep.
pub(crate) fn check(name: &'static str, expected: usize, values: &[Value]) -> Result<(), DatabaseError> {
    if expected != values.len() {
        let reason = format!("the statement needs {expected} parameters, but {} were given", values.len());
        return Err(DatabaseError::BadParameter { name, parameter: expected.min(values.len()) + 1, reason });
    }
    match values.iter().enumerate().find_map(|(index, value)| Some((index, value.fault()?))) {
        Some((index, reason)) => {
            Err(DatabaseError::BadParameter { name, parameter: index + 1, reason: reason.into() })
        }
        None => Ok(()),
    }
}

/// Refuses what cannot be the key of a row.
pub(crate) fn check_key(name: &'static str, key: &Value) -> Result<(), DatabaseError> {
    check(name, 1, std::slice::from_ref(key))?;
    if matches!(key, Value::Uuid(_) | Value::Text(_) | Value::Int(_)) {
        return Ok(());
    }
    Err(no_key(name, key))
}

pub(crate) fn no_key(name: &'static str, value: &Value) -> DatabaseError {
    let reason = format!("{} cannot be a key: a key is a uuid, a text or an integer", value.kind());
    DatabaseError::BadParameter { name, parameter: 1, reason }
}
