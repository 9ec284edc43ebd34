//! One script of requests, replayed on both engines: the answers are the same, byte for byte but for ids and times.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::client::{Client, Reply};
use crate::engines::Place;

const API: &str = "/api/v1/profiles";

/// Runs the script and notes every answer.
struct Script {
    client: Client,
    labels: HashMap<String, String>,
    notes: Vec<String>,
}

impl Script {
    fn send(&mut self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let reply = self.client.send(method, target, headers, body.as_bytes()).unwrap();
        let told: Vec<String> = reply
            .headers
            .iter()
            .filter(|(name, _)| !["date", "x-request-id", "pando-consistency"].contains(&name.as_str()))
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        let note = format!("{method} {target}\n{} {}\n{}", reply.status, told.join("\n"), reply.body);
        let note = self.labelled(&note);
        self.notes.push(note);
        reply
    }

    fn json(&mut self, method: &str, target: &str, body: &Value) -> Reply {
        self.send(method, target, &[("content-type", "application/json")], &body.to_string())
    }

    fn get(&mut self, target: &str) -> Reply {
        self.send("GET", target, &[], "")
    }

    fn create(&mut self, name: &str, email: &str) -> String {
        let made = self.json("POST", API, &json!({"name": name, "email": email, "bio": format!("{name}'s")}));
        made.value()["id"].as_str().unwrap().to_owned()
    }

