//! A person who is erased leaves nothing behind: in no table, in no cache, in no job.

use std::time::Duration;

use pando_clock::Clock;
use pando_database::{Database, DatabaseOptions, Query, Secret, params};
use pando_images::Picture;
use pando_resilience::Call;
use pando_servers::until;
use pando_telemetry::Metrics;
use serde_json::{Value, json};

use crate::client::{Client, Reply};
use crate::engines::Place;
use crate::harness::Running;
use crate::images::{png, send};

const API: &str = "/api/v1/profiles";
const TASKS: &str = "/api/v1/tasks";
const PATIENCE: Duration = Duration::from_secs(60);

/// What must be nowhere afterwards, in lower case.
const TRACES: [&str; 6] =
    ["zoe@example.org", "zoe.changed@example.org", "zoë", "baker street", "climbs trees", "europe/paris"];

pub(crate) fn connect(running: &Running) -> Client {
    Client::connect(running.address).unwrap()
}

fn keyed(client: &mut Client, key: &str, method: &str, path: &str, body: &Value) -> Reply {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    client.send(method, path, &headers, body.to_string().as_bytes()).unwrap()
}

/// Everything that every table holds, as text in lower case.
pub(crate) fn everything(place: &Place) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut options = DatabaseOptions::default();
        options.sqlite.path = place.folder().join("pando.db");
        options.url = place.url().map(Secret::new);
        let database = Database::open(&options, &Metrics::new(), &Clock::system()).await.unwrap();
        let call = Call::internal("dump", PATIENCE);
        let rows = async |sql: String| {
            // A statement lives as long as the program; a test has few of them.
            let query: &'static Query = Box::leak(Box::new(Query::scan("test.dump", sql.leak())));
            database.read_primary(&call).rows(query, params![]).await.unwrap()
        };
        let columns = match place.url() {
            Some(_) => {
                "select cast(table_name as text), cast(column_name as text), cast(data_type as text) \
                 from information_schema.columns where table_schema = 'public' order by 1, 2"
            }
            None => {
                "select t.name, c.name, c.type from sqlite_master as t, pragma_table_info(t.name) as c \
                 where t.type = 'table' order by 1, 2"
            }
        };
        let mut text = String::new();
        let mut tables = std::collections::BTreeSet::new();
        for row in rows(columns.to_owned()).await {
            let (table, column, kind): (String, String, String) =
                (row.get(0).unwrap(), row.get(1).unwrap(), row.get(2).unwrap());
            let bytes = ["bytea", "blob"].contains(&kind.to_lowercase().as_str());
            let value = match (kind.as_str(), place.url()) {
                _ if bytes => format!("\"{column}\""),
                ("uuid", None) => format!("hex(\"{column}\")"),
                _ => format!("cast(\"{column}\" as text)"),
            };
            let sql = format!("select {value} from \"{table}\" where \"{column}\" is not null");
            for row in rows(sql).await {
                let value = match bytes {
                    true => String::from_utf8_lossy(&row.get::<Vec<u8>>(0).unwrap()).into_owned(),
                    false => row.get::<String>(0).unwrap(),
                };
                text.push_str(&value.to_lowercase());
                text.push('\n');
            }
            tables.insert(table);
        }
        assert!(["profiles", "queue_jobs", "idempotency_records"].iter().all(|it| tables.contains(*it)));
        database.close().await;
        text
    })
}

fn traces(place: &Place) -> Vec<&'static str> {
    let text = everything(place);
    TRACES.into_iter().filter(|trace| text.contains(trace)).collect()
}

/// Follows a task to its end.
pub(crate) fn ended(client: &mut Client, place: &str) -> Value {
    let mut task = Value::Null;
    let deadline = std::time::Instant::now() + PATIENCE;
    while !["completed", "failed", "cancelled"].contains(&task["status"].as_str().unwrap_or_default()) {
        assert!(std::time::Instant::now() < deadline, "it never ends: {task}");
        task = client.get(&format!("{place}?wait=10s")).unwrap().value();
    }
    task
}

/// Makes Zoë and all that a house comes to know of her; her address.
fn make_zoe(client: &mut Client) -> String {
    let zoe = json!({"name": "Zoë", "email": "Zoe@example.org", "bio": "Climbs trees"});
    let made = keyed(client, "make", "POST", API, &zoe);
    assert_eq!(made.status, 201, "{made:?}");
    let path = format!("{API}/{}", made.value()["id"].as_str().unwrap());
    for (key, part, body) in [
        ("email", "", json!({"email": "zoe.changed@example.org"})),
        ("address", "/address", json!({"street": "221b Baker Street"})),
        ("preferences", "/preferences", json!({"time_zone": "Europe/Paris"})),
    ] {
        let written = keyed(client, key, "PUT", &format!("{path}{part}"), &body);
        assert_eq!(written.status, 200, "{written:?}");
    }
    path
}

