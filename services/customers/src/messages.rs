//! The messages and the service of `proto/`, as the build script compiles them.

#![allow(
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    missing_docs,
    unreachable_pub,
    reason = "written by a generator"
)]

mod known {
    include!(concat!(env!("OUT_DIR"), "/known/pando.customers.v1.rs"));
}

include!(concat!(env!("OUT_DIR"), "/pando.customers.v1.rs"));

pub use known::Customer;

/// The descriptor of both names of the service.
pub(crate) const DESCRIPTOR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/customers.bin"));
