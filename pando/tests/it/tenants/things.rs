//! The things of a tenant: one of every kind that the server keeps, and names of the same form that nobody ever had.

use std::time::Duration;

use pando_images::Picture;
use serde_json::{Value, json};

use super::commerce;
use super::risk;
use super::walker::{Names, Walker};
use super::webhooks;
use crate::images::png;

const PATIENCE: Duration = Duration::from_secs(30);

/// A picture of one color.
pub(super) fn picture(color: u8) -> Vec<u8> {
    png(&Picture::paint(40, 30, |_, _| [color, 60, 90]))
}

/// Makes one thing of every kind, and waits until no task of the tenant runs.
pub(super) fn live(walker: &mut Walker<'_>) -> Names {
    let mut names = Names::from(
        [
            ("email", "wilhelmina@acme.example"),
            ("other_email", "zebulon@acme.example"),
            ("word", "wilhelmina"),
            ("phone", "4930111222333"),
            ("customer", "customer-of-acme-1"),
            ("other_customer", "customer-of-acme-2"),
            ("schedule", "nightly-of-acme"),
            ("unique_key", "unique-of-acme"),
            ("key", "key-of-acme"),
            ("import", "import-of-acme"),
            ("later_import", "later-of-acme"),
        ]
        .map(|(word, name)| (word, name.to_owned())),
    );
    profiles(walker, &mut names);
    moved(walker, &mut names);
    customers(walker, &mut names);
    tasks(walker, &mut names);
    webhooks::live(walker, &mut names);
    risk::live(walker, &mut names);
    commerce::live(walker, &mut names);
    names
}

/// Names of the same form, which no thing has. Those that only a list gives out are of another owner.
pub(super) fn of_nobody(names: &Names, of_another: &Names) -> Names {
    let made_up = |(word, name): (&&'static str, &String)| {
        let name = match *word {
            "profile_cursor" | "customer_cursor" | "schedule_cursor" | "position" | "consistency" => {
                of_another[word].clone()
            }
            "phone" => "4930999888777".to_owned(),
            "word" => "wiltrudia".to_owned(),
            "email" => "wiltrudia@none.example".to_owned(),
            "other_email" => "ephraim@none.example".to_owned(),
            "assessment" => format!("{}ffffffffffff", &name[..25]),
            "batch" => format!("{}ffffffffffff", &name[..26]),
            "business" => format!("{}ffffffffffff", &name[..24]),
            "list" | "case" => format!("{}ffffffffffff", &name[..25]),
            "backtest" => format!("{}ffffffffffff", &name[..29]),
            "webhook" => format!("{}ffffffffffff", &name[..23]),
            // Its first half is the id of the webhook.
            "delivery" => format!("{}ffffffffffff{}ffffffffffff", &name[..24], &name[36..56]),
            "sku" => format!("{}FFFFFFFFFFFF", &name[..6]),
            "media" | "hash" => name.replace(|c: char| c.is_ascii_digit(), "0"),
            _ if uuid::Uuid::try_parse(name).is_ok() => format!("{}ffffffffffff", &name[..24]),
            _ => name.replace("acme", "none"),
        };
        (*word, name)
    };
    names.iter().map(made_up).collect()
}

