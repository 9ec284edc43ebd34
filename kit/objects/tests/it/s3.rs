//! A real S3 server, and one that dies.

use bytes::Bytes;
use pando_objects::{ObjectName, ObjectsError, ObjectsOptions, S3Options, Secret, conformance};
use pando_servers::{Certificates, S3};
use pando_tls::Tls;

use crate::{call, opened};

pub(crate) fn options(server: &S3) -> S3Options {
    S3Options {
        bucket: Some(server.bucket().to_owned()),
        endpoint: Some(server.endpoint()),
        access_key: Some(server.access_key().to_owned()),
        secret_key: Some(Secret::new(server.secret_key())),
        // A busy machine may take its time, and this server refuses now and then what others write at the same moment.
        request_ms: 60_000,
        retry_ms: 120_000,
        retries: 50,
        ..S3Options::default()
    }
}

fn objects(s3: S3Options) -> pando_objects::Objects {
    opened(&ObjectsOptions { s3, ..ObjectsOptions::default() })
}

#[tokio::test]
async fn an_s3_keeps_every_promise() {
    let server = S3::start();
    conformance::exercise(&objects(options(&server))).await;
}

#[tokio::test]
async fn an_s3_keeps_every_promise_below_a_prefix_and_in_parts() {
    let server = S3::start();
    let five_mib = 5 * 1024 * 1024;
    let s3 = S3Options {
        prefix: "pando/images/".to_owned(),
        multipart_bytes_min: five_mib,
        part_bytes: five_mib,
        ..options(&server)
    };
    conformance::exercise(&objects(s3)).await;
}

#[tokio::test]
async fn an_s3_with_tls_keeps_every_promise_if_its_authority_is_trusted() {
    let certificates = Certificates::new();
    let server = S3::encrypted(&certificates.server("s3"));
    let trusting = S3Options { tls: Tls::only(&certificates.authority()), ..options(&server) };
    conformance::exercise(&objects(trusting)).await;
}

#[tokio::test]
async fn an_s3_that_is_not_trusted_gets_nothing_and_the_error_says_why() {
    let ours = Certificates::new();
    for (files, reason) in [
        (Certificates::new().server("s3"), "no trusted authority has signed it"),
        (ours.expired_server("s3"), "certificate expired"),
    ] {
        let server = S3::encrypted(&files);
        let s3 = S3Options { tls: Tls::only(&ours.authority()), ..options(&server) };
        let name = ObjectName::of(b"x", "png").unwrap();
        let refused = objects(s3).put(&call(), &name, Bytes::from_static(b"x"), "image/png").await;
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("no encrypted connection to 127.0.0.1:") && error.contains(reason), "{error}");
    }
}

#[tokio::test]
async fn a_wrong_secret_is_refused_and_named_nowhere() {
    let server = S3::start();
    let s3 = S3Options { secret_key: Some(Secret::new("opensesame")), ..options(&server) };
    let name = ObjectName::of(b"x", "png").unwrap();
    let error = objects(s3).put(&call(), &name, Bytes::from_static(b"x"), "image/png").await.unwrap_err();
    assert!(matches!(error, ObjectsError::Refused { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("opensesame"));
}

#[tokio::test]
async fn a_server_that_died_is_told_of_and_found_again() {
    let server = S3::start();
    // One waits for it whatever it takes, one gives it up soon.
    let patient = objects(options(&server));
    let hasty = objects(S3Options { retries: 1, retry_ms: 200, request_ms: 500, ..options(&server) });
    let (name, content) = (ObjectName::of(b"x", "png").unwrap(), Bytes::from_static(b"x"));
    patient.put(&call(), &name, content.clone(), "image/png").await.unwrap();
    server.kill();
    assert!(hasty.head(&call(), &name).await.unwrap_err().is_transient());
    server.resurrect();
    assert_eq!(patient.get(&call(), &name, None).await.unwrap().unwrap().read().await.unwrap(), content);
    server.pause();
    assert!(hasty.head(&call(), &name).await.unwrap_err().is_transient());
    server.resume();
    assert_eq!(patient.head(&call(), &name).await.unwrap().unwrap().bytes, 1);
}
