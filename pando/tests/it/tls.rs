//! HTTPS and gRPC over TLS through the real binary, with clients in other languages.

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Output};
use std::time::Duration;

use pando_servers::{CertificateFiles, Certificates, python, until};
use rustix::process::Signal;

use crate::customers::{CLIENT, passes, stubs};
use crate::harness::{Running, ask, complaint, printed, run};

const PATIENCE: Duration = Duration::from_secs(60);

/// Asks for a path in Python, and prints the protocol, the status and the body.
const ASK: &str = r"
import http.client, ssl, sys
authority, port, path = sys.argv[1:4]
context = ssl.create_default_context(cafile=authority)
if len(sys.argv) > 4:
    context.load_cert_chain(*sys.argv[4:6])
connection = http.client.HTTPSConnection('localhost', int(port), context=context, timeout=30)
connection.request('GET', path)
answer = connection.getresponse()
print(connection.sock and connection.sock.version(), answer.status, answer.read().decode())
";

/// The settings for these files.
fn settings(files: &CertificateFiles) -> Vec<(&'static str, String)> {
    vec![
        ("PANDO_HTTP__TLS__CERTIFICATE", files.certificate.display().to_string()),
        ("PANDO_HTTP__TLS__KEY", files.key.display().to_string()),
        ("PANDO_HTTP__TLS__RELOAD_MS", "50".to_owned()),
    ]
}

