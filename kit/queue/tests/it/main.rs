//! The queue on real engines, alone and with a real broker.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod broker;
mod conformance;
mod crashes;
mod slow_network;
