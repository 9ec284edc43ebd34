#![doc = include_str!("../README.md")]

mod error;
mod options;
mod tls;
mod verify;

pub use error::{TlsError, certificate_fault};
pub use options::TlsOptions;
pub use rustls::ClientConfig;
pub use tls::Tls;
pub use verify::Verify;