fn start(data: &tempfile::TempDir, settings: &[(&'static str, String)]) -> Running {
    let variables: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Running::start(data.path(), &[], &variables)
}

fn get(address: SocketAddr, authority: &Certificates, path: &str, own: Option<&CertificateFiles>) -> Output {
    let mut command = Command::new(python());
    command.args(["-c", ASK]).arg(authority.authority()).arg(address.port().to_string()).arg(path);
    if let Some(own) = own {
        command.arg(&own.certificate).arg(&own.key);
    }
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_client_in_python_uses_customers_over_tls() {
    let (certificates, data) = (Certificates::new(), tempfile::tempdir().unwrap());
    let running = start(&data, &settings(&certificates.server("server")));
    let stubs = stubs();
    let mut client = Command::new(python());
    client.arg(CLIENT).arg(format!("localhost:{}", running.address.port())).arg(stubs.path());
    let told = client.env("AUTHORITY", certificates.authority()).output().unwrap();
    passes(&told);
    assert!(said(&told).contains(" tests passed"), "{told:?}");
}

#[test]
fn https_is_spoken_and_plain_http_is_told_so() {
    let (certificates, data) = (Certificates::new(), tempfile::tempdir().unwrap());
    let mut running = start(&data, &settings(&certificates.server("server")));
    let line = running.log.iter().find(|line| line["address"].is_string()).unwrap();
    assert!(line["message"].as_str().unwrap().contains("try https://"), "{line}");
    let answer = said(&get(running.address, &certificates, "/health", None));
    assert!(answer.starts_with("TLSv1.3 200 "), "{answer}");
    let foreign = get(running.address, &Certificates::new(), "/health", None);
    assert!(said(&foreign).contains("CERTIFICATE_VERIFY_FAILED"), "{foreign:?}");
    let plain = running.ask("GET", "/health", "");
    assert_eq!(plain.status, 400);
    assert!(plain.json()["detail"].as_str().unwrap().contains("this port speaks HTTPS"), "{plain:?}");
    // The port of operators stays as it is: only this machine reaches it.
    let admin = running.admin();
    let metrics = ask(admin, "GET", "/metrics", "").body;
    assert!(metrics.contains("http_tls_handshakes_total{version=\"1.3\"} 1"), "{metrics}");
    assert!(metrics.contains("http_tls_handshake_failures_total{reason=\"refused_by_client\"} 1"));
    running.tell(Signal::TERM);
    let (status, log) = running.ended();
    assert_eq!(status.code(), Some(0), "{log:#?}");
    let loud: Vec<_> = log.iter().filter(|line| line["level"] == "ERROR").collect();
    assert!(loud.is_empty(), "{loud:#?}");
}

#[test]
fn a_hangup_reads_the_certificate_at_once_and_ends_nothing() {
    let (certificates, renewed) = (Certificates::new(), Certificates::new());
    let data = tempfile::tempdir().unwrap();
    let files = certificates.server("server");
    let mut settings = settings(&files);
    settings.retain(|(name, _)| !name.ends_with("RELOAD_MS"));
    settings.push(("PANDO_HTTP__TLS__RELOAD_MS", "3600000".to_owned()));
    let mut running = start(&data, &settings);
    let fresh = renewed.server("server");
    fs::copy(&fresh.certificate, &files.certificate).unwrap();
    fs::copy(&fresh.key, &files.key).unwrap();
    running.tell(Signal::HUP);
    running.until(|line| line["message"] == "new connections get the new certificate");
    let answer = said(&get(running.address, &renewed, "/health", None));
    assert!(answer.starts_with("TLSv1.3 200 "), "{answer}");
    running.tell(Signal::HUP);
    running.until(|line| line.to_string().contains("received SIGHUP"));
    running.tell(Signal::TERM);
    assert_eq!(running.ended().0.code(), Some(0));
}

/// The protocols and ciphers that another implementation of TLS finds at the port.
#[test]
#[expect(clippy::print_stdout, reason = "the list is what the test is for")]
fn openssl_finds_these_protocols_and_ciphers_only() {
    let (certificates, data) = (Certificates::new(), tempfile::tempdir().unwrap());
    let running = start(&data, &settings(&certificates.server("server")));
    let tried = |arguments: &[&str]| {
        let mut openssl = Command::new("openssl");
        openssl.args(["s_client", "-connect", &running.address.to_string(), "-CAfile"]);
        openssl.arg(certificates.authority()).args(["-alpn", "h2,http/1.1"]).args(arguments);
        let told = openssl.stdin(std::process::Stdio::null()).output().unwrap();
        told.status.success().then(|| said(&told))
    };
    let ciphers = |arguments: &[&str]| {
        let listed = Command::new("openssl").arg("ciphers").args(arguments).output().unwrap();
        said(&listed).trim().split(':').map(str::to_owned).collect::<Vec<_>>()
    };
    let mut spoken = Vec::new();
    // All that the standard has.
    for cipher in
        ["AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256", "AES_128_CCM_SHA256"]
    {
        let cipher = format!("TLS_{cipher}");
        if tried(&["-tls1_3", "-ciphersuites", &cipher]).is_some() {
            spoken.push(format!("TLSv1.3 {cipher}"));
        }
    }
    for (version, flag) in [("TLSv1.2", "-tls1_2"), ("TLSv1.1", "-tls1_1"), ("TLSv1", "-tls1")] {
        for cipher in ciphers(&["-s", flag, "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]) {
            let only = format!("{cipher}:@SECLEVEL=0");
            if !cipher.starts_with("TLS_") && tried(&[flag, "-cipher", &only]).is_some() {
                spoken.push(format!("{version} {cipher}"));
            }
        }
    }
    println!("{} speaks HTTPS (ALPN h2, http/1.1):\n  {}", running.address, spoken.join("\n  "));
    spoken.sort();
    assert_eq!(
        spoken,
        [
            "TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256",
            "TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384",
            "TLSv1.2 ECDHE-ECDSA-CHACHA20-POLY1305",
            "TLSv1.3 TLS_AES_128_GCM_SHA256",
            "TLSv1.3 TLS_AES_256_GCM_SHA384",
            "TLSv1.3 TLS_CHACHA20_POLY1305_SHA256",
        ]
    );
    let session = tried(&[]).unwrap();
    assert!(session.contains("ALPN protocol: h2") && session.contains("Verify return code: 0 (ok)"));
}

#[test]
fn clients_without_a_certificate_are_refused_if_the_settings_say_so() {
    let (certificates, data) = (Certificates::new(), tempfile::tempdir().unwrap());
    let mut settings = settings(&certificates.server("server"));
    settings.push(("PANDO_HTTP__TLS__CLIENT_AUTHORITIES", certificates.authority().display().to_string()));
    let mut running = start(&data, &settings);
    let somebody = certificates.client("somebody");
    let known = said(&get(running.address, &certificates, "/health", Some(&somebody)));
    assert!(known.starts_with("TLSv1.3 200 "), "{known}");
    assert!(!get(running.address, &certificates, "/health", None).status.success());
    let foreign = Certificates::new();
    let refused = get(running.address, &certificates, "/health", Some(&foreign.client("somebody")));
    assert!(!refused.status.success(), "{refused:?}");
    let metrics = ask(running.admin(), "GET", "/metrics", "").body;
    assert!(metrics.contains("{reason=\"client_certificate_missing\"} 1"), "{metrics}");
    assert!(metrics.contains("{reason=\"client_certificate_refused\"} 1"), "{metrics}");
}

#[test]
fn a_renewed_certificate_is_used_without_a_restart_and_a_broken_one_is_told_once() {
    let (old, new, data) = (Certificates::new(), Certificates::new(), tempfile::tempdir().unwrap());
    let files = old.server("server");
    let mut running = start(&data, &settings(&files));
    fs::write(&files.certificate, "broken").unwrap();
    let line = running.until(|line| line["level"] == "ERROR");
    let error = line["error"].as_str().unwrap();
    assert!(error.contains("server.pem: no certificate in PEM form"), "{line}");
    assert!(get(running.address, &old, "/health", None).status.success());
    new.server("server").replace(&files);
    until("it is used", PATIENCE, || get(running.address, &new, "/health", None).status.success());
    running.tell(Signal::TERM);
    let (_, log) = running.ended();
    let told = log
        .iter()
        .filter(|line| line["error"].as_str().is_some_and(|error| error.contains("no certificate")));
    assert_eq!(told.count(), 1);
}

#[test]
fn a_start_with_files_that_do_not_fit_is_refused_in_words() {
    let (certificates, data) = (Certificates::new(), tempfile::tempdir().unwrap());
    let (server, other) = (certificates.server("server"), certificates.server("other"));
    let write = |certificate: &std::path::Path, key: &std::path::Path| {
        // Relative names lie in the data directory.
        fs::copy(certificate, data.path().join("tls.pem")).unwrap();
        fs::copy(key, data.path().join("tls.key")).unwrap();
        let settings = "[http.tls]\ncertificate = \"tls.pem\"\nkey = \"tls.key\"\n";
        fs::write(data.path().join("pando.toml"), settings).unwrap();
    };
    write(&server.certificate, &other.key);
    for arguments in [&["config", "check"][..], &["serve"]] {
        let refused = run(data.path(), arguments);
        let text = complaint(&refused);
        assert!(!refused.status.success() && text.contains("tls.key"), "{refused:?}");
        assert!(text.contains("the key does not belong to the certificate"), "{text}");
    }
    write(&server.certificate, &server.key);
    assert!(run(data.path(), &["config", "check"]).status.success());
    let found = |word: &str| {
        let told = said(&run(data.path(), &["doctor"]));
        assert!(told.lines().any(|line| line.starts_with(word) && line.contains(" certificate: ")), "{told}");
    };
    found("ok ");
    let late = certificates.expired_server("late");
    write(&late.certificate, &late.key);
    assert!(run(data.path(), &["config", "check"]).status.success());
    found("warn ");
}

#[test]
fn a_session_over_tls_has_a_secure_cookie_in_both_versions_of_http() {
    let (certificates, data) = (Certificates::new(), tempfile::tempdir().unwrap());
    printed(data.path(), &["migrate"]);
    let password = printed(data.path(), &["operators", "add", "ann", "--role", "admin", "--generate"]);
    let mut all = settings(&certificates.server("server"));
    all.push(("PANDO_AUTH__MODE", "required".to_owned()));
    let running = start(&data, &all);
    let place = format!("https://localhost:{}", running.address.port());
    for version in ["--http1.1", "--http2"] {
        let jar = tempfile::tempdir().unwrap();
        let jar = jar.path().join("cookies").display().to_string();
        let curl = |path: &str, more: &[&str]| {
            let mut command = Command::new("curl");
            command
                .args(["-s", "-i", version, "-b", &jar, "-c", &jar, "--cacert"])
                .arg(certificates.authority());
            command.args(["-H", "Content-Type: application/json"]).args(more).arg(format!("{place}{path}"));
            said(&command.output().unwrap())
        };
        let login = format!("{{\"name\": \"ann\", \"password\": \"{}\"}}", password.trim());
        let begun = curl("/api/v1/session", &["-d", &login]);
        assert!(begun.contains("__Host-pando_session=") && begun.contains("; Secure"), "{version}: {begun}");
        let csrf = begun.split("\"csrf_token\":\"").nth(1).unwrap().split('"').next().unwrap();
        let csrf = format!("X-CSRF-Token: {csrf}");
        let profile = format!("{{\"name\": \"Ann\", \"email\": \"ann{version}@example.org\"}}");
        let create = |origin: &str| curl("/api/v1/profiles", &["-d", &profile, "-H", &csrf, "-H", origin]);
        let refused = create("Origin: https://evil.example");
        assert!(refused.contains("a page of another site"), "{version}: {refused}");
        let created = create(&format!("Origin: {place}"));
        assert!(created.split(' ').nth(1) == Some("201"), "{version}: {created}");
    }
}
