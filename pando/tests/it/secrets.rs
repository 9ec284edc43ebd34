//! Secrets appear nowhere: every credential is used, rightly and wrongly, at the most talkative level of the log, and then nothing
//! that anybody could read contains one. The places where a secret must be are left out: the one line of `pando keys create` and of
//! `pando token`, the files that hold a key, and the payload of a job that calls an address.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use pando_database::testing::TestPostgres;
use pando_servers::{Certificates, RabbitMq, Redis, S3, until};
use rustix::process::Signal;
use serde_json::json;

use crate::auth::Tokens;
use crate::client::Client;
use crate::customers::{client_with, passes};
use crate::engines::Place;
use crate::erasure::{connect, everything};
use crate::harness::Running;

const PATIENCE: Duration = Duration::from_secs(30);
const REDIS: &str = "Redis-pass/word+7Q";
const REDIS_IN_URL: &str = "Redis-pass%2Fword%2B7Q";
const WRONG_REDIS: &str = "wrong-redis-8kx2";
const WRONG_RABBIT: &str = "wrong-rabbit-5vu9";
const WRONG_POSTGRES: &str = "wrong-postgres-3nd6";
const WRONG_S3: &str = "wrong-s3-secret-4tz1";
const HMAC: &str = crate::auth::SHARED_SECRET;
const VAULT: &str = "ebTdMCkuzArXrMoGHXXhRo6ECqlHzChIvQ2tZGHBzq8=";
const INDEX: &str = "7kVLEqMQHbTxvPn4TSB8Rf2hgWmK5Z0sYdXcAuNoJ3w=";
const KEYS_URL: &str = "jwks-password-6ph3";
const CALLBACK: &str = "callback-password-9mr5";
/// A password of one digit would be found everywhere; those of PostgreSQL and the S3 are those of the test servers.
const POSTGRES: &str = "opensesame";
const S3_SECRET: &str = "only-in-tests";

/// Everything that was written, in lower case, each piece with its place.
#[derive(Default)]
struct Written(Vec<(String, String)>);

impl Written {
    fn add(&mut self, place: impl Into<String>, text: impl AsRef<[u8]>) {
        self.0.push((place.into(), String::from_utf8_lossy(text.as_ref()).to_lowercase()));
    }

    /// Runs a command to its end.
    fn run(&mut self, place: &Place, arguments: &[&str], variables: &[(&str, &str)]) {
        let output = place.run(arguments, variables);
        let names: Vec<&str> = variables.iter().map(|(name, _)| *name).collect();
        let what = format!("{}: {arguments:?} with {names:?}", place.name);
        self.add(what.clone(), output.stdout);
        self.add(what, output.stderr);
    }

    /// The places that contain a secret, plain or encoded.
    fn leaks(&self, secrets: &[String]) -> Vec<String> {
        let mut found = BTreeMap::new();
        for secret in secrets {
            for form in forms(secret) {
                let here = self.0.iter().filter_map(|(place, text)| {
                    let at = text.find(&form)?;
                    let (from, to) = (at.saturating_sub(160), (at + form.len() + 40).min(text.len()));
                    let (from, to) = (text.floor_char_boundary(from), text.ceil_char_boundary(to));
                    Some(((form.clone(), place.clone()), format!("{form} in {place}: {}", &text[from..to])))
                });
                found.extend(here);
            }
        }
        found.into_values().collect()
    }
}

