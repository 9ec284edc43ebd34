//! The trusted authorities, read once, and the configurations that clients make of them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use serde::{Deserialize, Serialize};

use crate::verify::Lenient;
use crate::{TlsError, TlsOptions, Verify};

/// TLS to other servers. Cloning shares the authorities, which are read when they are first needed.
///
/// In a settings file it is its [`TlsOptions`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "TlsOptions", into = "TlsOptions")]
pub struct Tls(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    options: TlsOptions,
    /// Where relative files lie.
    folder: PathBuf,
    authorities: OnceLock<Authorities>,
}

#[derive(Debug)]
struct Authorities {
    certificates: Vec<CertificateDer<'static>>,
    roots: Arc<RootCertStore>,
    /// The configuration that most clients use.
    full: Arc<ClientConfig>,
}

impl Tls {
    /// Trusts the authorities of these settings; relative files lie in `folder`.
    pub fn new(options: TlsOptions, folder: &Path) -> Self {
        Self(Arc::new(Inner { options, folder: folder.to_owned(), authorities: OnceLock::new() }))
    }

    /// The same settings; relative files lie in `folder`.
    pub fn within(&self, folder: &Path) -> Self {
        Self::new(self.0.options.clone(), folder)
    }

    /// Trusts the authorities of one file and no others.
    pub fn only(file: &Path) -> Self {
        Self::new(TlsOptions { authorities: vec![file.to_owned()], system_authorities: false }, Path::new(""))
    }

    /// The settings.
    pub fn options(&self) -> &TlsOptions {
        &self.0.options
    }

    /// Where relative files lie.
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// Whether every file of authorities can be read.
    pub fn check(&self) -> Result<(), TlsError> {
        self.own().map(drop)
    }

    /// The configuration of a client that checks certificates this far: TLS 1.2 and 1.3, by ring.
    pub fn client_config(&self, verify: Verify) -> Result<Arc<ClientConfig>, TlsError> {
        let provider = provider();
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let authority = match verify {
            Verify::Full => return Ok(Arc::clone(&self.authorities()?.full)),
            Verify::Authority => {
                let roots = Arc::clone(&self.authorities()?.roots);
                if roots.is_empty() {
                    return Err(TlsError::NoAuthority);
                }
                let checked =
                    WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
                Some(checked.map_err(|error| TlsError::SetUp { reason: error.to_string() })?)
            }
            Verify::Nothing => None,
        };
        let verifier = Arc::new(Lenient { authority, provider });
        let config = config.dangerous().with_custom_certificate_verifier(verifier);
        Ok(Arc::new(config.with_no_client_auth()))
    }

    /// The trusted authorities as one PEM text, for clients that make their own configuration.
    pub fn authorities_pem(&self) -> Result<String, TlsError> {
        let mut text = String::new();
        for certificate in &self.authorities()?.certificates {
            text.push_str("-----BEGIN CERTIFICATE-----\n");
            let encoded = STANDARD.encode(certificate);
            let mut rest = encoded.as_str();
            while !rest.is_empty() {
                let (line, after) = rest.split_at(rest.len().min(64));
                text.push_str(line);
                text.push('\n');
                rest = after;
            }
            text.push_str("-----END CERTIFICATE-----\n");
        }
        Ok(text)
    }

    fn authorities(&self) -> Result<&Authorities, TlsError> {
        if let Some(read) = self.0.authorities.get() {
            return Ok(read);
        }
        let read = self.read()?;
        Ok(self.0.authorities.get_or_init(|| read))
    }

    fn read(&self) -> Result<Authorities, TlsError> {
        let (mut roots, mut certificates) = (RootCertStore::empty(), Vec::new());
        for (path, own) in self.own()? {
            for authority in own {
                let refused = |error: rustls::Error| TlsError::Authorities {
                    path: path.clone(),
                    reason: error.to_string(),
                };
                roots.add(authority.clone()).map_err(refused)?;
                certificates.push(authority);
            }
        }
        if self.0.options.system_authorities {
            let system = rustls_native_certs::load_native_certs();
            for error in system.errors {
                tracing::warn!(%error, "an authority of the system could not be read");
            }
            // Some systems carry authorities so old that rustls cannot read them.
            certificates
                .extend(system.certs.into_iter().filter(|authority| roots.add(authority.clone()).is_ok()));
        }
        let roots = Arc::new(roots);
        let full = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(Arc::clone(&roots))
            .with_no_client_auth();
        Ok(Authorities { certificates, roots, full: Arc::new(full) })
    }

    /// The authorities of each file.
    fn own(&self) -> Result<Vec<(PathBuf, Vec<CertificateDer<'static>>)>, TlsError> {
        let files = self.0.options.authorities.iter().map(|file| self.0.folder.join(file));
        files.map(|path| Ok((path.clone(), certificates_of(path)?))).collect()
    }
}

fn certificates_of(path: PathBuf) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(&path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if found.is_empty() => {
            Err(TlsError::Authorities { path, reason: "it holds no certificate".to_owned() })
        }
        Ok(found) => Ok(found),
        Err(error) => Err(TlsError::Authorities { path, reason: error.to_string() }),
    }
}

/// The one provider of cryptography in this program.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

impl From<TlsOptions> for Tls {
    fn from(options: TlsOptions) -> Self {
        Self::new(options, Path::new(""))
    }
}

impl From<Tls> for TlsOptions {
    fn from(tls: Tls) -> Self {
        tls.0.options.clone()
    }
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        self.0.options == other.0.options && self.0.folder == other.0.folder
    }
}

impl Eq for Tls {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_holds_no_authority_is_refused_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ca.pem");
        let options = TlsOptions { authorities: vec!["ca.pem".into()], ..TlsOptions::default() };
        let refused = |expected: &str| {
            let tls = Tls::new(options.clone(), folder.path());
            let error = tls.check().expect_err("nothing to trust").to_string();
            assert!(error.contains(&*file.to_string_lossy()) && error.contains(expected), "{error}");
            assert_eq!(tls.client_config(Verify::Full).expect_err("nothing to trust").to_string(), error);
        };
        refused("No such file");
        std::fs::write(&file, "no certificate").expect("the folder can be written");
        refused("it holds no certificate");
    }

    #[test]
    fn the_authorities_are_read_once_and_shared() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ca.pem");
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        std::fs::write(&file, made.cert.pem()).expect("the folder can be written");
        let tls = Tls::only(&file);
        let first = tls.client_config(Verify::Full).expect("it is read");
        std::fs::remove_file(&file).expect("the folder can be written");
        let second = tls.clone().client_config(Verify::Full).expect("it was read");
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(
            tls.authorities_pem().expect("it was read").replace("\r\n", "\n"),
            made.cert.pem().replace("\r\n", "\n")
        );
        assert!(tls.client_config(Verify::Authority).is_ok());
    }

    #[test]
    fn without_an_authority_nothing_can_be_checked() {
        let none = Tls::from(TlsOptions { system_authorities: false, ..TlsOptions::default() });
        assert!(matches!(none.client_config(Verify::Authority), Err(TlsError::NoAuthority)));
        assert!(none.client_config(Verify::Nothing).is_ok());
    }

    #[test]
    fn its_settings_are_a_section_of_a_file() {
        let text = r#"{"authorities":["ca.pem"],"system_authorities":false}"#;
        let tls: Tls = serde_json::from_str(text).expect("settings");
        assert_eq!(serde_json::to_string(&tls).expect("settings"), text);
        assert!(serde_json::from_str::<Tls>(r#"{"authority": "ca.pem"}"#).is_err());
    }
}
