//! Reads by key that travel together: everybody gets their own answer.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use pando_database::testing::{TestDatabase, each_test_database};
use pando_database::{DatabaseError, KeyedQuery, OwnedQuery, Query, params};
use pando_resilience::Tenant;
use uuid::Uuid;

use crate::{call, create_notes, insert};

const BY_ID: KeyedQuery = KeyedQuery::new("notes.by_id", "select id, number from notes where id = any($1)");
const OF_OWNER: OwnedQuery =
    OwnedQuery::new("owned.by_id", "select id, owner, number from owned where owner = $2 and id = any($1)");
const BROKEN: KeyedQuery = KeyedQuery::new("notes.broken", "select id from no_such_notes where id = any($1)");

async fn with_notes(test: &mut TestDatabase, body: impl AsyncFn(&pando_database::Database, &[Uuid])) {
    let database = test.open().await;
    create_notes(&database).await;
    let ids: Vec<Uuid> = (0..200).map(|_| test.clock.fresh_id()).collect();
    for (number, id) in (0..).zip(&ids) {
        insert(&database, *id, number).await.unwrap();
    }
    body(&database, &ids).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_reader_gets_the_row_of_its_own_key() {
    each_test_database(async |test: &mut TestDatabase| {
        (test.options.reads.coalesce_keys_max, test.options.reads.coalesce_batches_max) = (7, 1);
        with_notes(test, async |database, ids| {
            let call = call();
            let read = async |number: usize| {
                // Every key three times, and as many that are not there.
                let found = database.read(&call).by_key(&BY_ID, ids[number % 200]).await.unwrap().unwrap();
                assert_eq!(found.get::<i64>(1).unwrap(), i64::try_from(number % 200).unwrap());
                let missing =
                    database.read(&call).by_key(&BY_ID, Uuid::from_u128(number as u128)).await.unwrap();
                assert!(missing.is_none());
            };
            join_all((0..600).map(read)).await;
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_goes_away_leaves_the_others_their_answers() {
    each_test_database(async |test: &mut TestDatabase| {
        test.options.reads.coalesce_batches_max = 1;
        with_notes(test, async |database, ids| {
            let call = call();
            let read = async |number: usize| {
                let reading = database.read(&call);
                let reading = reading.by_key(&BY_ID, ids[number % 200]);
                if number.is_multiple_of(3) {
                    // Polled once, so that it is on its way or waits, and then dropped.
                    let _ = tokio::time::timeout(Duration::ZERO, reading).await;
                } else {
                    assert!(reading.await.unwrap().is_some());
                }
            };
            join_all((0..600).map(read)).await;
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_batch_tells_everybody_and_a_wrong_key_only_its_reader() {
    each_test_database(async |test: &mut TestDatabase| {
        test.options.reads.coalesce_batches_max = 1;
        with_notes(test, async |database, ids| {
            let call = call();
            let broken = async |id: &Uuid| {
                let error = database.read(&call).by_key(&BROKEN, *id).await.unwrap_err();
                assert!(matches!(error, DatabaseError::Query { name: "notes.broken", .. }), "{error:?}");
            };
            join_all(ids.iter().map(broken)).await;
            let mixed = async |number: usize| {
                if number.is_multiple_of(10) {
                    // PostgreSQL refuses it, SQLite finds nothing.
                    assert!(!matches!(database.read(&call).by_key(&BY_ID, "no uuid").await, Ok(Some(_))));
                } else {
                    assert!(database.read(&call).by_key(&BY_ID, ids[number]).await.unwrap().is_some());
                }
            };
            join_all((0..200).map(mixed)).await;
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn one_text_may_be_read_by_a_key_and_by_a_list() {
    const SQL: &str = "select id, number from notes where id = any($1)";
    const ONE: KeyedQuery = KeyedQuery::new("notes.both", SQL);
    const LIST: Query = Query::point("notes.both", SQL);
    each_test_database(async |test: &mut TestDatabase| {
        with_notes(test, async |database, ids| {
            let call = call();
            let read = database.read(&call);
            for _ in 0..2 {
                assert!(read.by_key(&ONE, ids[3]).await.unwrap().is_some());
                assert_eq!(read.rows(&LIST, params![ids.to_vec()]).await.unwrap().len(), ids.len());
            }
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_began_and_looks_away_does_not_hold_up_the_others() {
    each_test_database(async |test: &mut TestDatabase| {
        test.options.reads.coalesce_batches_max = 1;
        with_notes(test, async |database, ids| {
            let call = call();
            let read = database.read(&call);
            let mut idle = Vec::new();
            for id in &ids[..20] {
                let mut reading = Box::pin(read.by_key(&BY_ID, *id));
                // On SQLite it is answered at once.
                let at_once = reading.as_mut().now_or_never();
                idle.extend(at_once.is_none().then_some((id, reading)));
            }
            let others = join_all(ids.iter().map(async |id| read.by_key(&BY_ID, *id).await.unwrap()));
            let found = tokio::time::timeout(Duration::from_secs(5), others).await.unwrap();
            assert!(found.iter().all(Option::is_some));
            for (id, reading) in idle {
                let row = reading.await.unwrap().unwrap();
                assert_eq!(row.get::<Uuid>(0).unwrap(), *id);
            }
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_does_not_fit_fails_alone() {
    const CREATE: Query = Query::write("small.create", "create table small (number integer primary key)");
    const FILL: Query = Query::write("small.fill", "insert into small (number) values ($1)");
    const SMALL: KeyedQuery =
        KeyedQuery::new("small.read", "select number from small where number = any($1)");
    each_test_database(async |test: &mut TestDatabase| {
        test.options.reads.coalesce_batches_max = 1;
        let database = test.open().await;
        let call = call();
        let mut transaction = database.transaction(&call).await.unwrap();
        transaction.execute(&CREATE, []).await.unwrap();
        for number in 0..50_i64 {
            transaction.execute(&FILL, params![number]).await.unwrap();
        }
        transaction.commit().await.unwrap();
        let read = async |number: i64| {
            let key = if number % 10 == 9 { i64::MAX } else { number };
            let found = database.read(&call).by_key(&SMALL, key).await;
            match key {
                // PostgreSQL's column cannot hold it, SQLite finds nothing.
                i64::MAX => {
                    assert!(matches!(found, Ok(None) | Err(DatabaseError::BadParameter { .. })), "{found:?}");
                }
                _ => assert!(found.unwrap().is_some()),
            }
        };
        join_all((0..50).map(read)).await;
    })
    .await;
}

/// Owners who ask for the same keys at the same time get each their own rows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_several_owners_never_mix() {
    const CREATE: Query = Query::write(
        "owned.create",
        "create table owned (owner text not null, id uuid not null, number bigint not null, primary key (owner, id))",
    );
    const PUT: Query = Query::write("owned.put", "insert into owned (owner, id, number) values ($1, $2, $3)");
    each_test_database(async |test: &mut TestDatabase| {
        (test.options.reads.coalesce_keys_max, test.options.reads.coalesce_batches_max) = (7, 1);
        let database = test.open().await;
        let owners: Vec<Tenant> = ["", "acme", "zoo"].map(Tenant::stored).into();
        let ids: Vec<Uuid> = (0..50).map(|_| test.clock.fresh_id()).collect();
        let mut tx = database.transaction(&call()).await.unwrap();
        tx.execute(&CREATE, []).await.unwrap();
        for (number, id) in (0_i64..).zip(&ids) {
            // The last owner has half of them.
            for owner in owners.iter().take(if number % 2 == 0 { 3 } else { 2 }) {
                tx.execute_later(&PUT, params![owner, *id, number]);
            }
        }
        tx.commit().await.unwrap();
        let call = call();
        let read = async |at: usize| {
            let (owner, number) = (&owners[at % 3], at / 3 % 50);
            let found = database.read(&call).by_key_of(&OF_OWNER, owner, ids[number]).await.unwrap();
            assert_eq!(found.is_some(), at % 3 < 2 || number % 2 == 0, "{owner:?} {number}");
            if let Some(row) = found {
                assert_eq!(row.get::<String>(1).unwrap(), owner.as_str());
                assert_eq!(row.get::<i64>(2).unwrap(), i64::try_from(number).unwrap());
            }
        };
        join_all((0..600).map(read)).await;
    })
    .await;
}
