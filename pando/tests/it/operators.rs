//! People who log in: sessions, the token against other sites, and a login at a real provider.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use pando_servers::{python, until};
use serde_json::{Value, json};

use crate::auth::Provider;
use crate::client::{Client, Reply};
use crate::engines::Place;
use crate::erasure::{connect, everything};
use crate::harness::Running;

const SESSION: &str = "/api/v1/session";
const PROFILES: &str = "/api/v1/profiles";
const REQUIRED: (&str, &str) = ("PANDO_AUTH__MODE", "required");
const PATIENCE: Duration = Duration::from_secs(30);

/// A browser at one server: it keeps cookies, and follows nothing by itself.
struct Browser {
    client: Client,
    cookies: BTreeMap<String, String>,
    csrf: String,
}

impl Browser {
    fn at(running: &Running) -> Self {
        Self::of(connect(running))
    }

    fn of(client: Client) -> Self {
        Self { client, cookies: BTreeMap::new(), csrf: String::new() }
    }

    fn send(&mut self, method: &str, path: &str, more: &[(&str, &str)], body: &Value) -> Reply {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let mut headers = vec![("content-type", "application/json")];
        if !cookies.is_empty() {
            headers.push(("cookie", &cookies));
        }
        headers.extend(more);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let reply = self.client.send(method, path, &headers, body.as_bytes()).unwrap();
        for (_, cookie) in reply.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            match value {
                "" => drop(self.cookies.remove(name)),
                value => drop(self.cookies.insert(name.to_owned(), value.to_owned())),
            }
        }
        reply
    }

    fn get(&mut self, path: &str) -> Reply {
        self.send("GET", path, &[], &Value::Null)
    }

    /// As a page of the server does it.
    fn change(&mut self, method: &str, path: &str, body: &Value) -> Reply {
        let csrf = self.csrf.clone();
        self.send(method, path, &[("x-csrf-token", &csrf), ("sec-fetch-site", "same-origin")], body)
    }

    fn log_in(&mut self, name: &str, password: &str) -> Reply {
        let reply = self.send("POST", SESSION, &[], &json!({"name": name, "password": password}));
        if reply.status == 200 {
            reply.value()["csrf_token"].as_str().unwrap().clone_into(&mut self.csrf);
        }
        reply
    }

    fn token(&self) -> &str {
        &self.cookies["pando_session"]
    }
}

fn add(place: &Place, name: &str, role: &str) -> String {
    place.printed(&["operators", "add", name, "--role", role, "--generate"], &[]).trim().to_owned()
}

fn ann() -> Value {
    json!({"name": "Ann", "email": "ann@example.org"})
}

fn detail(reply: &Reply) -> String {
    reply.value()["detail"].as_str().unwrap_or_else(|| panic!("{reply:?}")).to_owned()
}

