//! A database that is far away: each trip takes its time.

use std::time::Duration;

use pando_clock::Clock;
use pando_database::Secret;
use pando_database::testing::{TestDatabase, TestPostgres};
use pando_queue::{Job, JobKind, MIGRATIONS, Queue, QueueOptions, QueueParts, Registry, Worker};
use pando_resilience::Call;
use pando_telemetry::Metrics;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How long a trip takes, one way.
const FAR: Duration = Duration::from_millis(15);
const JOBS: usize = 500;

/// Five hundred ends of attempts, each with a result of its own. One round trip each would take fifteen seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_attempts_are_settled_together_though_the_database_is_far_away() {
    let mut test = TestDatabase::postgres().await;
    let near = test.open().await;
    near.migrate(&[MIGRATIONS]).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    pando_telemetry::spawn("test.distance", distance(listener, TestPostgres::shared().port()));
    test.options.url = Some(Secret::new(format!("postgres://postgres@127.0.0.1:{port}/postgres")));
    let database = test.open().await;
    let queue = |database| {
        let parts = QueueParts { database, clock: Clock::system(), metrics: Metrics::new() };
        Queue::new(parts, QueueOptions { concurrency: JOBS, ..QueueOptions::default() }).unwrap()
    };
    // The test itself looks from near: its looks would take more of the time than the worker.
    let (onlooker, queue) = (queue(near.clone()), queue(database));
    let call = Call::internal("test", Duration::from_secs(60));
    let mut tx = near.transaction(&call).await.unwrap();
    let jobs = (0..JOBS).map(|number| Job::new("double", json!(number))).collect();
    let ids = queue.enqueue_many(&mut tx, jobs).await.unwrap();
    tx.commit().await.unwrap();
    // All of them end at once, when the last one has begun.
    let all = std::sync::Arc::new(tokio::sync::Barrier::new(JOBS));
    let mut registry = Registry::default();
    registry
        .add(JobKind::new("double", move |_, payload| {
            let all = std::sync::Arc::clone(&all);
            async move {
                all.wait().await;
                Ok(json!(payload.as_u64().unwrap() * 2))
            }
        }))
        .unwrap();
    let worker = Worker::start(&queue, registry);
    let settled = async {
        for (number, id) in ids.iter().enumerate() {
            while onlooker.find(&call, *id).await.unwrap().unwrap().result.is_none() {
                // Nobody here is told: a look now and then.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            assert_eq!(onlooker.find(&call, *id).await.unwrap().unwrap().result, Some(json!(number * 2)));
        }
    };
    tokio::time::timeout(Duration::from_secs(14), settled).await.expect("all of them are settled");
    worker.stop(Duration::from_secs(5)).await;
}

/// Passes everything on, later.
async fn distance(listener: TcpListener, server: u16) {
    while let Ok((near, _)) = listener.accept().await {
        let far = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
        let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
        pando_telemetry::spawn("test.there", carry(near_in, far_out));
        pando_telemetry::spawn("test.back", carry(far_in, near_out));
    }
}

async fn carry(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin) {
    let mut bytes = vec![0; 1 << 20];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        // The distance itself: nothing is waited for.
        tokio::time::sleep(FAR).await;
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
