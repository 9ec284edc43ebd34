//! kill -9 while somebody is erased: they are there as a whole, or not at all, and in the end not at all.

use std::thread;
use std::time::Duration;

use pando_database::testing::TestPostgres;
use pando_images::Picture;
use pando_servers::until;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::client::Client;
use crate::engines::Place;
use crate::erasure::{connect, delayed, ended, everything, export, export_everybody};
use crate::harness::Running;
use crate::image_crashes::{HASTY, stored};
use crate::images::{png, send};

const API: &str = "/api/v1/profiles";
const TASKS: &str = "/api/v1/tasks";
const PATIENCE: Duration = Duration::from_secs(120);

/// Some rounds in every test run; many where the long proofs are asked for.
fn rounds() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "how `make prove` asks for the long form")]
    if std::env::var("PANDO_PROVE").is_ok() { 100 } else { 4 }
}

#[test]
fn prove_that_nobody_is_half_erased_after_kill_9_on_sqlite() {
    survive(&Place::sqlite());
}

#[test]
fn prove_that_nobody_is_half_erased_after_kill_9_on_postgres() {
    survive(&Place::postgres(TestPostgres::shared()));
}

fn survive(place: &Place) {
    let mut running = place.start(HASTY);
    let objects = place.folder().join("objects");
    for round in 0..rounds() {
        let mark = format!("round{round}x");
        let person = Person::make(&running, &mark, round);
        let neighbor = Neighbor::make(&running, &mark, round);
        // A different moment each round, the same in every run.
        let load = Duration::from_millis(round * 7_919 % 97);
        let asked = erase_until_broken(&running, &person, load);
        running = place.start(HASTY);
        let mut client = connect(&running);
        person.is_whole_or_gone(&mut client);
        let task = asked.unwrap_or_else(|| person.ask_again(&mut client));
        let receipt = ended(&mut client, &task)["result"].clone();
        assert_eq!(
            (&receipt["erased"], &receipt["profile_id"]),
            (&json!(true), &json!(person.id)),
            "{receipt}"
        );
        neighbor.misses_nothing(&mut client);
        let removed = ["profiles", "addresses", "preferences", "images", "exports"];
        assert_eq!(removed.map(|of| receipt["removed"][of].as_u64()), [1, 1, 1, 1, 2].map(Some), "{receipt}");
        person.is_nowhere(&mut client, place);
        until("the files are gone", PATIENCE, || stored(&objects).is_empty());
    }
    running.tell(Signal::TERM);
    let (status, log) = running.ended();
    assert_eq!(status.code(), Some(0), "{log:#?}");
}

/// Somebody of whom all that can be known is known.
struct Person {
    id: String,
    path: String,
    /// In whatever is written of them.
    mark: String,
}

impl Person {
    fn make(running: &Running, mark: &str, round: u64) -> Self {
        let mut client = connect(running);
        let zoe = json!({"name": format!("Zoë {mark}"), "email": format!("{mark}@example.org"), "bio": mark});
        let key = [("content-type", "application/json"), ("idempotency-key", &*format!("key-{round}"))];
        let made = client.send("POST", API, &key, zoe.to_string().as_bytes()).unwrap();
        let id = made.value()["id"].as_str().unwrap().to_owned();
        let path = format!("{API}/{id}");
        for (part, body) in
            [("address", json!({"street": mark})), ("preferences", json!({"time_zone": mark}))]
        {
            let written = client.json("PUT", &format!("{path}/{part}"), &body).unwrap();
            assert_eq!(written.status, 200, "{written:?}");
        }
        let file = png(&Picture::paint(40, 30, |_, _| [7, 60, round.to_le_bytes()[0]]));
        let image =
            send(running.address, "POST", &format!("{path}/images"), &[("content-type", "image/png")], &file);
        assert_eq!(image.unwrap().status, 201);
        delayed(&mut client, &json!({"to": format!("{mark}@example.org")}), "3600s");
        export(&mut client, &format!("{path}/data-export"));
        Self { id, path, mark: mark.to_owned() }
    }

    /// One statement reads the profile with its parts.
    fn is_whole_or_gone(&self, client: &mut Client) {
        let full = client.get(&format!("{}/full", self.path)).unwrap();
        if full.status != 404 {
            let full = full.value();
            let parts =
                [&full["profile"]["bio"], &full["address"]["street"], &full["preferences"]["time_zone"]];
            assert_eq!(parts, [&json!(self.mark); 3], "half of them is there");
        }
    }