/// A secret as it may stand somewhere: plain, in base64 (whatever stands before it), with percent signs, and in hexadecimal digits.
fn forms(secret: &str) -> Vec<String> {
    let escaped = |plain: fn(u8) -> bool| -> String {
        let byte = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02x}") };
        secret.bytes().map(byte).collect()
    };
    let mut forms = vec![
        secret.to_owned(),
        escaped(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)),
        escaped(|_| false),
        secret.bytes().map(|byte| format!("{byte:02x}")).collect(),
        serde_json::to_string(secret).unwrap().trim_matches('"').to_owned(),
    ];
    for before in 0..3 {
        let padded = [&b"xx"[..before], secret.as_bytes()].concat();
        // The characters that depend on the bytes around the secret are left out.
        let encoded = base64(&padded);
        let core = encoded[before.div_ceil(3) * 4..encoded.len() - 4].to_owned();
        forms.extend([core.replace('+', "-").replace('/', "_"), core]);
    }
    forms.iter_mut().for_each(|form| *form = form.to_lowercase());
    forms.retain(|form| form.len() >= 8);
    forms.sort_unstable();
    forms.dedup();
    forms
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |group: &[u8]| {
        let bits =
            group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        let digit = |at: usize| char::from(DIGITS[(bits >> (18 - 6 * at) & 63) as usize]);
        (0..4).map(|at| if at <= group.len() { digit(at) } else { '=' }).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

/// Servers that ask for a password.
struct Servers {
    redis: Redis,
    rabbit: &'static RabbitMq,
    s3: S3,
}

impl Servers {
    fn start() -> Self {
        let redis = Redis::start(&["--rdbcompression", "no"]);
        redis.ask(&format!("CONFIG SET requirepass {REDIS}")).unwrap();
        Self { redis, rabbit: RabbitMq::shared(), s3: S3::start() }
    }

    /// Settings with every secret there is.
    fn variables(&self) -> Variables {
        let shared = format!(
            "{{issuer = \"https://shared.example.org\", audience = \"pando\", algorithms = [\"HS256\"], secret = \"{HMAC}\"}}"
        );
        let away = format!(
            "{{issuer = \"https://away.example.org\", audience = \"pando\", jwks_url = \"http://u:{KEYS_URL}@127.0.0.1:9/\"}}"
        );
        vec![
            ("REDIS_ADDRESS", format!("redis://:{REDIS_IN_URL}@127.0.0.1:{}", self.redis.port())),
            ("RABBITMQ_URI", self.rabbit.amqp_url()),
            ("PANDO_QUEUE__BROKER__NAMESPACE", pando_clock::Clock::system().fresh_id().to_string()),
            ("PANDO_OBJECTS__S3__BUCKET", self.s3.bucket().to_owned()),
            ("PANDO_OBJECTS__S3__ENDPOINT", self.s3.endpoint()),
            ("PANDO_OBJECTS__S3__ACCESS_KEY", self.s3.access_key().to_owned()),
            ("PANDO_OBJECTS__S3__SECRET_KEY", S3_SECRET.to_owned()),
            ("PANDO_VAULT__CURRENT", "one".to_owned()),
            ("PANDO_VAULT__KEYS", format!("[{{id = \"one\", key = \"{VAULT}\"}}]")),
            ("PANDO_VAULT__INDEX_KEYS", format!("[{{id = \"index\", key = \"{INDEX}\"}}]")),
            ("PANDO_AUTH__MODE", "required".to_owned()),
            ("PANDO_AUTH__ISSUERS", format!("[{shared}, {away}]")),
            ("PANDO_AUTH__DEVELOPMENT_ISSUER", "true".to_owned()),
            ("PANDO_AUDIT__ENABLED", "true".to_owned()),
            ("PANDO_TASKS__CALLBACK_NETWORKS", "127.0.0.0/8".to_owned()),
            ("PANDO_LOG__LEVEL", "trace".to_owned()),
        ]
    }

    /// Everything that the Redis holds.
    fn dump(&self) -> Vec<u8> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.redis.port())).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "AUTH {REDIS}\r\nSAVE\r\nCONFIG GET dir\r\nQUIT\r\n").unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        let folder = said.lines().find(|line| line.starts_with('/')).unwrap_or_else(|| panic!("{said}"));
        std::fs::read(Path::new(folder).join("dump.rdb")).unwrap()
    }
}

