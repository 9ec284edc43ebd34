//! Businesses, and what is decided about them.

pub(crate) mod assessment;
pub(crate) mod batch;
pub(crate) mod batch_request;
pub(crate) mod business;
pub(crate) mod countries;
pub(crate) mod events;
pub(crate) mod factors;
pub(crate) mod ids;
