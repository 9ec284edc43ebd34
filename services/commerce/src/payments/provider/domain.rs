//! The terms of a provider of payments: orders to it, their outcomes, and how both look on the wire.

pub(crate) mod callback;
pub(crate) mod order;
pub(crate) mod outcome;
pub(crate) mod wire;