type Variables = Vec<(&'static str, String)>;

fn one(name: &'static str, value: &str) -> Variables {
    vec![(name, value.to_owned())]
}

/// Addresses of servers that are wrong in all ways that people get them wrong.
fn wrong_addresses() -> Vec<Variables> {
    let mut mistakes = Vec::new();
    for (name, secret) in
        [("DATABASE_URL", WRONG_POSTGRES), ("REDIS_ADDRESS", WRONG_REDIS), ("RABBITMQ_URI", WRONG_RABBIT)]
    {
        let scheme = match name {
            "DATABASE_URL" => "postgres",
            "REDIS_ADDRESS" => "redis",
            _ => "amqp",
        };
        for form in [
            "SCHEME://u:SECRET@127.0.0.1:9/x",
            "SCHEME:/u:SECRET@127.0.0.1:9/x",
            "SCHEME:u:SECRET@127.0.0.1",
            "SCHEME://u:SECRET@127.0.0.1:port/x",
            "SCHEME://u:SECRET/@127.0.0.1:9/x",
            "SCHEME//u:SECRET@h",
            "u:SECRET@127.0.0.1:9",
            "SCHEME://127.0.0.1:9/x?password=SECRET",
            "SCHEME://u:SECRET@[::1:9/x",
            "SCHEME://127.0.0.1/x?user=u&pass=SECRET",
            "host=127.0.0.1 port=9 password=SECRET user=u",
            "other://u:SECRET@127.0.0.1:9/x",
            "u:SECRET",
            "SECRET",
        ] {
            if name == "REDIS_ADDRESS" && form == "SECRET" {
                // It is the name of a server.
                continue;
            }
            mistakes.push(one(name, &form.replace("SCHEME", scheme).replace("SECRET", secret)));
        }
    }
    mistakes
}

/// The same for other settings.
fn mistakes() -> Vec<Variables> {
    let mut mistakes = wrong_addresses();
    for value in [
        VAULT,
        &format!("[{{id = \"one\", key = \"{VAULT}\""),
        &format!("[\"{VAULT}\"]"),
        &format!("[{{id = \"one\", key = [\"{VAULT}\"]}}]"),
        &format!("[{{id = \"one\", ky = \"{VAULT}\"}}]"),
        &format!("[{{id = \"one\", key = \"{VAULT}x\"}}]"),
        &format!("[{{id = \"{VAULT}\", key = \"x\"}}]"),
        &format!("{{id = \"one\", key = \"{VAULT}\"}}"),
    ] {
        mistakes.push(one("PANDO_VAULT__KEYS", value));
        mistakes.push(one("PANDO_VAULT__INDEX_KEYS", value));
    }
    for value in [
        HMAC,
        &format!("[{{issuer = \"i\", secret = \"{HMAC}\""),
        &format!("[\"{HMAC}\"]"),
        &format!("[{{issuer = \"i\", audience = \"a\", secret = [\"{HMAC}\"]}}]"),
        &format!("[{{issuer = \"i\", audience = \"a\", secret = \"{HMAC}\"}}]"),
        &format!("[{{issuer = \"i\", audience = \"a\", algorithms = [\"{HMAC}\"]}}]"),
        &format!("[{{issuer = \"http://u:{KEYS_URL}@h\", audience = \"a\", secret = \"{HMAC}\"}}]"),
    ] {
        mistakes.push(one("PANDO_AUTH__ISSUERS", value));
    }
    mistakes.push(one("PANDO_OBJECTS__S3__SECRET_KEY", WRONG_S3));
    mistakes.push(one("PANDO_OBJECTS__S3__ENDPOINT", &format!("http://u:{WRONG_S3}@127.0.0.1:9")));
    mistakes.push(one("PANDO_OBJECTS__S3__SECRET", WRONG_S3));
    mistakes.push(vec![
        ("DB_HOST", "127.0.0.1".to_owned()),
        ("DB_PORT", "9".to_owned()),
        ("DB_PASSWORD", WRONG_POSTGRES.to_owned()),
    ]);
    mistakes.push(vec![
        ("REDIS_HOST", "127.0.0.1".to_owned()),
        ("REDIS_PASSWORD", WRONG_REDIS.to_owned()),
        ("REDIS_PORT", "9".to_owned()),
    ]);
    mistakes
}

/// Sends a credential in every place where one may end up.
fn send(written: &mut Written, running: &Running, credential: &str) {
    const PROFILES: &str = "/api/v1/profiles";
    let id = "01900000-0000-7000-8000-000000000001";
    let bearer = format!("Bearer {credential}");
    let basic = format!("Basic {}", base64(format!("user:{credential}").as_bytes()));
    let quoted = format!("\"{credential}\"");
    let json = ("content-type", "application/json");
    let person = json!({"name": "Ann", "email": "ann@example.org"}).to_string();
    let mut ask = |method: &str, target: &str, headers: &[(&str, &str)], body: &str| {
        let mut client = connect(running);
        let headers = [headers, &[json]].concat();
        let reply = client.send(method, target, &headers, body.as_bytes()).unwrap();
        written
            .add(format!("the answer to {method} {}", target.replace(credential, "…")), format!("{reply:?}"));
        reply.status
    };
    ask("GET", PROFILES, &[("authorization", &bearer)], "");
    ask("GET", PROFILES, &[("x-api-key", credential)], "");
    ask("POST", PROFILES, &[("authorization", &bearer), ("idempotency-key", "once")], &person);
    ask("GET", PROFILES, &[("authorization", &bearer), ("x-api-key", credential)], "");
    for value in [credential, &basic, &format!("Token {credential}"), &format!("Bearer{credential}")] {
        assert_eq!(ask("GET", PROFILES, &[("authorization", value)], ""), 401);
    }
    for parameter in ["api_key", "access_token", "token", "cursor", "limit", "email"] {
        let target = format!("{PROFILES}?{parameter}={credential}");
        ask("GET", &target, &[], "");
        ask("GET", &target, &[("x-api-key", credential)], "");
    }
    for path in [
        format!("{PROFILES}/{credential}"),
        format!("/{credential}"),
        format!("/media/{credential}"),
        format!("/api/v1/tasks/{credential}"),
    ] {
        ask("GET", &path, &[], "");
        ask("GET", &path, &[("x-api-key", credential)], "");
    }
    for header in [
        "x-request-id",
        "idempotency-key",
        "pando-consistency",
        "if-match",
        "if-none-match",
        "accept",
        "content-type",
        "cookie",
        "user-agent",
        "request-timeout",
        "x-forwarded-for",
        "forwarded",
        "traceparent",
        "origin",
    ] {
        for value in [credential, &quoted] {
            for path in [PROFILES.to_owned(), format!("{PROFILES}/{id}")] {
                let method = if path == PROFILES { "POST" } else { "PUT" };
                ask(method, &path, &[(header, value), ("x-api-key", credential)], &person);
            }
        }
    }
    let task = json!({"task_type": "echo", "data": {}, "delay": "1h", "callback_url": format!("http://u:{CALLBACK}@127.0.0.1:9/")});
    ask("POST", "/api/v1/tasks/delayed", &[("authorization", &bearer)], &task.to_string());
    ask("GET", &format!("http://u:{credential}@127.0.0.1{PROFILES}"), &[], "");
}

/// The output that operators and programs read.
fn look(written: &mut Written, running: &mut Running, key: &str) {
    let admin = running.admin();
    for (address, paths) in [
        (
            running.address,
            ["/health", "/metrics", "/openapi.json", "/docs", "/.well-known/jwks.json"].as_slice(),
        ),
        (
            admin,
            &[
                "/health",
                "/metrics",
                "/openapi.json",
                "/admin/cache",
                "/admin/cache/profiles",
                "/api/v1/admin/queues",
                "/api/v1/admin/dead-letters",
                "/api/v1/admin/subscribers",
            ],
        ),
    ] {
        for path in paths {
            let mut client = Client::connect(address).unwrap();
            let reply = client.send("GET", path, &[("x-api-key", key)], b"").unwrap();
            assert_eq!(reply.status, 200, "{path}: {reply:?}");
            written.add(*path, format!("{reply:?}"));
        }
    }
}

fn log_of(written: &mut Written, what: &str, running: Running, signal: Signal) {
    running.tell(signal);
    let (_, lines) = running.ended();
    for line in lines {
        written.add(what, line.to_string());
    }
}

/// The files below a folder, but for those that hold a key.
fn files(written: &mut Written, folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_key = path.extension().is_some_and(|extension| extension == "key");
        if path.is_dir() {
            files(written, &path);
        } else if !is_key {
            written.add(path.display().to_string(), std::fs::read(&path).unwrap());
        }
    }
}