#[test]
fn a_session_lets_its_own_pages_do_what_its_role_allows() {
    for place in Place::both() {
        place.printed(&["migrate"], &[]);
        let (ann_password, eve_password) = (add(&place, "ann", "operator"), add(&place, "eve", "readonly"));
        let running = place.start(&[REQUIRED]);
        let mut page = Browser::at(&running);
        let state = page.get(SESSION).value();
        assert_eq!(state, json!({"mode": "required", "session": null, "providers": []}));
        let wrong = page.log_in("ann", "a wrong password");
        let unknown = page.log_in("nobody", &ann_password);
        assert_eq!((wrong.status, unknown.status, detail(&wrong)), (401, 401, detail(&unknown)));
        let begun = page.log_in("ann", &ann_password);
        assert_eq!(begun.status, 200, "{begun:?}");
        let cookie = begun.header("set-cookie").unwrap();
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Max-Age=43200"), "{cookie}");
        let (session, state) = (begun.value(), page.get(SESSION).value());
        assert_eq!((&state["session"], &session["operator"]), (&session, &json!("ann")));
        assert_eq!((&session["role"], &session["tenant"]), (&json!("operator"), &Value::Null));

        let made = page.change("POST", PROFILES, &ann());
        assert_eq!(made.status, 201, "{made:?}");
        let path = format!("{PROFILES}/{}", made.value()["id"].as_str().unwrap());
        for _ in 0..3 {
            // From memory, too.
            assert_eq!(page.get(&path).status, 200);
        }
        let history = page.get(&format!("{path}/history")).value();
        assert_eq!(history[0]["changed_by"], "operator:ann");
        assert_eq!(page.change("DELETE", &path, &Value::Null).status, 403, "operators do not delete");

        let (token, csrf) = (page.token().to_owned(), page.csrf.clone());
        for (headers, status) in [
            (&[][..], 403),
            (&[("x-csrf-token", "guessed")], 403),
            (&[("x-csrf-token", &csrf), ("sec-fetch-site", "cross-site")], 403),
            (&[("x-csrf-token", &csrf), ("origin", "https://evil.example")], 403),
            (&[("x-csrf-token", &csrf), ("origin", "null")], 403),
            (&[("x-csrf-token", &csrf), ("authorization", "Bearer x")], 401),
            (&[("x-csrf-token", &csrf), ("x-api-key", "x")], 401),
            (&[("x-csrf-token", &csrf)], 409),
        ] {
            let reply = page.send("POST", PROFILES, headers, &ann());
            assert_eq!(reply.status, status, "{headers:?}: {reply:?}");
        }
        counts_nowhere_else(&running, &path, &token);

        let mut reader = Browser::at(&running);
        assert_eq!(reader.log_in("eve", &eve_password).status, 200);
        assert_eq!(reader.get(&path).status, 200);
        assert_eq!(reader.change("POST", PROFILES, &ann()).status, 403);
        assert_eq!(page.change("DELETE", SESSION, &Value::Null).status, 204);
        let cookie = format!("pando_session={token}");
        let replayed = connect(&running).send("GET", &path, &[("cookie", &cookie)], b"").unwrap();
        assert_eq!(replayed.status, 401, "the answer is in memory, but the session is not");
        let tables = everything(&place);
        for secret in [&token, &csrf, &ann_password] {
            assert!(!tables.contains(&secret.to_lowercase()), "nothing keeps a secret");
        }
    }
}

/// The token of a session counts in its own cookie only.
fn counts_nowhere_else(running: &Running, path: &str, token: &str) {
    for (name, value) in [("authorization", format!("Bearer {token}")), ("x-api-key", token.to_owned())] {
        let reply = connect(running).send("GET", path, &[(name, &value)], b"").unwrap();
        assert_eq!(reply.status, 401, "{name}");
    }
    for cookie in [
        format!("__Host-pando_session={token}"),
        format!("pando_session={token}; pando_session={token}"),
        "pando_session=guessed".to_owned(),
    ] {
        let reply = connect(running).send("GET", path, &[("cookie", &cookie)], b"").unwrap();
        assert_eq!(reply.status, 401, "{cookie}");
    }
}

