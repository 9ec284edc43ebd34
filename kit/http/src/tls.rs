//! TLS to callers: the handshake of each connection, and the certificate in use, which is read anew when its files change.

use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use pando_clock::{Clock, Timestamp};
use pando_telemetry::{Counter, Gauge, Metrics};
use rustls::{Error, ProtocolVersion, ServerConfig};
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::certificates::{CertificateError, PemFiles, TlsPaths};
use crate::connection::{Connection, until_ordered};
use crate::options::TlsOptions;
use crate::stream::{Stream, Watched};

/// Why a handshake failed, as the metric has it.
const REASONS: [&str; 8] = [
    PLAIN_HTTP,
    "gone",
    "timeout",
    "nothing_in_common",
    "client_certificate_missing",
    "client_certificate_refused",
    "refused_by_client",
    "malformed",
];
const PLAIN_HTTP: &str = "plain_http";

/// The TLS of one server.
pub(crate) struct Tls {
    paths: TlsPaths,
    used: Mutex<Used>,
    meters: Meters,
    /// Rings when the files are to be looked at now.
    asked: Notify,
}

/// The files in use, and the fault of those that cannot be used.
struct Used {
    config: Arc<ServerConfig>,
    files: PemFiles,
    fault: Option<Fault>,
}

struct Fault {
    text: String,
    told: bool,
}

struct Meters {
    tls12: Counter,
    tls13: Counter,
    failures: [(&'static str, Counter); REASONS.len()],
    not_after: Gauge,
    reloads: Counter,
    reload_failures: Counter,
}

/// The ways in which a connection begins.
pub(crate) enum Begun {
    /// The next bytes belong to HTTP.
    Open(Stream),
    /// Somebody speaks plain HTTP to this port.
    PlainHttp(TcpStream),
    /// It has ended already.
    Ended,
}

/// Has a running server read its certificates at once. It does so by itself every `reload_ms`.
#[derive(Clone)]
pub struct Reload(Option<Arc<Tls>>);

impl Reload {
    pub(crate) fn of(tls: Option<&Arc<Tls>>) -> Self {
        Self(tls.cloned())
    }

    /// Reads them at once; without TLS, nothing happens.
    pub fn now(&self) {
        if let Some(tls) = &self.0 {
            tls.asked.notify_one();
        }
    }
}

impl std::fmt::Debug for Reload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reload")
    }
}

/// Reads the files anew as long as it lives.
pub(crate) struct Watching(JoinHandle<()>);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Tls {
    /// Reads the files; `None` if the options name no certificate.
    pub(crate) fn open(
        options: &TlsOptions,
        metrics: &Metrics,
        clock: &Clock,
    ) -> Result<Option<Self>, CertificateError> {
        let Some(paths) = options.paths()? else { return Ok(None) };
        let files = PemFiles::read(&paths)?;
        let usable = files.usable(&paths)?;
        let meters = Meters::new(metrics);
        meters.ends(usable.not_after);
        if usable.not_after <= clock.now() {
            tracing::warn!(until = %usable.not_after, "the certificate of this server has expired: clients refuse it");
        }
        let used = Mutex::new(Used { config: usable.config, files, fault: None });
        Ok(Some(Self { paths, used, meters, asked: Notify::new() }))
    }

    /// Looks at the files now and then, and when it is [asked](Reload::now) to; a look may take as long as the disk does.
    pub(crate) fn watch(self: &Arc<Self>, options: &TlsOptions) -> Watching {
        let (tls, pause) = (self.clone(), Duration::from_millis(options.reload_ms));
        Watching(pando_telemetry::spawn("http_tls_reload", async move {
            loop {
                // Whether it was asked to, or the time has come.
                let _ = tokio::time::timeout(pause, tls.asked.notified()).await;
                let tls = tls.clone();
                let _ = tokio::task::spawn_blocking(move || tls.look()).await;
            }
        }))
    }

