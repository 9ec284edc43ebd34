//! A customer of a batch, on its way to be created.

use std::collections::HashSet;

use uuid::Uuid;

use super::customer::Customer;
use super::id::CustomerId;

/// A customer that can be created.
pub(crate) struct Planned {
    /// Its place in the request.
    pub(crate) place: usize,
    /// Whether its caller chose the id, for which somebody may have asked before.
    pub(crate) is_chosen: bool,
    pub(crate) id: CustomerId,
    pub(crate) customer: Customer,
}

impl Planned {
    /// Whether its key is among these; without any, it is.
    pub(crate) fn is_in(&self, keys: Option<&HashSet<Uuid>>) -> bool {
        keys.is_none_or(|keys| keys.contains(&self.id.key()))
    }
}