pub(crate) fn delayed(client: &mut Client, data: &Value, delay: &str) -> String {
    let task = json!({"task_type": "echo", "data": data, "delay": delay});
    let stored = client.json("POST", &format!("{TASKS}/delayed"), &task).unwrap();
    assert_eq!(stored.status, 202, "{stored:?}");
    stored.header("location").unwrap().to_owned()
}

/// Gives her an image; the address of its file.
fn add_image(running: &Running, path: &str) -> String {
    let file = png(&Picture::paint(40, 30, |_, _| [7, 60, 90]));
    let media = [("content-type", "image/png")];
    let added = send(running.address, "POST", &format!("{path}/images"), &media, &file).unwrap();
    added.json()["url"].as_str().unwrap().to_owned()
}

fn export_is_whole(client: &mut Client, path: &str, url: &str) {
    let known = client.get(&format!("{path}/data-export")).unwrap().value();
    assert_eq!(known["profile"]["email"], "zoe.changed@example.org");
    assert_eq!(known["address"]["street"], "221b Baker Street");
    assert_eq!(known["preferences"]["time_zone"], "Europe/Paris");
    assert_eq!(known["images"][0]["url"], url);
    assert_eq!(known["history"].as_array().unwrap().len(), 5);
    assert_eq!(known["history"][4]["after"]["email"], "Zoe@example.org");
}

/// Has an export made; where it can be fetched.
pub(crate) fn export(client: &mut Client, target: &str) -> String {
    let accepted = client.send("POST", target, &[], b"").unwrap();
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let task = ended(client, accepted.header("location").unwrap());
    task["result"]["path"].as_str().unwrap_or_else(|| panic!("{task}")).to_owned()
}

pub(crate) fn export_everybody(client: &mut Client) -> String {
    let task = json!({"task_type": "export"});
    let stored = client.json("POST", &format!("{TASKS}/delayed"), &task).unwrap();
    let task = ended(client, stored.header("location").unwrap());
    task["result"]["path"].as_str().unwrap_or_else(|| panic!("{task}")).to_owned()
}

fn cannot_be_reached(client: &mut Client, path: &str) {
    for (method, part) in [
        ("GET", ""),
        ("GET", "/full"),
        ("GET", "/history"),
        ("GET", "/images"),
        ("GET", "/data-export"),
        ("POST", "/restore"),
        ("POST", "/erase"),
    ] {
        let reply = client.send(method, &format!("{path}{part}"), &[], b"").unwrap();
        assert_eq!(reply.status, 404, "{part}");
    }
}

#[test]
fn nothing_is_left_of_who_was_erased() {
    for place in Place::both() {
        let (running, other) = (place.start(&[]), place.start(&[]));
        let mut client = connect(&running);
        let path = make_zoe(&mut client);
        let ann = client.json("POST", API, &json!({"name": "Ann", "email": "ann@example.org"})).unwrap();
        let ann = format!("{API}/{}", ann.value()["id"].as_str().unwrap());
        let told = delayed(&mut client, &json!({"to": "zoe@example.org"}), "0s");
        assert_eq!(ended(&mut client, &told)["status"], "completed");
        let waiting = delayed(&mut client, &json!({"mail": "ZOE.changed@example.org"}), "3600s");
        let anns = delayed(&mut client, &json!({"mail": "ann@example.org"}), "3600s");
        assert_eq!(connect(&other).get(&path).unwrap().status, 200, "another process remembers her");
        assert_eq!(traces(&place), TRACES, "on {}", place.name);
        let url = add_image(&running, &path);
        assert_eq!(client.send("HEAD", &url, &[], b"").unwrap().status, 200);
        export_is_whole(&mut client, &path, &url);
        let exports = [export(&mut client, &format!("{path}/data-export")), export_everybody(&mut client)];
        for place in &exports {
            assert!(client.get(place).unwrap().body.contains("zoe.changed@example.org"));
        }

        let accepted = keyed(&mut client, "erase", "POST", &format!("{path}/erase"), &json!({}));
        assert_eq!(accepted.status, 202, "{accepted:?}");
        let task = ended(&mut client, accepted.header("location").unwrap());
        assert_eq!(task["status"], "completed", "{task}");
        let receipt = &task["result"];
        assert_eq!(
            (&receipt["erased"], &receipt["profile_id"]),
            (&json!(true), &json!(path.rsplit('/').next()))
        );
        let removed = &receipt["removed"];
        let counts = ["profiles", "addresses", "preferences", "changes", "idempotent_answers", "exports"];
        assert_eq!(counts.map(|of| removed[of].as_u64().unwrap()), [1, 1, 1, 5, 4, 2], "{receipt}");
        for place in &exports {
            assert_eq!(client.get(place).unwrap().status, 404);
        }
        // Two tasks, and what makes the variants; of those as many as there were by then.
        assert!(removed["jobs"].as_u64() >= Some(2) && removed["images"] == 1, "{receipt}");
        for process in [&running, &other] {
            let reply = connect(process).send("HEAD", &url, &[], b"").unwrap();
            assert_eq!(reply.status, 404, "the picture is given out after the receipt");
        }
        assert!(receipt["erased_at"].is_string());

        assert_eq!(traces(&place), [""; 0], "on {}", place.name);
        assert!(everything(&place).contains("profile_erased"));
        cannot_be_reached(&mut client, &path);
        let again = keyed(&mut client, "erase", "POST", &format!("{path}/erase"), &json!({}));
        assert_eq!((again.status, &again.body), (202, &accepted.body));
        until("the other process forgets her", PATIENCE, || {
            connect(&other).get(&path).unwrap().status == 404
        });
        let task = client.get(&waiting).unwrap().value();
        assert_eq!(task["status"], "cancelled", "{task}");
        // A request of hers that comes late brings nobody back.
        let zoe = json!({"name": "Zoë", "email": "Zoe@example.org", "bio": "Climbs trees"});
        let late = keyed(&mut client, "make", "POST", API, &zoe);
        assert_eq!((late.status, late.header("idempotent-replayed")), (404, Some("true")), "{late:?}");
        // Everybody else stays.
        assert_eq!(client.get(&ann).unwrap().value()["profile"]["name"], "Ann");
        assert_eq!(client.get(&anns).unwrap().value()["status"], "scheduled");
        let listed = client.get(&format!("{API}?count=exact")).unwrap();
        assert_eq!(listed.header("x-total-count"), Some("1"));
        assert_eq!(client.json("POST", API, &zoe).unwrap().status, 201, "the address is free");
    }
}

