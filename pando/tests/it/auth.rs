//! Authentication: tokens that another program made, API keys, and what each of them allows.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pando_servers::{node_packages, python, until};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Client, Reply};
use crate::customers::{client_with, passes};
use crate::engines::Place;
use crate::erasure::{connect, everything};
use crate::harness::Running;

const PROFILES: &str = "/api/v1/profiles";
const PATIENCE: Duration = Duration::from_secs(30);
const REQUIRED: (&str, &str) = ("PANDO_AUTH__MODE", "required");

/// The secret of the issuer that signs with one.
pub(crate) const SHARED_SECRET: &str = "a-secret-that-both-sides-know-and-nobody-else";

/// Tokens, and the files with the keys of their issuers.
pub(crate) struct Tokens {
    folder: TempDir,
    by_name: BTreeMap<String, String>,
    issuers: String,
}

impl Tokens {
    pub(crate) fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/tokens.py");
        let made = Command::new(python()).arg(script).arg(folder.path()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let by_name = serde_json::from_slice(&made.stdout).unwrap();
        let keys = folder.path().join("keys.json");
        let keys = keys.display();
        let issuers = format!(
            "[{{issuer = \"https://login.example.org\", audience = \"pando\", jwks_file = \"{keys}\"}}, \
             {{issuer = \"https://shared.example.org\", audience = \"pando\", algorithms = [\"HS256\"], \
             secret = \"{SHARED_SECRET}\", subject_prefix = \"shared:\"}}, \
             {{issuer = \"https://login.example.org/tenants\", audience = \"pando\", jwks_file = \"{keys}\", \
             tenant_claim = \"tenant\"}}]"
        );
        Self { folder, by_name, issuers }
    }

    fn variables(&self) -> Vec<(&str, &str)> {
        vec![REQUIRED, ("PANDO_AUTH__ISSUERS", &self.issuers), ("PANDO_AUTH__REFRESH_SECONDS", "1")]
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        &self.by_name[name]
    }
}

fn with(client: &mut Client, credential: &str, method: &str, path: &str, body: &Value) -> Reply {
    let bearer = format!("Bearer {credential}");
    let headers = [("content-type", "application/json"), ("authorization", bearer.as_str())];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    client.send(method, path, &headers, body.as_bytes()).unwrap()
}

fn status(running: &Running, credential: &str) -> u16 {
    with(&mut connect(running), credential, "GET", PROFILES, &Value::Null).status
}

fn ann(number: usize) -> Value {
    json!({"name": "Ann", "email": format!("ann{number}@example.org")})
}

#[test]
fn tokens_of_known_issuers_count_and_no_others() {
    let (place, tokens) = (Place::sqlite(), Tokens::make());
    let running = place.start(&tokens.variables());
    let mut client = connect(&running);
    for (number, good) in ["RS256", "ES256", "EdDSA", "HS256", "audiences", "list"].iter().enumerate() {
        // Once verified, and once remembered.
        for _ in 0..2 {
            let read = with(&mut client, tokens.get(good), "GET", PROFILES, &Value::Null);
            assert_eq!(read.status, 200, "{good}: {read:?}");
        }
        let made = with(&mut client, tokens.get(good), "POST", PROFILES, &ann(number));
        assert_eq!(made.status, 201, "{good}: {made:?}");
    }
    for (bad, reason) in [
        ("none", "neither a token"),
        ("None", "neither a token"),
        ("confused", "algorithm"),
        ("forged", "signature"),
        ("short", "signature"),
        ("changed", "signature"),
        ("cut", "signature"),
        ("expired", "expired"),
        ("early", "not valid yet"),
        ("audience", "another audience"),
        ("issuer", "no issuer"),
        ("algorithm", "algorithm"),
        ("shared_with_rsa", "algorithm"),
        ("unknown_key", "no key"),
        ("oct", "algorithm"),
        ("no_expiry", "claim"),
        ("no_subject", "claim"),
        ("no_audience", "claim"),
        ("no_issuer", "no issuer"),
        ("later", "no key"),
        ("no_tenant", "tenant"),
        ("bad_tenant", "tenant"),
    ] {
        let refused = with(&mut client, tokens.get(bad), "GET", PROFILES, &Value::Null);
        assert_eq!(refused.status, 401, "{bad}: {refused:?}");
        let detail = refused.value()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(reason), "{bad}: {detail}");
        assert_eq!(refused.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
    }
    for (poor, method, allowed) in
        [("scopes", "GET", 200), ("scopes", "POST", 403), ("nothing", "GET", 403), ("RS256", "DELETE", 403)]
    {
        let path = if method == "DELETE" {
            "/api/v1/profiles/01900000-0000-7000-8000-000000000001"
        } else {
            PROFILES
        };
        let reply = with(&mut client, tokens.get(poor), method, path, &Value::Null);
        // A body that is missing would be refused later.
        assert_eq!(reply.status, allowed, "{poor}: {reply:?}");
    }
    let nobody = client.get(PROFILES).unwrap();
    assert_eq!((nobody.status, nobody.header("www-authenticate")), (401, Some("Bearer")));
    assert_eq!(client.get("/health").unwrap().status, 200);
    assert_eq!(client.get("/docs").unwrap().status, 200);
}

