//! An authority of a test's own, and certificates that it has signed, as PEM files.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use tempfile::TempDir;

/// The year at whose beginning every valid certificate ends.
pub const NOT_AFTER_YEAR: i32 = 2100;

/// An authority with a folder for its files, which is removed with this value. Two of them do not trust each other.
pub struct Certificates {
    folder: TempDir,
    authority: Certificate,
    key: KeyPair,
}

/// A certificate and its key, in two PEM files. Only the user of the tests can read the key, as servers demand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key: PKCS#8, of the curve P-256.
    pub key: PathBuf,
}

impl Default for Certificates {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Certificates {
    /// A fresh authority.
    ///
    /// # Panics
    /// When there is no temporary folder to be had.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("pando-certificates-").tempdir();
        let folder = folder.expect("a temporary folder can be made");
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = params("Test authority", &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = params.self_signed(&key).expect("a certificate can be signed");
        let certificates = Self { folder, authority, key };
        write(&certificates.authority(), &certificates.authority.pem());
        certificates
    }

    /// The file with the certificate of the authority, for the settings of a client or a server that trusts it.
    pub fn authority(&self) -> PathBuf {
        self.path("authority.pem")
    }

    /// A path in the folder of this authority.
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// A certificate for a server on this machine: `localhost`, 127.0.0.1 and ::1.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn server(&self, name: &str) -> CertificateFiles {
        let mut params = params(name, &["localhost", "127.0.0.1", "::1"]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(name, params)
    }

    /// The same, but it ended in 2001.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn expired_server(&self, name: &str) -> CertificateFiles {
        let mut params = params(name, &["localhost", "127.0.0.1", "::1"]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_after = date_time_ymd(2001, 1, 1);
        self.sign(name, params)
    }

    /// A certificate for a client, whose common name and only DNS name is `name`.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn client(&self, name: &str) -> CertificateFiles {
        let mut params = params(name, &[name]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(name, params)
    }

    /// The same, but it ended in 2001.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn expired_client(&self, name: &str) -> CertificateFiles {
        let mut params = params(name, &[name]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.not_after = date_time_ymd(2001, 1, 1);
        self.sign(name, params)
    }

    fn sign(&self, name: &str, params: CertificateParams) -> CertificateFiles {
        let key = KeyPair::generate().expect("a key can be made");
        let signed = params.signed_by(&key, &self.authority, &self.key).expect("it can be signed");
        let files = CertificateFiles {
            certificate: self.path(&format!("{name}.pem")),
            key: self.path(&format!("{name}.key")),
        };
        write(&files.certificate, &signed.pem());
        write(&files.key, &key.serialize_pem());
        files
    }
}

impl CertificateFiles {
    /// Puts these files in the place of others, each in one step, as a program that renews certificates does: the
    /// certificate first.
    ///
    /// # Panics
    /// When they cannot be written.
    pub fn replace(&self, other: &Self) {
        for (from, to) in [(&self.certificate, &other.certificate), (&self.key, &other.key)] {
            let text = std::fs::read_to_string(from).expect("it was written here");
            let part = to.with_extension("part");
            write(&part, &text);
            std::fs::rename(part, to).expect("it can be replaced");
        }
    }
}

fn params(name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("these are names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(NOT_AFTER_YEAR, 1, 1);
    params
}

fn write(path: &Path, text: &str) {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.unwrap_or_else(|error| panic!("{} cannot be written: {error}", path.display()));
}
