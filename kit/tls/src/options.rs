//! The settings of TLS to other servers.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The authorities whose certificates are trusted when this program connects to another server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsOptions {
    /// PEM files with certificate authorities, such as a company's own.
    pub authorities: Vec<PathBuf>,
    /// Whether the authorities of the operating system are trusted, too.
    pub system_authorities: bool,
}

impl Default for TlsOptions {
    fn default() -> Self {
        Self { authorities: Vec::new(), system_authorities: true }
    }
}
