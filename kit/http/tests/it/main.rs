//! The server over real sockets.

mod answers;
mod bad_input;
mod bodies;
mod documents;
mod harness;
mod health;
mod http2;
mod shutdown;
