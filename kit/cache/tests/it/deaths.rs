//! A process that dies may have written what it could not announce: what the others do with what they hold.

use pando_cache::{CacheOptions, Loaded};
use pando_resilience::Call;
use pando_servers::Redis;

use crate::{Process, call, get, plain, redis_at, until};

/// Nothing expires by itself while these tests run.
fn lasting() -> CacheOptions {
    CacheOptions { l1_ttl_ms: 600_000, ..plain() }
}

async fn until_in_redis(process: &Process, key: &[u8]) {
    until("the value is in redis", async || {
        let nothing = async |_: Call| Err::<Option<Loaded>, _>("nobody asks the origin");
        process.cache.get_or_load(&call(), key, None, nothing).await.is_ok()
    })
    .await;
}

/// What Redis holds under one of the common keys, as the numbers in its answer.
fn numbers(server: &Redis, prefix: &str, ask: &str, what: &str) -> Vec<i64> {
    let answer = server.ask(&format!("{ask} {{{prefix}}}:{what}")).unwrap();
    let lines = answer.lines().filter(|line| !line.starts_with(['$', '*']));
    // A witness stands before the caches it knows of.
    lines.filter_map(|line| line.get(..20)?.parse().ok()).collect()
}

fn redis_now(server: &Redis) -> i64 {
    let answer = server.ask("TIME").unwrap();
    let mut lines = answer.lines().filter(|line| !line.starts_with(['$', '*']));
    let mut next = || lines.next().unwrap().parse::<i64>().unwrap();
    next() * 1_000_000 + next()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_process_could_not_tell_before_it_died_is_not_served_for_long() {
    let server = Redis::start(&[]);
    let redis = redis_at(&server.url());
    let at_once = CacheOptions { silence_spread_ms: 0, ..plain() };
    let one = Process::on(&redis, at_once.clone()).await;
    get(&one.cache, b"a", 1).await;
    let farewell = Process::on(&redis, at_once.clone()).await;
    until_in_redis(&farewell, b"a").await;
    farewell.caches.close().await;
    drop(one);
    let two = Process::on(&redis, at_once).await;
    assert_eq!(get(&two.cache, b"a", 2).await.unwrap().version(), 1, "nobody knows yet");
    until("the old value is out", async || get(&two.cache, b"a", 2).await.unwrap().version() == 2).await;
    two.caches.close().await;
    let processes = format!("HLEN {{{}}}:processes", redis.key_prefix);
    assert!(server.ask(&processes).unwrap().starts_with(":0"), "who ends in order says so");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_death_entries_are_loaded_again_one_after_the_other_and_nobody_waits() {
    let server = Redis::start(&[]);
    let redis = redis_at(&server.url());
    let options = CacheOptions { silence_spread_ms: 4_000, ..lasting() };
    let (dies, lives) = (Process::on(&redis, options.clone()).await, Process::on(&redis, options).await);
    let keys: Vec<[u8; 4]> = (0_u32..200).map(u32::to_be_bytes).collect();
    for key in &keys {
        get(&lives.cache, key, 1).await;
    }
    drop(dies);
    let mut mixed = 0;
    until("all are loaded again", async || {
        let mut new = 0;
        for key in &keys {
            new += usize::from(get(&lives.cache, key, 2).await.unwrap().version() == 2);
        }
        mixed += usize::from(new > 0 && new < keys.len());
        new == keys.len()
    })
    .await;
    assert!(mixed > 3, "old and new side by side in {mixed} rounds only: all at once");
    let waited = lives.count(r#"cache_misses_total{cache="things",tier="l1"}"#);
    assert_eq!(waited, 200, "only the first loads were waited for");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_that_learns_of_writes_from_events_keeps_what_it_holds() {
    let server = Redis::start(&[]);
    let redis = redis_at(&server.url());
    let (dies, knows) = (Process::on(&redis, lasting()).await, Process::on(&redis, lasting()).await);
    let doubts = Process::on(&redis, CacheOptions { silence_spread_ms: 0, ..lasting() }).await;
    get(&knows.cache, b"a", 1).await;
    until_in_redis(&doubts, b"a").await;
    // A source of events says so again and again.
    until("it has known all events for a while", async || {
        knows.cache.caught_up();
        let since = numbers(&server, &redis.key_prefix, "HVALS", "witnesses");
        since.first().is_some_and(|since| redis_now(&server) - since > 3_500_000)
    })
    .await;
    drop(dies);
    until("the death is noticed", async || {
        knows.cache.caught_up();
        doubts.cache.peek(b"a", None).is_none()
    })
    .await;
    let silence = numbers(&server, &redis.key_prefix, "GET", "silence")[0];
    until("all have heard of it", async || {
        knows.cache.caught_up();
        let beats = numbers(&server, &redis.key_prefix, "HVALS", "processes");
        beats.len() == 2 && beats.iter().all(|beat| beat - silence > 1_500_000)
    })
    .await;
    let unwitnessed = numbers(&server, &redis.key_prefix, "GET", "unwitnessed");
    assert!(unwitnessed.is_empty(), "the other has read its events");
    assert_eq!(knows.cache.peek(b"a", None).unwrap().version(), 1);
    // Without its source it is as the others are.
    until("it doubts, too", async || knows.cache.peek(b"a", None).is_none()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_came_later_is_no_witness() {
    let server = Redis::start(&[]);
    let redis = redis_at(&server.url());
    let at_once = CacheOptions { silence_spread_ms: 0, ..lasting() };
    let dies = Process::on(&redis, at_once.clone()).await;
    get(&dies.cache, b"a", 1).await;
    let late = Process::on(&redis, at_once.clone()).await;
    until_in_redis(&late, b"a").await;
    drop(dies);
    until("the old value is out", async || {
        late.cache.caught_up();
        get(&late.cache, b"a", 2).await.unwrap().version() == 2
    })
    .await;
    assert_eq!(numbers(&server, &redis.key_prefix, "GET", "unwitnessed").len(), 1);
}
