//! One address opens all connections it can and sends a byte now and then: whoever else comes is served as before.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpSocket;
use tokio::runtime::{Builder, Runtime};

use crate::engines::Place;

/// Connections, what the server takes in all and of one address, and for how long it goes on.
struct Siege {
    connections: usize,
    settings: Vec<(&'static str, &'static str)>,
    lasts: Duration,
}

fn siege() -> Siege {
    #[expect(clippy::disallowed_methods, reason = "how `make prove` asks for the long form")]
    let long = std::env::var("PANDO_PROVE").is_ok();
    match long {
        // The server as it comes.
        true => Siege { connections: 10_000, settings: Vec::new(), lasts: Duration::from_secs(60) },
        false => Siege {
            connections: 300,
            settings: vec![
                ("PANDO_HTTP__CONNECTIONS_MAX", "150"),
                ("PANDO_HTTP__CONNECTIONS_PER_PEER_MAX", "100"),
            ],
            lasts: Duration::from_secs(2),
        },
    }
}

/// Lets this process, and the server that it starts, have as many open files as the system allows.
fn open_files(wanted: usize) {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    let current = Some((wanted as u64 + 1_000).min(most));
    setrlimit(Resource::Nofile, Rlimit { current, maximum: limit.maximum }).unwrap();
}

/// Asks from another address of this machine.
fn ask_from_elsewhere(runtime: &Runtime, server: SocketAddr, path: &str) -> String {
    let mut stream = runtime.block_on(async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 2], 0).into()).unwrap();
        socket.connect(server).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn prove_that_one_address_with_all_its_connections_keeps_nobody_else_out() {
    let Siege { connections, settings, lasts } = siege();
    open_files(connections);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let place = Place::sqlite();
    let running = place.start(&settings);
    let head = "POST /api/v1/profiles:import HTTP/1.1\r\nhost: localhost\r\n\
                content-type: application/x-ndjson\r\ncontent-length: 1000000\r\n\r\n";
    let mut held: Vec<TcpStream> = Vec::new();
    for number in 0..connections {
        let Ok(mut stream) = TcpStream::connect(running.address) else { break };
        stream.set_nonblocking(true).unwrap();
        let first = if number % 2 == 0 { head } else { "GET / HTTP/1.1\r\nx: " };
        // One that was refused is closed already.
        let _ = stream.write_all(first.as_bytes());
        held.push(stream);
    }
    assert_eq!(held.len(), connections);
    let began = Instant::now();
    let (mut asked, mut longest, mut trickled) = (0, Duration::ZERO, Instant::now());
    while began.elapsed() < lasts || asked < 10 {
        for path in ["/health", "/api/v1/profiles"] {
            let started = Instant::now();
            let answer = ask_from_elsewhere(&runtime, running.address, path);
            longest = longest.max(started.elapsed());
            assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
            asked += 1;
        }
        if trickled.elapsed() >= Duration::from_secs(20) {
            trickled = Instant::now();
            held.iter_mut().for_each(|stream| drop(stream.write(b"x")));
        }
    }
    eprintln!(
        "{connections} connections of one address; {asked} requests of another, the longest took {longest:?}"
    );
}
