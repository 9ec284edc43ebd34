//! Events: published with their transaction or not at all, in order for each subject, from any position.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use pando_clock::Clock;
use pando_database::{Database, DatabaseError, Query, params};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};
use uuid::Uuid;

use super::{House, PATIENCE, call, defaults, open};
use crate::{Event, Outbox, Relay, Subscriber};

/// A row to lock: the subject.
const SUBJECT: Query =
    Query::write("effects.subject", "insert into effects (id, job_id, step) values ($1, $1, 0)");
const RAISE: Query =
    Query::write("effects.raise", "update effects set step = step + 1 where id = $1 returning step");

const SUBJECTS: usize = 5;
const VERSIONS: i64 = 30;
/// More than fit in three rows: the last one of the fourth was caused by somebody else, and has a fifth.
const MANY: i64 = 1_502;

pub(super) async fn exercise(fresh: &impl AsyncFn() -> Database) {
    let real = async || House::new(fresh().await, Clock::system(), defaults()).await;
    every_committed_event_arrives_once_and_in_order(&real().await).await;
    a_subscriber_goes_on_where_it_stopped(&real().await).await;
    many_events_share_rows_and_are_told_apart(&real().await).await;
    what_nobody_reads_is_swept(&real().await).await;
    one_that_hangs_keeps_nobody_waiting(&real().await).await;
    a_place_that_was_moved_meanwhile_is_obeyed(&real().await).await;
    super::readers::exercise(&real().await).await;
}

/// A delivery that never ends, beside others of the same relay and of another one.
async fn one_that_hangs_keeps_nobody_waiting(house: &House) {
    let outbox = Outbox::new(&house.queue, "effects");
    let (asked, mut hanging) = mpsc::unbounded_channel();
    let hangs = |asked: mpsc::UnboundedSender<Vec<Event>>| {
        Subscriber::durable("hangs", move |events| {
            let _ = asked.send(events);
            std::future::pending()
        })
    };
    let (healthy, mut events) = collects("healthy", true);
    let (local, mut here) = collects("here", false);
    let relay = Relay::start(&outbox, vec![hangs(asked), healthy, local]).await.unwrap();
    for version in 1..=VERSIONS {
        let mut tx = house.queue.database().transaction(&call()).await.unwrap();
        outbox.publish(&mut tx, &outbox.event("counted", "one", version, Value::Null)).unwrap();
        tx.commit().await.unwrap();
        assert_eq!(next(&mut events).await.version, version);
        assert_eq!(next(&mut here).await.version, version);
    }
    let given =
        tokio::time::timeout(PATIENCE, hanging.recv()).await.expect("it is asked").expect("the relay runs");
    assert_eq!(given[0].version, 1);
    assert!(hanging.try_recv().is_err(), "it has not come back from its first delivery");
    relay.stop().await;
    // One that takes too long is asked again, and given the same.
    let (asked, mut hanging) = mpsc::unbounded_channel();
    let relay = Relay::start(&outbox, vec![hangs(asked).within(Duration::from_millis(50))]).await.unwrap();
    for _ in 0..3 {
        let given = tokio::time::timeout(PATIENCE, hanging.recv()).await.expect("it is asked");
        assert_eq!(given.expect("the relay runs")[0].version, 1);
    }
    relay.stop().await;
}

/// A delivery under way does not undo what an operator did to the place of its subscriber.
async fn a_place_that_was_moved_meanwhile_is_obeyed(house: &House) {
    let outbox = Outbox::new(&house.queue, "effects");
    let (asked, mut given) = mpsc::unbounded_channel();
    let go = Arc::new(Semaphore::new(0));
    let waits = Arc::clone(&go);
    let subscriber = Subscriber::durable("slow", move |events: Vec<Event>| {
        let (asked, waits) = (asked.clone(), Arc::clone(&waits));
        async move {
            let _ = asked.send(events[0].version);
            waits.acquire().await.expect("it stays open").forget();
            Ok(())
        }
    });
    let relay = Relay::start(&outbox, vec![subscriber]).await.unwrap();
    let versions = async |given: &mut mpsc::UnboundedReceiver<i64>| {
        tokio::time::timeout(PATIENCE, given.recv()).await.expect("it is asked").expect("the relay runs")
    };
    for version in 1..=2 {
        let mut tx = house.queue.database().transaction(&call()).await.unwrap();
        outbox.publish(&mut tx, &outbox.event("counted", "one", version, Value::Null)).unwrap();
        tx.commit().await.unwrap();
        assert_eq!(versions(&mut given).await, version);
        if version == 2 {
            outbox.replay_after(&call(), "slow", 0).await.unwrap();
        }
        go.add_permits(1);
    }
    assert_eq!(versions(&mut given).await, 1, "it begins where it was put");
    go.add_permits(10);
    relay.stop().await;
}

