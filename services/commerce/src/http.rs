//! What all parts of the shop share over HTTP.

pub(crate) mod paging;
pub(crate) mod shape;