#[test]
fn keys_of_an_issuer_rotate() {
    let (place, tokens) = (Place::sqlite(), Tokens::make());
    let running = place.start(&tokens.variables());
    assert_eq!(status(&running, tokens.get("RS256")), 200);
    assert_eq!(status(&running, tokens.get("later")), 401);
    fs::copy(tokens.folder.path().join("rotated.json"), tokens.folder.path().join("keys.json")).unwrap();
    until("the new key is known", PATIENCE, || status(&running, tokens.get("later")) == 200);
    // A token of a key that is gone does not count. A token that was verified before is remembered for five minutes.
    assert_eq!(status(&running, tokens.get("audiences")), 401);
    fs::remove_file(tokens.folder.path().join("keys.json")).unwrap();
    assert_eq!(status(&running, tokens.get("later")), 200, "an issuer that is away is no reason to refuse");
}

#[test]
fn tokens_name_the_tenant_of_their_callers() {
    let (place, tokens) = (Place::sqlite(), Tokens::make());
    let running = place.start(&tokens.variables());
    let mut client = connect(&running);
    let made = with(&mut client, tokens.get("acme"), "POST", PROFILES, &ann(1));
    let path = format!("{PROFILES}/{}", made.value()["id"].as_str().unwrap());
    for _ in 0..3 {
        // From memory, too.
        assert_eq!(with(&mut client, tokens.get("acme"), "GET", &path, &Value::Null).status, 200);
        for other in ["globex", "RS256"] {
            let reply = with(&mut client, tokens.get(other), "GET", &path, &Value::Null);
            assert_eq!(reply.status, 404, "{other}: {reply:?}");
        }
    }
    let again = with(&mut client, tokens.get("globex"), "POST", PROFILES, &ann(1));
    assert_eq!(again.status, 201, "the address is taken in another tenant only");
    let history = with(&mut client, tokens.get("acme"), "GET", &format!("{path}/history"), &Value::Null);
    assert_eq!(history.value()[0]["changed_by"], "zoe");
}

fn key(place: &Place, arguments: &[&str]) -> String {
    place.printed(&[&["keys"], arguments].concat(), &[]).trim().to_owned()
}

fn id_of(key: &str) -> &str {
    key.split('_').nth(2).unwrap()
}

