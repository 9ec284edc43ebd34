//! The second tier: Redis, shared by all processes.

mod bus;
mod connect;
mod header;
mod link;
mod pending;
mod remote;
mod scripts;
mod supervisor;

pub(crate) use bus::{Kind, Message};
pub(crate) use header::Stored;
pub(crate) use link::Link;
pub(crate) use pending::Invalidation;
pub(crate) use remote::{Fill, Read, Remote};