/// A subscriber that hands its events on.
fn collects(name: &str, durable: bool) -> (Subscriber, mpsc::UnboundedReceiver<Event>) {
    let (given, events) = mpsc::unbounded_channel();
    let deliver = move |events: Vec<Event>| {
        let taken = events.into_iter().all(|event| given.send(event).is_ok());
        async move { if taken { Ok(()) } else { Err("nobody collects any more".to_owned()) } }
    };
    let subscriber =
        if durable { Subscriber::durable(name, deliver) } else { Subscriber::every_process(name, deliver) };
    (subscriber, events)
}

async fn next(events: &mut mpsc::UnboundedReceiver<Event>) -> Event {
    tokio::time::timeout(PATIENCE, events.recv()).await.expect("an event comes").expect("the relay runs")
}

/// Writers of the same subjects at once, every fourth of which rolls back; two relays, as in two processes.
async fn every_committed_event_arrives_once_and_in_order(house: &House) {
    let other = open(house.queue.database(), &house.clock, defaults());
    let (durable, mut once) = collects("once", true);
    let (local, mut here) = collects("here", false);
    let (durable_too, mut once_too) = collects("once", true);
    let outbox = Outbox::new(&house.queue, "effects");
    let relays = [
        Relay::start(&outbox, vec![durable, local]).await.unwrap(),
        Relay::start(&Outbox::new(&other, "effects"), vec![durable_too]).await.unwrap(),
    ];
    let subjects: Vec<Uuid> = (0..SUBJECTS).map(|_| house.clock.fresh_id()).collect();
    let mut tx = house.queue.database().transaction(&call()).await.unwrap();
    for subject in &subjects {
        tx.execute(&SUBJECT, params![*subject]).await.unwrap();
    }
    tx.commit().await.unwrap();
    join_all((0..4_usize).map(async |writer| {
        for round in 0..20 * SUBJECTS {
            let events = 2 - round % 2;
            raise(house, &outbox, subjects[(writer + round) % SUBJECTS], events, round % 4 != 3).await;
        }
    }))
    .await;
    // Of four rounds of a writer, three are committed: with two events, with one, with two.
    let expected = SUBJECTS * 100;
    let mut versions: HashMap<String, Vec<i64>> = HashMap::new();
    let mut mine: HashMap<String, Vec<i64>> = HashMap::new();
    for _ in 0..expected {
        let event = tokio::select! { event = next(&mut once) => event, event = next(&mut once_too) => event };
        versions.entry(event.subject).or_default().push(event.version);
        let event = next(&mut here).await;
        mine.entry(event.subject).or_default().push(event.version);
    }
    for subject in &subjects {
        let versions = &versions[&subject.to_string()];
        assert!(versions.is_sorted() && mine[&subject.to_string()].is_sorted(), "{versions:?}");
        assert_eq!(*versions, mine[&subject.to_string()]);
        let last = i64::try_from(versions.len()).unwrap();
        assert_eq!(*versions, (1..=last).collect::<Vec<_>>(), "none is missing");
    }
    assert!(once.is_empty() && once_too.is_empty() && here.is_empty());
    for relay in relays {
        relay.stop().await;
    }
}

/// Changes the subject and publishes its events. A turn at the writer of a busy file may take longer than a caller waits.
async fn raise(house: &House, outbox: &Outbox, subject: Uuid, count: usize, commits: bool) {
    while let Err(error) = try_raise(house, outbox, subject, count, commits).await {
        assert!(matches!(error, DatabaseError::PoolTimeout { .. }), "{error:?}");
    }
}

async fn try_raise(
    house: &House,
    outbox: &Outbox,
    subject: Uuid,
    count: usize,
    commits: bool,
) -> Result<(), DatabaseError> {
    let mut tx = house.queue.database().transaction(&call()).await?;
    let mut events = Vec::new();
    for _ in 0..count {
        let row = tx.row(&RAISE, params![subject]).await?.expect("it is there");
        events.push(outbox.event("raised", subject, row.get(0)?, Value::Null));
    }
    outbox.publish_all(&mut tx, &events).unwrap();
    if commits { tx.commit().await.map(drop) } else { tx.rollback().await }
}