#[test]
fn keys_are_made_used_rotated_and_revoked_in_every_process() {
    for place in Place::both() {
        let variables = [REQUIRED, ("PANDO_AUTH__KEY_RECHECK_MS", "500")];
        place.printed(&["migrate"], &[]);
        let made = key(&place, &["create", "--name", "shop", "--role", "operator"]);
        let read_only = key(&place, &["create", "--name", "look", "--scope", "profiles:read", "--test"]);
        let elsewhere =
            key(&place, &["create", "--name", "far", "--role", "admin", "--network", "10.0.0.0/8"]);
        let over = key(&place, &["create", "--name", "over", "--role", "admin", "--expires", "0.001"]);
        assert!(read_only.starts_with("sk_test_") && made.starts_with("sk_live_"));
        let processes = [place.start(&variables), place.start(&variables)];
        for running in &processes {
            assert_eq!(status(running, &made), 200);
            assert_eq!(status(running, &read_only), 200);
            for bad in [
                elsewhere.as_str(),
                over.as_str(),
                &made[..made.len() - 1],
                &format!("{made}x"),
                "sk_live_",
                "x",
            ] {
                assert_eq!(status(running, bad), 401, "{bad}");
            }
            let mut client = connect(running);
            assert_eq!(with(&mut client, &read_only, "POST", PROFILES, &ann(1)).status, 403);
            let by_header = client.send("GET", PROFILES, &[("x-api-key", &made)], b"").unwrap();
            assert_eq!(by_header.status, 200);
            let twice = [("x-api-key", made.as_str()), ("x-api-key", made.as_str())];
            assert_eq!(client.send("GET", PROFILES, &twice, b"").unwrap().status, 401);
        }
        let mut client = connect(&processes[0]);
        let path = with(&mut client, &made, "POST", PROFILES, &ann(1)).value();
        let path = format!("{PROFILES}/{}", path["id"].as_str().unwrap());
        let history = with(&mut client, &made, "GET", &format!("{path}/history"), &Value::Null).value();
        assert_eq!(history[0]["changed_by"], "key:shop");

        // Some operations say which scope they ask for.
        let task = json!({"task_type": "echo", "data": {}, "delay": "1h"});
        let task = with(&mut client, &made, "POST", "/api/v1/tasks/delayed", &task);
        let task = task.header("location").unwrap_or_else(|| panic!("{task:?}")).to_owned();
        assert_eq!(with(&mut client, &made, "DELETE", &task, &Value::Null).status, 200);
        assert_eq!(with(&mut client, &made, "POST", &format!("{path}/erase"), &Value::Null).status, 403);

        let newer = key(&place, &["rotate", id_of(&made), "--overlap", "0.2"]);
        until("the old key is over", PATIENCE, || processes.iter().all(|it| status(it, &made) == 401));
        assert!(processes.iter().all(|it| status(it, &newer) == 200));
        place.printed(&["keys", "revoke", id_of(&newer)], &[]);
        let revoked = Instant::now();
        until("the key is refused everywhere", PATIENCE, || {
            processes.iter().all(|it| status(it, &newer) == 401)
        });
        assert!(revoked.elapsed() < Duration::from_secs(10));
        let again = place.run(&["keys", "revoke", id_of(&newer)], &[]);
        assert_eq!(again.status.code(), Some(1), "{again:?}");

        let listed = place.printed(&["keys", "list"], &[]);
        assert_eq!(listed.lines().count(), 5, "{listed}");
        assert!(listed.contains("from 10.0.0.0/8") && listed.contains("revoked"), "{listed}");
        // Nothing keeps a secret.
        let tables = everything(&place);
        for secret in [&made, &newer, &read_only] {
            let secret = secret.rsplit_once(id_of(secret)).unwrap().1.to_lowercase();
            assert!(!tables.contains(&secret) && !listed.to_lowercase().contains(&secret));
        }
    }
}

#[test]
fn the_development_issuer_makes_tokens_for_its_own_servers() {
    let place = Place::sqlite();
    let variables = [REQUIRED, ("PANDO_AUTH__DEVELOPMENT_ISSUER", "true")];
    let running = place.start(&variables);
    let token =
        |arguments: &[&str]| place.printed(&[&["token"], arguments].concat(), &variables).trim().to_owned();
    assert_eq!(status(&running, &token(&[])), 200);
    assert_eq!(status(&running, &token(&["--scope", "tasks:read"])), 403);
    let known = running.ask("GET", "/.well-known/jwks.json", "");
    assert_eq!(known.json()["keys"][0]["kty"], "OKP");
    assert_eq!(known.json()["keys"][0]["d"], Value::Null, "the secret part stays at home");
    drop(running);
    let elsewhere = Place::sqlite().start(&variables);
    assert_eq!(status(&elsewhere, &token(&[])), 401, "another data directory has another key");
}

