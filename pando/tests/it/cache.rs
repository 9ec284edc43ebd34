//! Reading through the cache, as a caller and as an operator sees it.

use std::thread;
use std::time::Duration;

use pando_database::testing::TestPostgres;
use pando_resilience::Call;
use pando_servers::until;
use serde_json::json;

use crate::client::Client;
use crate::engines::{Place, UNCACHED};
use crate::exhaustion::hold;
use crate::harness::{Running, ask};

const API: &str = "/api/v1/profiles";

fn create(client: &mut Client, name: &str) -> String {
    let body = json!({"name": name, "email": format!("{}@example.org", name.to_lowercase())});
    let made = client.json("POST", API, &body).unwrap();
    assert_eq!(made.status, 201, "{made:?}");
    made.value()["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_second_read_is_from_memory_and_a_write_ends_that() {
    for place in Place::both() {
        let running = place.start(&[("CACHE_WRITE_POLICY", "around")]);
        let mut client = Client::connect(running.address).unwrap();
        let path = format!("{API}/{}", create(&mut client, "Ada"));
        let first = client.get(&path).unwrap();
        let second = client.get(&path).unwrap();
        assert_eq!(first.header("x-cache"), Some("origin; age=0"), "{}", place.name);
        assert_eq!(second.header("x-cache"), Some("l1; age=0"), "{}", place.name);
        assert_eq!(
            (&first.value()["source"], &second.value()["source"]),
            (&json!("database"), &json!("cache"))
        );
        assert_eq!(first.value()["profile"], second.value()["profile"]);
        for name in ["content-type", "etag", "vary", "cache-control", "x-content-type-options"] {
            assert_eq!(first.header(name), second.header(name), "{name}");
        }
        let known = client.send("GET", &path, &[("if-none-match", "\"1\"")], b"").unwrap();
        assert_eq!((known.status, known.header("x-cache")), (304, Some("l1; age=0")));
        let sparse = client.get(&format!("{path}?fields=name")).unwrap().value();
        assert_eq!(sparse, json!({"profile": {"name": "Ada"}, "source": "cache"}));
        let shouted = client.get(&path.to_uppercase().replace("/API/V1/PROFILES", API)).unwrap();
        assert_eq!(shouted.value()["source"], "cache");
        client.json("PUT", &path, &json!({"bio": "changed"})).unwrap();
        let changed = client.get(&path).unwrap().value();
        assert_eq!((&changed["source"], &changed["profile"]["bio"]), (&json!("database"), &json!("changed")));
        let old = client.send("GET", &path, &[("pando-consistency", "never written")], b"").unwrap();
        assert_eq!(old.status, 400, "{old:?}");
    }
}

#[test]
fn without_a_cache_every_read_is_the_databases() {
    for place in Place::both() {
        let running = place.start(UNCACHED);
        let mut client = Client::connect(running.address).unwrap();
        let path = format!("{API}/{}", create(&mut client, "Ada"));
        for _ in 0..2 {
            let read = client.get(&path).unwrap();
            assert_eq!(read.header("x-cache"), Some("origin; age=0"), "{}", place.name);
            assert_eq!((&read.value()["source"], read.header("etag")), (&json!("database"), Some("\"1\"")));
        }
        client.json("PUT", &path, &json!({"bio": "changed"})).unwrap();
        assert_eq!(client.get(&path).unwrap().value()["profile"]["bio"], "changed");
        let bad = client.send("GET", &path, &[("pando-consistency", "never written")], b"").unwrap();
        assert_eq!(bad.status, 400, "{bad:?}");
        client.send("DELETE", &path, &[], b"").unwrap();
        assert_eq!(client.get(&path).unwrap().status, 404);
    }
}

#[test]
fn a_thousand_cold_reads_of_one_profile_are_one_read_of_the_database() {
    const READERS: u64 = 1_000;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let place = Place::postgres(TestPostgres::shared());
    let patient = [("CACHE_WRITE_POLICY", "around"), ("PANDO_PROFILES__CACHE__LOAD_HARD_MS", "20000")];
    let patient =
        [&patient[..], &[("PANDO_PROFILES__CACHE__WAIT_MS", "20000"), ("PANDO_HTTP__DEADLINE_MS", "30000")]];
    let patient =
        [&patient.concat()[..], &[("PANDO_DATABASE__READS__STATEMENT_TIMEOUT_MS", "30000")]].concat();
    let running = place.start(&patient);
    let address = running.address;
    let path = format!("{API}/{}", create(&mut Client::connect(address).unwrap(), "Ada"));
    let metric = |start: &str| -> u64 {
        let text = ask(address, "GET", "/metrics", "").body;
        let lines = text.lines().filter_map(|line| line.strip_prefix(start));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    };
    let statements = || metric("db_operations_total{operation=\"profiles.find\"");
    let before = statements();
    // Nobody gets at the table until all thousand have asked.
    let holder = runtime.block_on(hold(&place, &Call::internal("test", Duration::from_secs(60))));
    thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|_| scope.spawn(|| Client::connect(address).unwrap().get(&path).unwrap()))
            .collect();
        // The one who asks is a request as well.
        until("all have asked", Duration::from_secs(20), || metric("http_active_requests") > READERS);
        runtime.block_on(holder.rollback()).unwrap();
        for reader in readers {
            let reply = reader.join().unwrap();
            assert_eq!((reply.status, &reply.value()["profile"]["name"]), (200, &json!("Ada")));
        }
    });
    assert_eq!(statements() - before, 1);
    assert_eq!(metric("cache_loads_total{cache=\"profiles\""), 1);
}

