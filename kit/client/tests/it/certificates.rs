//! Which servers are trusted over TLS, and what the error says of the others.

use pando_client::ClientError;
use pando_servers::Certificates;
use pando_tls::Tls;

use crate::server::TestServer;
use crate::{call, get, trusting};

#[tokio::test]
async fn a_server_is_trusted_by_name_and_by_number() {
    let certificates = Certificates::new();
    let server = TestServer::encrypted("127.0.0.1", &certificates.server("server")).await;
    for host in ["localhost", "127.0.0.1"] {
        let url = format!("https://{host}:{}/", server.address.port());
        let client = trusting(&Tls::only(&certificates.authority()));
        let answer = client.send(&call(), get(&url)).await.unwrap();
        assert_eq!(&answer.body()[..], b"hi");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_right_is_refused_with_the_reason_and_nothing_is_sent() {
    let (ours, other) = (Certificates::new(), Certificates::new());
    for (host, files, reason) in [
        ("127.0.0.1", other.server("server"), "(no trusted authority has signed it"),
        ("127.0.0.1", ours.expired_server("expired"), "certificate expired"),
        ("127.0.0.2", ours.server("server"), "not valid for name"),
    ] {
        let mut server = TestServer::encrypted(host, &files).await;
        let url = format!("https://{}/", server.address);
        let error = trusting(&Tls::only(&ours.authority())).send(&call(), get(&url)).await.unwrap_err();
        assert!(matches!(error, ClientError::Untrusted { .. }) && error.is_transient(), "{error:?}");
        let said = error.to_string();
        let begins = format!("no encrypted connection to {}: ", server.address);
        assert!(said.starts_with(&begins) && said.contains(reason), "{said}");
        assert!(server.requests.try_recv().is_err(), "nothing was sent");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_not_trusted() {
    let server = TestServer::start("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let url = format!("https://{}/", server.address);
    let error = trusting(&Tls::default()).send(&call(), get(&url)).await.unwrap_err();
    assert!(error.is_transient() && !matches!(error, ClientError::Late { .. }), "{error:?}");
}
