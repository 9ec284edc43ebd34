//! The errors of a request, and who is at fault.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use pando_tls::{TlsError, certificate_fault};

/// The errors of a request to another server. Any answer, whatever its status, is no error.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The address cannot be called: the caller is at fault.
    #[error("the address {reason}")]
    BadAddress {
        /// The rule that the address breaks.
        reason: &'static str,
    },
    /// The address is not public, and a stranger has named it.
    #[error("the host is in a private network")]
    Private,
    /// The name leads nowhere, perhaps for the moment only.
    #[error("the name of the host cannot be resolved")]
    UnknownHost,
    /// No connection could be made. Nothing was sent.
    #[error("{host} cannot be reached: {reason}")]
    Unreachable {
        /// The server.
        host: String,
        /// The error of the connection.
        reason: String,
    },
    /// The certificate of the server is refused, or it does not speak TLS. Nothing was sent.
    #[error("no encrypted connection to {host}: {reason}")]
    Untrusted {
        /// The server.
        host: String,
        /// The reason.
        reason: String,
    },
    /// The connection broke. The server may have done what it was asked for.
    #[error("the connection broke: {}", deepest(&**source))]
    Broken {
        /// Whether the server closed the connection before anything of an answer came.
        before_answer: bool,
        /// The error of the connection.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// No answer came in time, or the deadline of the call passed.
    #[error("no answer within {waited_ms} ms")]
    Late {
        /// How long the client waited.
        waited_ms: u64,
    },
    /// The answer is larger than what the client collects.
    #[error("the answer has more than {bytes_max} bytes")]
    TooLarge {
        /// How many it may have.
        bytes_max: usize,
    },
    /// The authorities that are to be trusted cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl ClientError {
    /// Whether the same request, sent a little later, may well succeed. A certificate may be renewed, or a name put right.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::UnknownHost
            | Self::Unreachable { .. }
            | Self::Untrusted { .. }
            | Self::Broken { .. }
            | Self::Late { .. } => true,
            Self::BadAddress { .. } | Self::Private | Self::TooLarge { .. } | Self::Tls(_) => false,
        }
    }

    /// The error of a TCP connection or of a handshake, by its causes.
    pub(crate) fn of_connecting(host: &str, error: &(dyn Error + 'static)) -> Self {
        if let Some(ours) = cause(error) {
            return Self::clone(ours);
        }
        match certificate_fault(error) {
            Some(reason) => Self::Untrusted { host: host.to_owned(), reason },
            None => Self::Unreachable { host: host.to_owned(), reason: deepest(error).to_string() },
        }
    }

    /// The error of a request whose connection stood, or of the connection if it did not.
    pub(crate) fn of_request(host: &str, error: hyper_util::client::legacy::Error) -> Self {
        if error.is_connect() {
            return Self::of_connecting(host, &error);
        }
        Self::broken(error)
    }

    pub(crate) fn late(waited: Duration) -> Self {
        Self::Late { waited_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX) }
    }

    pub(crate) fn broken(error: impl Error + Send + Sync + 'static) -> Self {
        let before_answer = cause::<hyper::Error>(&error)
            .is_some_and(|error| error.is_closed() || error.is_incomplete_message() || error.is_canceled());
        Self::Broken { before_answer, source: Arc::new(error) }
    }
}

/// The last cause, which says what happened; those above it say where.
fn deepest<'e>(error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    std::iter::successors(Some(error), |error| (*error).source()).last().unwrap_or(error)
}

/// The first cause of this type.
fn cause<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    std::iter::successors(Some(error), |error| (*error).source()).find_map(|error| error.downcast_ref())
}