#[test]
fn a_session_that_has_ended_counts_nowhere() {
    for place in Place::both() {
        place.printed(&["migrate"], &[]);
        let password = add(&place, "ann", "admin");
        let variables = [REQUIRED, ("PANDO_AUTH__KEY_RECHECK_MS", "500")];
        let processes = [place.start(&variables), place.start(&variables)];
        let mut pages = [&processes[0], &processes[0], &processes[1]].map(Browser::at);
        for page in &mut pages {
            assert_eq!(page.log_in("ann", &password).status, 200);
        }
        let status = |running: &Running, token: &str| {
            let cookie = format!("pando_session={token}");
            connect(running).send("GET", PROFILES, &[("cookie", &cookie)], b"").unwrap().status
        };
        let everywhere = |token: &str, expected: u16| {
            until("each process knows", PATIENCE, || {
                processes.iter().all(|running| status(running, token) == expected)
            });
        };
        let [page, second, third] = &mut pages;
        // A login ends the session that the browser had, and never takes over a token that somebody gave the browser.
        let before = page.token().to_owned();
        everywhere(&before, 200);
        assert_eq!(page.log_in("ann", &password).status, 200);
        assert_ne!(page.token(), before);
        assert_eq!(status(&processes[0], &before), 401, "the process that ended it knows at once");
        everywhere(&before, 401);
        let planted = "A".repeat(43);
        page.cookies.insert("pando_session".to_owned(), planted.clone());
        assert_eq!(page.log_in("ann", &password).status, 200);
        assert!(page.token() != planted && status(&processes[0], &planted) == 401);

        // A new password ends the others.
        let new = json!({"current": password, "new": "a better horse battery"});
        let wrong = json!({"current": "a wrong password", "new": "a better horse battery"});
        assert_eq!(page.send("POST", &format!("{SESSION}/password"), &[], &new).status, 403);
        assert_eq!(page.change("POST", &format!("{SESSION}/password"), &wrong).status, 422);
        assert_eq!(page.change("POST", &format!("{SESSION}/password"), &new).status, 204);
        assert_eq!(status(&processes[0], second.token()), 401);
        everywhere(third.token(), 401);
        everywhere(page.token(), 200);
        assert_eq!(second.log_in("ann", &password).status, 401);

        // Logout, replayed.
        let token = page.token().to_owned();
        assert_eq!(page.send("DELETE", SESSION, &[], &Value::Null).status, 403);
        let out = page.change("DELETE", SESSION, &Value::Null);
        assert_eq!(out.status, 204);
        assert!(out.header("set-cookie").unwrap().contains("Max-Age=0") && page.cookies.is_empty());
        assert_eq!(status(&processes[0], &token), 401);
        everywhere(&token, 401);
        assert_eq!(page.change("DELETE", SESSION, &Value::Null).status, 401);

        assert_eq!(third.log_in("ann", "a better horse battery").status, 200);
        everywhere(third.token(), 200);
        place.printed(&["operators", "disable", "ann"], &[]);
        everywhere(third.token(), 401);
        assert_eq!(third.log_in("ann", "a better horse battery").status, 401);
        place.printed(&["operators", "enable", "ann"], &[]);
        let generated = place.printed(&["operators", "reset", "ann", "--generate"], &[]);
        assert_eq!(third.log_in("ann", generated.trim()).status, 200);
        let listed = place.printed(&["operators", "list"], &[]);
        assert_eq!(listed, "ann  admin  enabled\n");
    }
}

#[test]
fn many_logins_at_once_end_and_the_server_goes_on() {
    let place = Place::sqlite();
    place.printed(&["migrate"], &[]);
    let password = Arc::new(add(&place, "ann", "admin"));
    let running = place.start(&[REQUIRED, ("PANDO_AUTH__PASSWORDS_AT_ONCE", "1")]);
    let logins: Vec<_> = (0..100)
        .map(|_| {
            let (mut page, password) = (Browser::at(&running), password.clone());
            thread::spawn(move || page.log_in("ann", &password))
        })
        .collect();
    // Other requests do not wait for them.
    assert_eq!(running.ask("GET", "/health", "").status, 200);
    let replies: Vec<Reply> = logins.into_iter().map(|login| login.join().unwrap()).collect();
    let count = |status: u16| replies.iter().filter(|reply| reply.status == status).count();
    assert!(count(200) > 0 && count(200) + count(503) == 100, "{} and {}", count(200), count(503));
    for refused in replies.iter().filter(|reply| reply.status == 503) {
        assert!(refused.header("retry-after").is_some(), "{refused:?}");
    }
    let mut page = Browser::at(&running);
    assert_eq!(page.log_in("ann", &password).status, 200);
    let metrics = page.get("/metrics").body;
    let runs = format!("auth_password_hashes_total {}", count(200) + 1);
    assert!(metrics.contains(&runs), "every login ran once: {}", count(200));
}