#[test]
fn the_port_of_operators_asks_as_well() {
    let place = Place::sqlite();
    place.printed(&["migrate"], &[]);
    let admin = key(&place, &["create", "--name", "root", "--role", "admin"]);
    let reader = key(&place, &["create", "--name", "eyes", "--role", "readonly"]);
    let tenant = key(&place, &["create", "--name", "far", "--role", "admin", "--tenant", "acme"]);
    let mut running =
        place.start(&[REQUIRED, ("PANDO_ADMIN__ENABLED", "true"), ("PANDO_ADMIN__LISTEN", "127.0.0.1:0")]);
    let mut client = Client::connect(running.admin()).unwrap();
    assert_eq!(client.get("/admin/cache").unwrap().status, 401);
    assert_eq!(client.get("/health").unwrap().status, 200);
    assert_eq!(client.get("/metrics").unwrap().status, 401);
    assert_eq!(with(&mut client, &reader, "GET", "/metrics", &Value::Null).status, 200);
    let clear = "/admin/cache/profiles/clear";
    assert_eq!(with(&mut client, &reader, "POST", clear, &Value::Null).status, 403);
    assert_eq!(with(&mut client, &admin, "POST", clear, &Value::Null).status, 204);
    // Here everything is about all tenants, and so are metrics on the other port.
    let mut public = connect(&running);
    assert_eq!(with(&mut public, &reader, "GET", "/metrics", &Value::Null).status, 200);
    assert_eq!(public.get("/admin/cache").unwrap().status, 401);
    assert_eq!(with(&mut public, &reader, "GET", "/admin/cache", &Value::Null).status, 200);
    assert_eq!(with(&mut public, &reader, "POST", clear, &Value::Null).status, 403);
    for (is_public, method, path) in [
        (true, "GET", "/metrics"),
        // The console asks here.
        (true, "GET", "/api/v1/admin/queues"),
        (true, "GET", "/admin/live"),
        (true, "POST", clear),
        (false, "GET", "/metrics"),
        (false, "GET", "/api/v1/admin/queues"),
        (false, "POST", clear),
    ] {
        let client = if is_public { &mut public } else { &mut client };
        let refused = with(client, &tenant, method, path, &Value::Null);
        assert_eq!(refused.status, 403, "{path}: {refused:?}");
        assert!(refused.body.contains("about all tenants"), "{refused:?}");
    }
}

#[test]
fn a_task_asks_for_the_scope_of_the_thing_that_it_does() {
    let place = Place::sqlite();
    place.printed(&["migrate"], &[]);
    let operator = key(&place, &["create", "--name", "shop", "--role", "operator"]);
    let admin = key(&place, &["create", "--name", "root", "--role", "admin"]);
    let poor = key(&place, &["create", "--name", "poor", "--scope", "tasks:write", "--scope", "tasks:read"]);
    let running = place.start(&[REQUIRED]);
    let mut client = connect(&running);
    let types = with(&mut client, &poor, "GET", "/api/v1/tasks/types", &Value::Null).value();
    let id = "01900000-0000-7000-8000-000000000001";
    let data = json!({
        "profile_id": id, "upload": id, "token": "t", "format": "csv", "number": 1, "ms": 1, "url": "http://example.org/",
    });
    for kind in types.as_array().unwrap() {
        let name = kind["type"].as_str().unwrap();
        for (credential, may) in
            [(&poor, kind["scope"].is_null()), (&operator, name != "erase"), (&admin, true)]
        {
            let task = json!({"task_type": name, "data": data, "delay": "1h"});
            let stored = with(&mut client, credential, "POST", "/api/v1/tasks/delayed", &task);
            assert_eq!(stored.status, if may { 202 } else { 403 }, "{name}: {stored:?}");
            let schedule = format!("/api/v1/schedules/{name}");
            let task = json!({"task_type": name, "data": data, "every": "1h"});
            let stored = with(&mut client, credential, "PUT", &schedule, &task);
            assert_eq!(stored.status < 300, may, "{name}: {stored:?}");
        }
    }
    let refused = json!({"task_type": "erase", "data": data});
    let refused = with(&mut client, &operator, "POST", "/api/v1/tasks/delayed", &refused);
    assert!(refused.body.contains("needs the scope profiles:delete"), "{refused:?}");
}

/// The log has the writes of all tenants: two positions in it would count those of the others.
#[test]
fn a_consistency_token_does_not_say_where_the_log_stands() {
    for place in Place::both() {
        place.printed(&["migrate"], &[]);
        let key = key(&place, &["create", "--name", "far", "--role", "admin", "--tenant", "acme"]);
        let processes = [place.start(&[REQUIRED]), place.start(&[REQUIRED])];
        let [mut client, mut other] = processes.each_ref().map(connect);
        let made = with(&mut client, &key, "POST", PROFILES, &ann(1));
        let path = format!("{PROFILES}/{}", made.value()["id"].as_str().unwrap());
        let changed = with(&mut client, &key, "PUT", &path, &json!({"bio": "new"}));
        let tokens = [made, changed].map(|reply| reply.header("pando-consistency").unwrap().to_owned());
        assert!(tokens.iter().all(|token| token.starts_with("c1-") && token.len() == tokens[0].len()));
        let mut read = |token: &str| {
            let headers = [("x-api-key", key.as_str()), ("pando-consistency", token)];
            // Once from the database, and once from memory.
            let replies = [(); 2].map(|()| other.send("GET", &path, &headers, b"").unwrap());
            assert_eq!(replies[0].status, replies[1].status, "{replies:?}");
            replies[0].clone()
        };
        for token in &tokens {
            assert_eq!(read(token).value()["profile"]["bio"], "new", "{}", place.name);
        }
        // Nor does the position of a watch.
        let watch = "/api/v1/customers/watch?position=";
        for position in ["1", "c1-AAAA", tokens[0].as_str()] {
            let refused = with(&mut client, &key, "GET", &format!("{watch}{position}"), &Value::Null);
            assert_eq!(refused.status, 422, "{refused:?}");
        }
        for bad in ["s1-1", "p1-1", "s1-ffffffff", "c1-", &tokens[0][..40]] {
            assert_eq!(read(bad).status, 400, "{}: {bad}", place.name);
        }
    }
}

