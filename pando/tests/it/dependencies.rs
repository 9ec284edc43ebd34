//! What a server can do without for a while: health names it and stays well, and the doctor says what is wrong.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use pando_clock::Clock;
use pando_servers::{RabbitMq, S3, until};

use crate::engines::Place;
use crate::harness::Running;

const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until health names a dependency so, and itself well, and the server ready.
fn becomes(running: &Running, dependency: &str, status: &str) {
    until(&format!("{dependency} is {status} and all else is well"), PATIENCE, || {
        let health = running.ask("GET", "/health", "");
        let named = health.json()["dependencies"][dependency]["status"] == status;
        let well = health.status == 200 && health.json()["status"] == "healthy";
        named && well && running.ask("GET", "/health/ready", "").status == 200
    });
}

#[test]
fn a_broker_that_cannot_be_reached_is_named_and_the_server_stays_ready() {
    let cable = Cable::to(RabbitMq::shared().port());
    let url = format!("amqp://guest:guest@127.0.0.1:{}/%2f", cable.port);
    for place in Place::both() {
        let namespace = Clock::system().fresh_id().to_string();
        let variables = [("RABBITMQ_URI", url.as_str()), ("PANDO_QUEUE__BROKER__NAMESPACE", &namespace)];
        for verb in ["serve", "worker"] {
            let running = place.start_verb(verb, &variables);
            becomes(&running, "rabbitmq", "healthy");
            let report = place.printed(&["doctor"], &variables);
            let well =
                format!("ok    rabbitmq: amqp://guest:***@127.0.0.1:{}/%2f accepts events", cable.port);
            assert!(report.contains(&well), "{}: {report}", place.name);
            cable.pull();
            becomes(&running, "rabbitmq", "degraded");
            let report = place.printed(&["doctor"], &variables);
            assert!(report.contains("warn  rabbitmq: ") && report.contains("queue.broker.url"), "{report}");
            assert!(!report.contains("guest:guest"), "{report}");
            cable.put_back();
            becomes(&running, "rabbitmq", "healthy");
        }
    }
}

/// A way to a server on this machine, which can be pulled out and put back.
struct Cable {
    port: u16,
    /// What runs through it; none while it is pulled out.
    streams: Arc<Mutex<Option<Vec<TcpStream>>>>,
}

impl Cable {
    fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let streams = Arc::new(Mutex::new(Some(Vec::new())));
        let known = Arc::clone(&streams);
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let mut streams = known.lock().unwrap();
                // Pulled out, it takes nobody: the connection is dropped.
                let Some(streams) = streams.as_mut() else { continue };
                let Ok(far) = TcpStream::connect(("127.0.0.1", target)) else { continue };
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    thread::spawn(move || {
                        let _ = io::copy(&mut from, &mut to);
                        // Who ends on one side ends on the other.
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
                streams.extend([near, far]);
            }
        });
        Self { port, streams }
    }

    fn pull(&self) {
        for stream in self.streams.lock().unwrap().take().into_iter().flatten() {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn put_back(&self) {
        *self.streams.lock().unwrap() = Some(Vec::new());
    }
}

#[test]
fn without_a_broker_none_is_named() {
    let place = Place::sqlite();
    let running = place.start(&[]);
    let health = running.ask("GET", "/health", "").json();
    let names: Vec<&String> = health["dependencies"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["database", "objects"]);
    assert!(!place.printed(&["doctor"], &[]).contains("rabbitmq"));
}

#[test]
fn an_s3_that_is_away_is_named_and_the_server_stays_ready() {
    let s3 = S3::start();
    let endpoint = s3.endpoint();
    let variables = bucket(&s3, &endpoint, s3.bucket());
    let place = Place::sqlite();
    let running = place.start(&variables);
    becomes(&running, "objects", "healthy");
    let report = place.printed(&["doctor"], &variables);
    let well =
        format!("ok    files: a test file was written, read and deleted in the bucket objects at {endpoint}");
    assert!(report.contains(&well), "{report}");
    s3.kill();
    becomes(&running, "objects", "degraded");
    let output = place.run(&["doctor"], &variables);
    let report = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{report}");
    assert!(report.contains("no file can be written: the object store cannot be reached"), "{report}");
    assert!(!report.contains(s3.secret_key()), "{report}");
    s3.resurrect();
    becomes(&running, "objects", "healthy");
}

/// Health asks for one object only; whether others can be put there, the doctor finds out.
#[test]
fn the_doctor_finds_a_bucket_that_is_not_there_and_keys_that_are_wrong() {
    let s3 = S3::start();
    let (endpoint, place) = (s3.endpoint(), Place::sqlite());
    let wrong_key = [bucket(&s3, &endpoint, s3.bucket()), vec![("PANDO_OBJECTS__S3__SECRET_KEY", "wrong")]];
    for variables in [bucket(&s3, &endpoint, "nowhere"), wrong_key.concat()] {
        let output = place.run(&["doctor"], &variables);
        let report = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{report}");
        assert!(report.contains("no file can be written: "), "{report}");
    }
}

#[test]
fn the_doctor_tries_the_folder_of_files_out_and_leaves_none_there() {
    let place = Place::sqlite();
    let objects = place.folder().join("objects");
    let report = place.printed(&["doctor"], &[]);
    assert!(report.contains("ok    files: the first start will create ") && !objects.exists(), "{report}");
    std::fs::create_dir(&objects).unwrap();
    let report = place.printed(&["doctor"], &[]);
    assert!(report.contains("ok    files: a test file was written, read and deleted in "), "{report}");
    let kept = std::fs::read_dir(&objects)
        .unwrap()
        .flat_map(|shelf| std::fs::read_dir(shelf.unwrap().path()).unwrap());
    assert_eq!(kept.count(), 0);
    // A file where the folder should be.
    std::fs::remove_dir_all(&objects).unwrap();
    std::fs::write(&objects, "not a folder").unwrap();
    let output = place.run(&["doctor"], &[]);
    let report = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{report}");
    assert!(report.contains("fail  files: ") && report.contains("check that folder or bucket"), "{report}");
}

fn bucket<'a>(s3: &'a S3, endpoint: &'a str, name: &'a str) -> Vec<(&'static str, &'a str)> {
    vec![
        ("PANDO_OBJECTS__S3__BUCKET", name),
        ("PANDO_OBJECTS__S3__ENDPOINT", endpoint),
        ("PANDO_OBJECTS__S3__ACCESS_KEY", s3.access_key()),
        ("PANDO_OBJECTS__S3__SECRET_KEY", s3.secret_key()),
        ("PANDO_OBJECTS__S3__RETRIES", "1"),
    ]
}
