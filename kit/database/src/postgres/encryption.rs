//! TLS to the server: which mode was asked for, and the connector that tokio-postgres takes.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use pando_tls::{ClientConfig, Tls, Verify};
use ring::digest;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::certificate::signature_digest;
use crate::DatabaseError;

/// The wishes of an address that tokio-postgres does not know all of.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    pub(crate) sslmode: Option<String>,
    pub(crate) sslrootcert: Option<PathBuf>,
}

impl Wishes {
    /// Takes the wishes out of an address.
    pub(crate) fn taken_from(url: &str) -> (String, Self) {
        let mut wishes = Self::default();
        let is_url = url.starts_with("postgres://") || url.starts_with("postgresql://");
        let Some((address, query)) = url.split_once('?').filter(|_| is_url) else {
            return (url.to_owned(), wishes);
        };
        let mut rest = Vec::new();
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some(("sslmode", mode)) => wishes.sslmode = Some(mode.to_owned()),
                Some(("sslrootcert", file)) => wishes.sslrootcert = Some(decoded(file)),
                _ => rest.push(pair),
            }
        }
        let question = if rest.is_empty() { "" } else { "?" };
        (format!("{address}{question}{}", rest.join("&")), wishes)
    }
}

/// The file that a part of an address names.
fn decoded(text: &str) -> PathBuf {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let code = digits.filter(|_| *first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    PathBuf::from(String::from_utf8_lossy(&bytes).into_owned())
}

/// Speaks TLS to the server, if the mode asks for it and the server agrees.
#[derive(Clone)]
pub(crate) struct Encryption {
    pub(crate) mode: SslMode,
    config: Arc<ClientConfig>,
}

impl Encryption {
    pub(crate) fn new(wishes: &Wishes, tls: &Tls) -> Result<Self, DatabaseError> {
        let (mode, verify) = match (wishes.sslmode.as_deref(), &wishes.sslrootcert) {
            (Some("disable"), _) => (SslMode::Disable, Verify::Nothing),
            (None | Some("prefer"), _) => (SslMode::Prefer, Verify::Nothing),
            (Some("require"), None) => (SslMode::Require, Verify::Nothing),
            // As for every other program that uses PostgreSQL: a file of authorities is there to be used.
            (Some("require" | "verify-ca"), _) => (SslMode::Require, Verify::Authority),
            (Some("verify-full"), _) => (SslMode::Require, Verify::Full),
            (Some(other), _) => {
                let reason =
                    format!("{other} is not one of disable, prefer, require, verify-ca, verify-full");
                return Err(DatabaseError::BadSetting { setting: "sslmode", reason });
            }
        };
        let (tls, setting) = match &wishes.sslrootcert {
            None => (tls.clone(), "sslmode"),
            Some(file) => (Tls::only(&tls.folder().join(file)), "sslrootcert"),
        };
        let config = tls.client_config(verify);
        let config =
            config.map_err(|error| DatabaseError::BadSetting { setting, reason: error.to_string() })?;
        Ok(Self { mode, config })
    }

    /// The connector for one server.
    pub(crate) fn to(&self, host: &str) -> Connector {
        Connector { config: Arc::clone(&self.config), host: host.to_owned() }
    }
}

/// Speaks TLS to one server.
pub(crate) struct Connector {
    config: Arc<ClientConfig>,
    host: String,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for Encryption {
    type Stream = Encrypted<S>;
    type TlsConnect = Connector;
    type Error = io::Error;

    fn make_tls_connect(&mut self, host: &str) -> io::Result<Connector> {
        Ok(self.to(host))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Connector {
    type Stream = Encrypted<S>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Encrypted<S>>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let name = ServerName::try_from(self.host).map_err(io::Error::other)?;
            TlsConnector::from(self.config).connect(name, stream).await.map(Encrypted)
        })
    }
}

/// An encrypted connection.
pub(crate) struct Encrypted<S>(TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> tokio_postgres::tls::TlsStream for Encrypted<S> {
    /// Ties the password's proof to this connection: nobody in the middle can pass it on (RFC 5929).
    fn channel_binding(&self) -> ChannelBinding {
        let certificates = self.0.get_ref().1.peer_certificates();
        let certificate = certificates.and_then(|chain| chain.first());
        let hashed = certificate.and_then(|der| Some((signature_digest(der)?, der)));
        match hashed {
            Some((algorithm, der)) => {
                ChannelBinding::tls_server_end_point(digest::digest(algorithm, der).as_ref().to_vec())
            }
            None => ChannelBinding::none(),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_taken_out_of_an_address_and_the_rest_stays() {
        for (url, rest, sslmode, sslrootcert) in [
            ("postgres://h/d", "postgres://h/d", None, None),
            ("postgres://h/d?sslmode=verify-full", "postgres://h/d", Some("verify-full"), None),
            (
                "postgres://h/d?a=b&sslrootcert=%2Fetc%2Fca.pem&sslmode=require&c=d",
                "postgres://h/d?a=b&c=d",
                Some("require"),
                Some("/etc/ca.pem"),
            ),
            ("postgres://h/d?sslrootcert=100%", "postgres://h/d", None, Some("100%")),
        ] {
            let (found, wishes) = Wishes::taken_from(url);
            let expected =
                Wishes { sslmode: sslmode.map(str::to_owned), sslrootcert: sslrootcert.map(PathBuf::from) };
            assert_eq!((found.as_str(), wishes), (rest, expected), "{url}");
        }
    }

    #[test]
    fn an_unknown_mode_and_a_missing_file_are_refused_by_name() {
        let refused = |sslmode: &str, file: Option<&str>| {
            let wishes = Wishes { sslmode: Some(sslmode.to_owned()), sslrootcert: file.map(PathBuf::from) };
            Encryption::new(&wishes, &Tls::default()).err().expect("refused").to_string()
        };
        assert!(refused("allow", None).contains("database setting sslmode: allow is not one of disable"));
        let missing = refused("verify-full", Some("/nowhere/ca.pem"));
        assert!(missing.contains("sslrootcert") && missing.contains("/nowhere/ca.pem"), "{missing}");
    }
}
