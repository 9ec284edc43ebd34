//! The process gives the memory of a spike back to the system.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use pando_servers::until;

use crate::harness::Running;

const PATIENCE: Duration = Duration::from_secs(60);
const MIB: u64 = 1024 * 1024;

fn resident(running: &Running) -> u64 {
    let text = running.ask("GET", "/metrics", "").body;
    let line = text.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
    line.and_then(|number| number.trim().parse().ok()).expect("the process describes itself")
}

/// Sends a batch that announces so many bytes, and perhaps not all of them; whatever the server makes of it.
fn send_batch(address: SocketAddr, announced: usize, content: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "POST /api/v1/profiles:batch HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {announced}\r\n\r\n"
    );
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(content));
    stream
}

#[test]
fn what_a_spike_took_goes_back() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start(data.path(), &[], &[]);
    let before = resident(&running);
    let bomb = format!("[{}{{}}]", "{\"\":0},".repeat(2_000_000)).into_bytes();
    for _ in 0..4 {
        let two = [(); 2].map(|()| {
            let (address, bomb) = (running.address, bomb.clone());
            thread::spawn(move || {
                let mut answer = String::new();
                let _ = send_batch(address, bomb.len(), &bomb).read_to_string(&mut answer);
            })
        });
        for sending in two {
            sending.join().unwrap();
        }
    }
    let part = vec![b' '; 15 * 1024 * 1024];
    let unfinished: Vec<_> = (0..60).map(|_| send_batch(running.address, part.len() + 1, &part)).collect();
    let peak = running.memory_peak_kib() * 1024;
    assert!(peak > before + 100 * MIB, "no spike: {} MiB after {} MiB", peak / MIB, before / MIB);
    drop(unfinished);
    until("the memory is given back", PATIENCE, || resident(&running) < before + 50 * MIB);
}
