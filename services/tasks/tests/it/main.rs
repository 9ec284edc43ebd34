//! The service on real engines, over real HTTP.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod callbacks;
mod harness;
mod tasks;