fn borrowed<'a>(variables: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    variables.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// The same settings with another value for one.
fn with<'a>(variables: &[(&'a str, &'a str)], name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let others = variables.iter().copied().filter(|(known, _)| *known != name);
    others.chain([(name, value)]).collect()
}

/// The settings of people, whose secrets are wrong or in a wrong place.
fn make_mistakes(written: &mut Written) {
    let place = Place::sqlite();
    for variables in mistakes() {
        let variables = borrowed(&variables);
        for arguments in [["config", "print"].as_slice(), &["config", "check"], &["migrate"], &["doctor"]] {
            // Nobody answers, so nobody is waited for.
            let all = [&variables[..], &[("PANDO_DATABASE__POOL__CONNECT_MS", "200")]].concat();
            written.run(&place, arguments, &all);
        }
        if !place.run(&["config", "check"], &variables).status.success() {
            written.run(&place, &["serve", "--listen", "127.0.0.1:0"], &variables);
        }
        let file = place.folder().join("mistake.toml");
        let file_name = file.to_str().unwrap();
        for (name, value) in variables {
            // As a file would say it, and as one with a fault in its syntax.
            let line = match name.strip_prefix("PANDO_") {
                Some(name) => format!("{} = {value}\n", name.to_lowercase().replace("__", ".")),
                None => format!(
                    "database.url = \"{value}\"\nqueue.broker.url = \"{value}\"\nredis.url = \"{value}\"\n"
                ),
            };
            for text in [format!("{line}]"), line.replace('"', ""), line] {
                std::fs::write(&file, text).unwrap();
                written.run(&place, &["--config", file_name, "config", "check"], &[]);
            }
            written.run(&place, &["--config", file_name, "config", "print"], &[]);
        }
    }
}