async fn a_subscriber_goes_on_where_it_stopped(house: &House) {
    let outbox = Outbox::new(&house.queue, "effects");
    let publish = async |version: i64| {
        let mut tx = house.queue.database().transaction(&call()).await.unwrap();
        let event = outbox.event("counted", "one", version, json!({"v": version}));
        outbox.publish(&mut tx, &event).unwrap();
        tx.commit().await.unwrap();
    };
    let (subscriber, mut events) = collects("steady", true);
    let relay = Relay::start(&outbox, vec![subscriber]).await.unwrap();
    publish(1).await;
    assert_eq!(next(&mut events).await.version, 1);
    relay.stop().await;
    for version in 2..=VERSIONS {
        publish(version).await;
    }
    let lag = outbox.lag(&call()).await.unwrap();
    assert_eq!(lag[0].events, u64::try_from(VERSIONS - 1).unwrap());
    let (subscriber, mut events) = collects("steady", true);
    let relay = Relay::start(&outbox, vec![subscriber]).await.unwrap();
    for version in 2..=VERSIONS {
        assert_eq!(next(&mut events).await.version, version);
    }
    outbox.replay_after(&call(), "steady", VERSIONS - 2).await.unwrap();
    assert_eq!(next(&mut events).await.version, VERSIONS - 1);
    assert_eq!(next(&mut events).await.version, VERSIONS);
    relay.stop().await;
    assert_eq!(outbox.sweep(house.clock.now()).await.unwrap(), u64::try_from(VERSIONS).unwrap());
    let gone = outbox.read_after(&call(), 0, 10).await.unwrap();
    assert!(gone.is_empty());
    outbox.forget(&call(), "steady").await.unwrap();
    assert!(outbox.forget(&call(), "steady").await.is_err(), "it is forgotten");
}

async fn many_events_share_rows_and_are_told_apart(house: &House) {
    let outbox = Outbox::new(&house.queue, "effects");
    let (subscriber, mut events) = collects("patient", true);
    let relay = Relay::start(&outbox, vec![subscriber]).await.unwrap();
    let published: Vec<Event> = (0..MANY)
        .map(|number| {
            let event = outbox.event("counted", number % 3, number, json!({"n": number}));
            // The last one was caused by somebody else.
            Event { trace: (number == MANY - 1).then(|| "another".to_owned()), ..event }
        })
        .collect();
    let mut tx = house.queue.database().transaction(&call()).await.unwrap();
    outbox.publish_all(&mut tx, &published).unwrap();
    outbox.publish_all(&mut tx, &[]).unwrap();
    tx.commit().await.unwrap();
    let first = &published[0];
    for again in [false, true] {
        for expected in &published {
            let event = next(&mut events).await;
            assert!(event.timestamp >= first.timestamp && event.timestamp <= expected.timestamp);
            assert_eq!(event, Event { timestamp: event.timestamp, ..expected.clone() }, "again: {again}");
            assert!(outbox.is_own(&event));
        }
        outbox.replay_after(&call(), "patient", 0).await.unwrap();
    }
    relay.stop().await;
    let page = outbox.read_after(&call(), 0, 1).await.unwrap();
    assert!(page.len() > 1 && page.iter().all(|(number, _)| *number == 1), "those of one row come together");
    let rows = outbox.read_after(&call(), 0, published.len()).await.unwrap();
    let numbers: HashSet<i64> = rows.iter().map(|(number, _)| *number).collect();
    assert_eq!((rows.len(), numbers.len()), (published.len(), 5));
    let other = open(house.queue.database(), &house.clock, defaults());
    assert!(!Outbox::new(&other, "effects").is_own(&rows[0].1));
}

async fn what_nobody_reads_is_swept(house: &House) {
    let outbox = Outbox::new(&house.queue, "effects");
    let mut tx = house.queue.database().transaction(&call()).await.unwrap();
    outbox.publish(&mut tx, &outbox.event("counted", "one", 1, Value::Null)).unwrap();
    tx.commit().await.unwrap();
    let later = house.clock.now().plus_micros(1);
    assert_eq!(outbox.sweep(house.clock.now().plus_micros(-3_600_000_000)).await.unwrap(), 0, "it is young");
    // Who subscribed is waited for.
    let relay = Relay::start(&outbox, vec![Subscriber::durable("slow", async |_| Err("no".to_owned()))]);
    relay.await.unwrap().stop().await;
    assert_eq!(outbox.sweep(later).await.unwrap(), 0);
    outbox.forget(&call(), "slow").await.unwrap();
    assert_eq!(outbox.sweep(later).await.unwrap(), 1);
}
