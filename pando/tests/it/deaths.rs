//! Processes are killed one after the other: the caches of those that live on stay warm, and nothing old is read.

use std::time::{Duration, Instant};

use pando_database::testing::TestPostgres;
use pando_servers::{Redis, until};
use serde_json::json;

use crate::client::Client;
use crate::engines::Place;
use crate::harness::Running;

const API: &str = "/api/v1/profiles";
const PROFILES: usize = 200;
const PATIENCE: Duration = Duration::from_secs(60);

/// How many processes are killed, and how long after each other.
fn kills() -> (usize, Duration) {
    #[expect(clippy::disallowed_methods, reason = "how `make prove` asks for the long form")]
    let long = std::env::var("PANDO_PROVE").is_ok();
    if long { (10, Duration::from_secs(6)) } else { (2, Duration::from_secs(1)) }
}

/// What Redis answers about one of the keys that all caches share, without the marks of its protocol.
fn lines(redis: &Redis, ask: &str, key: &str) -> Vec<String> {
    let answer = redis.ask(&format!("{ask} {{pando}}:{key}")).unwrap();
    answer.lines().filter(|line| !line.starts_with(['$', '*'])).map(str::to_owned).collect()
}

fn create(client: &mut Client, number: usize) -> String {
    let body = json!({"name": "Ada", "email": format!("ada{number}@example.org")});
    client.json("POST", API, &body).unwrap().value()["id"].as_str().unwrap().to_owned()
}

/// Reads every profile once; the share that came from the memory of the process, in percent.
fn hit_percent(client: &mut Client, ids: &[String]) -> usize {
    let is_hit = |id: &&String| {
        let read = client.get(&format!("{API}/{id}")).unwrap();
        assert_eq!(read.status, 200, "{read:?}");
        read.header("x-cache").is_some_and(|source| source.starts_with("l1"))
    };
    ids.iter().filter(is_hit).count() * 100 / ids.len()
}

/// Writes through one process and reads through another with the token.
fn write_and_read(writer: &mut Client, reader: &mut Client, id: &str, bio: &str) {
    let path = format!("{API}/{id}");
    let written = writer.json("PUT", &path, &json!({"bio": bio})).unwrap();
    assert_eq!(written.status, 200, "{written:?}");
    let token = written.header("pando-consistency").unwrap();
    let read = reader.send("GET", &path, &[("pando-consistency", token)], b"").unwrap();
    assert_eq!(read.value()["profile"]["bio"], bio, "a stale own read");
}

#[test]
fn prove_that_killed_processes_leave_the_caches_of_the_others_warm() {
    let (place, redis) = (Place::postgres(TestPostgres::shared()), Redis::start(&[]));
    let url = redis.url();
    // Nothing expires by itself meanwhile.
    let lasting = [("PANDO_PROFILES__CACHE__L1_TTL_MS", "3600000"), ("REDIS_ADDRESS", url.as_str())];
    let start = || place.start(&lasting);
    let living = [start(), start()];
    let mut clients = living.each_ref().map(|running| Client::connect(running.address).unwrap());
    let ids: Vec<String> = (0..PROFILES).map(|number| create(&mut clients[0], number)).collect();
    for client in &mut clients {
        hit_percent(client, &ids);
        assert_eq!(hit_percent(client, &ids), 100, "warm");
    }
    until("both know all events", PATIENCE, || lines(&redis, "HVALS", "witnesses").len() == 2);
    let known_since = Instant::now();

    let (kills, apart) = kills();
    let (mut worst, mut rounds, mut killed) = (100, 0, 0);
    let mut victim: Option<(Running, Instant)> = None;
    loop {
        rounds += 1;
        let [one, two] = &mut clients;
        write_and_read(one, two, &ids[rounds % (PROFILES - 1) + 1], &format!("round {rounds}"));
        worst = clients.iter_mut().map(|client| hit_percent(client, &ids)).fold(worst, usize::min);
        // A witness has known all events for longer than announcements take.
        if victim.is_none() && killed < kills && known_since.elapsed() > Duration::from_secs(3) {
            victim = Some((start(), Instant::now()));
        }
        let heard = lines(&redis, "HLEN", "processes");
        if let Some((running, _)) = victim.take_if(|(_, since)| since.elapsed() > apart) {
            // Its last write is acknowledged, and perhaps not announced.
            let mut client = Client::connect(running.address).unwrap();
            write_and_read(&mut client, &mut clients[0], &ids[0], &format!("last of {killed}"));
            // Dropped, it is killed with -9.
            drop(running);
            killed += 1;
        }
        if killed == kills && heard == [":2"] {
            break;
        }
    }
    assert_eq!(lines(&redis, "GET", "silence").len(), 1, "the deaths were noticed");
    // What is noticed with one heartbeat is acted on by the next.
    let noticed = Instant::now();
    while noticed.elapsed() < Duration::from_secs(3) {
        worst = clients.iter_mut().map(|client| hit_percent(client, &ids)).fold(worst, usize::min);
    }
    eprintln!("{killed} processes killed; of {rounds} rounds the worst had {worst} % hits");
    assert!(worst >= 95, "in some round only {worst} % came from memory");
    for running in &living {
        let last = format!("last of {}", kills - 1);
        until("the last write is read everywhere", PATIENCE, || {
            let mut client = Client::connect(running.address).unwrap();
            client.get(&format!("{API}/{}", ids[0])).unwrap().value()["profile"]["bio"] == last
        });
    }
}
