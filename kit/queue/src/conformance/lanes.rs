//! Lanes: one job at a time, in the order of the commits, however the earlier jobs end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pando_clock::Clock;
use pando_database::{Database, MigrationSet, Query, params};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{House, PATIENCE, call, defaults, note, open};
use crate::claim::Claimer;
use crate::store::claim::Claimed;
use crate::{DeadSelection, Job, JobError, JobState, MIGRATIONS, QueueOptions, Registry, Worker};

/// Ends a job as its worker would, and dies before it says so to the lane.
const END: Query = Query::write(
    "lanes.end",
    "update queue_jobs set state = 'completed', lease = null, ended_at = $2 where id = $1",
);
/// A job as an earlier version wrote it.
const OLD: Query = Query::write(
    "lanes.old",
    "insert into queue_jobs (id, queue, kind, payload, priority, state, run_at, created_at, attempts, \
     attempts_max, cancel_requested, rate_granted, lane, lane_number) \
     values ($1, 'default', 'note', $2, 5, $3, $4, $4, 0, 25, false, false, $5, $6)",
);

pub(super) async fn exercise(fresh: &impl AsyncFn() -> Database) {
    let real = async || House::new(fresh().await, Clock::system(), unaided()).await;
    let scripted = async || House::scripted(fresh().await, defaults()).await;
    one_at_a_time_in_the_order_of_the_commits(&real().await).await;
    one_that_is_enqueued_while_the_first_ends_is_not_forgotten(&real().await).await;
    only_the_first_is_claimable(&scripted().await).await;
    the_next_goes_forward_however_the_first_ends(&scripted().await).await;
    a_process_that_dies_in_between_holds_nobody_up(&scripted().await).await;
    rows_of_an_earlier_version_find_their_place(fresh().await).await;
}

/// Nobody repairs a lane within the suite's patience.
fn unaided() -> QueueOptions {
    QueueOptions { concurrency: 8, rescue_ms: 60_000, ..defaults() }
}

fn in_lane(payload: Value) -> Job {
    Job { lane: Some("one".into()), ..Job::new("note", payload) }
}

async fn claim(house: &House) -> Vec<Claimed> {
    let (kinds, mut tenant) = (["note".to_owned()], String::new());
    let claimer = Claimer { queue: "default", kinds: &kinds, count: 10, looks: true, tenant: &mut tenant };
    house.queue.claim(claimer).await.expect("it is claimed").claimed
}

/// Two workers, many slots; one fails once and is retried before the next.
async fn one_at_a_time_in_the_order_of_the_commits(house: &House) {
    let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let registry = || {
        let (inside, most) = (Arc::clone(&inside), Arc::clone(&most));
        house.kind("note", move |context, payload, seen| {
            let (inside, most) = (Arc::clone(&inside), Arc::clone(&most));
            async move {
                most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                inside.fetch_sub(1, Ordering::SeqCst);
                if payload == json!(3) && context.attempt() == 1 {
                    return Err(JobError::retry_after(Duration::from_millis(30), "once"));
                }
                seen.push(payload);
                Ok(Value::Null)
            }
        })
    };
    let other = open(house.queue.database(), &house.clock, unaided());
    let workers = [Worker::start(&house.queue, registry()), Worker::start(&other, registry())];
    let mut last = None;
    for number in 0..20 {
        last = Some(house.add(in_lane(json!(number))).await);
    }
    house.reaches(last.expect("there is one"), JobState::Completed).await;
    assert_eq!(most.load(Ordering::SeqCst), 1, "nobody else was in the lane");
    assert_eq!(house.seen.all(), (0..20).map(|number| json!(number)).collect::<Vec<_>>());
    for worker in workers {
        worker.stop(Duration::from_secs(5)).await;
    }
}

/// A kind whose jobs end when they are let.
fn held(house: &House) -> (Registry, Arc<Semaphore>) {
    let permits = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&permits);
    let registry = house.kind("note", move |_, _, _| {
        let permits = Arc::clone(&waiting);
        async move {
            permits.acquire().await.expect("it stays open").forget();
            Ok(Value::Null)
        }
    });
    (registry, permits)
}

async fn one_that_is_enqueued_while_the_first_ends_is_not_forgotten(house: &House) {
    let (registry, permits) = held(house);
    let worker = Worker::start(&house.queue, registry);
    let mut before = house.add(in_lane(Value::Null)).await;
    house.reaches(before, JobState::Running).await;
    permits.add_permits(4);
    for _ in 0..3 {
        // Behind one that ends, on PostgreSQL before this is committed: on SQLite it has to wait.
        let mut tx = house.queue.database().transaction(&call()).await.expect("a transaction");
        let next = house.queue.enqueue(&mut tx, in_lane(Value::Null)).await.expect("it is enqueued").id;
        tx.execute(&super::WRITE, params![next, next, 1_i64]).await.expect("it is written");
        if house.queue.database().engine() == pando_database::Engine::Postgres {
            house.reaches(before, JobState::Completed).await;
        }
        tx.commit().await.expect("it is committed");
        before = next;
    }
    house.reaches(before, JobState::Completed).await;
    worker.stop(Duration::from_secs(5)).await;
}

