//! PostgreSQL gone and back: nobody hangs, and nobody has to restart anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use pando_clock::Clock;
use pando_database::testing::{TestDatabase, TestPostgres};
use pando_database::{
    BulkInsert, ColumnType, Database, DatabaseError, KeyedQuery, OnConflict, Query, Secret, params,
};
use pando_resilience::Call;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use crate::{COUNT, FIND, call, create_notes, eventually, insert, insert_at_once};

const BY_ID: KeyedQuery = KeyedQuery::new("notes.by_id", "select id, number from notes where id = any($1)");
const TERMINATE: Query = Query::scan(
    "terminate",
    "select count(pg_terminate_backend(pid)) from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid()",
);

/// A refusal comes at once; on a busy machine a deadline of one second may pass before it.
fn five_seconds() -> Call {
    Call::internal("five seconds", Duration::from_secs(5))
}

async fn reads_and_writes(database: &Database, id: Uuid, fresh: Uuid) -> Result<(), DatabaseError> {
    let call = five_seconds();
    let read = database.read(&call);
    read.row(&FIND, params![id]).await?;
    read.by_key(&BY_ID, id).await?;
    read.row(&COUNT, []).await?;
    let mut transaction = database.transaction(&call).await?;
    transaction.execute(&crate::INSERT, params![fresh, 1_i64]).await?;
    transaction.commit().await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_killed_and_started_again_is_found_again() {
    let server = TestPostgres::start(&[]);
    let test = TestDatabase::on(&server).await;
    let database = test.open().await;
    create_notes(&database).await;
    let id = test.clock.fresh_id();
    insert(&database, id, 7).await.unwrap();

    server.kill();
    for _ in 0..3 {
        // The processes of connections outlive the killed server for a moment, and may still answer.
        let refused = async || match reads_and_writes(&database, id, test.clock.fresh_id()).await {
            Ok(()) => false,
            Err(DatabaseError::Unavailable { .. }) => true,
            Err(error) => panic!("{error:?}"),
        };
        eventually("no statement is answered", refused).await;
        // A connection is known to be broken once its task has seen it.
        let refused = async || database.transaction(&five_seconds()).await.map(|_| ());
        let unavailable = async || matches!(refused().await, Err(DatabaseError::Unavailable { .. }));
        eventually("no connection is handed out", unavailable).await;
    }

    server.resurrect();
    let started = Instant::now();
    while let Err(error) = reads_and_writes(&database, id, test.clock.fresh_id()).await {
        assert!(error.is_transient(), "{error:?}");
        assert!(started.elapsed() < Duration::from_secs(60), "{error}");
    }
    let row = database.read(&call()).row(&FIND, params![id]).await.unwrap().unwrap();
    assert_eq!(row.get::<i64>(0).unwrap(), 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_write_is_lost_when_the_server_is_killed() {
    let server = TestPostgres::start(&[]);
    let test = TestDatabase::on(&server).await;
    let database = test.open().await;
    create_notes(&database).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = || {
        let (database, stop, clock) = (database.clone(), Arc::clone(&stop), test.clock.clone());
        pando_telemetry::spawn("test.writer", async move {
            let mut acknowledged = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let id = clock.fresh_id();
                let written = match acknowledged.len() % 2 {
                    0 => insert(&database, id, 1).await,
                    _ => insert_at_once(&database, id).await,
                };
                match written {
                    Ok(_) => acknowledged.push(id),
                    Err(error) => assert!(
                        error.is_transient() || matches!(error, DatabaseError::CommitUnknown { .. }),
                        "{error:?}"
                    ),
                }
            }
            acknowledged
        })
    };
    let writers: Vec<_> = (0..4).map(|_| writer()).collect();
    eventually("200 are written", async || crate::count(&database).await >= 200).await;
    let server = tokio::task::spawn_blocking(move || {
        server.kill();
        server.resurrect();
        server
    });
    let _server = server.await.unwrap();
    stop.store(true, Ordering::Relaxed);
    let written: Vec<Uuid> = join_all(writers).await.into_iter().flat_map(Result::unwrap).collect();
    assert!(written.len() >= 190, "{}", written.len());
    for id in written {
        assert!(database.read(&call()).row(&FIND, params![id]).await.unwrap().is_some(), "{id} is lost");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_do_not_notice_that_their_connections_were_ended() {
    let test = TestDatabase::postgres().await;
    let database = test.open().await;
    create_notes(&database).await;
    let id = test.clock.fresh_id();
    insert(&database, id, 7).await.unwrap();
    for _ in 0..5 {
        database.read(&call()).row(&TERMINATE, []).await.unwrap();
        let read = async |number: usize| {
            let call = call();
            let read = database.read(&call);
            match number % 3 {
                0 => read.row(&FIND, params![id]).await.unwrap().is_some(),
                1 => read.by_key(&BY_ID, id).await.unwrap().is_some(),
                _ => read.row(&COUNT, []).await.unwrap().is_some(),
            }
        };
        assert!(join_all((0..60).map(read)).await.into_iter().all(|found| found));
    }
}

/// A program that hangs in the middle of a transaction holds its rows no longer than its deadline.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_nobody_goes_on_with_ends_at_its_deadline() {
    let test = TestDatabase::postgres().await;
    let database = test.open().await;
    create_notes(&database).await;
    let id = test.clock.fresh_id();
    let short = Call::internal("short", Duration::from_millis(500));
    let mut hangs = database.transaction(&short).await.unwrap();
    hangs.execute(&crate::INSERT, params![id, 1_i64]).await.unwrap();
    insert(&database, id, 2).await.expect("the row is free, though the transaction is still held");
    drop(hangs);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_insert_does_not_notice_that_its_connection_was_ended() {
    const MANY: BulkInsert = BulkInsert {
        name: "notes.many",
        table: "notes",
        columns: &[("id", ColumnType::Uuid), ("number", ColumnType::Bigint)],
        on_conflict: OnConflict::Fail,
        key: "id",
    };
    let test = TestDatabase::postgres().await;
    let database = test.open().await;
    create_notes(&database).await;
    for round in 1..=5_i64 {
        database.read(&call()).row(&TERMINATE, []).await.unwrap();
        let mut transaction = database.transaction(&call()).await.unwrap();
        let rows = vec![params![test.clock.fresh_id(), round].to_vec()];
        transaction.bulk_insert(&MANY, rows).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(crate::count(&database).await, round);
    }
}

/// After a switchover the old primary refuses to write: who asks again must meet the new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_may_not_write_any_more_is_not_used_again() {
    const READ_ONLY: Query = Query::write("read_only", "set transaction read only");
    const WHO: Query = Query::write("who", "select cast(pg_backend_pid() as bigint)");
    let mut test = TestDatabase::postgres().await;
    test.options.pool.max = 1;
    let database = test.open().await;
    create_notes(&database).await;
    let mut seen = Vec::new();
    for refused in [false, true, false] {
        let mut transaction = database.transaction(&call()).await.unwrap();
        seen.push(transaction.row(&WHO, []).await.unwrap().unwrap().get::<i64>(0).unwrap());
        if refused {
            transaction.execute(&READ_ONLY, []).await.unwrap();
            let refused = transaction.execute(&crate::INSERT, params![test.clock.fresh_id(), 1_i64]).await;
            assert!(matches!(refused, Err(DatabaseError::ReadOnly { .. })), "{refused:?}");
        } else {
            transaction.commit().await.unwrap();
        }
    }
    assert_eq!(seen[0], seen[1], "there is one connection");
    assert_ne!(seen[1], seen[2], "and then another");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_of_a_write_in_one_go_is_true_when_its_connection_is_ended() {
    let test = TestDatabase::postgres().await;
    what_is_said_of_writes_is_true(&test.open().await, &test.clock).await;
}

/// How many there are; none while nobody answers.
async fn written(database: &Database) -> i64 {
    let rows = database.read(&call()).row(&COUNT, []).await;
    rows.ok().flatten().map_or(0, |row| row.get(0).unwrap())
}

/// Ends connections at any moment, and looks whether what was said to be there is there, and the rest is not.
pub(crate) async fn what_is_said_of_writes_is_true(database: &Database, clock: &Clock) {
    create_notes(database).await;
    let stop = AtomicBool::new(false);
    let stop = &stop;
    let writer = async || {
        let (mut there, mut not_there) = (Vec::new(), Vec::new());
        while !stop.load(Ordering::Relaxed) {
            let id = clock.fresh_id();
            match insert_at_once(database, id).await {
                Ok(_) => there.push(id),
                Err(DatabaseError::CommitUnknown { .. }) => {}
                Err(error) => {
                    assert!(error.is_transient(), "{error:?}");
                    not_there.push(id);
                }
            }
        }
        (there, not_there)
    };
    let ender = async {
        for round in 1..=50 {
            eventually("more are written", async || written(database).await >= round * 4).await;
            // The one that asks may be ended by another that asks.
            let _ = database.read(&call()).row(&TERMINATE, []).await;
        }
        stop.store(true, Ordering::Relaxed);
    };
    let (written, ()) = tokio::join!(join_all((0..4).map(|_| writer())), ender);
    for (there, not_there) in written {
        for (ids, found) in [(there, true), (not_there, false)] {
            for id in ids {
                let row = database.read(&call()).row(&FIND, params![id]).await.unwrap();
                assert_eq!(row.is_some(), found, "{id}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_happened_is_a_success_though_its_position_is_not_told() {
    const DUMB: Query = Query::write(
        "dumb",
        "alter function pg_catalog.pg_current_wal_insert_lsn() rename to nobody_tells_the_position",
    );
    let test = TestDatabase::postgres().await;
    let database = test.open().await;
    create_notes(&database).await;
    let mut transaction = database.transaction(&call()).await.unwrap();
    transaction.execute(&DUMB, []).await.unwrap();
    transaction.commit().await.unwrap();
    let token = insert(&database, test.clock.fresh_id(), 1).await.unwrap();
    assert_eq!((token.to_string().as_str(), crate::count(&database).await), ("p1-0", 1));
}

/// Passes everything on until a connection asks for its settings: then that connection hears nothing any more.
async fn relay_until_the_settings(listener: TcpListener, server: u16) {
    while let Ok((mut client, _)) = listener.accept().await {
        let mut server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
        pando_telemetry::spawn("test.relay", async move {
            let (mut up, mut down, mut silent) = (vec![0; 16_384], vec![0; 16_384], false);
            loop {
                tokio::select! {
                    sent = client.read(&mut up) => match sent {
                        Ok(0) | Err(_) => return,
                        Ok(count) => {
                            silent |= up[..count].windows(19).any(|word| word == b"default_transaction");
                            if !silent {
                                server.write_all(&up[..count]).await.unwrap();
                            }
                        }
                    },
                    answered = server.read(&mut down) => match answered {
                        Ok(0) | Err(_) => return,
                        Ok(count) => client.write_all(&down[..count]).await.unwrap(),
                    },
                }
            }
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_falls_silent_after_connecting_does_not_hold_up_the_start() {
    let mut test = TestDatabase::postgres().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = test.options.url.take().unwrap();
    let server = url.expose().rsplit_once(':').unwrap().1;
    let server: u16 = server.split('/').next().unwrap().parse().unwrap();
    let here = format!(":{}", listener.local_addr().unwrap().port());
    test.options.url = Some(Secret::new(url.expose().replacen(&format!(":{server}"), &here, 1)));
    test.options.pool.connect_ms = 300;
    pando_telemetry::spawn("test.relays", relay_until_the_settings(listener, server));
    let opening = Database::open(&test.options, &test.metrics, &test.clock);
    let refused = tokio::time::timeout(Duration::from_secs(60), opening).await.expect("it ends").unwrap_err();
    assert!(matches!(refused, DatabaseError::Unavailable { .. }), "{refused:?}");
}
