//! An S3 that refuses every fifth request, and remembers what was written to which key.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Every one that can be divided by this is refused.
const REFUSED: u64 = 5;

/// It stands before a real server.
pub(super) struct RefusingStore {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    requests: u64,
    refused: u64,
    refuses_all: bool,
    /// The bodies that were sent to each key, whether they were refused or not.
    puts: BTreeMap<String, BTreeSet<Vec<u8>>>,
}

impl RefusingStore {
    /// Stands before the server at an `http://` address.
    pub(super) fn before(endpoint: &str) -> Self {
        let server: SocketAddr = endpoint.trim_start_matches("http://").parse().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::<Mutex<Seen>>::default());
        let shared = Arc::clone(&seen);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let seen = Arc::clone(&shared);
                // A client that was killed in the middle is no loss.
                thread::spawn(move || answer(&client, server, &seen));
            }
        });
        Self { address, seen }
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on, refuses every request, or every fifth one.
    pub(super) fn refuse_all(&self, all: bool) {
        lock(&self.seen).refuses_all = all;
    }

    /// How many requests were refused.
    pub(super) fn refused(&self) -> u64 {
        lock(&self.seen).refused
    }

    /// The different bodies that were ever sent to each key below this one.
    pub(super) fn puts(&self, below: &str) -> BTreeMap<String, BTreeSet<Vec<u8>>> {
        let puts = &lock(&self.seen).puts;
        puts.iter()
            .filter(|(key, _)| key.contains(below))
            .map(|(key, it)| (key.clone(), it.clone()))
            .collect()
    }
}

/// Answers one request of a client, and ends its connection.
fn answer(client: &TcpStream, server: SocketAddr, seen: &Mutex<Seen>) -> io::Result<()> {
    let (mut reader, mut writer) = (BufReader::new(client), client);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        if line == "\r\n" {
            break;
        }
        // The end of the answer is the end of its connection.
        if !lower.starts_with("connection:") {
            head.push_str(&line);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let is_refused = {
        let mut seen = lock(seen);
        let mut words = head.split(' ');
        if let (Some("PUT"), Some(target)) = (words.next(), words.next()) {
            seen.puts.entry(target.to_owned()).or_default().insert(body.clone());
        }
        seen.requests += 1;
        let is_refused = seen.refuses_all || seen.requests.is_multiple_of(REFUSED);
        seen.refused += u64::from(is_refused);
        is_refused
    };
    if is_refused {
        writer.write_all(
            b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        )?;
        return Ok(());
    }
    let mut server = TcpStream::connect(server)?;
    server.write_all(format!("{head}connection: close\r\n\r\n").as_bytes())?;
    server.write_all(&body)?;
    io::copy(&mut server, &mut writer)?;
    Ok(())
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