#[test]
fn passwords_and_cookies_go_over_safe_ways_only() {
    let place = Place::sqlite();
    place.printed(&["migrate"], &[]);
    let password = add(&place, "ann", "admin");
    let mut running = place.start(&[
        REQUIRED,
        ("PANDO_HTTP__TRUSTED_PROXIES", "127.0.0.1"),
        ("PANDO_ADMIN__ENABLED", "true"),
    ]);
    let login = json!({"name": "ann", "password": password});
    let mut page = Browser::at(&running);
    let host = ("host", "pando.example");
    let plain = page.send("POST", SESSION, &[host], &login);
    assert_eq!(plain.status, 403, "{plain:?}");
    for proxied in [("x-forwarded-proto", "https"), ("forwarded", "for=192.0.2.1;proto=https")] {
        let begun = page.send("POST", SESSION, &[host, proxied], &login);
        let cookie = begun.header("set-cookie").unwrap();
        assert!(cookie.starts_with("__Host-pando_session=") && cookie.ends_with("; Secure"), "{cookie}");
        assert_eq!(page.send("GET", PROFILES, &[host, proxied], &Value::Null).status, 200);
        assert_eq!(page.send("GET", PROFILES, &[host], &Value::Null).status, 401);
    }
    let foreign = page.send("POST", SESSION, &[host, ("origin", "https://evil.example")], &login);
    assert_eq!(foreign.status, 403, "{foreign:?}");
    // The port of operators has the same routes.
    let mut page = Browser::of(Client::connect(running.admin()).unwrap());
    assert_eq!(page.get("/admin/cache").status, 401);
    assert_eq!(page.log_in("ann", &password).status, 200);
    assert_eq!(page.get("/admin/cache").status, 200);
    let clear = "/admin/cache/profiles/clear";
    assert_eq!(page.send("POST", clear, &[], &Value::Null).status, 403);
    assert_eq!(page.change("POST", clear, &Value::Null).status, 204);
}

#[test]
fn a_server_that_asks_nobody_says_so() {
    let place = Place::sqlite();
    let running = place.start(&[]);
    let mut page = Browser::at(&running);
    assert_eq!(page.get(SESSION).value()["mode"], "loopback");
    let password = add(&place, "ann", "readonly");
    assert_eq!(page.log_in("ann", &password).status, 200);
    assert_eq!(page.get(SESSION).value()["session"]["operator"], "ann");
    assert_eq!(page.send("POST", PROFILES, &[], &ann()).status, 201, "nobody is asked");
}

#[test]
fn operators_are_made_with_a_password_that_is_given_or_not_at_all() {
    let place = Place::sqlite();
    place.printed(&["migrate"], &[]);
    let refused = |arguments: &[&str], words: &str| {
        let output = place.run(&[&["operators"], arguments].concat(), &[]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(words), "{arguments:?}: {said}");
    };
    refused(&["add", "ann", "--role", "admin"], "no terminal");
    refused(&["add", "ann", "--role", "admin", "--password-stdin"], "must have 12 to 128 characters");
    refused(&["add", "ann", "--role", "king", "--generate"], "none of readonly, operator and admin");
    refused(&["add", "ann", "--role", "admin", "--issuer", "x"], "--subject");
    refused(&["reset", "ann", "--generate"], "no operator ann");
    refused(&["disable", "ann"], "no operator ann");
    assert_eq!(place.printed(&["operators", "list"], &[]), "there are no operators\n");
    add(&place, "ann", "admin");
    refused(&["add", "ann", "--role", "admin", "--generate"], "already");
    refused(&["disable", ""], "no operator");
    let bad = "[{name = \"corp\", issuer = \"x\", client_id = \"y\", scopes = [\"email\"]}]";
    let output = place.run(&["config", "check"], &[("PANDO_AUTH__LOGIN", bad)]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("login[0].scopes: must name openid"), "{said}");
}

/// Runs a program on a terminal, answers each of its prompts, and prints what the terminal showed.
const TYPE: &str = r"
import os, pty, signal, sys
signal.alarm(60)
answers, command = sys.argv[1].split(','), sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(command[0], command)
seen = b''
while True:
    try:
        piece = os.read(terminal, 1024)
    except OSError:
        break
    if not piece:
        break
    seen += piece
    if piece.rstrip().endswith((b'password:', b'again:')) and answers:
        os.write(terminal, answers.pop(0).encode() + b'\n')