/// Files with a private key, in places where none belongs, or damaged; a line of the key.
fn mistake_key_files(written: &mut Written) -> String {
    let place = Place::sqlite();
    let certificates = Certificates::new();
    let good = certificates.server("server");
    let key = std::fs::read_to_string(&good.key).unwrap();
    let damaged = place.folder().join("damaged.key");
    std::fs::write(&damaged, key.replace("PRIVATE KEY", "PRIVAT KEY").replacen('M', "M!", 1)).unwrap();
    let [certificate, whole, damaged] =
        [&good.certificate, &good.key, &damaged].map(|file| file.to_str().unwrap());
    let in_vault = [whole, damaged].map(|file| format!("[{{id = \"one\", key_file = \"{file}\"}}]"));
    for variables in [
        [("PANDO_HTTP__TLS__CERTIFICATE", certificate), ("PANDO_HTTP__TLS__KEY", damaged)],
        [("PANDO_HTTP__TLS__CERTIFICATE", whole), ("PANDO_HTTP__TLS__KEY", certificate)],
        [("PANDO_TLS__AUTHORITIES", whole), ("PANDO_LOG__LEVEL", "trace")],
        [("PANDO_HTTP__TLS__CLIENT_AUTHORITIES", damaged), ("PANDO_HTTP__TLS__CERTIFICATE", certificate)],
        [("PANDO_VAULT__CURRENT", "one"), ("PANDO_VAULT__KEYS", &in_vault[0])],
        [("PANDO_VAULT__CURRENT", "one"), ("PANDO_VAULT__KEYS", &in_vault[1])],
        [("PANDO_CONFIG", whole), ("PANDO_LOG__LEVEL", "trace")],
    ] {
        for arguments in [
            ["config", "print"].as_slice(),
            &["config", "check"],
            &["doctor"],
            &["serve", "--listen", "127.0.0.1:0"],
        ] {
            written.run(&place, arguments, &variables);
        }
    }
    let right = [
        ("PANDO_HTTP__TLS__CERTIFICATE", certificate),
        ("PANDO_HTTP__TLS__KEY", whole),
        ("PANDO_LOG__LEVEL", "trace"),
    ];
    log_of(written, "the log of a server with TLS", place.start(&right), Signal::TERM);
    key.lines().nth(1).unwrap().to_owned()
}

