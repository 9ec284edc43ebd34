//! The terms of the inventory.

pub(crate) mod kind;
pub(crate) mod reservation;
pub(crate) mod stock;
