//! kill -9 while images come and go: every address leads somewhere, and nothing is left that nobody refers to.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use pando_database::testing::TestPostgres;
use pando_images::{ImageLimits, Picture};
use pando_servers::until;
use rustix::process::Signal;
use serde_json::Value;

use crate::engines::Place;
use crate::harness::Running;
use crate::images::{get, person, png, send};

const PATIENCE: Duration = Duration::from_secs(120);
const PEOPLE: usize = 3;

/// What nobody refers to goes after a second, and dead workers are found out soon.
pub(crate) const HASTY: &[(&str, &str)] = &[
    ("PANDO_PROFILES__IMAGES__GRACE_SECONDS", "1"),
    ("PANDO_PROFILES__IMAGES__SWEEP", "@every 1s"),
    ("PANDO_QUEUE__HEARTBEAT_MS", "300"),
    ("PANDO_QUEUE__LEASE_MS", "1500"),
    ("PANDO_QUEUE__RESCUE_MS", "200"),
];

/// Some rounds in every test run; many where the long proofs are asked for.
fn rounds() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "how `make prove` asks for the long form")]
    if std::env::var("PANDO_PROVE").is_ok() { 100 } else { 5 }
}

#[test]
fn prove_that_no_address_leads_nowhere_after_kill_9_on_sqlite() {
    survive(&Place::sqlite());
}

#[test]
fn prove_that_no_address_leads_nowhere_after_kill_9_on_postgres() {
    survive(&Place::postgres(TestPostgres::shared()));
}

fn survive(place: &Place) {
    let numbers = AtomicU32::new(0);
    let mut running = place.start(HASTY);
    let people: Vec<String> = (0..PEOPLE).map(|number| person(&running, &format!("p{number}"))).collect();
    let mut added = 0;
    for round in 0..rounds() {
        // A different moment each round, the same in every run.
        let load = Duration::from_millis(30 + round * 7_919 % 311);
        added += come_and_go_until_broken(&running, &people, &numbers, load);
        running = place.start(HASTY);
        for images in &people {
            every_address_answers(&running, images);
        }
    }
    assert!(added > 0, "no image was ever taken in");
    let objects = place.folder().join("objects");
    until("everything that is there is referred to, and the other way round", PATIENCE, || {
        let lists: Vec<Value> = people.iter().map(|images| get(&running, images, &[]).json()).collect();
        let all_ready =
            lists.iter().flat_map(|list| list.as_array().unwrap()).all(|image| image["ready"] == true);
        all_ready && stored(&objects) == referred_to(&lists)
    });
    for images in &people {
        every_address_answers(&running, images);
    }
    running.tell(Signal::TERM);
    let (status, log) = running.ended();
    assert_eq!(status.code(), Some(0), "{log:#?}");
}

/// Uploads and deletions from a connection for each person until the server is killed; how many images were taken in.
fn come_and_go_until_broken(
    running: &Running,
    people: &[String],
    numbers: &AtomicU32,
    load: Duration,
) -> usize {
    let address = running.address;
    thread::scope(|scope| {
        let writers: Vec<_> = people
            .iter()
            .map(|images| {
                scope.spawn(move || {
                    let mut added = 0;
                    loop {
                        // Every second image is one that others have too.
                        let number = numbers.fetch_add(1, Ordering::Relaxed);
                        let shade = if number.is_multiple_of(2) { number } else { number % 7 };
                        let [_, red, green, blue] = shade.to_be_bytes();
                        let content = png(&Picture::paint(90, 70, |_, _| [red, green, blue]));
                        let sent = send(address, "POST", images, &[("content-type", "image/png")], &content);
                        let Some(reply) = sent else { return added };
                        added += usize::from(reply.status == 201);
                        assert!([200, 201, 422, 503].contains(&reply.status), "{}", reply.status);
                        if reply.status == 422 || number.is_multiple_of(3) {
                            let Some(list) = send(address, "GET", images, &[], b"") else { return added };
                            let Some(first) = list.json()[0]["number"].as_i64() else { continue };
                            let gone = send(address, "DELETE", &format!("{images}/{first}"), &[], b"");
                            if gone.is_none() {
                                return added;
                            }
                        }
                    }
                })
            })
            .collect();
        thread::park_timeout(load);
        running.tell(Signal::KILL);
        writers.into_iter().map(|writer| writer.join().unwrap()).sum()
    })
}

fn every_address_answers(running: &Running, images: &str) {
    let profile = get(running, images.trim_end_matches("/images"), &[]).json();
    for url in profile["profile"]["image_urls"].as_array().unwrap() {
        let file = get(running, url.as_str().unwrap(), &[]);
        assert_eq!(file.status, 200, "{url} leads nowhere");
        assert!(Picture::read(&file.body, ImageLimits::default()).is_ok(), "{url} is damaged");
    }
}

/// The names of the files in the store, half-written ones and its mark aside.
pub(crate) fn stored(objects: &Path) -> BTreeSet<String> {
    let shelves = std::fs::read_dir(objects).unwrap().map(|entry| entry.unwrap().path());
    let shelves = shelves.filter(|shelf| shelf.is_dir() && !shelf.ends_with("incoming"));
    let files = shelves.flat_map(|shelf| std::fs::read_dir(shelf).unwrap());
    files.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// The names of everything that images refer to.
fn referred_to(lists: &[Value]) -> BTreeSet<String> {
    let images = lists.iter().flat_map(|list| list.as_array().unwrap());
    let files = images.flat_map(|image| image["variants"].as_array().unwrap().iter().chain([image]));
    files.map(|file| file["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()).collect()
}
