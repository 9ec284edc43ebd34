//! The server over real sockets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod answers;
mod bad_input;
mod bodies;
mod crowds;
mod documents;
mod error_shapes;
mod harness;
mod health;
mod hot;
mod http2;
mod shutdown;
mod tls;
mod tls_clients;
mod tls_reload;
mod wire;
