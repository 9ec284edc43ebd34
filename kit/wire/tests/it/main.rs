//! Raw messages, the encoder and packed batches.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[path = "../../examples/serialization_report/customers.rs"]
mod customers;
mod encoder;
mod packed;
mod raw;
