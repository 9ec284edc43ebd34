//! Endpoints, the events that they get, and how these are signed.

pub(crate) mod endpoint;
pub(crate) mod events;
pub(crate) mod given;
pub(crate) mod id;
pub(crate) mod policy;
pub(crate) mod secrets;
pub(crate) mod work;