fn done(walker: &mut Walker<'_>, method: &str, path: &str, key: &str, body: &Value) -> Value {
    let keyed = [("idempotency-key", key)];
    let headers: &[(&str, &str)] = if key.is_empty() { &[] } else { &keyed };
    let reply = walker.json(method, path, headers, body);
    assert!(reply.status < 300, "{method} {path}: {reply:?}");
    if reply.body.is_empty() { Value::Null } else { reply.value() }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn profiles(walker: &mut Walker<'_>, names: &mut Names) {
    let api = "/api/v1/profiles";
    let person = json!({"name": "Wilhelmina", "email": names["email"], "bio": "met at the oak"});
    names.insert("profile", text(&done(walker, "POST", api, &names["key"], &person)["id"]));
    let place = format!("{api}/{}", names["profile"]);
    done(walker, "PUT", &format!("{place}/address"), "", &json!({"street": "Elm 1", "city": "Ulm"}));
    done(walker, "PUT", &format!("{place}/preferences"), "", &json!({"time_zone": "Europe/Berlin"}));
    let content = [("content-type", "image/png")];
    let added = walker.send("POST", &format!("{place}/images"), &content, &picture(1));
    assert_eq!(added.status, 201, "{added:?}");
    let address = text(&added.value()["url"]);
    names.insert("media", address.rsplit_once('/').unwrap().1.to_owned());
    names.insert("hash", names["media"].split('.').next().unwrap().to_owned());
    let gone = json!({"name": "Zebulon", "email": names["other_email"]});
    let made = walker.json("POST", api, &[], &gone);
    names.insert("deleted", text(&made.value()["id"]));
    done(walker, "DELETE", &format!("{api}/{}", names["deleted"]), "", &Value::Null);
    let third = walker.json("POST", api, &[], &json!({"name": "Third", "email": "third@acme.example"}));
    names.insert("consistency", third.header("pando-consistency").unwrap().to_owned());
    names.insert("profile_cursor", cursor(walker, &format!("{api}?limit=1")));
}

/// The cursor that a list of one thing answers with.
fn cursor(walker: &mut Walker<'_>, path: &str) -> String {
    let page = walker.get(path);
    let link = page.header("link").unwrap_or_else(|| panic!("one page is all: {page:?}"));
    let (_, cursor) = link.split_once("cursor=").unwrap();
    cursor.split(['>', '&']).next().unwrap().to_owned()
}

/// An import, an import by a task, and an export.
fn moved(walker: &mut Walker<'_>, names: &mut Names) {
    let line = |email: &str| format!("{{\"name\": \"Imported\", \"email\": \"{email}\"}}\n");
    let lines = [("content-type", "application/x-ndjson")];
    let path = format!("/api/v1/profiles:import?token={}", names["import"]);
    let sent = walker.send("POST", &path, &lines, line("sent@acme.example").as_bytes());
    assert_eq!(sent.status, 202, "{sent:?}");
    let later = [lines[0], ("prefer", "respond-async")];
    let path = format!("/api/v1/profiles:import?token={}", names["later_import"]);
    let sent = walker.send("POST", &path, &later, line("later@acme.example").as_bytes());
    ended(walker, sent.header("location").unwrap());
    let path = format!("/api/v1/profiles/{}/data-export", names["profile"]);
    let asked = walker.send("POST", &path, &[], b"");
    ended(walker, asked.header("location").unwrap());
    names.insert("export", text(&asked.value()["id"]));
}

/// Waits for the end of a task.
pub(super) fn ended(walker: &mut Walker<'_>, task: &str) -> Value {
    let task = walker.get(&format!("{task}?wait=30s")).value();
    assert_eq!(task["status"], "completed", "{task}");
    task
}

fn customers(walker: &mut Walker<'_>, names: &mut Names) {
    let api = "/api/v1/customers";
    let begin = walker.watch(&format!("{api}/watch"), |events| !events.is_empty());
    assert!(begin[0].starts_with("id: c1-"), "{begin:?}");
    names.insert("position", begin[0].trim_start_matches("id: ").to_owned());
    for (id, email) in [("customer", "email"), ("other_customer", "other_email")] {
        let customer =
            json!({"id": names[id], "name": "Wilhelmina", "email": names[email], "phone": names["phone"]});
        done(walker, "POST", api, &format!("{}-{id}", names["key"]), &customer);
    }
    done(walker, "PATCH", &format!("{api}/{}", names["customer"]), "", &json!({"metadata": {"a": "b"}}));
    names.insert("customer_cursor", text(&walker.get(&format!("{api}?limit=1")).value()["next"]));
}

fn tasks(walker: &mut Walker<'_>, names: &mut Names) {
    let api = "/api/v1/tasks/delayed";
    let later =
        json!({"task_type": "echo", "data": {"a": 1}, "delay": "1d", "unique_key": names["unique_key"]});
    names.insert("task", text(&done(walker, "POST", api, "", &later)["id"]));
    let now = done(walker, "POST", api, "", &json!({"task_type": "echo", "data": {"a": 2}}));
    names.insert("ended_task", text(&now["id"]));
    ended(walker, &format!("/api/v1/tasks/{}", names["ended_task"]));
    let yearly = json!({"cron": "0 3 1 1 *", "task_type": "echo", "data": {"of": "acme"}});
    for name in [names["schedule"].clone(), "a-second-of-acme".to_owned()] {
        done(walker, "PUT", &format!("/api/v1/schedules/{name}"), "", &yearly);
    }
    names.insert("schedule_cursor", cursor(walker, "/api/v1/schedules?limit=1"));
    // The smaller copies of the image are made by a task as well.
    pando_servers::until("no task runs", PATIENCE, || {
        let listed = walker.send_unnoted("GET", "/api/v1/tasks?limit=1000", &[], b"").value();
        let mut states = listed.as_array().unwrap().iter().map(|task| &task["status"]);
        states.all(|state| state == "completed" || state == "scheduled")
    });
}
