//! TLS to callers: protocols, ciphers, bodies, slow and silent clients.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use pando_http::{Code, Drained, HttpOptions, TlsVersion};
use pando_servers::{CertificateFiles, Certificates};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion, version};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::harness::{HUGE, Running, Wire, until};
use crate::hot;

pub(crate) const BOTH: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];
pub(crate) const HTTP1: &[&str] = &["http/1.1"];

pub(crate) type Client = Wire<TlsStream<TcpStream>>;

/// Tells the server to use these files.
pub(crate) fn with(options: &mut HttpOptions, files: &CertificateFiles) {
    (options.tls.certificate, options.tls.key) = (Some(files.certificate.clone()), Some(files.key.clone()));
}

/// A client that trusts this authority.
pub(crate) fn client(
    authority: &Path,
    own: Option<&CertificateFiles>,
    provider: CryptoProvider,
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&str],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(versions);
    let config = config.unwrap().with_root_certificates(roots);
    let mut config = match own {
        None => config.with_no_client_auth(),
        Some(own) => {
            let chain = vec![CertificateDer::from_pem_file(&own.certificate).unwrap()];
            config.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(&own.key).unwrap()).unwrap()
        }
    };
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// One with this version, over HTTP/1.1.
pub(crate) fn http1(authority: &Path, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
    client(authority, None, ring::default_provider(), &[version], HTTP1)
}

