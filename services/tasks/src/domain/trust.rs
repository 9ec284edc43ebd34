//! The certificate authorities that callbacks over https trust: those of the system, and those of a file.

use std::fmt;
use std::io;
use std::sync::Arc;

use pando_queue::QueueError;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The authorities with which certificates are checked. Clones share it.
#[derive(Clone)]
pub(crate) struct Trust(Arc<ClientConfig>);

impl Trust {
    /// Reads the system's authorities, and those of the file. Where the system has none, only the file's are believed.
    pub(crate) fn open(ca_file: &str) -> Result<Self, QueueError> {
        let mut roots = RootCertStore::empty();
        let system = rustls_native_certs::load_native_certs();
        for error in system.errors {
            tracing::warn!(%error, "an authority of the system could not be read");
        }
        roots.add_parsable_certificates(system.certs);
        for authority in Self::authorities_of(ca_file)? {
            roots.add(authority).map_err(|error| bad_file(ca_file, error))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| bad_file(ca_file, error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    /// The certificates of a PEM file; none without one.
    pub(crate) fn authorities_of(ca_file: &str) -> Result<Vec<CertificateDer<'static>>, QueueError> {
        if ca_file.is_empty() {
            return Ok(Vec::new());
        }
        let read = CertificateDer::pem_file_iter(ca_file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let found = read.map_err(|error| bad_file(ca_file, error))?;
        if found.is_empty() {
            return Err(bad_file(ca_file, "it holds no certificate"));
        }
        Ok(found)
    }

    /// Speaks TLS over a connection. The certificate must be the one of this host name, whatever its address.
    pub(crate) async fn encrypt(&self, host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        TlsConnector::from(Arc::clone(&self.0)).connect(name, stream).await
    }
}

fn bad_file(ca_file: &str, reason: impl fmt::Display) -> QueueError {
    let setting = "tasks.callback_ca_file".to_owned();
    QueueError::BadSetting { setting, reason: format!("{ca_file}: {reason}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_holds_no_authority_is_refused_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ca.pem");
        let path = file.to_string_lossy();
        let refused = |expected: &str| {
            let error = Trust::authorities_of(&path).expect_err("nothing to believe").to_string();
            assert!(error.contains("callback_ca_file") && error.contains(expected), "{error}");
        };
        refused("No such file");
        std::fs::write(&file, "no certificate").expect("the folder can be written");
        refused("it holds no certificate");
        assert!(Trust::authorities_of("").is_ok_and(|none| none.is_empty()));
        assert!(Trust::open("").is_ok());
    }
}
