//! The terms of the catalog.

pub(crate) mod category;
pub(crate) mod facets;
pub(crate) mod product;
pub(crate) mod question;
pub(crate) mod search;
