//! The errors of preparing TLS, and the reasons why a server's certificate is refused.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::CertificateError;

/// The settings of TLS cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file of authorities cannot be used.
    #[error("the certificate authorities in {} cannot be used: {reason}", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// Certificates must be checked, and no authority is trusted.
    #[error("no certificate authority is trusted: the system has none, and tls.authorities names none")]
    NoAuthority,
    /// rustls refuses the combination of settings.
    #[error("TLS cannot be set up: {reason}")]
    SetUp {
        /// The reason.
        reason: String,
    },
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        Self::SetUp { reason: error.to_string() }
    }
}

/// The reason why TLS with a server failed, with advice where there is some; `None` if no cause of this error is of TLS.
pub fn certificate_fault(error: &(dyn Error + 'static)) -> Option<String> {
    let fault = tls_cause(error)?;
    let rustls::Error::InvalidCertificate(refused) = fault else { return Some(fault.to_string()) };
    let advice = match refused {
        // The latter if another authority has the same name.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "no trusted authority has signed it: name its authority in tls.authorities"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "the server needs a new one",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the server is configured under another name"
        }
        _ => return Some(fault.to_string()),
    };
    Some(format!("{fault} ({advice})"))
}

/// The error of rustls among the causes of an error. One that an `io::Error` or an `Arc` wraps is not among the sources.
fn tls_cause<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let by_io = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let shared = error.downcast_ref::<Arc<dyn Error + Send + Sync>>();
        cause = match (by_io, shared) {
            (Some(inner), _) => Some(inner),
            (None, Some(inner)) => Some(&**inner),
            (None, None) => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_certificate_is_found_below_other_errors() {
        let refused = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let shared: Arc<dyn Error + Send + Sync> = Arc::new(io::Error::other(refused));
        let wrapped = io::Error::other(shared);
        let reason = certificate_fault(&wrapped).expect("it is found");
        assert!(reason.contains("UnknownIssuer") && reason.contains("tls.authorities"), "{reason}");
        assert_eq!(certificate_fault(&io::Error::other("the cable is cut")), None);
    }
}
