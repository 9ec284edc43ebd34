//! The queue on real engines.

mod conformance;
