//! The identity of a write: the same over every transport, so that a repeat is recognised whichever way it comes.

use serde::Serialize;

pub(crate) const CREATE: &str = "customers.create";
pub(crate) const UPDATE: &str = "customers.update";
pub(crate) const DELETE: &str = "customers.delete";
pub(crate) const IMPORT: &str = "customers.import";
pub(crate) const BATCH_CREATE: &str = "customers.batch_create";

/// The content of a write, which must be the same in a repeat.
pub(crate) fn content(asked: &impl Serialize) -> Vec<u8> {
    // Texts, numbers and maps of texts: there is nothing that JSON cannot write.
    serde_json::to_vec(asked).unwrap_or_default()
}
