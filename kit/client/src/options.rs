//! The settings of a client.

use serde::{Deserialize, Serialize};

/// Limits of one client. The deadline of the call applies besides them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientOptions {
    /// How long connecting may take, with the look-up of the name and the handshake of TLS.
    pub connect_ms: u64,
    /// How long a request may take up to the head of its answer, and how long a body may pause.
    pub answer_ms: u64,
    /// The largest body that is collected in memory.
    pub body_bytes_max: usize,
    /// How many unused connections to one server are kept.
    pub idle_max: usize,
    /// For how long they are kept.
    pub idle_seconds: u64,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connect_ms: 2_000,
            answer_ms: 10_000,
            body_bytes_max: 1_048_576,
            idle_max: 16,
            idle_seconds: 20,
        }
    }
}