fn everything_is_used(place: &Place, servers: &Servers, tokens: &Tokens) -> (Written, Vec<String>) {
    let mut written = Written::default();
    let owned = servers.variables();
    let variables = borrowed(&owned);
    place.printed(&["migrate"], &variables);
    let key = |name, role| {
        place.printed(&["keys", "create", "--name", name, "--role", role], &variables).trim().to_owned()
    };
    let admin = key("admin", "admin");
    let forged = format!("{}xxxx", &admin[..admin.len() - 4]);
    let development = place.printed(&["token"], &variables).trim().to_owned();
    let away = json!({"iss": "https://away.example.org", "aud": "pando", "sub": "zoe"}).to_string();
    let away =
        format!("{}.{}.c2lnbmF0dXJl", base64(br#"{"alg":"RS256","kid":"x"}"#), base64(away.as_bytes()));
    let away = away.replace('=', "");

    for arguments in [["config", "print"].as_slice(), &["config", "check"], &["doctor"], &["keys", "list"]] {
        written.run(place, arguments, &variables);
    }
    let mut running = place.start(&variables);
    let credentials = [
        &admin,
        &forged,
        &development,
        tokens.get("HS256"),
        tokens.get("expired"),
        tokens.get("forged"),
        &away,
    ];
    for credential in credentials {
        send(&mut written, &running, credential);
    }
    let names = [("READER", "readonly"), ("OPERATOR", "operator"), ("ADMIN", "admin")];
    let mut keys: Vec<(&str, String)> = names.iter().map(|(name, role)| (*name, key(name, role))).collect();
    let stranger = ["keys", "create", "--name", "far", "--role", "admin", "--tenant", "acme"];
    keys.push(("STRANGER", place.printed(&stranger, &variables).trim().to_owned()));
    passes(&client_with(running.address, "credentials_are_asked_for", &keys));
    look(&mut written, &mut running, &admin);
    log_of(&mut written, "the log", running, Signal::TERM);

    use_wrong_passwords(&mut written, place, servers, (&variables, &admin));
    written.add(format!("the tables on {}", place.name), everything(place));
    written.add("the files of Redis", servers.dump());
    files(&mut written, place.folder());
    let mut secrets: Vec<String> =
        [REDIS, WRONG_REDIS, WRONG_RABBIT, WRONG_S3, HMAC, VAULT, INDEX, KEYS_URL, CALLBACK, S3_SECRET]
            .map(str::to_owned)
            .into();
    secrets.extend(place.url().is_some().then(|| POSTGRES.to_owned()));
    secrets.extend(["guest:guest", "\0guest\0guest"].map(str::to_owned));
    let of_keys = keys.iter().map(|(_, key)| key).chain([&admin, &forged]);
    secrets.extend(of_keys.map(|key| key.splitn(4, '_').nth(3).unwrap().to_owned()));
    let tokens = [development.as_str(), tokens.get("HS256"), tokens.get("expired"), tokens.get("forged")];
    secrets.extend(tokens.map(|token| token.rsplit('.').next().unwrap().to_owned()));
    (written, secrets)
}

/// Each server refuses its password, and the process is killed.
fn use_wrong_passwords(
    written: &mut Written,
    place: &Place,
    servers: &Servers,
    (variables, admin): (&[(&str, &str)], &str),
) {
    let redis = format!("redis://:{WRONG_REDIS}@127.0.0.1:{}", servers.redis.port());
    let rabbit = format!("amqp://guest:{WRONG_RABBIT}@127.0.0.1:{}/%2f", servers.rabbit.port());
    let wrong = with(&with(variables, "REDIS_ADDRESS", &redis), "RABBITMQ_URI", &rabbit);
    let running = place.start(&wrong);
    until("health names the servers that refuse", PATIENCE, || {
        let health = running.ask("GET", "/health", "").json();
        ["redis", "rabbitmq"].iter().all(|name| health["dependencies"][name]["status"] == "degraded")
    });
    written.add("/health", running.ask("GET", "/health", "").body);
    send(written, &running, admin);
    log_of(written, "the log of a process that was killed", running, Signal::ABORT);
    let wrong = with(&wrong, "PANDO_OBJECTS__S3__SECRET_KEY", WRONG_S3);
    written.run(place, &["doctor"], &wrong);
    let running = place.start(&wrong);
    log_of(written, "the log without files", running, Signal::TERM);
}

fn nothing_leaks(place: &Place) {
    let (servers, tokens) = (Servers::start(), Tokens::make());
    let (written, secrets) = everything_is_used(place, &servers, &tokens);
    // The log is as talkative as it can be.
    let targets: BTreeSet<&str> = written
        .0
        .iter()
        .filter_map(|(_, text)| text.split_once("\"target\":\"")?.1.split(['"', ':']).next())
        .collect();
    assert!(
        ["h2", "lapin", "hyper_util", "pando_http"].iter().all(|target| targets.contains(target)),
        "{targets:?}"
    );
    let leaks = written.leaks(&secrets);
    assert!(leaks.is_empty(), "{} leaks: {:#?}", leaks.len(), &leaks[..leaks.len().min(12)]);
}

#[test]
fn a_secret_is_found_in_whatever_form_it_appears() {
    let secret = "pa/ss word+7";
    for form in
        [secret, "pa%2Fss%20word%2B7", "%70%61%2f%73%73%20%77%6f%72%64%2b%37", "70612f737320776f72642b37"]
    {
        let mut written = Written::default();
        written.add("the log", format!("before {form} behind"));
        assert_eq!(written.leaks(&[secret.to_owned()]).len(), 1, "{form}");
    }
    for before in ["", "u", "us", "user", "user:"] {
        let mut written = Written::default();
        written.add("the log", base64(format!("{before}{secret}@behind").as_bytes()));
        assert_eq!(written.leaks(&[secret.to_owned()]).len(), 1, "{before}");
    }
}

#[test]
fn no_secret_appears_anywhere_on_sqlite() {
    nothing_leaks(&Place::sqlite());
}

#[test]
fn no_secret_appears_anywhere_on_postgres() {
    let certificates = Certificates::new();
    nothing_leaks(&Place::postgres(&TestPostgres::encrypted(&certificates.server("server"))));
}

#[test]
fn no_secret_of_settings_that_are_wrong_is_printed() {
    let mut written = Written::default();
    make_mistakes(&mut written);
    let secrets =
        [WRONG_POSTGRES, WRONG_REDIS, WRONG_RABBIT, WRONG_S3, VAULT, HMAC, KEYS_URL].map(str::to_owned);
    let secrets = [&secrets[..], &[mistake_key_files(&mut written)]].concat();
    let leaks = written.leaks(&secrets);
    assert!(leaks.is_empty(), "{} leaks: {:#?}", leaks.len(), &leaks[..leaks.len().min(12)]);
}