pub(crate) async fn connect(server: &Running, config: &Arc<ClientConfig>) -> std::io::Result<Client> {
    let stream = TcpStream::connect(server.address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    Ok(Wire::new(TlsConnector::from(config.clone()).connect(name, stream).await?))
}

pub(crate) fn failures(server: &Running, reason: &str) -> u64 {
    count(server, &format!("http_tls_handshake_failures_total{{reason=\"{reason}\"}} "))
}

pub(crate) fn count(server: &Running, series: &str) -> u64 {
    let text = server.metrics.render();
    text.lines().find_map(|line| line.strip_prefix(series)).map_or(0, |count| count.parse().unwrap())
}

#[tokio::test]
async fn http1_and_http2_are_spoken_over_both_versions() {
    let certificates = Certificates::new();
    let server = Running::start(|options| with(options, &certificates.server("server")));
    for version in BOTH.iter().copied() {
        for protocols in [&["h2", "http/1.1"][..], &["http/1.1"], &[]] {
            let config =
                client(&certificates.authority(), None, ring::default_provider(), &[version], protocols);
            let mut wire = connect(&server, &config).await.unwrap();
            let session = wire.stream.get_ref().1;
            let chosen = session.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
            assert_eq!(chosen.as_deref(), protocols.first().copied());
            assert_eq!(session.protocol_version(), Some(version.version));
            if chosen.as_deref() == Some("h2") {
                let stream = TokioIo::new(wire.stream);
                let (mut sender, connection) =
                    http2::handshake::<_, _, Empty<Bytes>>(TokioExecutor::new(), stream).await.unwrap();
                pando_telemetry::spawn("test_client", async { drop(connection.await) });
                let request = Request::get("https://localhost/items/7").body(Empty::new()).unwrap();
                let answer = sender.send_request(request).await.unwrap();
                assert_eq!(answer.collect().await.unwrap().to_bytes(), "7");
                continue;
            }
            for id in ["7", "8"] {
                assert_eq!(wire.get(&format!("/items/{id}")).await.unwrap().text(), id);
            }
        }
    }
    let config = client(&certificates.authority(), None, ring::default_provider(), BOTH, &["spdy/1"]);
    assert!(connect(&server, &config).await.is_err(), "no protocol in common");
    assert_eq!(failures(&server, "nothing_in_common"), 1);
    assert_eq!(count(&server, "http_tls_handshakes_total{version=\"1.2\"} "), 3);
    assert_eq!(count(&server, "http_tls_handshakes_total{version=\"1.3\"} "), 3);
    server.stop().await;
}

/// The list stands in the README as well.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "the list is what the test is for")]
async fn these_versions_and_ciphers_are_spoken_and_no_others() {
    let certificates = Certificates::new();
    let server = Running::start(|options| with(options, &certificates.server("server")));
    println!("{} speaks TLS with ALPN h2 and http/1.1:", server.address);
    let mut spoken = Vec::new();
    for version in BOTH.iter().copied() {
        for suite in ring::default_provider().cipher_suites {
            let provider = CryptoProvider { cipher_suites: vec![suite], ..ring::default_provider() };
            if suite.version() != version {
                continue;
            }
            let config = client(&certificates.authority(), None, provider, &[version], HTTP1);
            // The certificate of the test has a key of the curve P-256: ciphers for RSA keys cannot be tried with it.
            if connect(&server, &config).await.is_ok() {
                spoken.push(format!("{:?} {:?}", version.version, suite.suite()));
                println!("  {}", spoken.last().unwrap());
            }
        }
    }
    assert_eq!(
        spoken,
        [
            "TLSv1_3 TLS13_AES_256_GCM_SHA384",
            "TLSv1_3 TLS13_AES_128_GCM_SHA256",
            "TLSv1_3 TLS13_CHACHA20_POLY1305_SHA256",
            "TLSv1_2 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "TLSv1_2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            "TLSv1_2 TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        ]
    );
    let readme = include_str!("../../README.md");
    for suite in ring::default_provider().cipher_suites {
        let name = format!("{:?}", suite.suite()).replace("TLS13_", "TLS_");
        assert!(readme.contains(&name), "the README does not name {name}");
    }
    server.stop().await;
}

#[tokio::test]
async fn older_versions_are_refused() {
    let certificates = Certificates::new();
    let server = Running::start(|options| {
        with(options, &certificates.server("server"));
        options.tls.version_min = TlsVersion::V13;
    });
    let refused = connect(&server, &http1(&certificates.authority(), &version::TLS12)).await;
    assert!(refused.is_err(), "TLS 1.2 is not spoken here");
    let client = connect(&server, &http1(&certificates.authority(), &version::TLS13)).await.unwrap();
    assert_eq!(client.stream.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    // A greeting of SSL 3.0, TLS 1.0 and TLS 1.1, with ECDHE_RSA_WITH_AES_128_CBC_SHA.
    for minor in [0, 1, 2] {
        let mut hello = vec![22, 3, 1, 0, 45, 1, 0, 0, 41, 3, minor];
        hello.extend([7; 32]);
        hello.extend([0, 0, 2, 0xc0, 0x13, 1, 0]);
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(&hello).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        // A fatal alert: protocol_version, or handshake_failure because it names no signatures.
        assert_eq!((answer[0], &answer[3..6]), (21, &[0, 2, 2][..]), "{answer:?}");
        assert!([40, 70].contains(&answer[6]), "{answer:?}");
    }
    drop(client);
    server.stop().await;
}

#[tokio::test]
async fn hot_reads_are_answered_pipelined_and_in_pieces() {
    let certificates = Certificates::new();
    for hot_wire in [true, false] {
        let server = hot::start(|options| {
            with(options, &certificates.server("server"));
            options.hot_wire = hot_wire;
        });
        let mut wire = connect(&server, &http1(&certificates.authority(), &version::TLS13)).await.unwrap();
        let request = "GET /warm/known HTTP/1.1\r\nhost: x\r\n\r\nGET /items/3 HTTP/1.1\r\nhost: x\r\n\r\n";
        let all = request.repeat(500);
        // Records end in the middle of requests.
        for piece in all.as_bytes().chunks(777) {
            wire.send(piece).await;
        }
        for _ in 0..500 {
            let hot = wire.answer().await.unwrap();
            assert_eq!((hot.text().as_str(), hot.header("x-cache")), (r#"{"from":"memory"}"#, "l1; age=0"));
            assert_eq!(wire.answer().await.unwrap().text(), "3");
        }
        drop(wire);
        server.stop().await;
    }
}

#[tokio::test]
async fn large_bodies_pass_both_ways() {
    let certificates = Certificates::new();
    let server = Running::start(|options| with(options, &certificates.server("server")));
    for version in BOTH.iter().copied() {
        let mut wire = connect(&server, &http1(&certificates.authority(), version)).await.unwrap();
        let body = vec![b'x'; 100_000];
        wire.send(b"POST /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n").await;
        wire.send(&body).await;
        assert_eq!(wire.answer().await.unwrap().text(), "100000");
        let huge = wire.get("/huge").await.unwrap();
        assert_eq!(huge.body.len(), HUGE);
        assert!(huge.body.iter().all(|byte| *byte == b'x'));
        assert_eq!(wire.get("/stream").await.unwrap().body.len(), 1_100);
        // Refused while the rest is on its way: the answer arrives all the same.
        wire.send(b"POST /small HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n").await;
        wire.send(&body.repeat(10)).await;
        wire.answer().await.unwrap().is_problem(Code::TooLarge);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_closes_its_side_gets_its_answer() {
    let certificates = Certificates::new();
    let server = Running::start(|options| with(options, &certificates.server("server")));
    for says_so in [true, false] {
        let config = http1(&certificates.authority(), &version::TLS13);
        let mut wire = connect(&server, &config).await.unwrap();
        wire.send(b"GET /behave/slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
        if says_so {
            wire.stream.shutdown().await.unwrap();
        } else {
            // Without the alert close_notify.
            wire.stream.get_mut().0.shutdown().await.unwrap();
        }
        assert_eq!(wire.answer().await.unwrap().text(), "slow");
        // The server says that this was all.
        assert_eq!(wire.stream.read(&mut [0; 8]).await.unwrap(), 0);
    }
    server.stop().await;
}

#[tokio::test]
async fn plain_http_is_told_where_it_is() {
    let certificates = Certificates::new();
    let server = Running::start(|options| with(options, &certificates.server("server")));
    let answer = server.get("/hello").await;
    answer.is_problem(Code::Malformed);
    assert!(answer.text().contains("this port speaks HTTPS"), "{}", answer.text());
    // A long body is still on its way when the answer is.
    let answer = server.post("/upload", "text/plain", &vec![b'x'; 1_000_000]).await;
    answer.is_problem(Code::Malformed);
    assert_eq!(failures(&server, "plain_http"), 2);
    server.stop().await;
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_ended() {
    let certificates = Certificates::new();
    let server = Running::start(|options| {
        with(options, &certificates.server("server"));
        options.header_read_timeout_ms = 300;
    });
    // Nothing, a beginning, bytes that are no TLS, and no more than a handshake.
    for beginning in [&b""[..], b"\x16\x03\x01\x02\x00\x01\x00", b"\x01\x02\x03\x04\x05\x06\x07\x08"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(beginning).await.unwrap();
        let closed = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut Vec::new())).await;
        assert!(closed.is_ok(), "{beginning:?}");
    }
    assert_eq!((failures(&server, "timeout"), failures(&server, "malformed")), (2, 1));
    let config = http1(&certificates.authority(), &version::TLS12);
    let mut silent = connect(&server, &config).await.unwrap();
    assert!(silent.is_closed().await);
    // A connection whose head does not come in time is answered with 408.
    let mut slow = connect(&server, &config).await.unwrap();
    slow.send(b"GET /hello HTTP/1.1\r\n").await;
    slow.answer().await.unwrap().is_problem(Code::RequestTimeout);
    drop(TcpStream::connect(server.address).await.unwrap());
    until("it is counted", || failures(&server, "gone") == 1).await;
    server.stop().await;
}

#[tokio::test]
async fn an_answer_that_is_not_taken_is_given_up_and_a_slow_reader_gets_all_of_it() {
    let certificates = Certificates::new();
    let server = Running::start(|options| {
        with(options, &certificates.server("server"));
        options.write_stall_ms = 1_500;
    });
    let config = http1(&certificates.authority(), &version::TLS13);
    let mut stuck = connect(&server, &config).await.unwrap();
    stuck.send(b"GET /huge HTTP/1.1\r\nhost: x\r\n\r\n").await;
    until("it is given up", || server.metrics.render().contains("http_connections 0")).await;
    let mut slow = connect(&server, &config).await.unwrap();
    slow.send(b"GET /huge HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let (mut read, mut buffer) = (0, vec![0; 64 * 1024]);
    let mut pause = tokio::time::interval(Duration::from_millis(12));
    while read < HUGE {
        pause.tick().await;
        read += slow.stream.read(&mut buffer).await.unwrap();
    }
    drop((stuck, slow));
    server.stop().await;
}

#[tokio::test]
async fn requests_in_flight_finish_and_idle_connections_close_at_shutdown() {
    let certificates = Certificates::new();
    let server = Running::start(|options| with(options, &certificates.server("server")));
    let config = http1(&certificates.authority(), &version::TLS13);
    let mut idle = connect(&server, &config).await.unwrap();
    assert_eq!(idle.get("/hello").await.unwrap().status, 200);
    let mut busy = connect(&server, &config).await.unwrap();
    busy.send(b"GET /behave/slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    until("it is being answered", || server.metrics.render().contains("http_active_requests 1")).await;
    // One that has not even begun its handshake.
    let silent = TcpStream::connect(server.address).await.unwrap();
    let Running { shutdown, serving, .. } = server;
    shutdown.send(()).unwrap();
    assert!(idle.is_closed().await);
    let answer = busy.answer().await.unwrap();
    assert_eq!((answer.text().as_str(), answer.header("connection")), ("slow", "close"));
    assert_eq!(serving.await.unwrap(), Drained { connections_aborted: 0, requests_aborted: 0 });
    drop(silent);
}

#[tokio::test]
async fn one_address_cannot_have_all_connections() {
    let certificates = Certificates::new();
    let server = Running::start(|options| {
        with(options, &certificates.server("server"));
        options.connections_per_peer_max = 1;
    });
    let held = TcpStream::connect(server.address).await.unwrap();
    until("it is accepted", || server.metrics.render().contains("http_connections 1")).await;
    assert!(connect(&server, &http1(&certificates.authority(), &version::TLS13)).await.is_err());
    assert!(server.metrics.render().contains("status=\"429\"} 1"));
    drop(held);
    server.stop().await;
}
