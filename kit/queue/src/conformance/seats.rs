//! Jobs that begin where they were enqueued: at once, and no sooner than they exist.

use std::sync::Arc;
use std::time::Duration;

use pando_clock::Clock;
use pando_database::{Database, Transaction, params};
use serde_json::Value;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{House, WRITE, call, defaults, note, open};
use crate::{Job, JobState, QueueOptions, Registry, Worker};

pub(super) async fn exercise(fresh: &impl AsyncFn() -> Database) {
    let house = async |options| House::new(fresh().await, Clock::system(), options).await;
    a_job_begins_where_a_worker_is_free(&house(alone(true)).await, true).await;
    a_job_begins_where_a_worker_is_free(&house(alone(false)).await, false).await;
    a_pause_is_heard(&house(alone(true)).await).await;
    what_is_rolled_back_gives_its_seat_back(&house(alone(true)).await).await;
    a_worker_that_stopped_meanwhile_lets_others_have_the_job(&house(alone(true)).await).await;
    let looking = || QueueOptions { poll_ms: 20, ..alone(true) };
    an_open_transaction_does_not_keep_others_waiting(&house(looking()).await).await;
    a_stream_of_own_jobs_lets_others_have_their_turn(&house(looking()).await).await;
    who_leaves_during_the_commit_leaves_the_job_to_its_worker(&house(alone(true)).await).await;
}

/// One job at a time, and nobody looks for more within the suite's patience unless he is told to.
fn alone(hand_over: bool) -> QueueOptions {
    QueueOptions { concurrency: 1, poll_ms: 60_000, hand_over, ..defaults() }
}

/// A kind whose jobs end when they are let.
fn held(house: &House) -> (Registry, Arc<Semaphore>) {
    let permits = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&permits);
    let registry = house.kind("note", move |_, payload, seen| {
        let permits = Arc::clone(&waiting);
        async move {
            seen.push(payload);
            permits.acquire().await.expect("it stays open").forget();
            Ok(Value::Null)
        }
    });
    (registry, permits)
}

/// Adds a job when the worker has a seat free: before its first look is over it has none.
async fn add_when_free(house: &House) -> Uuid {
    seat_is_free(house, true).await;
    house.add(Job::new("note", Value::Null)).await
}

/// Begins a transaction with a job that has a seat for certain: a hint from afar makes the worker look again, and
/// then there is none for a moment.
async fn begin_with_seat(house: &House) -> (Transaction, Uuid) {
    let job = Job::new("note", Value::Null);
    let free = async {
        loop {
            match house.queue.seat_for(&job) {
                Some(seat) => return seat,
                None => tokio::task::yield_now().await,
            }
        }
    };
    let seat = tokio::time::timeout(super::PATIENCE, free).await.expect("there is one");
    let mut tx = house.queue.database().transaction(&call()).await.expect("a transaction");
    let id = house.queue.hand_over(&mut tx, job, seat).id;
    (tx, id)
}

async fn add_to_seat(house: &House) -> Uuid {
    let (tx, id) = begin_with_seat(house).await;
    tx.commit().await.expect("it is committed");
    id
}

