//! A server that says what a test wants it to say, and counts its connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pando_servers::CertificateFiles;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

/// A server on this machine.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    /// The heads of the requests.
    pub(crate) requests: mpsc::UnboundedReceiver<String>,
    connections: Arc<AtomicUsize>,
}

impl TestServer {
    /// Answers every request with these bytes. If they do not tell their length, the connection ends with them.
    pub(crate) async fn start(answer: impl Into<Vec<u8>>) -> Self {
        Self::serve("127.0.0.1", answer.into(), None).await
    }

    /// A server that speaks TLS at this address of the machine.
    pub(crate) async fn encrypted(host: &str, files: &CertificateFiles) -> Self {
        let certificate = CertificateDer::from_pem_file(&files.certificate).unwrap();
        let key = PrivateKeyDer::from_pem_file(&files.key).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::serve(host, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi".to_vec(), Some(acceptor)).await
    }

    async fn serve(host: &str, answer: Vec<u8>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind((host, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = mpsc::unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        pando_telemetry::spawn("test_server", async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let (answer, sender, tls) = (answer.clone(), sender.clone(), tls.clone());
                pando_telemetry::spawn("test_connection", async move {
                    match tls {
                        // A client that does not trust the certificate goes away.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                answer_all(stream, &answer, &sender).await;
                            }
                        }
                        None => answer_all(stream, &answer, &sender).await,
                    }
                });
            }
        });
        Self { address, requests, connections }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn answer_all(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: &[u8],
    requests: &mpsc::UnboundedSender<String>,
) {
    let mut request = Vec::new();
    let mut piece = [0; 1_024];
    while let Ok(read) = stream.read(&mut piece).await {
        if read == 0 {
            return;
        }
        request.extend_from_slice(&piece[..read]);
        if request.ends_with(b"\r\n\r\n") {
            let _ = requests.send(String::from_utf8_lossy(&request).into_owned());
            request.clear();
            if stream.write_all(answer).await.is_err() || !answer.windows(8).any(|at| at == b"content-") {
                return;
            }
        }
    }
}