async fn only_the_first_is_claimable(house: &House) {
    let (first, second) = (house.add(in_lane(json!(1))).await, house.add(in_lane(json!(2))).await);
    let later = house.clock.now().plus_micros(60_000_000);
    let third = house.add(Job { run_at: Some(later), ..in_lane(json!(3)) }).await;
    for (id, state) in [(first, JobState::Pending), (second, JobState::Pending), (third, JobState::Scheduled)]
    {
        assert_eq!(house.find(id).await.state, state, "whether it is first or not");
    }
    assert_eq!(house.queue.queues(&call()).await.expect("counted")[0].counts[&JobState::Pending], 3);
    let claimed = claim(house).await;
    assert_eq!(claimed.iter().map(|job| job.id).collect::<Vec<_>>(), [first]);
    assert!(claim(house).await.is_empty(), "the others are behind it");
}

async fn the_next_goes_forward_however_the_first_ends(house: &House) {
    let registry = house.kind("note", async |_, payload, seen| {
        seen.push(payload.clone());
        if payload == json!("dies") { Err(JobError::give_up("no")) } else { Ok(Value::Null) }
    });
    let mut ids = Vec::new();
    for payload in ["cancelled", "dies", "behind it", "cancelled too", "last"] {
        ids.push(house.add(in_lane(json!(payload))).await);
    }
    house.queue.cancel(&call(), ids[3]).await.expect("it is cancelled");
    house.queue.cancel(&call(), ids[0]).await.expect("it is cancelled");
    assert_eq!(house.queue.run_until_idle(&registry).await.expect("it runs"), 3);
    assert_eq!(house.seen.all(), [json!("dies"), json!("behind it"), json!("last")]);
    // What is brought back has its place at the end.
    let before = house.add(in_lane(json!("before"))).await;
    let redriven = house.queue.redrive(&call(), &DeadSelection::default(), None, false).await;
    assert_eq!(redriven.expect("it is brought back").redriven, 1);
    assert_eq!(claim(house).await.iter().map(|job| job.id).collect::<Vec<_>>(), [before]);
}

async fn a_process_that_dies_in_between_holds_nobody_up(house: &House) {
    let (first, second) = (house.add(in_lane(json!(1))).await, house.add(in_lane(json!(2))).await);
    assert_eq!(claim(house).await[0].id, first);
    // Where enqueuing looks at the lane as well, that look must not be the one that finds the next job.
    let at_rest = async {
        while !house.queue.moving_lanes().at_rest() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, at_rest).await.expect("nobody moves the lane");
    let mut tx = house.queue.database().transaction(&call()).await.expect("a transaction");
    tx.execute(&END, params![first, house.clock.now()]).await.expect("it is ended");
    tx.commit().await.expect("it is committed");
    assert!(claim(house).await.is_empty(), "the lane stands still");
    let names = ["default".to_owned(), "another".to_owned()];
    assert_eq!(house.queue.repair_lanes(&names).await.expect("it is repaired"), 1);
    assert_eq!(house.queue.repair_lanes(&names).await.expect("there is nothing left"), 0);
    assert_eq!(claim(house).await[0].id, second);
}

async fn rows_of_an_earlier_version_find_their_place(database: Database) {
    let earlier = MigrationSet { migrations: &MIGRATIONS.migrations[..3], ..MIGRATIONS };
    database.migrate(&[earlier]).await.expect("the earlier tables are made");
    let clock = Clock::system();
    let mut tx = database.transaction(&call()).await.expect("a transaction");
    for (number, state, lane) in [
        (1, "pending", Some("one")),
        (2, "pending", Some("one")),
        (3, "scheduled", Some("one")),
        (4, "running", Some("two")),
        (5, "pending", Some("two")),
        (6, "pending", None),
    ] {
        let id = Uuid::from_u128(u128::try_from(number).expect("a number"));
        let values = params![id, json!(number), state, clock.now(), lane, lane.map(|_| number)];
        tx.execute(&OLD, values).await.expect("it is written");
    }
    tx.commit().await.expect("it is committed");
    let house = House::new(database, clock, defaults()).await;
    let claimed: Vec<_> = claim(&house).await.into_iter().map(|job| job.payload).collect();
    assert_eq!(claimed, [json!(1), json!(6)]);
    let registry = house.kind("note", note);
    assert_eq!(house.queue.run_until_idle(&registry).await.expect("it runs"), 0, "the first ones run");
}
