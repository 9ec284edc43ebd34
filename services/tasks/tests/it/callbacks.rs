//! Callbacks over TLS, to real servers on this machine: whom they believe, and what they say when they do not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pando_tasks::TasksOptions;
use pando_tls::{Tls, TlsOptions};
use rcgen::{CertificateParams, CertifiedKey, DistinguishedName, DnType, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use crate::harness::{House, each_house_with, open_minded};

/// A certificate that vouches for itself, for one name or address.
fn certificate(name: &str) -> CertifiedKey {
    let key_pair = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    // Strangers have another name: who vouches is looked for by it.
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("{name}, in tests of Pando"));
    let cert = params.self_signed(&key_pair).unwrap();
    CertifiedKey { cert, key_pair }
}

/// A server that answers 204 to whoever speaks TLS with it, and passes on what it was sent.
async fn serve(host: &str, certified: &CertifiedKey) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let key = PrivateKeyDer::try_from(certified.key_pair.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    // Where callers look first.
    let address = tokio::net::lookup_host((host, 0)).await.unwrap().next().unwrap();
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, requests) = mpsc::unbounded_channel();
    pando_telemetry::spawn("test_called", async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Who does not believe it goes away.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                let mut piece = [0; 1_024];
                match stream.read(&mut piece).await {
                    Ok(read) if read > 0 => request.extend_from_slice(&piece[..read]),
                    _ => break,
                }
            }
            if sender.send(String::from_utf8(request).unwrap()).is_err() {
                return;
            }
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        }
    });
    (address, requests)
}

/// Settings that believe one certificate beside the system's.
fn believing(folder: &tempfile::TempDir, certified: &CertifiedKey) -> TasksOptions {
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, certified.cert.pem()).unwrap();
    let options = TlsOptions { authorities: vec![file], ..TlsOptions::default() };
    TasksOptions { tls: Tls::new(options, folder.path()), ..open_minded() }
}

/// The end of a task that calls an address once.
async fn called_once(house: &House, url: &str) -> Value {
    let task = json!({"type": "http_callback", "data": {"url": url, "body": {"n": 1}}, "max_retries": 0});
    let created = house.create(&task).await.json();
    let path = format!("/api/v1/tasks/{}?wait=20s", created["id"].as_str().unwrap());
    house.get(&path).await.json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_https_address_is_called_by_name_and_by_number() {
    for host in ["localhost", "127.0.0.1"] {
        let (folder, certified) = (tempfile::tempdir().unwrap(), certificate(host));
        each_house_with(&believing(&folder, &certified), async |house| {
            let (address, mut requests) = serve(host, &certified).await;
            let worker = house.worker();
            let done = called_once(house, &format!("https://{host}:{}/done?x=1", address.port())).await;
            assert_eq!(
                (&done["status"], &done["result"]),
                (&json!("completed"), &json!({"status": 204})),
                "{done}"
            );
            let request = requests.recv().await.unwrap();
            assert!(
                request.starts_with("POST /done?x=1 HTTP/1.1\r\n") && request.ends_with(r#"{"n":1}"#),
                "{request}"
            );
            assert!(request.contains(&format!("host: {host}:{}\r\n", address.port())), "{request}");
            worker.stop(Duration::from_secs(5)).await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_to_be_called_when_a_task_has_ended_may_be_https() {
    let (folder, certified) = (tempfile::tempdir().unwrap(), certificate("localhost"));
    each_house_with(&believing(&folder, &certified), async |house| {
        let (address, mut requests) = serve("localhost", &certified).await;
        let worker = house.worker();
        let url = format!("https://localhost:{}/", address.port());
        let created = house.create(&json!({"type": "echo", "callback_url": url})).await.json();
        let request = tokio::time::timeout(Duration::from_secs(30), requests.recv()).await.unwrap().unwrap();
        let (_, body) = request.split_once("\r\n\r\n").unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body, json!({"task_id": created["id"], "status": "completed"}));
        worker.stop(Duration::from_secs(5)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_another_name_or_of_a_stranger_is_refused_and_nothing_is_sent() {
    let (folder, other) = (tempfile::tempdir().unwrap(), certificate("other.example"));
    each_house_with(&believing(&folder, &other), async |house| {
        let worker = house.worker();
        let stranger = certificate("localhost");
        for (certified, reason) in [(&other, "not valid for name"), (&stranger, "UnknownIssuer")] {
            let (address, mut requests) = serve("localhost", certified).await;
            let refused = called_once(house, &format!("https://localhost:{}/", address.port())).await;
            assert_eq!(refused["status"], "failed", "{refused}");
            let error = refused["error"].as_str().unwrap();
            assert!(
                error.contains("no encrypted connection to localhost:") && error.contains(reason),
                "{error}"
            );
            assert!(requests.try_recv().is_err(), "nothing was sent");
        }
        worker.stop(Duration::from_secs(5)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn private_networks_are_refused_over_https_too() {
    let (folder, certified) = (tempfile::tempdir().unwrap(), certificate("localhost"));
    let guarded = TasksOptions { callback_networks: Vec::new(), ..believing(&folder, &certified) };
    each_house_with(&guarded, async |house| {
        let worker = house.worker();
        let (address, mut requests) = serve("localhost", &certified).await;
        let refused = called_once(house, &format!("https://localhost:{}/", address.port())).await;
        let found = (&refused["status"], &refused["error"]);
        assert_eq!(found, (&json!("failed"), &json!("the host is in a private network")));
        // An address that is written out is refused before anything is stored.
        for host in ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"] {
            let url = format!("https://{host}:{}/", address.port());
            let refused = house.create(&json!({"type": "http_callback", "data": {"url": url}})).await;
            assert_eq!(refused.json()["errors"][0]["field"], "data.url", "{host}");
        }
        assert!(requests.try_recv().is_err(), "nothing was sent");
        worker.stop(Duration::from_secs(5)).await;
    })
    .await;
}