    /// The erasure that was asked for before anybody could be told of it; another one where there is none.
    fn ask_again(&self, client: &mut Client) -> String {
        let accepted = client.send("POST", &format!("{}/erase", self.path), &[], b"").unwrap();
        if accepted.status == 202 {
            return accepted.header("location").unwrap().to_owned();
        }
        assert_eq!(accepted.status, 404, "{accepted:?}");
        let [task] = &self.erasures(client)[..] else { panic!("who is gone was not erased once") };
        format!("{TASKS}/{}", task["id"].as_str().unwrap())
    }

    /// Every task that erased them.
    fn erasures(&self, client: &mut Client) -> Vec<Value> {
        let listed = client.get(&format!("{TASKS}?type=erase&limit=1000")).unwrap().value();
        // A list tells nothing of results.
        let listed = listed.as_array().unwrap().iter().map(|task| task["id"].as_str().unwrap().to_owned());
        let whole = listed.map(|id| client.get(&format!("{TASKS}/{id}")).unwrap().value());
        whole.filter(|task| task["result"]["profile_id"] == self.id.as_str()).collect()
    }

    fn is_nowhere(&self, client: &mut Client, place: &Place) {
        assert_eq!(client.get(&self.path).unwrap().status, 404);
        assert_eq!(self.erasures(client).len(), 1, "one receipt");
        let text = everything(place);
        let text = text.replace(&format!("mich{}", self.mark), "the neighbor");
        let left: Vec<&str> = text.lines().filter(|line| line.contains(&self.mark)).collect();
        assert_eq!(left, [""; 0], "on {}", place.name);
    }
}

/// Somebody whose address ends with the address of who is erased, and whose task waits.
struct Neighbor {
    profile: String,
    task: String,
    /// What is answered of them.
    known: [String; 3],
}

impl Neighbor {
    fn make(running: &Running, mark: &str, round: u64) -> Self {
        let mut client = connect(running);
        let person = json!({"name": "Michal", "email": format!("mich{mark}@example.org")});
        let made = client.json("POST", API, &person).unwrap();
        let profile = format!("{API}/{}", made.value()["id"].as_str().unwrap());
        let file = png(&Picture::paint(40, 30, |_, _| [9, 90, round.to_le_bytes()[0]]));
        let media = [("content-type", "image/png")];
        send(running.address, "POST", &format!("{profile}/images"), &media, &file).unwrap();
        until("the variants are made", PATIENCE, || {
            connect(running).get(&format!("{profile}/images")).unwrap().value()[0]["ready"] == true
        });
        let task = delayed(&mut client, &json!({"to": format!("mich{mark}@example.org")}), "3600s");
        // An export of everybody has who is erased in it, too, and goes with them.
        export_everybody(&mut client);
        let known = Self::known(&mut client, &profile, &task);
        Self { profile, task, known }
    }

    fn known(client: &mut Client, profile: &str, task: &str) -> [String; 3] {
        let places = [format!("{profile}/full"), format!("{profile}/images"), task.to_owned()];
        places.map(|place| {
            let mut known = client.get(&place).unwrap().value();
            if let Value::Object(answer) = &mut known {
                answer.remove("source");
            }
            known.to_string()
        })
    }

    fn misses_nothing(&self, client: &mut Client) {
        assert_eq!(Self::known(client, &self.profile, &self.task), self.known);
        let images = client.get(&format!("{}/images", self.profile)).unwrap().value();
        let url = images[0]["url"].as_str().unwrap().to_owned();
        assert_eq!(client.send("HEAD", &url, &[], b"").unwrap().status, 200);
        // The next round begins with nobody's files in the store.
        assert_eq!(
            client.send("DELETE", &format!("{}/images/1", self.profile), &[], b"").unwrap().status,
            204
        );
    }
}

/// Asks for the erasure, and kills the server after some time; where the task can be followed, if that was answered.
fn erase_until_broken(running: &Running, person: &Person, load: Duration) -> Option<String> {
    let address = running.address;
    thread::scope(|scope| {
        let asking = scope.spawn(move || {
            let mut client = Client::connect(address).ok()?;
            let accepted = client.send("POST", &format!("{}/erase", person.path), &[], b"").ok()?;
            assert_eq!(accepted.status, 202, "{accepted:?}");
            Some(accepted.header("location")?.to_owned())
        });
        thread::park_timeout(load);
        running.tell(Signal::KILL);
        asking.join().unwrap()
    })
}
