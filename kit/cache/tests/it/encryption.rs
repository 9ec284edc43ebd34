//! A Redis that is reached over TLS.

use std::path::Path;

use pando_cache::{RedisMode, RedisOptions, Secret};
use pando_servers::{Certificates, Redis, free_port};
use pando_tls::Tls;

use crate::{Process, get, plain, until};

fn at(host: &str, server: &Redis, authority: &Path) -> RedisOptions {
    RedisOptions {
        url: Some(Secret::new(format!("rediss://{host}:{}", server.tls_port()))),
        tls: Tls::only(authority),
        ..RedisOptions::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_share_a_redis_over_tls() {
    let certificates = Certificates::new();
    let server = Redis::encrypted(&certificates.server("redis"), &[]);
    let by_url = at("localhost", &server, &certificates.authority());
    let by_address = RedisOptions {
        url: None,
        addresses: vec![format!("127.0.0.1:{}", server.tls_port())],
        encrypted: true,
        ..by_url.clone()
    };
    let one = exchange(&by_url, &by_address).await;
    assert_eq!(one.caches.health().unwrap().reason, None);
    // A restart of the server is one for encrypted connections, too.
    server.kill();
    one.until_up(false).await;
    server.resurrect();
    one.until_up(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_and_the_server_that_they_know_are_reached_over_tls() {
    let certificates = Certificates::new();
    let authority = certificates.authority().display().to_string();
    let master = Redis::encrypted(&certificates.server("master"), &[]);
    let port = master.tls_port().to_string();
    let sentinel_port = free_port();
    let files = certificates.server("sentinel");
    let (certificate, key) = (files.certificate.display().to_string(), files.key.display().to_string());
    let watch = ["--sentinel", "monitor", "mymaster", "127.0.0.1", &port, "1"];
    // A Sentinel calls the servers that it watches as it calls replicas.
    let encrypted =
        ["--tls-replication", "yes", "--tls-ca-cert-file", &authority, "--tls-auth-clients", "no"];
    let own =
        ["--tls-port", &sentinel_port.to_string(), "--tls-cert-file", &certificate, "--tls-key-file", &key];
    let _sentinel = Redis::sentinel(&[watch.as_slice(), &encrypted, &own].concat());
    exchange_over(RedisMode::Sentinel, sentinel_port, &certificates).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_nodes_of_a_cluster_are_reached_over_tls() {
    let certificates = Certificates::new();
    let authority = certificates.authority().display().to_string();
    let clustered = ["--cluster-enabled", "yes", "--tls-cluster", "yes", "--tls-ca-cert-file", &authority];
    let node = Redis::encrypted(&certificates.server("node"), &clustered);
    node.ask("CLUSTER ADDSLOTSRANGE 0 16383").unwrap();
    until("the cluster is whole", async || {
        node.ask("CLUSTER INFO").is_some_and(|it| it.contains("cluster_state:ok"))
    })
    .await;
    exchange_over(RedisMode::Cluster, node.tls_port(), &certificates).await;
}

/// A process writes, and another one hears of it.
async fn exchange(redis: &RedisOptions, other: &RedisOptions) -> Process {
    let (one, two) = (Process::on(redis, plain()).await, Process::on(other, plain()).await);
    get(&one.cache, b"a", 1).await.unwrap();
    assert_eq!(get(&two.cache, b"a", 1).await.unwrap().version(), 1);
    one.cache.invalidate(b"a", 2, None).await;
    until("the other one hears of it", async || two.cache.peek(b"a", None).is_none()).await;
    one
}

async fn exchange_over(mode: RedisMode, port: u16, certificates: &Certificates) {
    let redis = RedisOptions {
        mode,
        addresses: vec![format!("127.0.0.1:{port}")],
        encrypted: true,
        tls: Tls::only(&certificates.authority()),
        ..RedisOptions::default()
    };
    exchange(&redis, &redis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_not_trusted_is_not_used_and_the_reason_is_named() {
    let (ours, strangers) = (Certificates::new(), Certificates::new());
    let good = Redis::encrypted(&ours.server("redis"), &[]);
    let elsewhere = ["--bind", "127.0.0.1", "127.0.0.2"];
    let named_otherwise = Redis::encrypted(&ours.server("other"), &elsewhere);
    let expired = Redis::encrypted(&ours.expired_server("expired"), &[]);
    for (options, expected) in [
        (at("localhost", &good, &strangers.authority()), "no trusted authority has signed it"),
        (at("localhost", &expired, &ours.authority()), "certificate expired"),
        (at("127.0.0.2", &named_otherwise, &ours.authority()), "not valid for name"),
    ] {
        let process = Process::opened(&options, plain()).await;
        until("the reason is known", async || process.caches.health().unwrap().reason.is_some()).await;
        let health = process.caches.health().unwrap();
        let reason = health.reason.unwrap();
        assert!(
            !health.up && reason.contains("no encrypted connection") && reason.contains(expected),
            "{reason}"
        );
        assert!(get(&process.cache, b"a", 1).await.is_some(), "the cache works without it");
    }
}
