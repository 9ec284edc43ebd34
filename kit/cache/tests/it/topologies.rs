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
    one.cache.invalidate(b"b", 3, 9).await;
    one.until_up(true).await;
    two.until_up(true).await;
    assert!(replica.ask("INFO replication").unwrap().contains("role:master"));
    let found = get(&two.cache, b"a", 2).await.unwrap();
    assert_eq!((found.source, found.version()), (Source::Origin, 2), "nothing from before is trusted");
    one.cache.invalidate(b"a", 3, 9).await;
    until("the bus works", async || two.cache.peek(b"a", None).is_none()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_keeps_the_promises_of_one_server() {
    let nodes: Vec<Redis> = (0..3).map(|_| Redis::start(&["--cluster-enabled", "yes"])).collect();
    let addresses: Vec<String> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
    let made =
        Command::new("redis-cli").args(["--cluster", "create", "--cluster-yes"]).args(&addresses).output();
    let made = made.unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
    until("the cluster is whole", async || {
        nodes.iter().all(|node| node.ask("CLUSTER INFO").is_some_and(|it| it.contains("cluster_state:ok")))
    })
    .await;
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
        one.cache.invalidate(key, 2, 9).await;
        until("the other hears it", async || two.cache.peek(key, None).is_none()).await;
        assert_eq!(get(&two.cache, key, 2).await.unwrap().version(), 2);
    }
    nodes[0].kill();
    let mut answered = 0;
    for key in &keys {
        answered += usize::from(get(&two.cache, key, 2).await.is_some());
    }
    assert_eq!(answered, keys.len(), "with a node gone, nobody fails");
}
