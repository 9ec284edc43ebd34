//! Writes: once for each key, with their events, or not at all.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use pando_database::params;
use pando_resilience::Tenant;
use pando_service::{Class, Fault};

use crate::{COUNT, EVENTS, House, INSERT, call, each_house, keyed};

#[tokio::test]
async fn a_write_with_a_key_happens_once_and_its_repeats_get_its_value() {
    each_house(async |house| {
        let first = house.create(&keyed("r-1", "k", 1), "oak").await.unwrap();
        assert!(!first.replayed);
        let again = house.create(&keyed("r-2", "k", 1), "oak").await.unwrap();
        assert!(again.replayed && again.value == first.value);
        let other = house.create(&keyed("r-3", "k", 2), "elm").await.unwrap_err();
        assert_eq!((other.class(), &*other.errors()[0].code), (Class::Invalid, "reused"));
        assert_eq!((house.count(&COUNT).await, house.count(&EVENTS).await), (1, 1));
        // A read with the token of the repeat sees at least the first write.
        let consistent =
            pando_resilience::Call { consistency: Some(again.token.to_string().into()), ..call() };
        assert_eq!(house.read(&consistent, first.value.id).await.unwrap().version(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_refusal_is_kept_for_repeats_and_an_invalid_request_is_not() {
    each_house(async |house| {
        house.create(&call(), "oak").await.unwrap();
        let refused = house.create(&keyed("r-1", "taken", 1), "oak").await.unwrap_err();
        assert_eq!((refused.name(), refused.first_request()), ("title_taken", None));
        let note = house.create(&call(), "elm").await.unwrap().value;
        house.rename(&call(), note.id, "ash").await.unwrap();
        let again = house.create(&keyed("r-2", "taken", 1), "oak").await.unwrap_err();
        assert_eq!((again.class(), again.first_request()), (Class::Conflict, Some("r-1")));
        assert_eq!(again.detail(), refused.detail());

        let invalid = |call| {
            let house = house.clone();
            async move {
                let write = house.writes.once(&call, |turn| async move {
                    let _write = turn.begin().await?;
                    Err::<pando_service::Done<()>, _>(Fault::invalid(Vec::new()))
                });
                write.await
            }
        };
        assert_eq!(invalid(keyed("r-3", "free", 1)).await.unwrap_err().class(), Class::Invalid);
        assert!(!house.create(&keyed("r-4", "free", 1), "yew").await.unwrap().replayed);
    })
    .await;
}

#[tokio::test]
async fn a_hundred_at_once_with_one_key_are_one_write() {
    each_house(async |house| {
        let other = House::open(&house.database, pando_service::CacheWrites::Around).await;
        let all = (0..100).map(async |number: usize| {
            let house = if number.is_multiple_of(2) { &house } else { &other };
            loop {
                match house.create(&keyed(&number.to_string(), "crowd", 1), "oak").await {
                    Ok(done) => return done.value,
                    Err(fault) if fault.retry_after() == Some(1) => tokio::task::yield_now().await,
                    Err(fault) => panic!("{fault:?}"),
                }
            }
        });
        let values = join_all(all).await;
        assert!(values.iter().all(|value| *value == values[0]));
        assert_eq!((house.count(&COUNT).await, house.count(&EVENTS).await), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn a_write_that_fails_leaves_neither_rows_nor_events() {
    each_house(async |house| {
        let (call, id) = (call(), house.clock.fresh_id());
        let write = house.writes.once(&call, |turn| async move {
            let mut write = turn.begin().await?;
            write.tx.execute(&INSERT, params!["", id, "oak"]).await?;
            Err::<pando_service::Done<()>, _>(Fault::conflict("no"))
        });
        assert_eq!(write.await.unwrap_err().class(), Class::Conflict);
        assert_eq!((house.count(&COUNT).await, house.count(&EVENTS).await), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_patient_write_is_tried_again_when_a_unique_key_was_taken_in_between() {
    each_house(async |house| {
        let attempts = AtomicUsize::new(0);
        house.create(&call(), "0").await.unwrap();
        let (attempts, tried, call) = (&attempts, &house, keyed("r-1", "patient", 1));
        let write = house.writes.once_patiently(&call, |turn| async move {
            let title = attempts.fetch_add(1, Ordering::Relaxed).to_string();
            let mut write = turn.begin().await?;
            write.tx.execute(&INSERT, params!["", tried.clock.fresh_id(), title.as_str()]).await?;
            write.done(title)
        });
        assert_eq!(write.await.unwrap().value, "1");
        assert_eq!((attempts.load(Ordering::Relaxed), house.count(&COUNT).await), (2, 2));
    })
    .await;
}

#[tokio::test]
async fn the_outcome_about_a_person_can_be_replaced() {
    each_house(async |house| {
        let note = house.create(&keyed("r-1", "mine", 1), "oak").await.unwrap().value;
        let gone = pando_idempotency::Outcome::refusal(Fault::not_found("note").to_kept(None));
        let mut write = house.writes.begin(&call()).await.unwrap();
        let (tenant, subject) = (Tenant::default(), note.id.to_string());
        house.idempotency.replace(&mut write.tx, (&tenant, &subject), &gone).await.unwrap();
        write.end().await.unwrap();
        let again = house.create(&keyed("r-2", "mine", 1), "oak").await.unwrap_err();
        assert_eq!((again.class(), again.detail()), (Class::NotFound, "no such note"));
    })
    .await;
}