print(seen.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
";

#[test]
fn a_password_is_typed_twice_and_the_terminal_does_not_show_it() {
    let place = Place::sqlite();
    place.printed(&["migrate"], &[]);
    let add = |answers: &str| {
        let mut command = Command::new(python());
        command.args(["-c", TYPE, answers, env!("CARGO_BIN_EXE_pando"), "--data"]).arg(place.folder());
        command.args(["operators", "add", "ann", "--role", "admin"]).current_dir(place.folder());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let two = add("correct horse battery,correct horse batterx");
    assert!(two.contains("these are two passwords") && two.trim_end().ends_with(" 1"), "{two}");
    let one = add("correct horse battery,correct horse battery");
    assert!(one.contains("ann can log in") && one.trim_end().ends_with(" 0"), "{one}");
    assert!(!one.contains("horse"), "{one}");
    let running = place.start(&[REQUIRED]);
    assert_eq!(Browser::at(&running).log_in("ann", "correct horse battery").status, 200);
}

/// A person's browser on the way through a provider.
struct Journey<'r> {
    ours: Browser,
    theirs: Browser,
    running: &'r Running,
    account: &'r str,
}

impl<'r> Journey<'r> {
    fn new(running: &'r Running, provider: &Provider, account: &'r str) -> Self {
        let theirs = Browser::of(Client::connect(provider.address()).unwrap());
        Self { ours: Browser::at(running), theirs, running, account }
    }

    /// Goes to the provider; the address of its page.
    fn leave(&mut self, login: &str) -> String {
        let reply = self.ours.get(&format!("{SESSION}/oidc/{login}?return_to=/docs"));
        assert_eq!(reply.status, 302, "{reply:?}");
        reply.header("location").unwrap().to_owned()
    }

    /// Follows the provider to the address of ours to which it sends the browser back.
    fn through(&mut self, page: &str) -> String {
        let mut place = page.to_owned();
        for _ in 0..8 {
            let (_, rest) = place.split_once("://").unwrap_or(("", &place));
            let (host, path) = rest.split_at(rest.find('/').unwrap());
            if host == self.running.address.to_string() {
                return path.to_owned();
            }
            let reply = self.theirs.send("GET", path, &[("x-account", self.account)], &Value::Null);
            let next = reply.header("location").unwrap_or_else(|| panic!("{place}: {reply:?}"));
            next.clone_into(&mut place);
        }
        panic!("the provider sends the browser around: {place}");
    }

    fn log_in(&mut self, login: &str) -> Reply {
        let page = self.leave(login);
        let back = self.through(&page);
        self.ours.get(&back)
    }
}

/// An address with another value for one of its parameters.
fn with(address: &str, name: &str, value: &str) -> String {
    let (before, rest) = address.split_once(&format!("{name}=")).unwrap_or_else(|| panic!("{address}"));
    let after = rest.find('&').map_or("", |end| &rest[end..]);
    format!("{before}{name}={value}{after}")
}

/// Two logins at one provider, and an account for Zoe.
fn with_provider() -> (Place, Provider, String) {
    let (place, provider) = (Place::sqlite(), Provider::start());
    place.printed(&["migrate"], &[]);
    let issuer = &provider.issuer;
    let add = ["operators", "add", "zoe", "--role", "admin", "--issuer", issuer, "--subject", "zoe"];
    place.printed(&add, &[]);
    let common =
        format!("issuer = \"{issuer}\", client_id = \"console\", client_secret = \"secret-of-console\"");
    let login = format!(
        "[{{name = \"corp\", {common}}}, {{name = \"open\", {common}, create_accounts = true, \
         email_domains = [\"Example.org\"], scopes = [\"openid\", \"email\", \"role\"], role_claim = \"role\"}}]"
    );
    (place, provider, login)
}

#[test]
fn people_log_in_at_a_provider_of_openid_connect() {
    let (place, provider, login) = with_provider();
    let running = place.start(&[REQUIRED, ("PANDO_AUTH__LOGIN", &login)]);
    let mut zoe = Journey::new(&running, &provider, "zoe");
    assert_eq!(zoe.ours.get(SESSION).value()["providers"], json!(["corp", "open"]));
    let arrived = zoe.log_in("corp");
    assert_eq!((arrived.status, arrived.header("location")), (302, Some("/docs")), "{arrived:?}");
    let session = zoe.ours.get(SESSION).value()["session"].clone();
    assert_eq!((&session["operator"], &session["role"]), (&json!("zoe"), &json!("admin")));
    assert_eq!(zoe.ours.get(PROFILES).status, 200);
    assert_eq!(zoe.ours.cookies.len(), 1, "the cookie of the login is gone");

    // Nobody without an account, unless the settings say so.
    let refused = Journey::new(&running, &provider, "max").log_in("corp");
    assert_eq!(refused.status, 403, "{refused:?}");
    let mut max = Journey::new(&running, &provider, "max");
    assert_eq!(max.log_in("open").status, 302);
    let session = max.ours.get(SESSION).value()["session"].clone();
    assert_eq!((&session["operator"], &session["role"]), (&json!("max@example.org"), &json!("operator")));
    let stranger = Journey::new(&running, &provider, "eve-elsewhere").log_in("open");
    assert!(stranger.status == 403 && detail(&stranger).contains("domain"), "{stranger:?}");
    place.printed(&["operators", "disable", "zoe"], &[]);
    assert_eq!(Journey::new(&running, &provider, "zoe").log_in("corp").status, 403);
    drop(provider);
    let late = Place::sqlite().start(&[REQUIRED, ("PANDO_AUTH__LOGIN", &login)]);
    assert_eq!(Browser::at(&late).get(&format!("{SESSION}/oidc/corp")).status, 503);
}

#[test]
fn a_login_that_this_browser_did_not_begin_or_that_was_changed_is_refused() {
    let (place, provider, login) = with_provider();
    let running = place.start(&[REQUIRED, ("PANDO_AUTH__LOGIN", &login)]);
    let mut zoe = Journey::new(&running, &provider, "zoe");
    let page = zoe.leave("corp");
    let back = zoe.through(&page);
    let kept = zoe.ours.cookies.clone();
    for (path, cookies, status, case) in [
        (with(&back, "state", "guessed"), kept.clone(), 403, "a wrong state"),
        (back.clone(), BTreeMap::new(), 403, "another browser"),
        (back.replace("/corp/", "/open/"), kept.clone(), 403, "another login"),
        (with(&back, "code", "guessed"), kept.clone(), 401, "a guessed code"),
        (back.clone(), kept.clone(), 302, "the right one"),
        (back, kept, 401, "a replayed code"),
    ] {
        zoe.ours.cookies = cookies;
        let reply = zoe.ours.get(&path);
        assert_eq!(reply.status, status, "{case}: {reply:?}");
        assert_eq!(zoe.ours.cookies.contains_key("pando_session"), status == 302, "{case}");
    }
    for (name, value) in
        [("nonce", "guessed"), ("code_challenge", "dGhlIHZlcmlmaWVyIG9mIHNvbWVib2R5IGVsc2UuLi4")]
    {
        let mut zoe = Journey::new(&running, &provider, "zoe");
        let page = with(&zoe.leave("corp"), name, value);
        let back = zoe.through(&page);
        assert_eq!(zoe.ours.get(&back).status, 401, "{name}");
    }
    let mut page = Browser::at(&running);
    let denied = page.get(&format!("{SESSION}/oidc/corp/callback?error=access_denied"));
    assert_eq!(denied.status, 403, "{denied:?}");
    assert_eq!(page.get(&format!("{SESSION}/oidc/nowhere")).status, 404);
    for elsewhere in ["//evil.example", "https://evil.example", "/%5Cevil.example"] {
        let path = format!("{SESSION}/oidc/corp?return_to={elsewhere}");
        assert_eq!(page.get(&path).status, 400, "{elsewhere}");
    }
}
