//! Clients that show a certificate, or should.

use std::sync::Arc;

use pando_http::ClientCertificates;
use pando_servers::{CertificateFiles, Certificates};
use rustls::crypto::ring;
use rustls::{ClientConfig, SupportedProtocolVersion};

use crate::harness::Running;
use crate::tls::{BOTH, HTTP1, client, connect, failures, with};

fn start(certificates: &Certificates, whether: ClientCertificates) -> Running {
    Running::start(|options| {
        with(options, &certificates.server("server"));
        options.tls.client_authorities = Some(certificates.authority());
        options.tls.client_certificates = whether;
    })
}

/// Whether a client gets an answer. With TLS 1.3 it learns that it was refused only when it reads.
async fn is_served(server: &Running, config: &Arc<ClientConfig>) -> bool {
    match connect(server, config).await {
        Ok(mut wire) => wire.get("/hello").await.is_some_and(|answer| answer.status == 200),
        Err(_) => false,
    }
}

#[tokio::test]
async fn only_certificates_of_the_named_authorities_are_taken() {
    let (certificates, foreign) = (Certificates::new(), Certificates::new());
    let authority = certificates.authority();
    let config = |own: Option<&CertificateFiles>, version: &'static SupportedProtocolVersion| {
        client(&authority, own, ring::default_provider(), &[version], HTTP1)
    };
    for whether in [ClientCertificates::Required, ClientCertificates::Optional] {
        let server = start(&certificates, whether);
        for version in BOTH.iter().copied() {
            let good = config(Some(&certificates.client("somebody")), version);
            // The second time the client would resume its session, if the server let it.
            for _ in 0..2 {
                assert!(is_served(&server, &good).await);
            }
            for bad in [
                foreign.client("somebody"),
                certificates.expired_client("late"),
                // It is for servers.
                certificates.server("other"),
            ] {
                assert!(!is_served(&server, &config(Some(&bad), version)).await, "{whether:?} {bad:?}");
            }
            let without = is_served(&server, &config(None, version)).await;
            assert_eq!(without, whether == ClientCertificates::Optional);
        }
        // rustls does not send a certificate of an authority that the server has not named.
        let required = u64::from(whether == ClientCertificates::Required);
        assert!(failures(&server, "client_certificate_missing") >= 2 * required);
        assert!(failures(&server, "client_certificate_refused") >= 4);
        server.stop().await;
    }
}
