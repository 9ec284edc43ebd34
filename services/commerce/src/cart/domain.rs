//! The terms of carts.

pub(crate) mod buyer;
pub(crate) mod contents;
pub(crate) mod wish;
