//! The processes that are killed: this test binary once more, told what to be.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pando_clock::Clock;
use pando_database::testing::TestDatabase;
use pando_database::{Database, DatabaseOptions, Secret};
use pando_queue::{Queue, QueueOptions, QueueParts, Worker};
use pando_telemetry::Metrics;
use serde::{Deserialize, Serialize};

use super::stream::{enqueue_some, registry};

/// Tells a process of this test binary what it is, and where it works.
const DOOMED: &str = "PANDO_QUEUE_TEST_DOOMED";
/// How fast the stream of jobs is.
const ENQUEUE_EVERY: Duration = Duration::from_millis(10);

/// What a process does.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) enum Role {
    Server,
    Worker,
}

/// Where the processes work.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Place {
    /// The file, or the server and its database.
    sqlite: Option<PathBuf>,
    postgres: Option<(String, String)>,
    /// Where servers write what they asked for, and what they were promised.
    pub(super) journal: PathBuf,
}

impl Place {
    pub(super) fn on(test: &TestDatabase) -> Self {
        let journal = tempfile::Builder::new().prefix("pando-journal-").tempfile().unwrap();
        let options = &test.options;
        let url = options.url.as_ref().map(|url| url.expose().to_owned());
        Self {
            sqlite: url.is_none().then(|| options.sqlite.path.clone()),
            postgres: url.zip(options.database.clone()),
            journal: journal.into_temp_path().keep().unwrap(),
        }
    }

    fn database(&self) -> DatabaseOptions {
        let mut options = DatabaseOptions::default();
        if let Some(path) = &self.sqlite {
            options.sqlite.path.clone_from(path);
        }
        if let Some((url, database)) = &self.postgres {
            (options.url, options.database) = (Some(Secret::new(url.clone())), Some(database.clone()));
        }
        options
    }

    /// Quick to take back what a dead worker had, and full before the workers cannot keep up.
    fn queue(&self) -> QueueOptions {
        QueueOptions {
            heartbeat_ms: 50,
            lease_ms: 250,
            rescue_ms: 50,
            poll_ms: 100,
            depth_max: 300,
            ..QueueOptions::default()
        }
    }
}

/// A process that will be killed.
pub(super) struct Doomed(Child);

impl Doomed {
    pub(super) fn start(role: Role, place: &Place) -> Self {
        let told = serde_json::to_string(&(role, place)).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crashes::processes::one_works_until_it_is_killed", "--nocapture"])
            .env(DOOMED, told)
            // It ends with us, however we end: its end of this pipe tells it.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }

    /// Ends it with SIGKILL.
    pub(super) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// The process that is killed, when a test starts it; by itself it has nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_works_until_it_is_killed() {
    let Some(told) = variable(DOOMED) else { return };
    let (role, place): (Role, Place) = serde_json::from_str(&told).unwrap();
    let orphaned = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    let working = async {
        let queue = open(&place).await;
        match role {
            Role::Server => {
                // As a process does by default.
                let _worker = Worker::start(&queue, registry());
                serve(&queue, &place).await;
            }
            Role::Worker => {
                let _worker = Worker::start(&queue, registry());
                std::future::pending().await
            }
        }
    };
    tokio::select! {
        _ = orphaned => {}
        () = working => {}
    }
}

async fn open(place: &Place) -> Queue {
    let (clock, metrics) = (Clock::system(), Metrics::new());
    let database = loop {
        match Database::open(&place.database(), &metrics, &clock).await {
            Ok(database) => break database,
            // Killed as well, perhaps: tried again, as a supervisor would.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    Queue::new(QueueParts { database, clock, metrics }, place.queue()).unwrap()
}

/// Enqueues, for as long as it lives.
async fn serve(queue: &Queue, place: &Place) {
    let mut journal = OpenOptions::new().append(true).open(&place.journal).unwrap();
    // The one before may have died in the middle of a line.
    journal.write_all(b"\n").unwrap();
    let mut pace = tokio::time::interval(ENQUEUE_EVERY);
    loop {
        pace.tick().await;
        // Full, or the database is away: what was not committed was never promised, and the stream goes on.
        let _ = enqueue_some(queue, &mut journal).await;
    }
}

pub(super) fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "how a test run is set up")]
    std::env::var(name).ok()
}
