//! A full disk below the real binary: who wants something kept is told, nothing acknowledged is lost, and it goes on when
//! there is room again.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use pando_images::Picture;
use pando_servers::until;
use rustix::process::{Resource, Rlimit, Signal, prlimit};
use serde_json::{Value, json};

use crate::client::{Client, Reply};
use crate::harness::{Running, ask, pando};
use crate::images::{person, png, send};
use crate::tasks::SHORT_LEASES;

const PATIENCE: Duration = Duration::from_secs(60);
/// How large a file may be.
const LARGEST: u64 = 4 * 1024 * 1024;
/// A disk in memory, for the namespace of one process; then that process becomes what follows.
const SMALL_DISK: &str = r#"mount -t tmpfs -o size=12m none "$1" && shift && exec "$@""#;
/// A file that grows too large is an error, and not the end of the process.
const PATIENT: &str = r#"trap '' XFSZ; exec "$@""#;

/// The program, behind a shell that does something first.
fn behind(shell: &mut Command, data: &Path) -> Command {
    let program = pando(data);
    let mut command = Command::new(shell.get_program());
    command.args(shell.get_args()).arg(program.get_program()).args(program.get_args());
    // Its own environment is empty but for the way to the shell's programs.
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").current_dir(data).stdin(Stdio::null());
    command
}

fn noise(side: u32) -> Vec<u8> {
    let mut state = 1_u64;
    png(&Picture::paint(side, side, |_, _| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let [.., a, b, c] = state.to_le_bytes();
        [a, b, c]
    }))
}

fn upload(running: &Running, images: &str, content: &[u8]) -> (u16, String) {
    let sent = send(running.address, "POST", images, &[("content-type", "image/png")], content).unwrap();
    (sent.status, String::from_utf8_lossy(&sent.body).into_owned())
}

/// Files may not grow beyond a size: what the kernel says is what a full disk says to a file, at no file's cost but this.
#[test]
fn an_image_that_finds_no_room_is_507_and_leaves_nothing_behind() {
    let data = tempfile::tempdir().unwrap();
    let command = behind(Command::new("sh").args(["-c", PATIENT, "sh"]), data.path());
    let running = Running::spawn(command, "serve", &[], &[]);
    let images = person(&running, "Ada");
    let (small, large) = (noise(64), noise(1_300));
    let room = |bytes: Option<u64>| {
        prlimit(Some(running.pid()), Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
    };
    // The database stays well below.
    room(Some(LARGEST));
    assert!(large.len() as u64 > LARGEST, "it does not fit");
    let (status, body) = upload(&running, &images, &large);
    assert_eq!(status, 507, "{body}");
    assert!(body.contains("storage_full"), "{body}");
    assert_eq!(upload(&running, &images, &small).0, 201, "what fits is kept");
    let listed: Value = running.ask("GET", &images, "").json();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    let incoming = std::fs::read_dir(data.path().join("objects/incoming")).unwrap();
    assert_eq!(incoming.count(), 0, "nothing half-written is left");
    room(None);
    let (status, body) = upload(&running, &images, &large);
    assert_eq!(status, 201, "{body}");
}

/// A process with a disk of its own needs no root, but a kernel that lets it.
fn small_disks_are_allowed() -> bool {
    let tried = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    command.args(["-Urm", "sh", "-c", SMALL_DISK, "sh"]).arg(tried.path()).arg("true");
    command.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

#[test]
fn a_full_disk_loses_nothing_and_ends_nothing() {
    assert!(small_disks_are_allowed(), "this proof needs user namespaces: `unshare -Urm true` must work");
    let data = tempfile::tempdir().unwrap();
    let mut shell = Command::new("unshare");
    shell.args(["-Urm", "sh", "-c", SMALL_DISK, "sh"]).arg(data.path());
    let running = Running::spawn(behind(&mut shell, data.path()), "serve", &[], SHORT_LEASES);
    let images = person(&running, "Ada");
    let inside = PathBuf::from(format!("/proc/{}/root", running.pid().as_raw_nonzero()));
    let ballast = inside.join(data.path().strip_prefix("/").unwrap()).join("ballast");

    // Somebody fills the disk while others write.
    let address = running.address;
    let (profiles, tasks) = thread::scope(|scope| {
        let profiles = scope.spawn(|| accepted(address, "/api/v1/profiles", profile));
        let tasks = scope.spawn(|| accepted(address, "/api/v1/tasks/delayed", task));
        let mut file = File::create(&ballast).unwrap();
        while file.write_all(&[0; 4_096]).is_ok() {}
        (profiles.join().unwrap(), tasks.join().unwrap())
    });
    assert_eq!(upload(&running, &images, &noise(200)).0, 507);
    let mut client = Client::connect(running.address).unwrap();
    assert_eq!(client.get("/api/v1/profiles").unwrap().status, 200, "who only reads notices nothing");
    assert_eq!(client.get("/health/live").unwrap().status, 200);

    std::fs::remove_file(&ballast).unwrap();
    let after = client.json("POST", "/api/v1/profiles", &profile(1_000_000)).unwrap();
    assert_eq!(after.status, 201, "there is room again: {after:?}");
    assert_eq!(upload(&running, &images, &noise(200)).0, 201);
    for id in &profiles {
        assert_eq!(
            client.get(&format!("/api/v1/profiles/{id}")).unwrap().status,
            200,
            "{id} was acknowledged"
        );
    }
    let listed = client.get("/api/v1/profiles?count=exact&limit=1").unwrap();
    let known = (profiles.len() + 2).to_string();
    assert_eq!(listed.header("x-total-count"), Some(known.as_str()), "what was refused was not stored");
    for id in &tasks {
        // One that was run while its end could not be written is run again when its lease is over.
        until("the task is completed", PATIENCE, || {
            ask(address, "GET", &format!("/api/v1/tasks/{id}"), "").json()["status"] == "completed"
        });
    }
    running.tell(Signal::TERM);
    assert!(running.ended().0.success());
}

fn profile(number: u32) -> Value {
    json!({"name": "Writer", "email": format!("writer{number}@example.org"), "bio": "x".repeat(2_000)})
}

fn task(number: u32) -> Value {
    json!({"type": "echo", "data": {"number": number, "weight": "x".repeat(2_000)}})
}

/// Writes until there is no room; the ids of what was acknowledged.
fn accepted(address: SocketAddr, target: &str, body: fn(u32) -> Value) -> Vec<String> {
    let mut client = Client::connect(address).unwrap();
    let mut ids = Vec::new();
    for number in 0.. {
        let reply: Reply = client.json("POST", target, &body(number)).unwrap();
        match reply.status {
            201 | 202 => ids.push(reply.value()["id"].as_str().unwrap().to_owned()),
            507 => break,
            _ => panic!("neither kept nor refused for want of room: {reply:?}"),
        }
    }
    ids
}
