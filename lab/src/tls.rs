//! Reads over TLS: Pando next to bare hyper with rustls and the same certificate.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use pando_servers::{CertificateFiles, Certificates};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::load::{self, Pressure};
use crate::report::Report;
use crate::server::Server;
use crate::{limits, sample};

/// Both contestants.
pub(crate) struct Stage {
    ours: String,
    bare: String,
    /// They end with the run.
    _server: Server,
    _certificates: Certificates,
}

/// Rates of every round.
#[derive(Default)]
pub(crate) struct Rates {
    ours: Vec<f64>,
    bare: Vec<f64>,
}

impl Stage {
    /// Starts Pando on data that has the sample profiles, and hyper with the bytes of one of them.
    pub(crate) async fn set(binary: &Path, data: &Path, answer: Bytes) -> Result<Self> {
        let certificates = Certificates::new();
        let files = certificates.server("server");
        let (certificate, key) = (files.certificate.display().to_string(), files.key.display().to_string());
        let settings =
            [("PANDO_HTTP__TLS__CERTIFICATE", certificate.as_str()), ("PANDO_HTTP__TLS__KEY", key.as_str())];
        let server = Server::start(binary, data, &settings).await?;
        let profile = format!("api/v1/profiles/{}", sample::id(0));
        let ours = format!("{}/{profile}", server.url.replace("http://", "https://"));
        let bare = limits::bare_hyper(answer, Some(acceptor(&files)?)).await?;
        let bare = format!("{bare}/{profile}");
        // The first read fills the memory.
        load::wrk(&ours, None, Pressure { clients: 1, seconds: 1 }).await?;
        Ok(Self { ours, bare, _server: server, _certificates: certificates })
    }

    /// One measurement of both, alternately first and second.
    pub(crate) async fn round(&self, round: usize, pressure: Pressure, rates: &mut Rates) -> Result<()> {
        if round.is_multiple_of(2) {
            rates.bare.push(load::wrk(&self.bare, None, pressure).await?);
        }
        rates.ours.push(load::wrk(&self.ours, None, pressure).await?);
        if !round.is_multiple_of(2) {
            rates.bare.push(load::wrk(&self.bare, None, pressure).await?);
        }
        Ok(())
    }
}

impl Rates {
    /// Adds the comparison to the report.
    pub(crate) fn judge(&self, report: &mut Report) {
        let name = "HTTPS GET from memory / bare hyper with rustls, same bytes and certificate";
        report.compare(name, &self.ours, &self.bare, "requests/s", Some(0.88));
    }
}

/// rustls as it comes.
fn acceptor(files: &CertificateFiles) -> Result<TlsAcceptor> {
    let chain = vec![CertificateDer::from_pem_file(&files.certificate)?];
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions()?.with_no_client_auth();
    let config = config.with_single_cert(chain, PrivateKeyDer::from_pem_file(&files.key)?)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
