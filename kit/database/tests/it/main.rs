//! The database crate on real engines.

mod conformance;
