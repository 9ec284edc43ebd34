//! The terms of the catalog.

pub(crate) mod product;
pub(crate) mod question;
pub(crate) mod search;
