//! Every limit of the server, with its default.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How many values one JSON text may hold unless an option says otherwise: objects, members and items. A value takes up
/// to six hundred bytes in memory and as few as two in the text.
pub const JSON_NODES_MAX: usize = 100_000;

/// How the server listens, which requests it accepts, and how it ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpOptions {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Connections at once; more wait in the kernel's queue while idle ones are closed to make room.
    pub connections_max: usize,
    /// Connections at once of one address (of one /64 network for IPv6), unless it is a trusted proxy; more get 429.
    pub connections_per_peer_max: usize,
    /// A request's head must arrive within this time, a new connection's first byte too; else 408 and close.
    pub header_read_timeout_ms: u64,
    /// Size of a request's head; more is 431. At least 8192.
    pub header_bytes_max: usize,
    /// Number of headers in one request; more is 431.
    pub headers_max: usize,
    /// Length of path and query; more is 414.
    pub uri_bytes_max: usize,
    /// Answer only requests whose host is this machine by name or loopback address, and not for pages from elsewhere:
    /// a page in a browser on this machine can have any name resolve here, and can send to any address.
    pub local_hosts_only: bool,
    /// Whether services may answer from memory before the router is asked.
    pub hot_reads: bool,
    /// Whether such answers are sent over HTTP/1.1 before hyper sees the request.
    pub hot_wire: bool,
    /// Whether `/metrics` is served here; on the port for operators it always is.
    pub metrics: bool,
    /// How long `/health` repeats its last result before it checks the dependencies again.
    pub health_kept_ms: u64,
    /// After this time of silence a peer is asked whether it is still there: by TCP, and by HTTP/2 within a connection.
    pub peer_probe_ms: u64,
    /// A connection without requests is closed after this time.
    pub keep_alive_idle_ms: u64,
    /// An answer of which the client takes nothing for this time is given up, with its connection.
    pub write_stall_ms: u64,
    /// Size of a request body, unless its route says otherwise; more is 413.
    pub body_bytes_max: u64,
    /// Bytes that the bodies of all requests may take in memory together; more are 503. A quarter is for small ones.
    pub body_budget_bytes: u64,
    /// A body that may take long must come at this rate at least, after a grace; slower ones are 408.
    pub body_bytes_per_second_min: u64,
    /// How long a client may keep the server waiting for its body besides what the rate allows.
    pub body_grace_ms: u64,
    /// How long a body may take at all.
    pub body_total_ms: u64,
    /// Values in one JSON body: objects, members, items; more are 413.
    pub json_nodes_max: usize,
    /// Time for one request, unless its route says otherwise or the caller's `Request-Timeout` is shorter.
    pub deadline_ms: u64,
    /// Time for one gRPC call that is no stream, unless the caller's `grpc-timeout` is shorter.
    pub grpc_deadline_ms: u64,
    /// At shutdown: how long to answer normally as not ready, so that load balancers look elsewhere. 0 for development.
    pub drain_delay_ms: u64,
    /// At shutdown: how long requests in flight may take before they are aborted.
    pub drain_ms: u64,
    /// HTTP/2: streams at once on one connection.
    pub h2_streams_max: u32,
    /// HTTP/2: streams a client may reset before they were answered; more closes the connection (rapid reset).
    pub h2_pending_resets_max: usize,
    /// HTTP/2: streams the server may reset for protocol errors; more closes the connection.
    pub h2_local_resets_max: usize,
    /// Whether answers are compressed for callers that accept it.
    pub compress: bool,
    /// Smaller answers are not compressed.
    pub compress_bytes_min: u64,
    /// Networks whose `X-Forwarded-For` is believed: addresses or CIDR blocks.
    pub trusted_proxies: Vec<String>,
    /// Written as `X-Pod-Name` on every answer.
    pub pod_name: Option<String>,
    /// Which successful reads are logged.
    pub access_log: AccessLogOptions,
    /// TLS to callers.
    pub tls: TlsOptions,
}

/// TLS to callers. With a certificate, the port speaks TLS only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsOptions {
    /// PEM file: the certificate of this server, followed by those between it and the authority.
    pub certificate: Option<PathBuf>,
    /// PEM file: the private key of the certificate.
    pub key: Option<PathBuf>,
    /// The oldest version of TLS that is spoken.
    pub version_min: TlsVersion,
    /// PEM file: the authorities whose certificates clients may show; without it no client is asked for one.
    pub client_authorities: Option<PathBuf>,
    /// Whether clients must show a certificate of these authorities.
    pub client_certificates: ClientCertificates,
    /// How often the files are looked at.
    pub reload_ms: u64,
}

/// The versions of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TlsVersion {
    /// TLS 1.2, with forward secrecy and authenticated encryption only.
    #[serde(rename = "1.2")]
    V12,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    V13,
}

/// Whether clients must show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificates {
    /// A client without a certificate is refused.
    Required,
    /// A client may have none; a bad one is refused.
    Optional,
}

/// Which requests get a line in the access log. Writes, failures and slow requests always do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccessLogOptions {
    /// Successful reads logged in each second before sampling begins.
    pub reads_per_second: u64,
    /// Past that, one read in this many is logged; 0 logs none.
    pub sample_one_in: u64,
    /// A request slower than this is always logged.
    pub slow_ms: u64,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
            connections_max: 10_000,
            connections_per_peer_max: 2_000,
            header_read_timeout_ms: 10_000,
            header_bytes_max: 64 * 1024,
            headers_max: 100,
            uri_bytes_max: 8 * 1024,
            local_hosts_only: false,
            hot_reads: true,
            hot_wire: true,
            metrics: false,
            health_kept_ms: 1_000,
            peer_probe_ms: 60_000,
            keep_alive_idle_ms: 75_000,
            write_stall_ms: 30_000,
            body_bytes_max: 1024 * 1024,
            body_budget_bytes: 128 * 1024 * 1024,
            body_bytes_per_second_min: 1_024,
            body_grace_ms: 10_000,
            body_total_ms: 6 * 60 * 60 * 1_000,
            json_nodes_max: JSON_NODES_MAX,
            deadline_ms: 3_000,
            grpc_deadline_ms: 2_000,
            drain_delay_ms: 5_000,
            drain_ms: 25_000,
            h2_streams_max: 200,
            h2_pending_resets_max: 20,
            h2_local_resets_max: 100,
            compress: true,
            compress_bytes_min: 1024,
            trusted_proxies: Vec::new(),
            pod_name: None,
            access_log: AccessLogOptions::default(),
            tls: TlsOptions::default(),
        }
    }
}

impl Default for TlsOptions {
    fn default() -> Self {
        Self {
            certificate: None,
            key: None,
            version_min: TlsVersion::V12,
            client_authorities: None,
            client_certificates: ClientCertificates::Required,
            reload_ms: 10_000,
        }
    }
}

impl Default for AccessLogOptions {
    fn default() -> Self {
        Self { reads_per_second: 100, sample_one_in: 1_000, slow_ms: 500 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_can_be_written_and_read_and_typos_are_refused() {
        let written = serde_json::to_string(&HttpOptions::default()).unwrap();
        assert_eq!(serde_json::from_str::<HttpOptions>(&written).unwrap(), HttpOptions::default());
        assert!(serde_json::from_str::<HttpOptions>(r#"{"deadline": 3}"#).is_err());
    }
}
