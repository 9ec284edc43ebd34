//! Conditional changes: a caller may say which version it is ready to change.

use serde::Serialize;

use crate::Fault;

/// Which versions of a thing the caller is ready to change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Expected {
    /// Any version.
    #[default]
    Any,
    /// One of these: anything else was changed behind the caller's back.
    OneOf(Vec<i64>),
}

impl Expected {
    /// Whether this is a version that the caller expects of the thing, which is called `what`.
    pub fn check(&self, what: &str, current: i64) -> Result<(), Fault> {
        match self {
            Self::OneOf(versions) if !versions.contains(&current) => Err(Fault::stale(what, current)),
            _ => Ok(()),
        }
    }
}