    /// Uses what the files contain now, if it has changed and can be used.
    fn look(&self) {
        let fresh = PemFiles::read(&self.paths).and_then(|files| {
            let same = files == self.used().files;
            if same { Ok(None) } else { files.usable(&self.paths).map(|usable| Some((files, usable))) }
        });
        let mut used = self.used();
        match fresh {
            Ok(None) => used.fault = None,
            Ok(Some((files, usable))) => {
                *used = Used { config: usable.config, files, fault: None };
                self.meters.ends(usable.not_after);
                self.meters.reloads.inc();
                tracing::info!(until = %usable.not_after, "new connections get the new certificate");
            }
            Err(error) => {
                let text = error.to_string();
                // A renewal replaces two files one after the other: a fault is one if the next look finds it, too.
                match used.fault.take_if(|fault| fault.text == text) {
                    None => used.fault = Some(Fault { text, told: false }),
                    Some(Fault { told, .. }) => {
                        used.fault = Some(Fault { text, told: true });
                        if !told {
                            self.meters.reload_failures.inc();
                            tracing::error!(%error, "the new certificate cannot be used: the old one stays");
                        }
                    }
                }
            }
        }
    }

    /// The handshake. The sweeper times it as the head of a request.
    pub(crate) async fn begin(&self, stream: TcpStream, connection: &Arc<Connection>) -> Begun {
        let mut first = [0];
        let came = until_ordered(connection, |cx, close| {
            match stream.poll_peek(cx, &mut ReadBuf::new(&mut first)) {
                // Nothing is begun that would have to be finished.
                Poll::Pending if close => Poll::Ready(Ok(0)),
                polled => polled,
            }
        });
        match came.await {
            Ok(Ok(1..)) => connection.bytes_came(),
            ended => {
                self.meters.failed(if ended.is_ok() { "gone" } else { "timeout" });
                return Begun::Ended;
            }
        }
        // A handshake begins with the byte 22, a method with a letter.
        if first[0].is_ascii_uppercase() {
            self.meters.failed(PLAIN_HTTP);
            return Begun::PlainHttp(stream);
        }
        let config = self.used().config.clone();
        let watched = Watched { stream, connection: connection.clone() };
        let mut handshake = pin!(TlsAcceptor::from(config).accept(watched));
        match until_ordered(connection, |cx, _close| handshake.as_mut().poll(cx)).await {
            Ok(Ok(stream)) => {
                connection.handshake_done();
                let tls13 = stream.get_ref().1.protocol_version() == Some(ProtocolVersion::TLSv1_3);
                if tls13 {
                    self.meters.tls13.inc()
                } else {
                    self.meters.tls12.inc()
                }
                Begun::Open(Stream::Tls(Box::new(stream)))
            }
            Ok(Err(error)) => {
                let reason = reason(&error);
                self.meters.failed(reason);
                tracing::debug!(%error, reason, peer = %connection.peer, "a TLS handshake failed");
                Begun::Ended
            }
            Err(_order) => {
                self.meters.failed("timeout");
                Begun::Ended
            }
        }
    }

    /// A panic elsewhere leaves files that are still whole: the lock is taken all the same.
    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn reason(error: &io::Error) -> &'static str {
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else { return "gone" };
    match error {
        Error::PeerIncompatible(_) | Error::NoApplicationProtocol => "nothing_in_common",
        Error::NoCertificatesPresented => "client_certificate_missing",
        Error::InvalidCertificate(_) => "client_certificate_refused",
        Error::AlertReceived(_) => "refused_by_client",
        _ => "malformed",
    }
}

impl Meters {
    fn new(metrics: &Metrics) -> Self {
        let done = |version| {
            metrics.counter("http_tls_handshakes", "TLS handshakes that succeeded.", &[("version", version)])
        };
        let failed = |reason| {
            let help = "TLS handshakes that failed, by reason.";
            (reason, metrics.counter("http_tls_handshake_failures", help, &[("reason", reason)]))
        };
        let reloads = |outcome| {
            let help = "Times that the files of the certificate had changed, by outcome.";
            metrics.counter("http_tls_reloads", help, &[("outcome", outcome)])
        };
        Self {
            tls12: done("1.2"),
            tls13: done("1.3"),
            failures: REASONS.map(failed),
            not_after: metrics.gauge(
                "http_tls_certificate_not_after_seconds",
                "When the certificate of the server ends, in seconds since 1970.",
                &[],
            ),
            reloads: reloads("used"),
            reload_failures: reloads("refused"),
        }
    }

    fn ends(&self, not_after: Timestamp) {
        self.not_after.set(not_after.as_micros() / 1_000_000);
    }

    fn failed(&self, reason: &str) {
        if let Some((_, failures)) = self.failures.iter().find(|(known, _)| *known == reason) {
            failures.inc();
        }
    }
}
