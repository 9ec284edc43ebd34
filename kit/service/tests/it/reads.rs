//! Reads: from memory, and never older than the last write.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pando_cache::Source;
use pando_queue::{Outbox, Relay};
use pando_resilience::Call;
use pando_service::{CacheWrites, Class};
use serde_json::{Value, json};

use crate::{House, call, each_house};

#[tokio::test]
async fn a_new_thing_is_remembered_and_a_changed_one_is_read_again() {
    each_house(async |house| {
        let note = house.create(&call(), "oak").await.unwrap().value;
        let read = house.read(&call(), note.id).await.unwrap();
        assert_eq!((read.source(), read.version()), (Source::L1, 1));
        let answer: Value = serde_json::from_slice(&read.answer()).unwrap();
        assert_eq!(answer, json!({"note": note, "source": "cache"}));
        house.rename(&call(), note.id, "elm").await.unwrap();
        let read = house.read(&call(), note.id).await.unwrap();
        assert_eq!((read.source(), read.version()), (Source::Origin, 2));
        assert!(read.answer().ends_with(br#","source":"database"}"#));
        assert!(house.memory.recall(call().tenant(), &note.id.to_string(), None).is_some());
        let nobody = house.read(&call(), house.clock.fresh_id()).await.unwrap_err();
        assert_eq!(nobody.class(), Class::NotFound);
    })
    .await;
}

#[tokio::test]
async fn a_changed_thing_is_remembered_where_writes_refresh() {
    each_house(async |house| {
        let house = House::open(&house.database, CacheWrites::Refresh).await;
        let note = house.create(&call(), "oak").await.unwrap().value;
        house.rename(&call(), note.id, "elm").await.unwrap();
        let read = house.read(&call(), note.id).await.unwrap();
        assert_eq!((read.source(), read.version()), (Source::L1, 2));
    })
    .await;
}

#[tokio::test]
async fn a_token_makes_another_process_read_at_least_its_write() {
    each_house(async |house| {
        let other = House::open(&house.database, CacheWrites::Through).await;
        let note = house.create(&call(), "oak").await.unwrap().value;
        other.read(&call(), note.id).await.unwrap();
        let done = house.rename(&call(), note.id, "elm").await.unwrap();
        assert_eq!(other.read(&call(), note.id).await.unwrap().version(), 1, "it was not told");
        let consistent = Call { consistency: Some(done.token.to_string().into()), ..call() };
        assert_eq!(other.read(&consistent, note.id).await.unwrap().version(), 2);
        let invented = Call { consistency: Some("x".into()), ..call() };
        assert_eq!(other.read(&invented, note.id).await.unwrap_err().class(), Class::Malformed);
    })
    .await;
}

#[tokio::test]
async fn events_bring_another_process_up_to_the_writes() {
    each_house(async |house| {
        let other = House::open(&house.database, CacheWrites::Through).await;
        let note = house.create(&call(), "oak").await.unwrap().value;
        other.read(&call(), note.id).await.unwrap();
        let list = async |house: &House, text: &'static str| {
            let load = move |_| std::future::ready(Ok(text.as_bytes().to_vec()));
            house.memory.read_list(&call(), "all", load).await.unwrap().bytes().clone()
        };
        assert_eq!(list(&other, "old").await, "old");
        let outbox = Outbox::new(&other.queue, "notes");
        let relay = Relay::start(&outbox, vec![other.memory.subscriber()]).await.unwrap();
        house.rename(&call(), note.id, "elm").await.unwrap();
        let arrived = async {
            while other.read(&call(), note.id).await.unwrap().version() < 2 {
                tokio::task::yield_now().await;
            }
            while list(&other, "new").await != "new" {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), arrived).await.expect("the event arrives");
        relay.stop().await;
    })
    .await;
}

#[tokio::test]
async fn some_things_are_loaded_once_in_the_order_asked_for() {
    each_house(async |house| {
        let mut ids = Vec::new();
        for title in ["oak", "elm", "ash"] {
            ids.push(house.create(&call(), title).await.unwrap().value.id);
        }
        let unknown = house.clock.fresh_id();
        let asked = [ids[2], unknown, ids[0], ids[2]];
        let loads = Arc::new(AtomicUsize::new(0));
        let read = async || {
            let loads = loads.clone();
            let load = move |_, missing: Vec<uuid::Uuid>| {
                loads.fetch_add(missing.len(), Ordering::Relaxed);
                std::future::ready(Ok(missing.iter().map(|_| None).collect()))
            };
            house.memory.read_many(&call(), &asked, load).await.unwrap()
        };
        for _ in 0..2 {
            let titles: Vec<Value> = read()
                .await
                .iter()
                .map(|kept| {
                    serde_json::from_slice::<Value>(kept.value_named("note")).unwrap()["title"].take()
                })
                .collect();
            assert_eq!(titles, ["ash", "oak"]);
        }
        assert_eq!(loads.load(Ordering::Relaxed), 1, "only the unknown one, once");
    })
    .await;
}
