//! The whole house from the outside: the real binary, real files, real sockets.
#![expect(clippy::unwrap_used, reason = "in a test, an unexpected error is a failure")]

mod commands;
mod configuration;
mod harness;
mod platform;
mod starting;
mod stopping;