    /// Puts labels where ids stand (the same for the same id), and one word where times and cursors do.
    fn labelled(&mut self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(id) = rest.get(..36).filter(|id| uuid::Uuid::try_parse(id).is_ok()) {
                let next = format!("<id {}>", self.labels.len() + 1);
                out.push_str(self.labels.entry(id.to_owned()).or_insert(next));
                rest = &rest[36..];
            } else if rest.get(..27).is_some_and(|time| time.parse::<pando_clock::Timestamp>().is_ok()) {
                out.push_str("<time>");
                rest = &rest[27..];
            } else if let Some(cursor) = rest.strip_prefix("cursor=ey") {
                out.push_str("<cursor>");
                rest = cursor.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_');
            } else {
                let next = rest.chars().next().unwrap();
                out.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
        out
    }
}

#[test]
fn both_engines_give_the_same_answers() {
    let [sqlite, postgres] = Place::both().map(|place| {
        let running = place.start(&[]);
        let client = Client::connect(running.address).unwrap();
        let mut script = Script { client, labels: HashMap::new(), notes: Vec::new() };
        one_profile(&mut script);
        lists(&mut script);
        many(&mut script);
        bad_requests(&mut script);
        script.notes
    });
    assert!(sqlite.len() > 60, "the script has {} steps", sqlite.len());
    for (one, other) in sqlite.iter().zip(&postgres) {
        assert_eq!(one, other, "left SQLite, right PostgreSQL");
    }
    assert_eq!(sqlite.len(), postgres.len());
}

fn one_profile(script: &mut Script) {
    script.get(API);
    let given = json!({
        "name": "Zoë O'Brien 李雷", "email": "Zoë@Example.org", "bio": "a\n\"b\"\\ \u{1F333}",
        "image_urls": ["https://e.org/a.png", "/media/b.webp"],
        "attributes": {"z": 1, "a": [1.0, 1e2, -0.0, 1e300, 5e-324, 1e16, 1.5e18, -1e17, 1e19, 1e20, 0.1, 18_446_744_073_709_551_615_u64, -1, null, true], "ü": {"x": "y"}}
    });
    let made = script.json("POST", API, &given).value();
    let one = format!("{API}/{}", made["id"].as_str().unwrap());
    script.get(&one);
    script.send("HEAD", &one, &[], "");
    script.send("GET", &one, &[("if-none-match", "\"1\"")], "");
    script.get(&format!("{one}?fields=name,attributes"));
    script.json("PUT", &one, &json!({"bio": null}));
    script.json("PUT", &one, &json!({"bio": ""}));
    script.send(
        "PUT",
        &one,
        &[("content-type", "application/json"), ("if-match", "\"1\"")],
        "{\"bio\":\"late\"}",
    );
    script.send(
        "PUT",
        &one,
        &[("content-type", "application/json"), ("if-match", "\"2\"")],
        "{\"bio\":\"on time\"}",
    );
    script.send(
        "PATCH",
        &one,
        &[("content-type", "application/merge-patch+json")],
        "{\"attributes\":{\"z\":null,\"new\":[]}}",
    );
    let patch =
        r#"[{"op":"test","path":"/version","value":4},{"op":"add","path":"/image_urls/0","value":"/first"}]"#;
    script.send("PATCH", &one, &[("content-type", "application/json-patch+json")], patch);
    script.send("PATCH", &one, &[("content-type", "application/json-patch+json")], patch);
    script.json(
        "PUT",
        &format!("{one}/address"),
        &json!({"street": "1 Main St", "city": "Köln", "country": "DE"}),
    );
    script.json(
        "PUT",
        &format!("{one}/preferences"),
        &json!({"language": "de", "theme": "dark", "newsletter": true}),
    );
    script.json("PUT", &format!("{one}/preferences"), &json!({"theme": "pink"}));
    script.get(&format!("{one}/full"));
    for mode in ["", "&mode=sequential", "&mode=concurrent", "&mode=joined", "&mode=cached"] {
        script.get(&format!("/getUserProfile?userID={}{mode}", made["id"].as_str().unwrap()));
    }
    script.send("DELETE", &one, &[("if-match", "\"1\"")], "");
    script.send("DELETE", &one, &[], "");
    script.send("DELETE", &one, &[], "");
    script.get(&one);
    script.send("POST", &format!("{one}/restore"), &[], "");
    script.get(&format!("{one}/history"));
    script.get(&format!("{one}/history?limit=2"));
}

fn lists(script: &mut Script) {
    let ids: Vec<String> = ["b", "a", "Zoë", "Åsa", "李雷", "B", "50%", "a_b"]
        .iter()
        .enumerate()
        .map(|(number, name)| script.create(name, &format!("list{number}@example.org")))
        .collect();
    for sort in ["-created_at", "created_at", "name", "-name"] {
        let first = script.get(&format!("{API}?limit=3&count=exact&sort={sort}"));
        let link = first.header("link").unwrap();
        let next = link.trim_start_matches('<').split_once('>').unwrap().0.to_owned();
        script.get(&next);
    }
    for search in
        ["q=LIST", "q=%25", "q=_", "q=%C3%85", "email=LIST3@example.org", "email=nobody@example.org"]
    {
        script.get(&format!("{API}?{search}"));
    }
    script.get(&format!("{API}?ids={},nonsense,{},{}", ids[2], ids[0], ids[2]));
}

fn many(script: &mut Script) {
    let known = script.create("Known", "known@example.org");
    script.json("POST", &format!("{API}:batch"), &json!([
        {"name": "One", "email": "one@example.org"}, {"name": "", "email": "x"}, {"name": "Dup", "email": "KNOWN@example.org"},
        {"id": known, "bio": "by batch"}, {"id": "nonsense"}, 7, {"name": "Again", "email": "One@example.org"}
    ]));
    let lines = "{\"name\":\"L\",\"email\":\"l@example.org\"}\nnonsense\n{\"name\":\"L\"}\n{\"name\":\"K\",\"email\":\"known@example.org\"}\n";
    let ndjson = [("content-type", "application/x-ndjson")];
    script.send("POST", &format!("{API}:import?token=t&dry_run=true"), &ndjson, lines);
    script.send("POST", &format!("{API}:import?token=t"), &ndjson, lines);
    script.send("POST", &format!("{API}:import?token=t"), &ndjson, lines);
    script.get(&format!("{API}:import?token=t"));
    script.get(&format!("{API}:import?token=unknown"));
    let csv = "name,email,attributes\r\n\"C, \"\"quoted\"\"\",c@example.org,\"{\"\"k\"\":1}\"\r\nshort\r\n";
    script.send("POST", &format!("{API}:import?token=csv"), &[("content-type", "text/csv")], csv);
    script.get(&format!("{API}:export"));
    script.get(&format!("{API}:export?format=csv"));
    script.send("POST", &format!("{API}/{known}/data-export"), &[], "");
    let rather_later = [ndjson[0], ("prefer", "respond-async")];
    script.send("POST", &format!("{API}:import?token=later&dry_run=true"), &rather_later, lines);
}

fn bad_requests(script: &mut Script) {
    let json = [("content-type", "application/json")];
    for body in [
        "",
        "{",
        "[]",
        "null",
        "{\"name\":1}",
        "{\"name\":\"a\",\"name\":\"b\"}",
        "{\"name\":\"a\\u0000b\",\"email\":\"n@e.org\"}",
        "{\"name\":\"a\",\"email\":\"KNOWN@example.org\"}",
        "{\"name\":\"  \",\"email\":\"no\",\"bio\":3,\"image_urls\":\"x\",\"attributes\":[]}",
        "{\"x\":1e999}",
        "{\"name\":\"a\"} trailing",
    ] {
        script.send("POST", API, &json, body);
    }
    for target in [
        format!("{API}/nonsense"),
        format!("{API}/00000000-0000-7000-8000-000000000000"),
        format!("{API}?limit=0"),
        format!("{API}?limit=1001"),
        format!("{API}?sort=shoe_size"),
        format!("{API}?cursor=nonsense"),
        format!("{API}?q=%00"),
        format!("{API}?q=%ff"),
        format!("{API}?email=nope"),
        "/api/v1/exports/00000000-0000-7000-8000-000000000000".to_owned(),
        "/api/v1/exports/nonsense".to_owned(),
        "/getUserProfile".to_owned(),
        "/getUserProfile?userID=7".to_owned(),
        "/getUserProfile?userID=00000000-0000-7000-8000-000000000000".to_owned(),
        "/nowhere".to_owned(),
    ] {
        script.get(&target);
    }
    script.send("DELETE", API, &[], "");
    script.send("POST", API, &[("content-type", "text/plain")], "{}");
    script.send("PATCH", &format!("{API}/00000000-0000-7000-8000-000000000000"), &json, "{}");
}
