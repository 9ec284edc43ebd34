//! The order of jobs: priorities, lanes, limits, tenants, rates.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pando_clock::Clock;
use pando_database::Database;
use pando_resilience::Tenant;
use serde_json::{Value, json};

use super::{House, PATIENCE, call, defaults, note, open};
use crate::{Job, JobState, QueueOptions, SingleQueueOptions, Worker};

pub(super) async fn exercise(fresh: &impl AsyncFn() -> Database) {
    urgent_jobs_go_first(&House::scripted(fresh().await, defaults()).await).await;
    a_limit_over_all_processes_holds(fresh().await).await;
    tenants_take_turns(fresh().await).await;
    a_rate_is_kept_for_each_key(fresh().await).await;
    what_hangs_keeps_only_its_like_waiting(fresh().await).await;
}

/// Jobs of one kind take all the seats they can get, and are the most urgent there are.
async fn what_hangs_keeps_only_its_like_waiting(database: Database) {
    let mut options = QueueOptions { concurrency: 2, ..defaults() };
    options.kinds.insert("hangs".into(), "slow".into());
    let house = House::new(database, Clock::system(), options).await;
    let mut registry = house.kind("note", note);
    house.add_kind(&mut registry, "hangs", async |_, _, seen| {
        seen.push(json!("hangs"));
        std::future::pending().await
    });
    let worker = Worker::start(&house.queue, registry);
    let hangs = || Job { priority: 9, ..Job::new("hangs", Value::Null) };
    let mut tx = house.queue.database().transaction(&call()).await.unwrap();
    house.queue.enqueue_many(&mut tx, (0..20).map(|_| hangs()).collect()).await.unwrap();
    tx.commit().await.unwrap();
    let first = house.add(hangs()).await;
    assert_eq!(house.find(first).await.queue, "slow");
    let hanging = async {
        while house.seen.len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, hanging).await.expect("they begin");
    // What follows finds its queue as well.
    let then = vec![Job { priority: 0, ..Job::new("note", Value::Null) }];
    let id = house.add(Job { priority: 0, then, ..Job::new("note", Value::Null) }).await;
    house.reaches(id, JobState::Completed).await;
    let elsewhere = house.add(Job { queue: "another".into(), ..hangs() }).await;
    assert_eq!(house.find(elsewhere).await.queue, "another", "it was named");
    assert!(house.seen.all().iter().filter(|seen| **seen == json!("hangs")).count() <= 2);
    drop(worker);
}

fn with_queue(single: SingleQueueOptions) -> QueueOptions {
    let mut options = QueueOptions { concurrency: 8, ..defaults() };
    options.queues.insert("special".into(), single);
    options
}

fn special(payload: Value) -> Job {
    Job { queue: "special".into(), ..Job::new("note", payload) }
}

async fn urgent_jobs_go_first(house: &House) {
    for (priority, number) in [(5, 2), (0, 4), (9, 0), (5, 3), (9, 1)] {
        house.add(Job { priority, ..Job::new("note", json!(number)) }).await;
        house.clock.advance(Duration::from_millis(1));
    }
    house.queue.run_until_idle(&house.kind("note", note)).await.unwrap();
    assert_eq!(house.seen.all(), [json!(0), json!(1), json!(2), json!(3), json!(4)]);
}

async fn a_limit_over_all_processes_holds(database: Database) {
    let options =
        || with_queue(SingleQueueOptions { concurrency_total: Some(3), ..SingleQueueOptions::default() });
    let house = House::new(database, Clock::system(), options()).await;
    let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let registry = || {
        let (inside, most) = (Arc::clone(&inside), Arc::clone(&most));
        house.kind("note", move |_, _, seen| {
            let (inside, most) = (Arc::clone(&inside), Arc::clone(&most));
            async move {
                most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                // Long enough for others to come in, were they let.
                tokio::time::sleep(Duration::from_millis(5)).await;
                inside.fetch_sub(1, Ordering::SeqCst);
                seen.push(Value::Null);
                Ok(Value::Null)
            }
        })
    };
    let other = open(house.queue.database(), &house.clock, options());
    let workers = [Worker::start(&house.queue, registry()), Worker::start(&other, registry())];
    let mut tx = house.queue.database().transaction(&call()).await.unwrap();
    let jobs = (0..40).map(|number| special(json!(number))).collect();
    let ids = house.queue.enqueue_many(&mut tx, jobs).await.unwrap();
    tx.commit().await.unwrap();
    for id in ids {
        house.reaches(id, JobState::Completed).await;
    }
    assert!(most.load(Ordering::SeqCst) <= 3);
    for worker in workers {
        worker.stop(Duration::from_secs(5)).await;
    }
}

async fn tenants_take_turns(database: Database) {
    let options = with_queue(SingleQueueOptions { fair: true, ..SingleQueueOptions::default() });
    let house = House::scripted(database, options).await;
    for (tenant, count) in [("loud", 200), ("quiet", 5), ("small", 5)] {
        for _ in 0..count {
            house.add(Job { tenant: Tenant::stored(tenant), ..special(json!(tenant)) }).await;
        }
    }
    house.queue.run_until_idle(&house.kind("note", note)).await.unwrap();
    let seen = house.seen.all();
    let last = |tenant: &str| seen.iter().rposition(|it| it == tenant).unwrap();
    assert_eq!(seen.len(), 210);
    assert!(last("quiet") < 40 && last("small") < 40, "{} {}", last("quiet"), last("small"));
}

async fn a_rate_is_kept_for_each_key(database: Database) {
    let options =
        with_queue(SingleQueueOptions { rate_per_second: Some(2.0), ..SingleQueueOptions::default() });
    let house = House::scripted(database, options).await;
    let registry = house.kind("note", note);
    for key in ["a", "b"] {
        for _ in 0..6 {
            house.add(Job { rate_key: Some(key.into()), ..special(json!(key)) }).await;
        }
    }
    let mut after = Vec::new();
    for _ in 0..6 {
        house.queue.run_until_idle(&registry).await.unwrap();
        after.push(house.seen.len());
        house.clock.advance(Duration::from_millis(500));
    }
    assert_eq!(after, [2, 4, 6, 8, 10, 12], "two a second for each of two keys");
}
