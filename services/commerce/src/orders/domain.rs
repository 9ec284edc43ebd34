//! The terms of orders.

pub(crate) mod address;
pub(crate) mod order;
pub(crate) mod request;
pub(crate) mod status;
