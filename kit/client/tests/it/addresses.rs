//! Which addresses are called for strangers.

use bytes::Bytes;
use http::{Request, StatusCode};
use pando_client::ClientError;

use crate::server::TestServer;
use crate::{call, get, public, trusting};

const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

#[tokio::test]
async fn a_stranger_reaches_no_private_address_by_number_or_by_name() {
    let mut server = TestServer::start(ANSWER).await;
    let port = server.address.port();
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "127.1", "0x7f000001", "0.0.0.0"] {
        let error = public(false).send(&call(), get(&format!("http://{host}:{port}/"))).await.unwrap_err();
        assert!(matches!(error, ClientError::Private), "{host}: {error:?}");
        assert!(!error.is_transient(), "{host}");
    }
    assert!(server.requests.try_recv().is_err(), "nothing was sent");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn addresses_that_the_operator_allows_are_called() {
    let server = TestServer::start(ANSWER).await;
    let url = format!("http://localhost:{}/", server.address.port());
    for client in [public(true), trusting(&pando_tls::Tls::default())] {
        let answer = client.send(&call(), get(&url)).await.unwrap();
        assert_eq!((answer.status(), &answer.body()[..]), (StatusCode::OK, &b"hi"[..]));
    }
}

#[tokio::test]
async fn a_redirect_into_the_private_network_is_an_answer_and_is_not_followed() {
    let inside = TestServer::start(ANSWER).await;
    let redirect = format!("HTTP/1.1 302 Found\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", inside.url());
    let server = TestServer::start(redirect).await;
    let answer = public(true).send(&call(), get(&server.url())).await.unwrap();
    assert_eq!(answer.status(), StatusCode::FOUND);
    assert_eq!(inside.connections(), 0);
}

#[tokio::test]
async fn addresses_that_are_none_are_refused_before_a_connection() {
    for bad in ["/relative", "ftp://localhost/", "http://user:word@localhost/", "http://localhost:99999/"] {
        let request = Request::get(bad).body(Bytes::new()).unwrap();
        let error = public(true).send(&call(), request).await.unwrap_err();
        assert!(matches!(error, ClientError::BadAddress { .. }) && !error.is_transient(), "{bad}: {error:?}");
    }
}
