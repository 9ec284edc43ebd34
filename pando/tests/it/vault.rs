//! Sealed fields in the real binary: switched on beside plain rows, read, found, sealed again, and with a key missing.

use pando_servers::Redis;
use serde_json::{Value, json};

use crate::client::Client;
use crate::engines::Place;
use crate::erasure::{connect, everything};
use crate::harness::complaint;

const API: &str = "/api/v1/customers";
const OLD: &str = "{id = \"old\", key = \"ebTdMCkuzArXrMoGHXXhRo6ECqlHzChIvQ2tZGHBzq8=\"}";
const NEW: &str =
    "{id = \"new\", key = \"0d6e0fb6b1f02f4bb9a7fa1c9a5c8b5b8e1a3a7a4d0c9c2e7fb0a6d1e3b49f27\"}";
const INDEX: &str = "[{id = \"index\", key = \"7kVLEqMQHbTxvPn4TSB8Rf2hgWmK5Z0sYdXcAuNoJ3w=\"}]";
/// Texts that no table may hold in the clear; none is so short that it would be found in a time or in sealed bytes.
const TRACES: [&str; 4] = ["zoe@", "ann@", "41 44", "4144668"];

fn keys(current: &str, keys: &[&str]) -> [(&'static str, String); 3] {
    [
        ("PANDO_VAULT__CURRENT", current.to_owned()),
        ("PANDO_VAULT__KEYS", format!("[{}]", keys.join(", "))),
        ("PANDO_VAULT__INDEX_KEYS", INDEX.to_owned()),
    ]
}

fn as_variables<'a>(keys: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    keys.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

fn create(client: &mut Client, customer: &Value) -> Value {
    let headers =
        [("content-type", "application/json"), ("idempotency-key", customer["id"].as_str().unwrap())];
    let reply = client.send("POST", API, &headers, customer.to_string().as_bytes()).unwrap();
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.value()
}

fn ids(client: &mut Client, filter: &str) -> Vec<String> {
    let page = client.get(&format!("{API}?{filter}")).unwrap().value();
    let ids = page["customers"].as_array().unwrap_or_else(|| panic!("{page}")).iter();
    ids.map(|customer| customer["id"].as_str().unwrap().to_owned()).collect()
}

fn found_by_both(client: &mut Client) {
    assert_eq!(ids(client, "email=ANN@example.org"), ["1"]);
    assert_eq!(ids(client, "email=zoe@example.org"), ["2"]);
    assert_eq!(ids(client, "phone=%2B41446681800"), ["2", "1"]);
}

#[test]
fn no_table_holds_a_sealed_field_in_the_clear() {
    for place in Place::both() {
        let ann = json!({"id": "1", "name": "A", "email": "ann@example.org", "phone": "+41 44 668 18 00"});
        let zoe = json!({"id": "2", "name": "Z", "email": "Zoe@Example.org", "phone": "+41 44 6681800"});
        // Before there were keys.
        let plain = place.start(&[]);
        let ann = create(&mut connect(&plain), &ann);
        assert!(everything(&place).contains("ann@example.org"), "on {}", place.name);
        drop(plain);

        let old = keys("old", &[OLD]);
        let running = place.start(&as_variables(&old));
        let mut client = connect(&running);
        let made = create(&mut client, &zoe);
        assert_eq!(create(&mut client, &zoe), made, "a repeat gets the sealed outcome");
        let path = format!("{API}/2");
        let changed = client.json("PATCH", &path, &json!({"phone": "+41 44 668 1800"})).unwrap();
        assert_eq!(changed.status, 200);
        found_by_both(&mut client);
        let sealed = place.printed(&["vault", "reseal"], &as_variables(&old));
        assert_eq!(sealed, "customers: 4 rows read, 1 sealed\n", "Ann's only, on {}", place.name);
        // The answer to Ann's request is from before there were keys.
        let tables = everything(&place);
        let left: Vec<&str> =
            tables.lines().filter(|line| TRACES.iter().any(|it| line.contains(it))).collect();
        assert!(left.len() == 1 && is_kept_answer(left[0]), "{left:#?}");
        found_by_both(&mut client);
        drop(running);

        // The key rotates.
        let both = keys("new", &[OLD, NEW]);
        let sealed = place.printed(&["vault", "reseal"], &as_variables(&both));
        assert_eq!(sealed, "customers: 4 rows read, 4 sealed\n");
        let new = keys("new", &[NEW]);
        let running = place.start(&as_variables(&new));
        let mut client = connect(&running);
        assert_eq!(client.get(&format!("{API}/1")).unwrap().value(), ann);
        assert_eq!(client.get(&path).unwrap().value(), changed.value());
        found_by_both(&mut client);
        let history = client.get(&format!("{path}/history")).unwrap().value();
        assert_eq!(history[0]["before"], json!({"phone": "+41 44 6681800"}));
        assert_eq!(history[1]["after"]["email"], "Zoe@Example.org");
        drop(running);
        a_missing_key_is_named(&place);
    }
}

/// The answer to the request of Ann, who was created without keys: it is kept for a day.
fn is_kept_answer(line: &str) -> bool {
    serde_json::from_str::<Value>(line).is_ok_and(|answer| answer["id"] == "1")
}

fn a_missing_key_is_named(place: &Place) {
    let old = keys("old", &[OLD]);
    let mut running = place.start(&as_variables(&old));
    let reply = connect(&running).get(&format!("{API}/2")).unwrap();
    assert_eq!(reply.status, 500, "{reply:?}");
    assert!(!reply.body.contains("vault"), "{reply:?}");
    running.until(|line| line.to_string().contains("the key `new`, which is not in the keyring"));
    drop(running);
    let output = place.run(&["vault", "reseal"], &as_variables(&old));
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint(&output).contains("the key `new`"), "{output:?}");
    let output = place.run(&["vault", "reseal"], &[]);
    assert!(complaint(&output).contains("the settings have no keys"), "{output:?}");
    let wrong = keys("none", &[OLD]);
    let output = place.run(&["config", "check"], &as_variables(&wrong));
    assert!(complaint(&output).contains("`current` is \"none\""), "{output:?}");
}

/// Nothing is sealed in Redis.
#[test]
fn with_keys_no_customer_is_in_redis() {
    let (place, redis) = (Place::sqlite(), Redis::start(&[]));
    let (url, old) = (redis.url(), keys("old", &[OLD]));
    let keys_after_reads = |variables: &[(&'static str, &str)]| {
        let running = place.start(&[variables, &[("REDIS_ADDRESS", &url)]].concat());
        let mut client = connect(&running);
        let made = client.json("POST", API, &json!({"name": "Zoë", "email": "z@example.org"})).unwrap();
        let path = format!("{API}/{}", made.value()["id"].as_str().unwrap());
        assert_eq!(client.get(&path).unwrap().status, 200);
        redis.ask("KEYS *").unwrap()
    };
    assert!(!keys_after_reads(&as_variables(&old)).contains("customers"));
    assert!(keys_after_reads(&[]).contains("customers"), "without keys, the same requests leave it there");
}
