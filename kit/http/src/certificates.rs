//! The certificate of the server and the authorities of its clients: read from PEM files, checked, and made ready for TLS.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pando_clock::Timestamp;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{Error, InconsistentKeys, RootCertStore, ServerConfig, SupportedProtocolVersion, version};

use crate::expiry::not_after;
use crate::options::{ClientCertificates, TlsOptions, TlsVersion};

/// A longer file is no certificate: all the authorities that browsers trust take a quarter of this.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The protocols above TLS, the preferred one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Why the server cannot speak TLS with the files that it was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Two options contradict each other, or one is out of range.
    #[error("{0}")]
    Option(&'static str),
    /// A file cannot be read or used.
    #[error("{}: {reason}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// The fault.
        reason: String,
    },
}

/// The contents of the files.
#[derive(PartialEq, Eq)]
pub(crate) struct PemFiles {
    certificate: Vec<u8>,
    key: Vec<u8>,
    authorities: Option<Vec<u8>>,
}

/// The state that handshakes need.
pub(crate) struct Usable {
    pub(crate) config: Arc<ServerConfig>,
    /// When the certificate ends.
    pub(crate) not_after: Timestamp,
}

impl TlsOptions {
    /// Whether the server speaks TLS.
    pub fn is_on(&self) -> bool {
        self.certificate.is_some()
    }

    /// Checks the options and reads the files. Returns when the certificate ends; `None` without TLS.
    pub fn check(&self) -> Result<Option<Timestamp>, CertificateError> {
        let Some(paths) = self.paths()? else { return Ok(None) };
        Ok(Some(PemFiles::read(&paths)?.usable(&paths)?.not_after))
    }

    /// The options that fit together; `None` without TLS.
    pub(crate) fn paths(&self) -> Result<Option<TlsPaths>, CertificateError> {
        if self.reload_ms < 10 {
            return Err(CertificateError::Option("tls.reload_ms must be at least 10"));
        }
        match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Ok(Some(TlsPaths {
                certificate: certificate.clone(),
                key: key.clone(),
                authorities: self.client_authorities.clone(),
                client_certificates: self.client_certificates,
                version_min: self.version_min,
            })),
            (Some(_), None) => Err(CertificateError::Option("tls.certificate is set, and tls.key is not")),
            (None, Some(_)) => Err(CertificateError::Option("tls.key is set, and tls.certificate is not")),
            (None, None) if self.client_authorities.is_some() => {
                Err(CertificateError::Option("tls.client_authorities is set, and tls.certificate is not"))
            }
            (None, None) => Ok(None),
        }
    }
}

/// The options of a server that speaks TLS, and where its files are.
#[derive(Clone, Debug)]
pub(crate) struct TlsPaths {
    certificate: PathBuf,
    key: PathBuf,
    authorities: Option<PathBuf>,
    client_certificates: ClientCertificates,
    version_min: TlsVersion,
}

impl PemFiles {
    pub(crate) fn read(paths: &TlsPaths) -> Result<Self, CertificateError> {
        Ok(Self {
            certificate: read(&paths.certificate)?,
            key: read(&paths.key)?,
            authorities: paths.authorities.as_deref().map(read).transpose()?,
        })
    }

    /// Checks that the files fit together.
    pub(crate) fn usable(&self, paths: &TlsPaths) -> Result<Usable, CertificateError> {
        let chain = certificates(&paths.certificate, &self.certificate)?;
        let end = chain.first().and_then(|certificate| not_after(certificate));
        let end = end.ok_or_else(|| fault(&paths.certificate, "the first certificate cannot be read"))?;
        let key = private_key(&paths.key, &self.key)?;
        let versions: &[&SupportedProtocolVersion] = match paths.version_min {
            TlsVersion::V12 => &[&version::TLS13, &version::TLS12],
            TlsVersion::V13 => &[&version::TLS13],
        };
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(versions);
        let builder = builder.map_err(|error| fault(&paths.certificate, error))?;
        let builder = match (&paths.authorities, &self.authorities) {
            (Some(file), Some(pem)) => {
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(authorities(file, pem)?.into(), provider);
                let verifier = match paths.client_certificates {
                    ClientCertificates::Required => verifier,
                    ClientCertificates::Optional => verifier.allow_unauthenticated(),
                };
                builder.with_client_cert_verifier(verifier.build().map_err(|error| fault(file, error))?)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                let reason =
                    format!("the key does not belong to the certificate in {}", paths.certificate.display());
                fault(&paths.key, reason)
            }
            Error::InvalidCertificate(error) => fault(&paths.certificate, error),
            error => fault(&paths.key, error),
        })?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        config.session_storage = Arc::new(NoServerSessionStorage {});
        if self.authorities.is_some() {
            // A ticket would outlive the certificate of the client, and its authority.
            config.send_tls13_tickets = 0;
        } else {
            config.ticketer = ring::Ticketer::new().map_err(|error| fault(&paths.certificate, error))?;
        }
        Ok(Usable {
            config: Arc::new(config),
            not_after: Timestamp::from_micros(end.saturating_mul(1_000_000)),
        })
    }
}

fn read(file: &Path) -> Result<Vec<u8>, CertificateError> {
    let mut bytes = Vec::new();
    let opened = File::open(file).and_then(|open| open.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    opened.map_err(|error| fault(file, error))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(fault(file, format!("longer than {FILE_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

fn certificates(file: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = chain.map_err(|error| fault(file, error))?;
    if chain.is_empty() {
        return Err(fault(file, "no certificate in PEM form (-----BEGIN CERTIFICATE-----)"));
    }
    Ok(chain)
}

fn private_key(file: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>, CertificateError> {
    use rustls::pki_types::pem::Error::NoItemsFound;
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        NoItemsFound if pem.windows(9).any(|window| window == b"ENCRYPTED") => {
            fault(file, "the key is encrypted; the server needs it without a password")
        }
        NoItemsFound => fault(file, "no private key in PEM form (PKCS#8, SEC1 or PKCS#1)"),
        error => fault(file, error),
    })
}

fn authorities(file: &Path, pem: &[u8]) -> Result<RootCertStore, CertificateError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file, pem)? {
        roots.add(certificate).map_err(|error| fault(file, error))?;
    }
    Ok(roots)
}

fn fault(file: &Path, reason: impl ToString) -> CertificateError {
    CertificateError::File { file: file.to_owned(), reason: reason.to_string() }
}
