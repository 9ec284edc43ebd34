//! Sentinel and Cluster: the same promises, and a failover in between.

use std::process::Command;

use pando_cache::{RedisMode, RedisOptions, Source};
use pando_servers::Redis;

use crate::{Process, get, plain, redis_at, until};

fn at(mode: RedisMode, servers: &[&Redis]) -> RedisOptions {
    let addresses = servers.iter().map(|server| format!("127.0.0.1:{}", server.port())).collect();
    // All nodes of these tests have the clock of one machine.
    RedisOptions { url: None, mode, addresses, clock_skew_ms: 0, ..redis_at("") }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_sentinel_promotes_a_replica_the_caches_follow_and_trust_nothing_from_before() {
    let master = Redis::start(&[]);
    let port = master.port().to_string();
    let replica = Redis::start(&["--replicaof", "127.0.0.1", &port]);
    let watch = ["--sentinel", "monitor", "mymaster", "127.0.0.1", &port, "1"];
    let patience = ["--sentinel", "down-after-milliseconds", "mymaster", "500"];
    let failover = ["--sentinel", "failover-timeout", "mymaster", "2000"];
    let sentinel = Redis::sentinel(&[watch.as_slice(), &patience, &failover].concat());
    until("the sentinel knows the replica", async || {
        sentinel.ask("SENTINEL replicas mymaster").is_some_and(|it| it.contains(&replica.port().to_string()))
    })
    .await;
    let redis = at(RedisMode::Sentinel, &[&sentinel]);
    let (one, two) = (Process::on(&redis, plain()).await, Process::on(&redis, plain()).await);
    get(&one.cache, b"a", 1).await;
    until("the replica has it", async || {
        replica
            .ask(&format!("EXISTS {}:1:things:v:{{:a}}", redis.key_prefix))
            .is_some_and(|it| it.starts_with(":1"))
    })
    .await;
    master.kill();
    one.until_up(false).await;
    one.cache.invalidate(b"b", 3, Some(9)).await;
    one.until_up(true).await;
    two.until_up(true).await;
    assert!(replica.ask("INFO replication").unwrap().contains("role:master"));
    let found = get(&two.cache, b"a", 2).await.unwrap();
    assert_eq!((found.source, found.version()), (Source::Origin, 2), "nothing from before is trusted");
    one.cache.invalidate(b"a", 3, Some(9)).await;
    until("the bus works", async || two.cache.peek(b"a", None).is_none()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_keeps_the_promises_of_one_server() {
    let nodes = cluster().await;
    let redis = at(RedisMode::Cluster, &nodes.iter().collect::<Vec<_>>());
    let (one, two) = (Process::on(&redis, plain()).await, Process::on(&redis, plain()).await);
    let keys: Vec<Vec<u8>> = (0..20_u8).map(|number| format!("key{number}}}").into_bytes()).collect();
    let load = async |_: pando_resilience::Call, places: Vec<usize>| {
        let value = |_| Some(pando_cache::Loaded::new(1, "x"));
        Ok::<_, std::convert::Infallible>(places.into_iter().map(value).collect())
    };
    one.cache.get_many(&crate::call(), &keys, None, load).await.unwrap();
    for key in &keys {
        until("the other finds it", async || {
            let nothing = async |_| Err::<Option<pando_cache::Loaded>, _>("nobody asks the origin");
            let found = two.cache.get_or_load(&crate::call(), key, None, nothing).await;
            found.is_ok_and(|found| found.is_some_and(|found| found.source != Source::Origin))
        })
        .await;
    }
    let many = two.cache.get_many(&crate::call(), &keys, None, load).await.unwrap();
    let sources: Vec<_> = many.iter().map(|found| found.as_ref().map(|found| found.source)).collect();
    assert_eq!(sources, vec![Some(Source::L1); keys.len()]);
    for key in &keys {
        one.cache.invalidate(key, 2, Some(9)).await;
        until("the other hears it", async || two.cache.peek(key, None).is_none()).await;
        assert_eq!(get(&two.cache, key, 2).await.unwrap().version(), 2);
    }
    nodes[0].kill();
    for key in &keys {
        let version = get(&two.cache, key, 2).await.unwrap().version();
        assert_eq!(version, 2, "with a node gone, nobody fails and nobody gets anything old");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_asks_nothing_notices_that_a_master_of_its_cluster_was_replaced() {
    let nodes = cluster().await;
    let id = nodes[1].ask("CLUSTER MYID").unwrap().lines().nth(1).unwrap().to_owned();
    let replica = Redis::start(&CLUSTERED);
    let (new, old) = (place(&replica), place(&nodes[0]));
    redis_cli(&["--cluster", "add-node", &new, &old, "--cluster-slave", "--cluster-master-id", &id]);
    until("the replica is in step", async || {
        replica.ask("INFO replication").is_some_and(|it| it.contains("master_link_status:up"))
    })
    .await;
    // Neither its heartbeats nor the bus go through the node that is lost.
    let slots = nodes[1].ask("CLUSTER SLOTS").unwrap();
    let redis = loop {
        let redis = at(RedisMode::Cluster, &[&nodes[0], &nodes[2]]);
        let slot = nodes[0].ask(&format!("CLUSTER KEYSLOT {{{}}}", redis.key_prefix)).unwrap();
        let slot: u32 = slot.trim_start_matches(':').trim().parse().unwrap();
        if owner_of(&slots, slot) != nodes[1].port() {
            break redis;
        }
    };
    let quiet = Process::on(&redis, crate::CacheOptions { l1_ttl_ms: 600_000, ..plain() }).await;
    get(&quiet.cache, b"a", 1).await;
    assert_eq!(quiet.cache.peek(b"a", None).unwrap().version(), 1);
    nodes[1].kill();
    until("the replica takes its place", async || {
        replica.ask("INFO replication").is_some_and(|it| it.contains("role:master"))
    })
    .await;
    until("it trusts nothing from before", async || quiet.cache.peek(b"a", None).is_none()).await;
    quiet.until_up(true).await;
}

const CLUSTERED: [&str; 4] = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"];

fn place(node: &Redis) -> String {
    format!("127.0.0.1:{}", node.port())
}

fn redis_cli(arguments: &[&str]) {
    let done = Command::new("redis-cli").args(arguments).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
}

/// Three masters that agree on who has which slot.
async fn cluster() -> Vec<Redis> {
    let nodes: Vec<Redis> = (0..3).map(|_| Redis::start(&CLUSTERED)).collect();
    let addresses: Vec<String> = nodes.iter().map(place).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    redis_cli(&[["--cluster", "create", "--cluster-yes"].as_slice(), &addresses].concat());
    until("the cluster is whole", async || {
        nodes.iter().all(|node| node.ask("CLUSTER INFO").is_some_and(|it| it.contains("cluster_state:ok")))
    })
    .await;
    nodes
}

/// The port of the master of a slot, by the answer to `CLUSTER SLOTS`: first and last slot, then address, port and id.
fn owner_of(slots: &str, slot: u32) -> u16 {
    let lines: Vec<&str> = slots.lines().collect();
    let numbers = |at: usize| lines.get(at).and_then(|line| line.strip_prefix(':')?.parse::<u32>().ok());
    let found = (0..lines.len()).find_map(|at| {
        let (first, last) = (numbers(at)?, numbers(at + 1)?);
        (first <= slot && slot <= last && lines.get(at + 2)?.starts_with('*')).then_some(at)
    });
    let port = found.and_then(|at| lines[at + 2..].iter().find_map(|line| line.strip_prefix(':')));
    port.unwrap().parse().unwrap()
}