async fn seat_is_free(house: &House, free: bool) {
    let look = async {
        while house.queue.seat_for(&Job::new("note", Value::Null)).is_some() != free {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(super::PATIENCE, look).await.expect("the runner says so");
}

async fn a_job_begins_where_a_worker_is_free(house: &House, hand_over: bool) {
    let (registry, permits) = held(house);
    let worker = Worker::start(&house.queue, registry);
    let first =
        if hand_over { add_to_seat(house).await } else { house.add(Job::new("note", Value::Null)).await };
    let job = house.reaches(first, JobState::Running).await;
    assert_eq!((job.attempts, job.run_at), (1, job.created_at));
    if hand_over {
        assert_eq!(job.started_at, Some(job.created_at), "it was never anything else");
    }
    seat_is_free(house, false).await;
    let second = house.add(Job::new("note", Value::Null)).await;
    assert_eq!(house.find(second).await.state, JobState::Pending, "there is one seat");
    permits.add_permits(2);
    for id in [first, second] {
        assert_eq!(house.reaches(id, JobState::Completed).await.attempts, 1);
    }
    // What asks for an order is claimed in that order.
    permits.add_permits(1);
    let ordered = house.add(Job { lane: Some("one".into()), ..Job::new("note", Value::Null) }).await;
    house.reaches(ordered, JobState::Completed).await;
    worker.stop(Duration::from_secs(5)).await;
    assert_eq!(house.seen.len(), 3);
}

async fn a_pause_is_heard(house: &House) {
    let worker = Worker::start(&house.queue, house.kind("note", note));
    seat_is_free(house, true).await;
    house.queue.pause(&call(), "default").await.expect("it is paused");
    let id = add_when_free(house).await;
    let job = house.find(id).await;
    assert_eq!((job.state, job.attempts, job.started_at), (JobState::Pending, 0, None));
    house.queue.resume(&call(), "default").await.expect("it goes on");
    assert_eq!(house.reaches(id, JobState::Completed).await.attempts, 1);
    worker.stop(Duration::from_secs(5)).await;
}

async fn what_is_rolled_back_gives_its_seat_back(house: &House) {
    let worker = Worker::start(&house.queue, house.kind("note", note));
    for commits in [false, true] {
        seat_is_free(house, true).await;
        let mut tx = house.queue.database().transaction(&call()).await.expect("a transaction");
        let id =
            house.queue.enqueue(&mut tx, Job::new("note", Value::Null)).await.expect("it is enqueued").id;
        assert!(house.queue.seat_for(&Job::new("note", Value::Null)).is_none(), "it is taken");
        assert_eq!(house.seen.len(), 0, "it does not exist yet");
        if commits {
            tx.commit().await.expect("it is committed");
            house.reaches(id, JobState::Completed).await;
        } else {
            tx.rollback().await.expect("it is rolled back");
            assert!(house.queue.find(&call(), id).await.expect("it is read").is_none());
        }
    }
    worker.stop(Duration::from_secs(5)).await;
}

async fn a_worker_that_stopped_meanwhile_lets_others_have_the_job(house: &House) {
    let worker = Worker::start(&house.queue, house.kind("note", note));
    seat_is_free(house, true).await;
    let mut tx = house.queue.database().transaction(&call()).await.expect("a transaction");
    let id = house.queue.enqueue(&mut tx, Job::new("note", Value::Null)).await.expect("it is enqueued").id;
    worker.stop(Duration::from_secs(5)).await;
    tx.commit().await.expect("it is committed");
    let job = house.reaches(id, JobState::Pending).await;
    assert_eq!((job.attempts, house.seen.len()), (0, 0), "the attempt does not count");
    let elsewhere = open(house.queue.database(), &house.clock, defaults());
    let worker = Worker::start(&elsewhere, house.kind("note", note));
    assert_eq!(house.reaches(id, JobState::Completed).await.attempts, 1);
    worker.stop(Duration::from_secs(5)).await;
}

/// Enqueues where no worker is, and tells nobody who has one.
async fn add_elsewhere(house: &House, payload: Value) -> Uuid {
    let elsewhere = open(house.queue.database(), &house.clock, defaults());
    let mut tx = elsewhere.database().transaction(&call()).await.expect("a transaction");
    let id = elsewhere.enqueue(&mut tx, Job::new("note", payload)).await.expect("it is enqueued").id;
    tx.commit().await.expect("it is committed");
    id
}

async fn an_open_transaction_does_not_keep_others_waiting(house: &House) {
    let worker = Worker::start(&house.queue, house.kind("note", note));
    let (tx, own) = begin_with_seat(house).await;
    for _ in 0..3 {
        let other = add_elsewhere(house, Value::Null).await;
        assert_eq!(house.reaches(other, JobState::Completed).await.attempts, 1);
    }
    tx.commit().await.expect("it is committed");
    assert_eq!(house.reaches(own, JobState::Completed).await.attempts, 1);
    worker.stop(Duration::from_secs(5)).await;
    assert_eq!(house.seen.len(), 4, "each ran once");
}

async fn a_stream_of_own_jobs_lets_others_have_their_turn(house: &House) {
    let worker = Worker::start(&house.queue, house.kind("note", note));
    seat_is_free(house, true).await;
    let stream = async || {
        loop {
            house.add(Job { priority: 9, ..Job::new("note", Value::Null) }).await;
        }
    };
    let others = async {
        for _ in 0..3 {
            let other = add_elsewhere(house, Value::Bool(true)).await;
            house.reaches(other, JobState::Completed).await;
        }
    };
    tokio::select! {
        () = others => {}
        () = stream() => {}
        () = stream() => {}
    }
    worker.stop(Duration::from_secs(5)).await;
}

async fn who_leaves_during_the_commit_leaves_the_job_to_its_worker(house: &House) {
    let worker = Worker::start(&house.queue, house.kind("note", note));
    for round in 0..3 {
        let (mut tx, id) = begin_with_seat(house).await;
        // While it is not SQLite's writer's turn, the commit could be given up.
        tx.execute(&WRITE, params![Uuid::from_u128(round), id, 1_i64]).await.expect("it is written");
        let mut commit = Box::pin(tx.commit());
        let _ = futures_util::poll!(&mut commit);
        drop(commit);
        let exists = async {
            while house.queue.find(&call(), id).await.expect("it is read").is_none() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(super::PATIENCE, exists).await.expect("it is committed");
        assert_eq!(house.reaches(id, JobState::Completed).await.attempts, 1, "nobody had to rescue it");
    }
    worker.stop(Duration::from_secs(5)).await;
}
