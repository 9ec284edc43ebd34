//! A job exists only if its transaction commits, runs at least once, and has its effect once.

use std::time::Duration;

use futures_util::future::join_all;
use pando_clock::Clock;
use pando_database::Database;
use serde_json::{Value, json};

use super::{House, call, defaults, note, open, write};
use crate::{Job, JobState, QueueError, SingleQueueOptions, Unique, Worker};

pub(super) async fn exercise(fresh: &impl AsyncFn() -> Database) {
    only_a_commit_makes_a_job(&House::scripted(fresh().await, defaults()).await).await;
    workers_share_the_work(&House::new(fresh().await, Clock::system(), defaults()).await).await;
    a_key_is_held_as_long_as_its_scope_says(&House::scripted(fresh().await, defaults()).await).await;
    a_full_queue_says_so(fresh().await).await;
    a_queue_has_room_for_so_many_bytes(fresh().await).await;
    a_paused_queue_waits(&House::scripted(fresh().await, defaults()).await).await;
}

async fn only_a_commit_makes_a_job(house: &House) {
    let mut ids = Vec::new();
    for commits in [false, true] {
        let mut tx = house.queue.database().transaction(&call()).await.unwrap();
        ids.push(house.queue.enqueue(&mut tx, Job::new("note", json!(commits))).await.unwrap().id);
        let many = vec![Job::new("note", json!(commits)), Job::new("note", json!(commits))];
        house.queue.enqueue_many(&mut tx, many).await.unwrap();
        if commits {
            tx.commit().await.unwrap();
        } else {
            tx.rollback().await.unwrap();
        }
    }
    assert!(house.queue.find(&call(), ids[0]).await.unwrap().is_none());
    let registry = house.kind("note", note);
    assert_eq!(house.queue.run_until_idle(&registry).await.unwrap(), 3);
    assert_eq!(house.seen.all(), [json!(true), json!(true), json!(true)]);
    let job = house.find(ids[1]).await;
    assert_eq!((job.state, job.attempts), (JobState::Completed, 1));
    assert_eq!(house.queue.run_until_idle(&registry).await.unwrap(), 0, "nothing runs twice");
}

/// Two workers, each with a queue handle of its own as two processes would have.
async fn workers_share_the_work(house: &House) {
    const JOBS: usize = 300;
    let other = open(house.queue.database(), &house.clock, defaults());
    let workers = [
        Worker::start(&house.queue, house.kind("write", write)),
        Worker::start(&other, house.kind("write", write)),
    ];
    let ids = join_all((0..3).map(async |part| {
        let mut tx = house.queue.database().transaction(&call()).await.unwrap();
        let jobs = (0..JOBS / 3).map(|number| Job::new("write", json!([part, number]))).collect();
        let ids = house.queue.enqueue_many(&mut tx, jobs).await.unwrap();
        tx.commit().await.unwrap();
        ids
    }))
    .await
    .concat();
    for id in ids {
        assert_eq!(house.reaches(id, JobState::Completed).await.attempts, 1);
    }
    let jobs = i64::try_from(JOBS).unwrap();
    assert_eq!(house.effects().await, (jobs, jobs));
    for worker in workers {
        worker.stop(Duration::from_secs(5)).await;
    }
}

async fn a_key_is_held_as_long_as_its_scope_says(house: &House) {
    let registry = house.kind("note", note);
    let add = async |unique: Unique| {
        let mut tx = house.queue.database().transaction(&call()).await.unwrap();
        let job = Job { unique: Some(unique), ..Job::new("note", Value::Null) };
        let enqueued = house.queue.enqueue(&mut tx, job).await.unwrap();
        tx.commit().await.unwrap();
        enqueued
    };
    let live = || Unique::WhileLive("a".into());
    let first = add(live()).await;
    let second = add(live()).await;
    assert_eq!((first.fresh, second.fresh, second.id), (true, false, first.id));
    // Of another kind, the same key is another.
    let other = Job { unique: Some(live()), ..Job::new("other", Value::Null) };
    house.add(other).await;
    assert_eq!(house.queue.run_until_idle(&registry).await.unwrap(), 1);
    assert!(add(live()).await.fresh, "it ended");
    let window = || Unique::Within("b".into(), Duration::from_secs(60));
    assert!(add(window()).await.fresh);
    assert_eq!(house.queue.run_until_idle(&registry).await.unwrap(), 2);
    assert!(!add(window()).await.fresh, "it ended, but the window is open");
    house.clock.advance(Duration::from_secs(61));
    assert!(add(window()).await.fresh);
    assert!(add(Unique::WhileWaiting("c".into())).await.fresh);
    assert!(!add(Unique::WhileWaiting("c".into())).await.fresh);
}

async fn a_full_queue_says_so(database: Database) {
    let mut options = defaults();
    let single = SingleQueueOptions { depth_max: Some(3), ..SingleQueueOptions::default() };
    options.queues.insert("small".into(), single);
    let house = House::scripted(database, options).await;
    let job = || Job { queue: "small".into(), ..Job::new("note", Value::Null) };
    for _ in 0..3 {
        house.add(job()).await;
    }
    let mut tx = house.queue.database().transaction(&call()).await.unwrap();
    let refused = house.queue.enqueue(&mut tx, job()).await;
    assert!(matches!(refused, Err(QueueError::Full { depth: 3, depth_max: 3, .. })), "{refused:?}");
    let fine = house.queue.enqueue(&mut tx, Job::new("note", Value::Null)).await;
    assert!(fine.is_ok(), "other queues are not full, and the transaction goes on");
}

async fn a_queue_has_room_for_so_many_bytes(database: Database) {
    let mut options = defaults();
    let single = SingleQueueOptions { bytes_max: Some(10_000), ..SingleQueueOptions::default() };
    options.queues.insert("small".into(), single);
    let house = House::scripted(database, options).await;
    let job = || Job { queue: "small".into(), ..Job::new("note", json!("x".repeat(6_000))) };
    house.add(job()).await;
    let mut tx = house.queue.database().transaction(&call()).await.unwrap();
    let refused = house.queue.enqueue(&mut tx, job()).await;
    assert!(matches!(refused, Err(QueueError::Full { depth_max: 10_000, unit: "bytes", .. })), "{refused:?}");
    let small = house.queue.enqueue(&mut tx, Job { payload: json!(1), ..job() }).await;
    assert!(small.is_ok(), "there is room for a small one");
}

async fn a_paused_queue_waits(house: &House) {
    let registry = house.kind("note", note);
    house.queue.pause(&call(), "default").await.unwrap();
    house.add(Job::new("note", Value::Null)).await;
    assert_eq!(house.queue.run_until_idle(&registry).await.unwrap(), 0);
    let status = house.queue.queues(&call()).await.unwrap();
    assert_eq!((status[0].paused, status[0].counts[&JobState::Pending]), (true, 1));
    house.queue.resume(&call(), "default").await.unwrap();
    assert_eq!(house.queue.run_until_idle(&registry).await.unwrap(), 1);
}
