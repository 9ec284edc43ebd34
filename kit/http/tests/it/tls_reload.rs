//! Certificates that change while the server runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use pando_clock::Clock;
use pando_http::{App, CertificateError, HttpError, HttpOptions, Server, TlsOptions};
use pando_servers::{CertificateFiles, Certificates, NOT_AFTER_YEAR};
use pando_telemetry::Metrics;
use rustls::{ClientConfig, version};

use crate::harness::{Running, until};
use crate::tls::{connect, count, http1, with};

const USED: &str = "http_tls_reloads_total{outcome=\"used\"} ";
const REFUSED: &str = "http_tls_reloads_total{outcome=\"refused\"} ";

fn start(files: &CertificateFiles) -> Running {
    Running::start(|options| {
        with(options, files);
        options.tls.reload_ms = 20;
    })
}

#[tokio::test]
async fn new_connections_get_the_new_certificate_and_open_ones_go_on() {
    let (old, new) = (Certificates::new(), Certificates::new());
    let files = old.server("server");
    let server = start(&files);
    let (trusts_old, trusts_new) =
        (http1(&old.authority(), &version::TLS13), http1(&new.authority(), &version::TLS13));
    let mut open = connect(&server, &trusts_old).await.unwrap();
    assert_eq!(open.get("/hello").await.unwrap().status, 200);
    assert!(connect(&server, &trusts_new).await.is_err());
    new.server("server").replace(&files);
    until("it is used", || count(&server, USED) == 1).await;
    assert_eq!(connect(&server, &trusts_new).await.unwrap().get("/hello").await.unwrap().status, 200);
    assert_eq!(open.get("/hello").await.unwrap().status, 200);
    drop(open);
    server.stop().await;
}

#[tokio::test]
async fn files_that_cannot_be_used_leave_the_old_certificate_in_use() {
    let certificates = Certificates::new();
    let files = certificates.server("server");
    let server = start(&files);
    let config = http1(&certificates.authority(), &version::TLS13);
    let (certificate, key) = (std::fs::read(&files.certificate).unwrap(), std::fs::read(&files.key).unwrap());
    let refused = [
        ("a key of another certificate", certificates.server("other").key),
        ("no PEM", certificates.path("garbage")),
        ("no file", certificates.path("nowhere")),
    ];
    std::fs::write(&refused[1].1, "garbage").unwrap();
    for (number, (fault, file)) in (1..).zip(refused) {
        match std::fs::read(file) {
            Ok(bytes) => std::fs::write(&files.key, bytes).unwrap(),
            Err(_) => std::fs::remove_file(&files.key).unwrap(),
        }
        until(fault, || count(&server, REFUSED) == number).await;
        assert_eq!(connect(&server, &config).await.unwrap().get("/hello").await.unwrap().status, 200);
    }
    std::fs::remove_file(&files.certificate).unwrap();
    until("both are gone", || count(&server, REFUSED) == 4).await;
    // The fault is counted once, however often the files are looked at while these connections are made.
    for _ in 0..100 {
        assert_eq!(connect(&server, &config).await.unwrap().get("/hello").await.unwrap().status, 200);
        assert_eq!((count(&server, REFUSED), count(&server, USED)), (4, 0));
    }
    std::fs::write(&files.certificate, certificate).unwrap();
    std::fs::write(&files.key, key).unwrap();
    certificates.server("renewed").replace(&files);
    until("the next is used", || count(&server, USED) == 1).await;
    assert_eq!(connect(&server, &config).await.unwrap().get("/hello").await.unwrap().status, 200);
    server.stop().await;
}

/// A thousand requests a second for as long as the certificate is replaced again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prove_that_no_request_fails_while_certificates_are_reloaded() {
    let reloads = if std::env::var_os("PANDO_PROVE").is_some() { 100 } else { 10 };
    let certificates = Certificates::new();
    let files = certificates.server("server");
    let server = Arc::new(start(&files));
    let config = http1(&certificates.authority(), &version::TLS13);
    let (ended, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> = (0..10)
        .map(|_| {
            let load = load(server.clone(), config.clone(), ended.clone(), answered.clone());
            pando_telemetry::spawn("test_client", load)
        })
        .collect();
    let began = std::time::Instant::now();
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    for number in 1..=reloads {
        pace.tick().await;
        certificates.server("next").replace(&files);
        until("it is used", || count(&server, USED) == number).await;
    }
    let seconds = began.elapsed().as_secs_f64();
    ended.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    let answered = answered.load(Ordering::SeqCst);
    eprintln!("{reloads} reloads in {seconds:.1} s under {answered} requests; none failed");
    Arc::into_inner(server).unwrap().stop().await;
}

