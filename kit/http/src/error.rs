//! The error of a server that cannot start.

use std::io;
use std::net::SocketAddr;

use crate::certificates::CertificateError;

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address is taken, or not ours.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// The error of the system.
        source: io::Error,
    },
    /// Two routes contradict each other, or limits name a route that is not there.
    #[error("route {path}: {reason}")]
    Route {
        /// The path of the route.
        path: String,
        /// The reason.
        reason: String,
    },
    /// An entry of `trusted_proxies` is no address and no CIDR block.
    #[error("trusted proxy {0:?} is neither an address nor a CIDR block")]
    Proxy(String),
    /// A file of `tls` cannot be used, or its options contradict each other.
    #[error(transparent)]
    Tls(#[from] CertificateError),
    /// An option has a value the server cannot work with.
    #[error("{0}")]
    Option(&'static str),
}
