//! Answers and their limits.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use pando_client::{Client, ClientError, ClientOptions, Destination};
use pando_resilience::Call;
use pando_tls::Tls;
use tokio::net::TcpListener;

use crate::server::TestServer;
use crate::{call, get, trusting};

#[tokio::test]
async fn connections_are_kept_and_the_request_carries_its_id() {
    let mut server = TestServer::start("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
    let client = trusting(&Tls::default());
    for _ in 0..3 {
        client.send(&call(), get(&server.url())).await.unwrap();
        let request = server.requests.recv().await.unwrap().to_lowercase();
        assert!(request.contains("x-request-id: request-7\r\n"), "{request}");
        assert!(request.contains(&format!("host: {}\r\n", server.address)), "{request}");
    }
    assert_eq!(server.connections(), 1);
    let own = Request::get(server.url()).header("x-request-id", "mine").body(Bytes::new()).unwrap();
    client.send(&call(), own).await.unwrap();
    assert!(server.requests.recv().await.unwrap().contains("x-request-id: mine\r\n"));
}

#[tokio::test]
async fn a_server_that_closes_its_connections_is_asked_over_new_ones() {
    let server = TestServer::start("HTTP/1.1 200 OK\r\n\r\nuntil the end").await;
    let client = trusting(&Tls::default());
    for _ in 0..2 {
        let answer = client.send(&call(), get(&server.url())).await.unwrap();
        assert_eq!(&answer.body()[..], b"until the end");
    }
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_collected() {
    let endless = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 3_000]].concat();
    let server = TestServer::start(endless).await;
    let options = ClientOptions { body_bytes_max: 2_000, ..ClientOptions::default() };
    let client = Client::new(&options, Destination::Trusted, &Tls::default()).unwrap();
    let error = client.send(&call(), get(&server.url())).await.unwrap_err();
    assert!(
        matches!(error, ClientError::TooLarge { bytes_max: 2_000 }) && !error.is_transient(),
        "{error:?}"
    );
    let head = client.notify(&call(), get(&server.url())).await.unwrap();
    assert_eq!(head.status, 200, "the head alone is no large answer");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_at_the_deadline_or_before() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let late = |error: &ClientError| matches!(error, ClientError::Late { .. }) && error.is_transient();
    let short = Call::internal("test", Duration::from_millis(50));
    let error = trusting(&Tls::default()).send(&short, get(&url)).await.unwrap_err();
    assert!(late(&error), "{error:?}");

    let options = ClientOptions { answer_ms: 50, ..ClientOptions::default() };
    let client = Client::new(&options, Destination::Trusted, &Tls::default()).unwrap();
    let error = client.send(&call(), get(&url)).await.unwrap_err();
    assert!(late(&error) && error.to_string() == "no answer within 50 ms", "{error:?}");
}

#[tokio::test]
async fn a_body_that_stops_on_its_way_is_given_up() {
    let half = TestServer::start("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await;
    let options = ClientOptions { answer_ms: 100, ..ClientOptions::default() };
    let client = Client::new(&options, Destination::Trusted, &Tls::default()).unwrap();
    let error = client.send(&call(), get(&half.url())).await.unwrap_err();
    assert!(matches!(error, ClientError::Late { waited_ms: 100 }), "{error:?}");
}

#[tokio::test]
async fn nobody_there_and_a_broken_connection_are_told_apart() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = trusting(&Tls::default()).send(&call(), get(&format!("http://{gone}/"))).await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }) && error.is_transient(), "{error:?}");
    assert!(error.to_string().contains(&gone.to_string()), "{error}");

    let rude = TestServer::start("").await;
    let error = trusting(&Tls::default()).send(&call(), get(&rude.url())).await.unwrap_err();
    assert!(matches!(error, ClientError::Broken { before_answer: true, .. }), "{error:?}");
    assert!(error.to_string().contains("closed before message completed"), "{error}");
}
