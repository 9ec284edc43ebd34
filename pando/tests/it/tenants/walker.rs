//! A caller of one tenant, and a note of each answer that can be compared with the answer to another caller.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::client::{Client, Reply};

const PATIENCE: Duration = Duration::from_secs(30);
/// Headers that differ between two answers to the same request.
const FLEETING: [&str; 3] = ["date", "x-request-id", "content-length"];

/// The names of somebody's things, by the words that recipes use for them.
pub(super) type Names = BTreeMap<&'static str, String>;

/// A caller who knows some names.
pub(super) struct Walker<'n> {
    pub(super) address: SocketAddr,
    /// The name of the caller's tenant.
    pub(super) tenant: &'static str,
    pub(super) key: String,
    pub(super) names: &'n Names,
    /// Whether answers are noted as they came, because they must stay as they are.
    pub(super) is_owner: bool,
    /// Every answer, as it can be compared.
    pub(super) notes: Vec<String>,
}

impl Walker<'_> {
    /// One of the names.
    pub(super) fn name(&self, word: &str) -> String {
        self.names.get(word).unwrap_or_else(|| panic!("nothing is called {word}")).clone()
    }

    pub(super) fn get(&mut self, path: &str) -> Reply {
        self.get_with(path, &[])
    }

    pub(super) fn get_with(&mut self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.send("GET", path, headers, b"")
    }

    pub(super) fn json(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
        let headers = [&[("content-type", "application/json")], headers].concat();
        self.send(method, path, &headers, body.to_string().as_bytes())
    }

    pub(super) fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let reply = self.send_unnoted(method, path, headers, body);
        let shown = self.note_of(&reply);
        self.note(&format!("{method} {path}\n{shown}"));
        reply
    }

    /// Sends a request whose answer is made up by the server, so that no two are alike.
    pub(super) fn send_unnoted(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let bearer = format!("Bearer {}", self.key);
        let headers = [headers, &[("authorization", bearer.as_str())]].concat();
        let mut client = Client::connect(self.address).unwrap();
        client.send(method, path, &headers, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// The events of a stream, up to the first one of which `found` says that it is the last.
    pub(super) fn watch(&mut self, path: &str, found: impl Fn(&[String]) -> bool) -> Vec<String> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (address, key) = (self.address, &self.key);
        write!(stream, "GET {path} HTTP/1.0\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n\r\n")
            .unwrap();
        let (mut lines, mut events) = (BufReader::new(stream).lines(), Vec::new());
        for line in lines.by_ref().map_while(Result::ok) {
            if line.starts_with("id: ") || line.starts_with("data: ") {
                events.push(line);
            }
            if found(&events) {
                return events;
            }
        }
        panic!("the stream of {path} ended: {events:?}")
    }

    pub(super) fn note(&mut self, text: &str) {
        let note = if self.is_owner { steady(text) } else { self.comparable(text) };
        self.notes.push(note);
    }

    /// An answer without the headers that always differ.
    pub(super) fn note_of(&self, reply: &Reply) -> String {
        let mut headers: Vec<String> = reply
            .headers
            .iter()
            .filter(|(name, _)| !FLEETING.contains(&name.as_str()))
            .map(|(name, value)| match name.as_str() {
                // Every write moves it, whoever makes it.
                "pando-consistency" => format!("{name}: <position>"),
                "x-cache" => format!("{name}: {}", value.split(';').next().unwrap_or_default()),
                _ => format!("{name}: {value}"),
            })
            .collect();
        headers.sort();
        format!("{}\n{}\n{}", reply.status, headers.join("\n"), reply.body)
    }

    /// A note with words instead of names, ids and times.
    pub(super) fn comparable(&self, note: &str) -> String {
        let mut text = note.replace(&format!(".{}.", self.tenant), ".<tenant>.");
        // A position is a short number, which stands in many texts by chance.
        let mut named: Vec<(&&str, &String)> = self.names.iter().filter(|(_, name)| name.len() > 8).collect();
        named.sort_by_key(|(_, name)| std::cmp::Reverse(name.len()));
        for (word, name) in named {
            text = text.replace(name.as_str(), &format!("<{word}>"));
        }
        masked(&text)
    }
}

/// An answer without the words that say where it was read, and when.
fn steady(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("x-cache: "));
    let text =
        lines.collect::<Vec<_>>().join("\n").replace("\"source\":\"cache\"", "\"source\":\"database\"");
    ["exported_at", "request_id"].iter().fold(text, |text, field| {
        let (start, field) = (format!("\"{field}\":\""), format!("\"{field}\":\"\""));
        let mut pieces = text.split(&start);
        let first = pieces.next().unwrap_or_default().to_owned();
        let value = |piece: &str| piece.split_once('"').map_or(String::new(), |(_, rest)| rest.to_owned());
        pieces.fold(first, |out, piece| format!("{out}{field}{}", value(piece)))
    })
}

/// A text with words instead of ids and times.
fn masked(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(first) = rest.chars().next() {
        let is_id = |id: &&str| uuid::Uuid::try_parse(id).is_ok();
        let is_time = |time: &&str| time.parse::<pando_clock::Timestamp>().is_ok();
        let step = if rest.get(..36).filter(is_id).is_some() {
            out.push_str("<id>");
            36
        } else if rest.get(..32).filter(is_id).is_some() {
            out.push_str("<id>");
            32
        } else if rest.get(..27).filter(is_time).is_some() {
            out.push_str("<time>");
            27
        } else {
            out.push(first);
            first.len_utf8()
        };
        rest = &rest[step..];
    }
    out
}