/// A provider that others wrote; its keys are found by discovery.
pub(crate) struct Provider {
    child: Child,
    pub(crate) issuer: String,
}

impl Provider {
    pub(crate) fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/oidc_provider.mjs");
        let mut command = Command::new("node");
        command.arg(script).arg(node_packages()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("these tests need Node.js");
        let mut issuer = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut issuer).unwrap();
        Self { child, issuer: issuer.trim().to_owned() }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.issuer.strip_prefix("http://").unwrap().parse().unwrap()
    }

    /// A token for one of its clients.
    fn token(&self, client: &str, scope: &str) -> String {
        let secret = format!("client_id={client}&client_secret=secret-of-{client}");
        let body = format!("grant_type=client_credentials&resource=urn:pando&scope={scope}&{secret}");
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let reply =
            Client::connect(self.address()).unwrap().send("POST", "/token", &form, body.as_bytes()).unwrap();
        reply.value()["access_token"].as_str().unwrap_or_else(|| panic!("{reply:?}")).to_owned()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_provider_of_openid_connect_is_an_issuer() {
    let (place, provider) = (Place::sqlite(), Provider::start());
    let issuers = format!("[{{issuer = \"{}\", audience = \"pando\"}}]", provider.issuer);
    let running = place.start(&[REQUIRED, ("PANDO_AUTH__ISSUERS", &issuers)]);
    let mut client = connect(&running);
    let (writer, reader) =
        (provider.token("writer", "profiles:write"), provider.token("reader", "profiles:read"));
    assert_eq!(with(&mut client, &writer, "POST", PROFILES, &ann(1)).status, 201);
    assert_eq!(with(&mut client, &writer, "GET", PROFILES, &Value::Null).status, 403);
    assert_eq!(with(&mut client, &reader, "POST", PROFILES, &ann(2)).status, 403);
    let found = with(&mut client, &reader, "GET", PROFILES, &Value::Null);
    assert_eq!((found.status, found.value().as_array().unwrap().len()), (200, 1));
    drop(provider);
    assert_eq!(status(&running, &reader), 200, "the provider need not be there for each request");
    // A server that never saw its keys cannot take its tokens, and says so.
    let late = Place::sqlite().start(&[REQUIRED, ("PANDO_AUTH__ISSUERS", &issuers)]);
    assert_eq!(status(&late, &reader), 503);
}

#[test]
fn grpc_methods_ask_for_the_same_credentials() {
    let place = Place::sqlite();
    place.printed(&["migrate"], &[]);
    let keys = [("READER", "readonly"), ("OPERATOR", "operator"), ("ADMIN", "admin")];
    let mut variables: Vec<(&str, String)> = Vec::new();
    for (name, role) in keys {
        variables.push((name, key(&place, &["create", "--name", role, "--role", role])));
    }
    let stranger = key(&place, &["create", "--name", "far", "--role", "admin", "--tenant", "acme"]);
    variables.push(("STRANGER", stranger));
    let running = place.start(&[REQUIRED]);
    passes(&client_with(running.address, "credentials_are_asked_for", &variables));
}

#[test]
fn a_server_that_the_network_reaches_asks_who_calls() {
    let place = Place::sqlite();
    let open = [("PANDO_HTTP__LISTEN", "0.0.0.0:0")];
    let refused = place.run(&["config", "check"], &open);
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(told.contains("required") && told.contains("off"), "{told}");
    place.printed(&["config", "check"], &[open[0], REQUIRED]);
    let bad = "[{issuer = \"x\", audience = \"y\", algorithms = [\"HS256\", \"RS256\"]}]";
    let refused = place.run(&["config", "check"], &[("PANDO_AUTH__ISSUERS", bad)]);
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(told.contains("issuers[0].algorithms: must not name HS256 beside"), "{told}");
}
