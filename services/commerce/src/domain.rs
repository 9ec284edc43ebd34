//! The terms of the shop that all its parts use.

pub(crate) mod events;
pub(crate) mod faults;
pub(crate) mod money;
