//! Migrations of tables that are in use, and those that wait until the version before is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use pando_database::testing::{TestDatabase, each_engine};
use pando_database::{Database, DatabaseError, Migration, MigrationSet, Query, params};

use crate::{call, eventually};

const NOTES: Migration = Migration {
    version: 1,
    name: "notes",
    sql: "create table notes (id uuid not null primary key, number bigint not null, name text)",
};
const OWNERS: Migration = Migration {
    version: 2,
    name: "owners",
    sql: "-- Whose each note is.
          -- online

          -- only: postgres
          alter table notes add column if not exists owner text not null default '';
          -- only: postgres
          drop index concurrently if exists notes_owner_key;
          -- only: postgres
          create unique index concurrently notes_owner_key on notes (owner, id);
          -- only: sqlite
          alter table notes add column owner text not null default '';",
};
const APART: Migration = Migration {
    version: 3,
    name: "apart",
    sql: "-- finish
          -- only: postgres
          do $$ begin if to_regclass('notes_owner_key') is not null then
              alter table notes drop constraint notes_pkey, add primary key using index notes_owner_key;
          end if; end $$;",
};
const LATER: Migration =
    Migration { version: 4, name: "later", sql: "create table others (id uuid not null primary key)" };
const BEFORE: &[MigrationSet] = &[MigrationSet { service: "notes", migrations: &[NOTES] }];
const AFTER: &[MigrationSet] =
    &[MigrationSet { service: "notes", migrations: &[NOTES, OWNERS, APART, LATER] }];

/// As the version before writes: it needs that ids are unique.
static PUT: Query = Query::write(
    "notes.put",
    "insert into notes (id, number) values ($1, 1) on conflict (id) do update set number = notes.number + 1",
);
static KEY_WIDTH: Query = Query::scan(
    "test.key",
    "select count(*) from pg_index join pg_attribute on attrelid = indexrelid \
     where indrelid = cast('notes' as regclass) and indisprimary",
);

async fn put(database: &Database, id: uuid::Uuid) -> Result<(), DatabaseError> {
    let mut tx = database.transaction(&call()).await?;
    tx.execute(&PUT, params![id]).await?;
    tx.commit().await.map(drop)
}

fn names(applied: &[pando_database::AppliedMigration]) -> Vec<&'static str> {
    applied.iter().map(|migration| migration.name).collect()
}

#[tokio::test]
async fn a_new_database_is_finished_at_once() {
    each_engine(async |database: Database| {
        let all = ["notes", "owners", "apart", "later"];
        assert_eq!(names(&database.migrate(AFTER).await.unwrap()), all);
        assert!(database.pending_migrations(AFTER).await.unwrap().is_empty());
        assert!(names(&database.finish_migrations(AFTER).await.unwrap()).is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_file_has_no_processes_of_the_version_before() {
    let test = TestDatabase::sqlite();
    let database = test.open().await;
    database.migrate(BEFORE).await.unwrap();
    assert_eq!(names(&database.migrate(AFTER).await.unwrap()), ["owners", "apart", "later"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_version_before_writes_on_until_it_is_finished() {
    let test = TestDatabase::postgres().await;
    let (before, database) = (test.open().await, test.open().await);
    before.migrate(BEFORE).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let (before, stop, clock) = (before.clone(), stop.clone(), test.clock.clone());
            pando_telemetry::spawn("test.writer", async move {
                let (id, mut written) = (clock.fresh_id(), 0);
                while !stop.load(Ordering::Relaxed) {
                    put(&before, clock.fresh_id()).await.unwrap();
                    put(&before, id).await.unwrap();
                    written += 2;
                }
                written
            })
        })
        .collect();
    // Several processes of the new version start together.
    let others = join_all((0..3).map(|_| test.open())).await;
    let starts = others.iter().chain([&database]).map(|process| process.migrate(AFTER));
    let applied: Vec<&str> =
        join_all(starts).await.into_iter().flat_map(|applied| names(&applied.unwrap())).collect();
    assert_eq!(applied, ["owners", "later"]);
    let pending = database.pending_migrations(AFTER).await.unwrap();
    assert_eq!(pending.iter().map(|it| (it.name, it.waits)).collect::<Vec<_>>(), [("apart", true)]);
    put(&database, test.clock.fresh_id()).await.unwrap();
    stop.store(true, Ordering::Relaxed);
    let written: u64 = join_all(writers).await.into_iter().map(|done| done.unwrap()).sum();
    assert!(written > 8, "they wrote all the while");
    assert_eq!(names(&database.finish_migrations(AFTER).await.unwrap()), ["apart"]);
    let width = database.read(&call()).row(&KEY_WIDTH, []).await.unwrap().unwrap();
    assert_eq!(width.get::<i64>(0).unwrap(), 2);
}

/// A process that died leaves an index that is not whole; the next one makes it again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_process_left_half_done_is_done_again() {
    const WAITS: Query = Query::point(
        "waits",
        "select count(*) from pg_index where indexrelid = to_regclass('notes_owner_key') and not indisvalid",
    );
    let test = TestDatabase::postgres().await;
    let (before, database) = (test.open().await, test.open().await);
    before.migrate(BEFORE).await.unwrap();
    // The index waits for this transaction, and is there but not valid.
    let mut open = before.transaction(&call()).await.unwrap();
    open.execute(&PUT, params![test.clock.fresh_id()]).await.unwrap();
    open.rows(&Query::write("look", "select id from notes"), []).await.unwrap();
    let second = MigrationSet { service: "notes", migrations: &[NOTES, OWNERS] };
    let there = database.clone();
    let died = pando_telemetry::spawn("test.migration", async move { there.migrate(&[second]).await });
    // The first statement needs the table for a moment.
    let has_column = Query::point(
        "column",
        "select count(*) from pg_attribute where attrelid = cast('notes' as regclass) and attname = 'owner'",
    );
    let asked = test.open().await;
    let count = async |query: &Query| {
        asked.read(&call()).row(query, []).await.unwrap().unwrap().get::<i64>(0).unwrap() > 0
    };
    assert!(!count(&has_column).await);
    open.commit().await.unwrap();
    eventually("the column is there", async || count(&has_column).await).await;
    let mut open = before.transaction(&call()).await.unwrap();
    open.execute(&PUT, params![test.clock.fresh_id()]).await.unwrap();
    let half = async {
        eventually("the index is begun", async || count(&WAITS).await || died.is_finished()).await;
    };
    half.await;
    died.abort();
    database.close().await;
    open.commit().await.unwrap();
    let again = test.open().await;
    let applied = again.migrate(&[second]).await.unwrap();
    assert!(applied.len() <= 1, "it had ended before, or ended now");
    assert!(!count(&WAITS).await, "the index is whole");
    assert!(again.pending_migrations(&[second]).await.unwrap().is_empty());
}
