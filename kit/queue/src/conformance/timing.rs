//! The start of jobs: soon after the commit, and never before their moment.

use std::time::Duration;

use pando_clock::Clock;
use pando_database::Database;
use serde_json::{Value, json};

use super::{House, call, defaults, note, open};
use crate::{Job, JobState, QueueOptions, Schedule, Worker};

pub(super) async fn exercise(fresh: &impl AsyncFn() -> Database) {
    nothing_begins_before_its_moment(&House::scripted(fresh().await, defaults()).await).await;
    schedules_bring_one_job_each_time(&House::scripted(fresh().await, defaults()).await).await;
    an_idle_worker_is_woken_and_begins_when_it_is_time(
        &House::new(fresh().await, Clock::system(), woken()).await,
    )
    .await;
    a_worker_elsewhere_is_woken(&House::new(fresh().await, Clock::system(), defaults()).await).await;
}

/// Whose workers look so seldom by themselves that what begins within the suite's patience was told to.
fn woken() -> QueueOptions {
    QueueOptions { poll_ms: 60_000, ..defaults() }
}

async fn nothing_begins_before_its_moment(house: &House) {
    let registry = house.kind("note", note);
    let due = house.clock.now().plus_micros(1_000_000);
    let id = house.add(Job { run_at: Some(due), ..Job::new("note", Value::Null) }).await;
    assert_eq!(house.find(id).await.state, JobState::Scheduled);
    house.clock.advance(Duration::from_micros(999_999));
    assert_eq!(house.queue.run_until_idle(&registry).await.unwrap(), 0);
    house.clock.advance(Duration::from_micros(1));
    assert_eq!(house.find(id).await.state, JobState::Pending, "due, though nobody looked");
    assert_eq!(house.queue.run_until_idle(&registry).await.unwrap(), 1);
}

/// Two processes that look at the same moments.
async fn schedules_bring_one_job_each_time(house: &House) {
    let registry = house.kind("note", note);
    let other = open(house.queue.database(), &house.clock, defaults());
    let schedules = || {
        let job = Job::new("note", Value::Null);
        vec![Schedule { name: "often".into(), expression: "*/5 * * * *".into(), job }]
    };
    let fire = async || {
        let (one, two) = futures_util::future::join(
            house.queue.fire_schedules(schedules()),
            other.fire_schedules(schedules()),
        )
        .await;
        one.unwrap() + two.unwrap()
    };
    assert_eq!(fire().await, 0, "it begins with its next moment");
    for (minutes, jobs) in [(4, 0), (1, 1), (0, 0), (5, 1), (60, 1), (1, 0)] {
        house.clock.advance(Duration::from_secs(minutes * 60));
        assert_eq!(fire().await, jobs, "{minutes} minutes later");
        assert_eq!(house.queue.run_until_idle(&registry).await.unwrap(), jobs);
    }
    let never = Schedule { expression: "0 0 30 2 *".into(), ..schedules().remove(0) };
    assert!(house.queue.fire_schedules(vec![never]).await.is_err());
}

async fn an_idle_worker_is_woken_and_begins_when_it_is_time(house: &House) {
    let worker = Worker::start(&house.queue, house.kind("note", note));
    for delay_ms in [0, 120, 0, 250] {
        let due = house.clock.now().plus_micros(delay_ms * 1_000);
        let id = house.add(Job { run_at: Some(due), ..Job::new("note", json!(delay_ms)) }).await;
        let job = house.reaches(id, JobState::Completed).await;
        assert!(job.started_at.unwrap() >= due, "{job:?}");
    }
    worker.stop(Duration::from_secs(5)).await;
}

/// On SQLite, and behind a pooler, another process is not told: it looks each second.
async fn a_worker_elsewhere_is_woken(house: &House) {
    let told = !house.queue.database().channel("told").sender().is_silent();
    let elsewhere = open(house.queue.database(), &house.clock, if told { woken() } else { defaults() });
    let worker = Worker::start(&elsewhere, house.kind("note", note));
    for _ in 0..3 {
        let id = house.add(Job::new("note", Value::Null)).await;
        house.reaches(id, JobState::Completed).await;
    }
    let mut tx = house.queue.database().transaction(&call()).await.unwrap();
    let ids = house.queue.enqueue_many(&mut tx, vec![Job::new("note", Value::Null)]).await.unwrap();
    tx.commit().await.unwrap();
    house.reaches(ids[0], JobState::Completed).await;
    worker.stop(Duration::from_secs(5)).await;
}
