//! The pieces of HTTP that all parts of the shop share.

pub(crate) mod paging;
pub(crate) mod shape;
