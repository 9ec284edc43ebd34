//! Workers that die, freeze and stop.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pando_clock::{Clock, Timestamp};
use pando_database::{Database, Engine, Query, params};
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};
use uuid::Uuid;

use super::{House, PATIENCE, WRITE, call, defaults, note, open, write};
use crate::{Job, JobContext, JobError, JobState, QueueError, QueueOptions, Worker};

static LEASE_UNTIL: Query =
    Query::scan("faults.lease_until", "select lease_until from queue_jobs where id = $1");

/// Quick to notice a silent worker.
fn hasty() -> QueueOptions {
    QueueOptions { heartbeat_ms: 50, lease_ms: 300, rescue_ms: 50, poll_ms: 100, ..defaults() }
}

pub(super) async fn exercise(fresh: &impl AsyncFn() -> Database) {
    let real = async || House::new(fresh().await, Clock::system(), hasty()).await;
    the_jobs_of_a_dead_worker_are_rescued(&real().await).await;
    a_zombie_can_commit_nothing(&real().await).await;
    // Whoever must not lose a lease has one that outlasts any delay of this machine.
    let lasting = || QueueOptions { lease_ms: 20_000, ..hasty() };
    let calm = async || House::new(fresh().await, Clock::system(), lasting()).await;
    long_jobs_keep_their_lease(&calm().await).await;
    a_stop_finishes_or_hands_back(&calm().await).await;
    a_busy_writer_takes_no_job_away(&House::new(fresh().await, Clock::system(), brisk()).await).await;
    a_save_renews_the_lease(&House::scripted(fresh().await, hasty()).await).await;
    a_job_that_goes_on_begins_at_its_cursor(&House::scripted(fresh().await, hasty()).await).await;
    a_job_that_always_kills_its_worker_ends_dead(&House::scripted(fresh().await, hasty()).await).await;
}

async fn the_jobs_of_a_dead_worker_are_rescued(house: &House) {
    let doomed = open(house.queue.database(), &house.clock, hasty());
    let endless = house.kind("write", async |_, _, seen| {
        seen.push(Value::Null);
        std::future::pending().await
    });
    let worker = Worker::start(&doomed, endless);
    let id = house.add(Job::new("write", Value::Null)).await;
    house.reaches(id, JobState::Running).await;
    // Its tasks end with it, as they would with its process; nothing is handed back.
    drop(worker);
    let worker = Worker::start(&house.queue, house.kind("write", write));
    let job = house.reaches(id, JobState::Completed).await;
    assert_eq!(job.attempts, 2, "the lost attempt counts");
    assert_eq!(house.effects().await, (1, 1));
    worker.stop(Duration::from_secs(5)).await;
}

/// An attempt freezes until another has the job, and goes on then.
async fn a_zombie_can_commit_nothing(house: &House) {
    let (frozen, thaw) = (open(house.queue.database(), &house.clock, hasty()), Arc::new(Notify::new()));
    let (told, mut zombie) = mpsc::unbounded_channel::<JobContext>();
    let freezes = house.kind("write", move |context, _, _| {
        let told = told.clone();
        async move {
            let _ = told.send(context);
            std::future::pending().await
        }
    });
    let worker = Worker::start(&frozen, freezes);
    let id = house.add(Job::new("write", Value::Null)).await;
    let context = zombie.recv().await.unwrap();
    drop(worker);
    let worker = Worker::start(&house.queue, house.kind("write", write));
    house.reaches(id, JobState::Completed).await;
    thaw.notify_one();
    assert_eq!(context.id(), id, "its side effects carry the same id");
    for way in 0..4 {
        let mut tx = context.database().transaction(&call()).await.unwrap();
        let refused = match way {
            0 => context.fence(&mut tx).await,
            1 => context.save(&mut tx, json!(1), None).await,
            2 => context.complete(&mut tx, Value::Null).await,
            _ => {
                // It has a transaction of its own, and a file one at a time.
                drop(tx);
                context.progress(json!(1)).await
            }
        };
        assert!(matches!(refused, Err(QueueError::FenceLost { .. })), "{way}: {refused:?}");
    }
    assert_eq!(house.effects().await, (1, 1));
    worker.stop(Duration::from_secs(5)).await;
}

async fn long_jobs_keep_their_lease(house: &House) {
    let go = Arc::new(Notify::new());
    let waiting = Arc::clone(&go);
    let registry = house.kind("long", move |_, _, seen| {
        let go = Arc::clone(&waiting);
        async move {
            go.notified().await;
            seen.push(Value::Null);
            Ok(Value::Null)
        }
    });
    let worker = Worker::start(&house.queue, registry);
    let id = house.add(Job::new("long", Value::Null)).await;
    house.reaches(id, JobState::Running).await;
    let mut until = lease_until(house, id).await;
    for _ in 0..3 {
        let renewed = async {
            while lease_until(house, id).await == until {
                tokio::task::yield_now().await;
            }
            lease_until(house, id).await
        };
        let renewed = tokio::time::timeout(PATIENCE, renewed).await.expect("it is renewed");
        assert!(renewed > until);
        until = renewed;
    }
    go.notify_one();
    assert_eq!(house.reaches(id, JobState::Completed).await.attempts, 1);
    assert_eq!(house.seen.len(), 1);
    worker.stop(Duration::from_secs(5)).await;
}

async fn lease_until(house: &House, id: Uuid) -> Timestamp {
    let call = call();
    let row = house.queue.database().read_primary(&call).row(&LEASE_UNTIL, params![id]).await;
    row.unwrap().unwrap().get(0).unwrap()
}

