//! The messages and the service of `proto/`, as the build script compiles them.

#![expect(
    unused_qualifications,
    missing_docs,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::pedantic,
    reason = "written by a generator"
)]

mod known {
    include!(concat!(env!("OUT_DIR"), "/known/pando.customers.v1.rs"));
}

include!(concat!(env!("OUT_DIR"), "/pando.customers.v1.rs"));

pub use known::Customer;

/// The descriptor of the messages and of both names of the service: a `FileDescriptorSet`.
pub fn descriptor() -> &'static [u8] {
    DESCRIPTOR
}

pub(crate) const DESCRIPTOR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/customers.bin"));
