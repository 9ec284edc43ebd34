//! Each server starts, can be harmed and comes back.

use std::collections::HashSet;
use std::process::Command;

use pando_servers::{CertificateFiles, Certificates, RabbitMq, Redis, S3, free_port};

#[test]
fn redis_can_be_paused_killed_and_brought_back_empty() {
    let redis = Redis::start(&[]);
    assert_eq!(redis.ask("SET kept 1").unwrap(), "+OK\r\n");
    redis.pause();
    assert_eq!(redis.ask("GET kept"), None);
    redis.resume();
    assert_eq!(redis.ask("GET kept").unwrap(), "$1\r\n1\r\n");
    redis.kill();
    assert_eq!(redis.ask("PING"), None);
    redis.resurrect();
    assert_eq!(redis.ask("GET kept").unwrap(), "$-1\r\n");
}

#[test]
fn a_server_takes_the_options_it_is_given() {
    let redis = Redis::start(&["--maxmemory", "3mb"]);
    assert!(redis.ask("CONFIG GET maxmemory").unwrap().contains("3145728"));
}

#[test]
fn rabbitmq_comes_back_on_its_port_after_a_crash() {
    let rabbit = RabbitMq::start();
    let port = rabbit.port();
    rabbit.kill();
    rabbit.resurrect();
    assert_eq!(rabbit.port(), port);
}

#[test]
fn s3_comes_back_on_its_port_after_a_crash() {
    let s3 = S3::start();
    let endpoint = s3.endpoint();
    s3.kill();
    s3.resurrect();
    assert_eq!(s3.endpoint(), endpoint);
}

#[test]
fn no_port_is_given_twice() {
    // More than the kernel has in a row, so that it comes back to some.
    let ports: HashSet<u16> = (0..2_000).map(|_| free_port()).collect();
    assert_eq!(ports.len(), 2_000);
}

#[test]
fn certificates_are_for_this_machine_and_hold_only_with_their_authority() {
    let certificates = Certificates::new();
    let verifies = |authority: &Certificates, files: &CertificateFiles| {
        let mut openssl = Command::new("openssl");
        openssl.args(["verify", "-verify_hostname", "localhost", "-CAfile"]).arg(authority.authority());
        openssl.arg(&files.certificate).output().unwrap().status.success()
    };
    let server = certificates.server("server");
    assert!(verifies(&certificates, &server));
    assert!(!verifies(&Certificates::new(), &server));
    assert!(!verifies(&certificates, &certificates.client("somebody")), "it has another name");
    let late = certificates.expired_server("late");
    assert!(!verifies(&certificates, &late));
    late.replace(&server);
    assert!(!verifies(&certificates, &server));
}