async fn a_stop_finishes_or_hands_back(house: &House) {
    let go = Arc::new(Notify::new());
    let waiting = Arc::clone(&go);
    let registry = house.kind("mixed", move |_, payload, _| {
        let go = Arc::clone(&waiting);
        async move {
            match payload.as_str() {
                Some("short") => go.notified().await,
                _ => std::future::pending().await,
            }
            Ok(json!("done"))
        }
    });
    let worker = Worker::start(&house.queue, registry);
    let (short, long) = (
        house.add(Job::new("mixed", json!("short"))).await,
        house.add(Job::new("mixed", json!("long"))).await,
    );
    house.reaches(short, JobState::Running).await;
    house.reaches(long, JobState::Running).await;
    let seen = async {
        // Free is who claims: from here on it finishes only.
        while house.queue.wakes().bell("default").free.load(Ordering::Acquire) {
            tokio::task::yield_now().await;
        }
        go.notify_one();
    };
    let (stopped, ()) = tokio::join!(worker.stop(Duration::from_secs(2)), seen);
    assert_eq!((stopped.finished, stopped.handed_back), (1, 1));
    assert_eq!(house.find(short).await.state, JobState::Completed);
    let job = house.find(long).await;
    assert_eq!((job.state, job.attempts), (JobState::Pending, 0), "the attempt does not count");
    let worker = Worker::start(&house.queue, house.kind("mixed", note));
    assert_eq!(house.reaches(long, JobState::Completed).await.attempts, 1);
    worker.stop(Duration::from_secs(5)).await;
}

fn brisk() -> QueueOptions {
    QueueOptions { lease_ms: 1_000, ..hasty() }
}

/// On a file nobody else writes while a transaction does: no heartbeat, and no rescue either.
async fn a_busy_writer_takes_no_job_away(house: &House) {
    if house.queue.database().engine() != Engine::Sqlite {
        return;
    }
    let go = Arc::new(Notify::new());
    let waiting = Arc::clone(&go);
    let registry = house.kind("long", move |_, _, _| {
        let go = Arc::clone(&waiting);
        async move {
            go.notified().await;
            Ok(Value::Null)
        }
    });
    let worker = Worker::start(&house.queue, registry);
    let id = house.add(Job::new("long", Value::Null)).await;
    house.reaches(id, JobState::Running).await;
    let mut tx = house.queue.database().transaction(&call()).await.unwrap();
    tx.execute(&WRITE, params![id, id, 1_i64]).await.unwrap();
    // Longer than a lease, and than a heartbeat waits for the writer: that is what the transaction is here for.
    tokio::time::sleep(Duration::from_secs(3)).await;
    tx.commit().await.unwrap();
    go.notify_one();
    assert_eq!(house.reaches(id, JobState::Completed).await.attempts, 1);
    worker.stop(Duration::from_secs(5)).await;
}

/// While the transaction is open, the row is locked, and no heartbeat can renew the lease.
async fn a_save_renews_the_lease(house: &House) {
    let other = open(house.queue.database(), &house.clock, hasty());
    let registry = house.kind("steps", move |context: JobContext, _, seen| {
        let other = other.clone();
        async move {
            context.clock().advance(Duration::from_millis(290));
            let mut tx = context.database().transaction(context.call()).await?;
            context.save(&mut tx, json!(1), None).await?;
            tx.commit().await?;
            context.clock().advance(Duration::from_millis(290));
            seen.push(json!(other.rescue().await?));
            Ok(Value::Null)
        }
    });
    let id = house.add(Job::new("steps", Value::Null)).await;
    house.queue.run_until_idle(&registry).await.unwrap();
    assert_eq!(house.seen.all(), [json!(0)], "it is not taken back");
    assert_eq!(house.find(id).await.attempts, 1);
}

async fn a_job_that_goes_on_begins_at_its_cursor(house: &House) {
    let registry = house.kind("steps", async |context: JobContext, _, seen| {
        let from: i64 = context.cursor().unwrap_or(0);
        for step in from..6 {
            let mut tx = context.database().transaction(context.call()).await?;
            tx.execute(&WRITE, params![context.clock().fresh_id(), context.id(), step]).await?;
            context.save(&mut tx, json!(step + 1), Some(json!({"done": step + 1}))).await?;
            tx.commit().await?;
            if step == 3 && context.attempt() == 1 {
                return Err(JobError::retry_after(Duration::ZERO, "interrupted"));
            }
        }
        seen.push(json!(from));
        Ok(Value::Null)
    });
    let id = house.add(Job::new("steps", Value::Null)).await;
    house.queue.run_until_idle(&registry).await.unwrap();
    assert_eq!(house.seen.all(), [json!(4)]);
    assert_eq!(house.effects().await, (6, 1), "no step twice");
    assert_eq!(house.find(id).await.progress, Some(json!({"done": 6})));
}

async fn a_job_that_always_kills_its_worker_ends_dead(house: &House) {
    let id = house.add(Job { attempts_max: 3, ..Job::new("note", Value::Null) }).await;
    for attempt in 1..=3 {
        let kinds = ["note".to_owned()];
        let mut tenant = String::new();
        let claimer = crate::claim::Claimer {
            queue: "default",
            kinds: &kinds,
            count: 1,
            looks: true,
            tenant: &mut tenant,
        };
        let turn = house.queue.claim(claimer).await.unwrap();
        assert_eq!(turn.claimed[0].attempts, attempt);
        assert_eq!(house.queue.rescue().await.unwrap(), 0, "its lease has not run out");
        house.clock.advance(Duration::from_millis(301));
        assert_eq!(house.queue.rescue().await.unwrap(), 1);
    }
    assert_eq!(house.find(id).await.state, JobState::Dead);
}
