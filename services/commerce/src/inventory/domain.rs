//! The terms of the inventory.

pub(crate) mod reservation;
