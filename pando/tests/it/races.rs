//! Three processes, one PostgreSQL, one Redis: nobody reads what is older than it may be.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pando_database::testing::TestPostgres;
use pando_servers::Redis;
use serde_json::json;

use crate::client::{Client, Reply};
use crate::engines::Place;

const API: &str = "/api/v1/profiles";
const PROFILES: usize = 24;
const WRITERS: usize = 4;
const READERS: usize = 8;

/// How long an entry is fresh in one process: the bound on staleness, with its jitter, whatever gets lost.
const L1_TTL_MS: u64 = 500;
const BOUND: Duration = Duration::from_millis(1_000);

/// Twenty thousand operations in every test run; a million where the long proofs are asked for.
fn operations() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "how `make prove` asks for the long form")]
    if std::env::var("PANDO_PROVE").is_ok() { 1_000_000 } else { 20_000 }
}

/// What is known of one profile: its version in the upper half, when that was acknowledged in the lower.
struct Acknowledged {
    began: Instant,
    /// The versions that were acknowledged, each with the microsecond; only the last few matter.
    versions: Vec<[AtomicI64; 64]>,
    latest: Vec<AtomicI64>,
}

#[derive(Default)]
struct Seen {
    operations: AtomicU64,
    writes: AtomicU64,
    within_bound: AtomicU64,
    longest_us: AtomicI64,
    too_old: AtomicU64,
    own_too_old: AtomicU64,
}

impl Acknowledged {
    fn now(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_micros()).unwrap()
    }

    fn note(&self, profile: usize, version: i64) {
        let slot = usize::try_from(version % 64).unwrap();
        self.versions[profile][slot].store(self.now(), Ordering::SeqCst);
        self.latest[profile].store(version, Ordering::SeqCst);
    }

    /// For how long `version` had been replaced at `moment`, in microseconds; 0 when it had not.
    fn staleness(&self, profile: usize, version: i64, latest_then: i64, moment: i64) -> i64 {
        if version >= latest_then {
            return 0;
        }
        // Older than the notes go back is older than any bound.
        if latest_then - version >= 60 {
            return i64::MAX;
        }
        let slot = usize::try_from((version + 1) % 64).unwrap();
        moment - self.versions[profile][slot].load(Ordering::SeqCst)
    }
}

#[test]
fn prove_that_no_process_serves_what_is_older_than_the_bound() {
    let place = Place::postgres(TestPostgres::shared());
    let redis = Redis::start(&[]);
    let ttl = L1_TTL_MS.to_string();
    let url = redis.url();
    let variables = [
        ("REDIS_ADDRESS", url.as_str()),
        ("PANDO_PROFILES__CACHE__L1_TTL_MS", &ttl),
        ("PANDO_PROFILES__CACHE__STALE_WHILE_REVALIDATE_MS", "0"),
    ];
    let processes: Vec<_> = (0..3).map(|_| place.start(&variables)).collect();
    let addresses: Vec<SocketAddr> = processes.iter().map(|running| running.address).collect();
    let mut client = Client::connect(addresses[0]).unwrap();
    let ids: Vec<String> = (0..PROFILES)
        .map(|number| {
            let body = json!({"name": "Raced", "email": format!("raced{number}@example.org")});
            client.json("POST", API, &body).unwrap().value()["id"].as_str().unwrap().to_owned()
        })
        .collect();
    let known = Acknowledged {
        began: Instant::now(),
        versions: ids.iter().map(|_| [const { AtomicI64::new(0) }; 64]).collect(),
        latest: ids.iter().map(|_| AtomicI64::new(1)).collect(),
    };
    let seen = Seen::default();
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (addresses, ids, known, seen) = (&addresses, &ids, &known, &seen);
            scope.spawn(move || write(writer, addresses, ids, known, seen));
        }
        for reader in 0..READERS {
            let (addresses, ids, known, seen) = (&addresses, &ids, &known, &seen);
            scope.spawn(move || read(reader, addresses, ids, known, seen));
        }
    });
    let count = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
    let longest = Duration::from_micros(seen.longest_us.load(Ordering::SeqCst).unsigned_abs());
    eprintln!(
        "{} operations, {} of them writes; {} reads were old, the oldest by {longest:?}; {} past the bound of \
         {BOUND:?}, {} own writes not read",
        count(&seen.operations),
        count(&seen.writes),
        count(&seen.within_bound),
        count(&seen.too_old),
        count(&seen.own_too_old),
    );
    assert!(count(&seen.writes) > 500, "{} writes raced", count(&seen.writes));
    assert_eq!((count(&seen.too_old), count(&seen.own_too_old)), (0, 0));
}

fn connected(addresses: &[SocketAddr]) -> Vec<Client> {
    addresses.iter().map(|address| Client::connect(*address).unwrap()).collect()
}

fn version(reply: &Reply) -> i64 {
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.header("etag").unwrap().trim_matches('"').parse().unwrap()
}

/// Changes profiles that nobody else changes, through any process, and reads each back through another at once.
fn write(writer: usize, addresses: &[SocketAddr], ids: &[String], known: &Acknowledged, seen: &Seen) {
    let mut clients = connected(addresses);
    let mut number = writer * 7919;
    while seen.operations.load(Ordering::Relaxed) < operations() {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let profile = (number >> 33) % (ids.len() / WRITERS) * WRITERS + writer;
        let path = format!("{API}/{}", ids[profile]);
        let through = (number >> 40) % clients.len();
        let written = clients[through].json("PUT", &path, &json!({"bio": number.to_string()})).unwrap();
        let now = version(&written);
        known.note(profile, now);
        let token = written.header("pando-consistency").unwrap().to_owned();
        let other = (number >> 45) % clients.len();
        let read = clients[other].send("GET", &path, &[("pando-consistency", &token)], b"").unwrap();
        if version(&read) < now {
            seen.own_too_old.fetch_add(1, Ordering::SeqCst);
        }
        seen.writes.fetch_add(1, Ordering::Relaxed);
        seen.operations.fetch_add(2, Ordering::Relaxed);
    }
}

/// Reads any profile through any process, and times how long what it got had been replaced.
fn read(reader: usize, addresses: &[SocketAddr], ids: &[String], known: &Acknowledged, seen: &Seen) {
    let mut clients = connected(addresses);
    let mut number = reader * 104_729 + 1;
    while seen.operations.load(Ordering::Relaxed) < operations() {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let profile = (number >> 33) % ids.len();
        let through = (number >> 45) % clients.len();
        let (latest, asked) = (known.latest[profile].load(Ordering::SeqCst), known.now());
        let read = clients[through].get(&format!("{API}/{}", ids[profile])).unwrap();
        let old = known.staleness(profile, version(&read), latest, asked);
        if old > 0 {
            seen.longest_us.fetch_max(old, Ordering::SeqCst);
            let counter = if old > i64::try_from(BOUND.as_micros()).unwrap() {
                &seen.too_old
            } else {
                &seen.within_bound
            };
            counter.fetch_add(1, Ordering::SeqCst);
        }
        seen.operations.fetch_add(1, Ordering::Relaxed);
    }
}