#[test]
fn who_was_deleted_is_erased_too_and_spares_who_has_the_address_now() {
    for place in Place::both() {
        let running = place.start(&[]);
        let mut client = connect(&running);
        let gone = make_zoe(&mut client);
        assert_eq!(client.send("DELETE", &gone, &[], b"").unwrap().status, 204);
        let heir = json!({"name": "Heir", "email": "zoe.changed@example.org"});
        let heir = client.json("POST", API, &heir).unwrap();
        assert_eq!(heir.status, 201, "{heir:?}");
        let theirs = delayed(&mut client, &json!({"mail": "zoe.changed@example.org"}), "3600s");
        let accepted = client.send("POST", &format!("{gone}/erase"), &[], b"").unwrap();
        let task = ended(&mut client, accepted.header("location").unwrap());
        assert_eq!(task["result"]["removed"]["profiles"], 1, "{task}");
        assert_eq!(traces(&place), ["zoe.changed@example.org"], "on {}", place.name);
        let heir = format!("{API}/{}", heir.value()["id"].as_str().unwrap());
        assert_eq!(client.get(&heir).unwrap().status, 200);
        assert_eq!(client.get(&theirs).unwrap().value()["status"], "scheduled");
    }
}

#[test]
fn a_person_and_a_customer_with_one_address_are_erased_apart() {
    for place in Place::both() {
        let running = place.start(&[]);
        let mut client = connect(&running);
        let path = make_zoe(&mut client);
        let customer = json!({"id": "c-7", "name": "Zoë", "email": "zoe.changed@example.org"});
        let made = keyed(&mut client, "customer", "POST", "/api/v1/customers", &customer);
        assert_eq!(made.status, 201, "{made:?}");
        let other = json!({"id": "c-8", "name": "Zoë", "email": "zoe.changed@example.org"});
        assert_eq!(client.json("POST", "/api/v1/customers", &other).unwrap().status, 201);
        let renamed = client.json("PATCH", "/api/v1/customers/c-7", &json!({"phone": "1"})).unwrap().value();

        // The customer goes: the person keeps everything, other customers too.
        let known = |client: &mut Client| {
            let mut known = client.get(&format!("{path}/data-export")).unwrap().value();
            known["exported_at"].take();
            known
        };
        let person = known(&mut client);
        let gone = keyed(&mut client, "gone", "DELETE", "/api/v1/customers/c-8", &json!({}));
        assert_eq!(gone.status, 204, "{gone:?}");
        assert_eq!(known(&mut client), person);
        assert_eq!(client.get("/api/v1/customers/c-7").unwrap().value(), renamed);

        // The person goes: the customer keeps everything, also the answer to its request.
        let accepted = keyed(&mut client, "erase", "POST", &format!("{path}/erase"), &json!({}));
        let task = ended(&mut client, accepted.header("location").unwrap());
        assert_eq!(task["status"], "completed", "{task}");
        assert_eq!(client.get("/api/v1/customers/c-7").unwrap().value(), renamed);
        let found = client.get("/api/v1/customers?email=ZOE.changed@example.org").unwrap().value();
        assert_eq!(found["customers"], json!([renamed]));
        let again = keyed(&mut client, "customer", "POST", "/api/v1/customers", &customer);
        assert_eq!((again.status, again.value()), (201, made.value()), "on {}", place.name);
        cannot_be_reached(&mut client, &path);
    }
}
