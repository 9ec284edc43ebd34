//! What is checked about parameters before any engine sees them.

use crate::{DatabaseError, Value};

/// Refuses a wrong number of parameters, and values that one of the engines could not keep.
pub(crate) fn check(name: &'static str, expected: usize, values: &[Value]) -> Result<(), DatabaseError> {
    if expected != values.len() {
        let reason = format!("the statement takes {expected} parameters, {} were given", values.len());
        return Err(DatabaseError::BadParameter { name, parameter: expected.min(values.len()) + 1, reason });
    }
    match values.iter().enumerate().find_map(|(index, value)| Some((index, value.fault()?))) {
        Some((index, reason)) => {
            Err(DatabaseError::BadParameter { name, parameter: index + 1, reason: reason.into() })
        }
        None => Ok(()),
    }
}