/// A hundred requests a second, ten on each connection.
async fn load(
    server: Arc<Running>,
    config: Arc<ClientConfig>,
    ended: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
) {
    let mut pace = tokio::time::interval(Duration::from_millis(10));
    while !ended.load(Ordering::SeqCst) {
        let mut wire = connect(&server, &config).await.expect("a connection is never refused");
        for _ in 0..10 {
            pace.tick().await;
            assert_eq!(wire.get("/hello").await.expect("every request is answered").status, 200);
            answered.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[tokio::test]
async fn a_server_that_could_not_speak_tls_does_not_start() {
    let certificates = Certificates::new();
    let good = certificates.server("server");
    let write = |name: &str, text: &str| {
        let file = certificates.path(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let tls = |certificate: &std::path::Path, key: &std::path::Path| TlsOptions {
        certificate: Some(certificate.to_owned()),
        key: Some(key.to_owned()),
        ..TlsOptions::default()
    };
    let nowhere = certificates.path("nowhere.pem");
    let with_authorities = |file: &std::path::Path| TlsOptions {
        client_authorities: Some(file.to_owned()),
        ..tls(&good.certificate, &good.key)
    };
    let long = "x".repeat(1024 * 1024 + 1);
    for (options, file, reason) in [
        (tls(&nowhere, &good.key), "nowhere.pem", "No such file"),
        (tls(&write("text.pem", "text"), &good.key), "text.pem", "no certificate in PEM form"),
        (tls(&good.key, &good.key), "server.key", "no certificate in PEM form"),
        (tls(&good.certificate, &good.certificate), "server.pem", "no private key in PEM form"),
        (tls(&good.certificate, &write("sealed.key", encrypted)), "sealed.key", "is encrypted"),
        (tls(&good.certificate, &write("long.key", &long)), "long.key", "longer than"),
        (tls(&good.certificate, &certificates.server("other").key), "other.key", "does not belong to"),
        (with_authorities(&good.key), "server.key", "no certificate in PEM form"),
        (with_authorities(&nowhere), "nowhere.pem", "No such file"),
        (TlsOptions { key: None, ..tls(&good.certificate, &good.key) }, "tls.key", "is not"),
        (TlsOptions { certificate: None, ..tls(&good.certificate, &good.key) }, "tls.certificate", "is not"),
        (TlsOptions { reload_ms: 9, ..tls(&good.certificate, &good.key) }, "tls.reload_ms", "at least 10"),
    ] {
        let error = options.check().unwrap_err();
        let text = error.to_string();
        assert!(text.contains(file) && text.contains(reason), "{file}: {text}");
        let mut http = HttpOptions { tls: options, ..HttpOptions::default() };
        http.listen.set_port(0);
        let started = Server::bind(&http, App::new("Test", "1"), &Metrics::new(), &Clock::system());
        assert!(matches!(started, Err(HttpError::Tls(found)) if found == error));
    }
    let without = TlsOptions::default();
    assert_eq!(without.check(), Ok(None));
    assert!(matches!(
        TlsOptions { client_authorities: Some(certificates.authority()), ..without }.check(),
        Err(CertificateError::Option(_))
    ));
}

#[tokio::test]
async fn the_end_of_the_certificate_is_a_metric_and_an_expired_one_is_served_as_it_is() {
    let certificates = Certificates::new();
    for (files, year) in
        [(certificates.server("server"), NOT_AFTER_YEAR), (certificates.expired_server("late"), 2001)]
    {
        let server = start(&files);
        // 1 January of the year, in seconds since 1970.
        let end = if year == 2001 { 978_307_200 } else { 4_102_444_800 };
        assert_eq!(count(&server, "http_tls_certificate_not_after_seconds "), end);
        let connected = connect(&server, &http1(&certificates.authority(), &version::TLS13)).await;
        assert_eq!(connected.is_ok(), year == NOT_AFTER_YEAR);
        server.stop().await;
    }
}

#[tokio::test]
async fn keys_of_all_three_forms_are_read() {
    let certificates = Certificates::new();
    let openssl = |arguments: &str| {
        let made = std::process::Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(certificates.path(""))
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
    };
    certificates.server("server");
    openssl("ec -in server.key -out sec1.key");
    openssl("req -x509 -newkey rsa:2048 -nodes -keyout rsa8.key -out rsa.pem -subj /CN=localhost -days 30");
    openssl("rsa -in rsa8.key -traditional -out rsa1.key");
    for (certificate, key, label) in [
        ("server.pem", "server.key", "BEGIN PRIVATE KEY"),
        ("server.pem", "sec1.key", "BEGIN EC PRIVATE KEY"),
        ("rsa.pem", "rsa8.key", "BEGIN PRIVATE KEY"),
        ("rsa.pem", "rsa1.key", "BEGIN RSA PRIVATE KEY"),
    ] {
        let key = certificates.path(key);
        assert!(std::fs::read_to_string(&key).unwrap().contains(label), "{label}");
        let certificate = Some(certificates.path(certificate));
        let options = TlsOptions { certificate, key: Some(key), ..TlsOptions::default() };
        assert!(options.check().unwrap().is_some());
    }
}
