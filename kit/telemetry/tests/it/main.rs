//! The crate from the outside.

mod exposition;
mod metrics;
mod tasks;
