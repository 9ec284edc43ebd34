//! Two processes, one PostgreSQL, one Redis: after a write, whoever has its token reads it, and finds it on every page.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use pando_database::testing::TestPostgres;
use pando_servers::Redis;
use serde_json::{Value, json};

use crate::client::{Client, Reply};
use crate::engines::Place;

const API: &str = "/api/v1/customers";
const WRITERS: usize = 6;
/// More than the writers can add while one of them looks.
const PAGE: usize = 100;
/// How many customers a writer has before it deletes.
const OWN: usize = 8;

/// Some thousand operations in every test run; two hundred thousand where the long proofs are asked for.
fn operations() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "how `make prove` asks for the long form")]
    if std::env::var("PANDO_PROVE").is_ok() { 200_000 } else { 3_000 }
}

/// A writer, the customers that nobody else changes, and what it counts.
struct Writer<'a> {
    clients: Vec<Client>,
    own: Vec<(String, i64)>,
    number: usize,
    done: &'a AtomicU64,
}

#[test]
fn prove_that_customers_and_their_pages_are_fresh_on_two_processes() {
    let place = Place::postgres(TestPostgres::shared());
    let redis = Redis::start(&[]);
    let url = redis.url();
    let processes: Vec<_> = (0..2).map(|_| place.start(&[("REDIS_ADDRESS", url.as_str())])).collect();
    let addresses: Vec<SocketAddr> = processes.iter().map(|running| running.address).collect();
    let done = AtomicU64::new(0);
    thread::scope(|scope| {
        for number in 0..WRITERS {
            let (addresses, done) = (&addresses, &done);
            scope.spawn(move || {
                let clients = addresses.iter().map(|address| Client::connect(*address).unwrap()).collect();
                let mut writer = Writer { clients, own: Vec::new(), number: number * 7_919 + 1, done };
                while done.load(Ordering::Relaxed) < operations() {
                    writer.write();
                }
            });
        }
    });
    eprintln!("{} operations, nothing stale", done.load(Ordering::SeqCst));
}

fn given(number: usize) -> Value {
    json!({"name": format!("Raced {number}"), "email": format!("raced{number}@example.org")})
}

impl Writer<'_> {
    fn random(&mut self, below: usize) -> usize {
        self.number =
            self.number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.number >> 33) % below
    }

    /// Writes through any process, and reads through any.
    fn write(&mut self) {
        let (through, choice) = (self.random(self.clients.len()), self.random(4));
        let reply = match choice {
            _ if self.own.len() < 2 => self.create(through),
            0 => self.create(through),
            1 => self.batch(through),
            2 if self.own.len() >= OWN => return self.delete(through),
            _ => self.update(through),
        };
        let (id, version) = self.own.last().unwrap().clone();
        let read = self.read(&format!("{API}/{id}"), &reply);
        assert_eq!(read.status, 200, "{id}: {read:?}");
        assert_eq!(read.value()["version"], version, "{id} is older than its write");
        let found = self.on_page(&id, &reply);
        // An update does not move a customer to the first page, where others may have pushed it off.
        assert!(found == Some(version) || found.is_none() && choice >= 2, "{id}: {found:?} on the page");
        self.done.fetch_add(3, Ordering::Relaxed);
    }

    fn create(&mut self, through: usize) -> Reply {
        let body = given(self.number);
        let made = self.clients[through].json("POST", API, &body).unwrap();
        assert_eq!(made.status, 201, "{made:?}");
        self.own.push((made.value()["id"].as_str().unwrap().to_owned(), 1));
        made
    }

    fn batch(&mut self, through: usize) -> Reply {
        let customers: Vec<Value> = (0..3).map(|place| given(self.number.wrapping_add(place))).collect();
        let body = json!({"customers": customers});
        let made = self.clients[through].json("POST", &format!("{API}/batch"), &body).unwrap();
        assert_eq!(made.status, 200, "{made:?}");
        let ids = made.value()["ids"].as_array().unwrap().clone();
        self.own.extend(ids.iter().map(|id| (id.as_str().unwrap().to_owned(), 1)));
        made
    }

    fn update(&mut self, through: usize) -> Reply {
        let place = self.random(self.own.len());
        let (id, version) = self.own.remove(place);
        let body = json!({"name": format!("Changed {}", self.number)});
        let changed = self.clients[through].json("PATCH", &format!("{API}/{id}"), &body).unwrap();
        assert_eq!((changed.status, &changed.value()["version"]), (200, &json!(version + 1)));
        self.own.push((id, version + 1));
        changed
    }

    fn delete(&mut self, through: usize) {
        let place = self.random(self.own.len());
        let (id, _) = self.own.remove(place);
        let path = format!("{API}/{id}");
        let deleted = self.clients[through].send("DELETE", &path, &[], b"").unwrap();
        assert_eq!(deleted.status, 204, "{deleted:?}");
        assert_eq!(self.read(&path, &deleted).status, 404, "{id} is read after its deletion");
        assert_eq!(self.on_page(&id, &deleted), None, "{id} is on a page after its deletion");
        self.done.fetch_add(3, Ordering::Relaxed);
    }

    /// Reads what the token of a write promises, through any process.
    fn read(&mut self, path: &str, written: &Reply) -> Reply {
        let token = written.header("pando-consistency").unwrap().to_owned();
        let through = self.random(self.clients.len());
        self.clients[through].send("GET", path, &[("pando-consistency", &token)], b"").unwrap()
    }

    /// The version that the first page has of a customer.
    fn on_page(&mut self, id: &str, written: &Reply) -> Option<i64> {
        let page = self.read(&format!("{API}?limit={PAGE}"), written).value();
        let found = page["customers"].as_array().unwrap().iter().find(|one| one["id"] == id)?;
        found["version"].as_i64()
    }
}
