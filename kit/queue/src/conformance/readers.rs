//! Readers of the log: without any relay they get every committed event, and their place moves with their work.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use serde_json::Value;

use super::{COUNT, House, call};
use crate::{EventReader, Outbox};

/// How many write at the same time, and how many transactions each of them begins.
const WRITERS: i64 = 8;
const TRANSACTIONS: i64 = 24;
/// Small, so that there are many rounds.
const BATCH: usize = 7;

pub(super) async fn exercise(house: &House) {
    nothing_that_is_committed_is_skipped(house).await;
    a_place_moves_only_from_where_it_is(house).await;
    events_are_kept_until_they_are_read(house).await;
}

/// Reads one batch and moves the place behind it; nothing when there was none.
async fn step(house: &House, reader: &EventReader) -> Option<Vec<(String, i64)>> {
    let from = reader.enter(&call()).await.unwrap();
    let events = reader.read_after(&call(), from, BATCH).await.unwrap();
    let (to, _) = *events.last()?;
    let mut tx = house.queue.database().transaction(&call()).await.unwrap();
    assert!(reader.advance(&mut tx, from, to).await.unwrap());
    tx.commit().await.unwrap();
    Some(events.into_iter().map(|(_, event)| (event.subject, event.version)).collect())
}

async fn nothing_that_is_committed_is_skipped(house: &House) {
    let (outbox, left) = (Outbox::new(&house.queue, "effects"), AtomicUsize::new(8));
    let reader = outbox.reader("reader");
    let writers = (0..WRITERS).map(async |writer| {
        let mut committed = Vec::new();
        for version in 0..TRANSACTIONS {
            let mut tx = house.queue.database().transaction(&call()).await.unwrap();
            let event = outbox.event("counted", writer, version, Value::Null);
            outbox.publish(&mut tx, &event).unwrap();
            // The event is written here, so that a rollback leaves a gap.
            tx.row(&COUNT, []).await.unwrap();
            // Some leave a gap, and some take their time with the commit.
            if (writer + version) % 3 == 0 {
                tx.rollback().await.unwrap();
                continue;
            }
            tokio::task::yield_now().await;
            tx.commit().await.unwrap();
            committed.push((event.subject, version));
        }
        left.fetch_sub(1, Ordering::Relaxed);
        committed
    });
    let reading = async {
        let mut seen = Vec::new();
        loop {
            let over = left.load(Ordering::Relaxed) == 0;
            match step(house, &reader).await {
                Some(events) => seen.extend(events),
                None if over => return seen,
                None => tokio::task::yield_now().await,
            }
        }
    };
    let (committed, seen) = tokio::join!(join_all(writers), reading);
    let committed: HashSet<_> = committed.into_iter().flatten().collect();
    assert_eq!(seen.len(), committed.len(), "each of them once");
    assert_eq!(seen.into_iter().collect::<HashSet<_>>(), committed);
}

async fn a_place_moves_only_from_where_it_is(house: &House) {
    let outbox = Outbox::new(&house.queue, "effects");
    let reader = outbox.reader("reader");
    let from = reader.enter(&call()).await.unwrap();
    let mut tx = house.queue.database().transaction(&call()).await.unwrap();
    outbox.publish(&mut tx, &outbox.event("counted", "one", 1, Value::Null)).unwrap();
    tx.commit().await.unwrap();
    let to = reader.read_after(&call(), from, BATCH).await.unwrap()[0].0;
    // A transaction that is rolled back does not move the place.
    let mut tx = house.queue.database().transaction(&call()).await.unwrap();
    assert!(reader.advance(&mut tx, from, to).await.unwrap());
    tx.rollback().await.unwrap();
    assert_eq!(reader.enter(&call()).await.unwrap(), from);
    assert_eq!(reader.status(&call()).await.unwrap().unwrap().events, 1);
    for moves in [true, false] {
        let mut tx = house.queue.database().transaction(&call()).await.unwrap();
        assert_eq!(reader.advance(&mut tx, from, to).await.unwrap(), moves);
        tx.commit().await.unwrap();
    }
    let status = reader.status(&call()).await.unwrap().unwrap();
    assert_eq!((status.position, status.events, status.in_use), (to, 0, false));
    house.queue.uses_reader("reader");
    assert!(reader.status(&call()).await.unwrap().unwrap().in_use);
    assert_eq!(outbox.reader("another").status(&call()).await.unwrap(), None);
}

async fn events_are_kept_until_they_are_read(house: &House) {
    let outbox = Outbox::new(&house.queue, "effects");
    let reader = outbox.reader("late");
    assert_eq!(reader.enter(&call()).await.unwrap(), 0, "before the first event that is kept");
    let later = house.clock.now().plus_micros(1);
    assert_eq!(outbox.sweep(later).await.unwrap(), 0);
    while step(house, &reader).await.is_some() {}
    assert!(outbox.sweep(later).await.unwrap() > 0);
    assert_eq!(step(house, &reader).await, None);
}