#[test]
fn ten_entries_first_in_first_out_are_never_eleven() {
    let place = Place::sqlite();
    let running = place.start(&[("CACHE_POLICY", "fifo"), ("CACHE_MAX_SIZE", "10")]);
    let size = || {
        let text = ask(running.address, "GET", "/metrics", "").body;
        let series = "cache_size{cache=\"profiles\",tier=\"l1\"} ";
        text.lines().find_map(|line| line.strip_prefix(series)).unwrap().parse::<u64>().unwrap()
    };
    let ids: Vec<String> = thread::scope(|scope| {
        let address = running.address;
        let writers: Vec<_> = (0..20)
            .map(|writer| {
                scope.spawn(move || {
                    let mut client = Client::connect(address).unwrap();
                    (0..5)
                        .map(|number| create(&mut client, &format!("P{writer}x{number}")))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        while !writers.iter().all(thread::ScopedJoinHandle::is_finished) {
            assert!(size() <= 10, "{}", size());
        }
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    assert_eq!((ids.len(), size()), (100, 10));
    let mut client = Client::connect(running.address).unwrap();
    let last: Vec<String> = (0..10).map(|number| create(&mut client, &format!("Last{number}"))).collect();
    let mut source = |id: &str| client.get(&format!("{API}/{id}")).unwrap().value()["source"].clone();
    assert!(last.iter().all(|id| source(id) == "cache"));
    // The first one that comes in pushes the first one out, however often that was read.
    assert_eq!(source(&ids[0]), "database");
    assert_eq!(source(&last[1]), "cache");
    assert_eq!(source(&last[0]), "database");
}

#[test]
fn operators_see_the_cache_and_can_empty_and_fill_it() {
    let place = Place::sqlite();
    let mut running = place.start(&[]);
    let admin = running.admin();
    let mut client = Client::connect(running.address).unwrap();
    let id = create(&mut client, "Ada");
    assert_eq!(client.get(&format!("{API}/{id}")).unwrap().value()["source"], "cache");
    let overview = ask(admin, "GET", "/admin/cache", "").json();
    assert_eq!(overview["redis"], json!(null));
    let report = ask(admin, "GET", "/admin/cache/profiles", "").json();
    assert_eq!((&report["entries"], &report["hits_l1"]), (&json!(1), &json!(1)));
    let key = ask(admin, "GET", &format!("/admin/cache/profiles/keys/{id}"), "").json();
    assert_eq!((&key["version"], &key["invalidated"]), (&json!(1), &json!(false)));
    assert_eq!(ask(admin, "POST", "/admin/cache/profiles/clear", "").status, 204);
    assert_eq!(client.get(&format!("{API}/{id}")).unwrap().value()["source"], "database");
    assert_eq!(ask(admin, "POST", "/admin/cache/profiles/clear", "").status, 204);
    assert_eq!(ask(admin, "POST", "/admin/warm/profiles?count=5", "").json()["filled"], 1);
    assert_eq!(client.get(&format!("{API}/{id}")).unwrap().value()["source"], "cache");
    for (method, path, status) in [
        ("GET", "/admin/cache/nothing", 404),
        ("GET", "/admin/cache/profiles/keys/nothing", 404),
        ("POST", "/admin/warm/profiles?count=none", 400),
        ("GET", "/health", 200),
    ] {
        assert_eq!(ask(admin, method, path, "").status, status, "{path}");
    }
    // The console asks at the other port.
    assert_eq!(ask(running.address, "GET", "/admin/cache", "").status, 200);
}

#[test]
fn pages_from_elsewhere_do_not_reach_the_port_of_operators() {
    let place = Place::sqlite();
    let mut running = place.start(&[("PANDO_AUTH__MODE", "off")]);
    let mut admin = Client::connect(running.admin()).unwrap();
    let clear = "/admin/cache/profiles/clear";
    let foreign = admin.send("POST", clear, &[("origin", "http://evil.example")], b"").unwrap();
    assert_eq!(foreign.status, 400, "{foreign:?}");
    let mut admin = Client::connect(running.admin()).unwrap();
    assert_eq!(admin.send("POST", clear, &[], b"").unwrap().status, 204);
}

#[test]
fn a_taken_port_for_operators_stops_nobody() {
    let (one, two) = (Place::sqlite(), Place::sqlite());
    let mut first = one.start(&[]);
    let taken = first.admin().to_string();
    let second: Running = two.start(&[("PANDO_ADMIN__LISTEN", &taken)]);
    // The warning comes before the line that says where it listens.
    let told =
        second.log.iter().any(|line| line["message"].as_str().is_some_and(|it| it.contains("admin.listen")));
    assert!(told, "{:#?}", second.log);
    assert_eq!(second.ask("GET", "/health", "").status, 200);
    second.tell(rustix::process::Signal::TERM);
    assert_eq!(second.ended().0.code(), Some(0));
}
