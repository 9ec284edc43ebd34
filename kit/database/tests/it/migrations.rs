//! Migrations: each once, in order, never changed, never from the future.

use futures_util::future::join_all;
use pando_database::testing::{TestDatabase, TestPostgres, each_engine, each_test_database};
use pando_database::{Database, DatabaseError, Engine, Migration, MigrationSet, Query, params};

use crate::{call, count};

const FIRST: Migration = Migration {
    version: 1,
    name: "notes",
    sql:
        "create table notes (id uuid primary key, document jsonb not null);
          -- only: postgres
          create index notes_document on notes using gin (document);
          -- only: sqlite
          create trigger notes_guard before delete on notes begin select raise(abort, 'kept; for ever'); end;",
};
const SECOND: Migration =
    Migration { version: 2, name: "names", sql: "alter table notes add column name text; -- nothing more" };
const BROKEN: Migration = Migration {
    version: 2,
    name: "broken",
    sql: "create table half (id uuid);\nalter table nowhere add column a text",
};

const ONE: &[MigrationSet] = &[MigrationSet { service: "notes", migrations: &[FIRST] }];
const TWO: &[MigrationSet] = &[MigrationSet { service: "notes", migrations: &[FIRST, SECOND] }];

fn names(applied: &[pando_database::AppliedMigration]) -> Vec<&'static str> {
    applied.iter().map(|migration| migration.name).collect()
}

#[tokio::test]
async fn twice_is_once() {
    each_engine(async |database: Database| {
        assert_eq!(names(&database.migrate(ONE).await.unwrap()), ["notes"]);
        assert_eq!(names(&database.migrate(TWO).await.unwrap()), ["names"]);
        assert_eq!(names(&database.migrate(TWO).await.unwrap()), [""; 0]);
        assert_eq!(count(&database).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_dry_run_says_what_would_run_and_changes_nothing() {
    each_engine(async |database: Database| {
        let pending = database.pending_migrations(TWO).await.unwrap();
        assert_eq!(pending.len(), 2);
        assert_eq!(pending[1].statements, ["alter table notes add column name text"]);
        let second = &pending[0].statements[1];
        match database.engine() {
            Engine::Postgres => assert!(second.starts_with("create index notes_document")),
            Engine::Sqlite => assert!(second.ends_with("raise(abort, 'kept; for ever'); end"), "{second}"),
        }
        assert!(
            database
                .read(&call())
                .row(&Query::scan("look", "select 1 from pando_migrations"), [])
                .await
                .is_err()
        );
        database.migrate(TWO).await.unwrap();
        assert!(database.pending_migrations(TWO).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_that_start_at_once_apply_each_migration_once() {
    each_test_database(async |test: &mut TestDatabase| {
        test.options.pool.max = 2;
        test.options.reads.connections = 1;
        let one = async |_| {
            let database = test.open().await;
            let applied = database.migrate(TWO).await.unwrap();
            database.close().await;
            names(&applied)
        };
        let applied = join_all((0..10).map(one)).await.concat();
        assert_eq!(applied.len(), 2, "{applied:?}");
        assert_eq!(count(&test.open().await).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_changed_migration_is_refused() {
    each_engine(async |database: Database| {
        database.migrate(ONE).await.unwrap();
        let changed = Migration { sql: "create table notes (id uuid primary key)", ..FIRST };
        let changed = [changed, SECOND];
        let set = MigrationSet { service: "notes", migrations: Box::leak(Box::new(changed)) };
        let refused = database.migrate(&[set]).await.unwrap_err();
        assert!(
            matches!(
                refused,
                DatabaseError::MigrationChanged { service: "notes", version: 1, name: "notes" }
            ),
            "{refused}"
        );
        assert_eq!(database.pending_migrations(TWO).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_newer_schema_is_left_alone() {
    each_engine(async |database: Database| {
        database.migrate(TWO).await.unwrap();
        let other = MigrationSet {
            service: "others",
            migrations: &[Migration { version: 1, name: "others", sql: "create table others (id uuid)" }],
        };
        let refused = database.migrate(&[other, ONE[0]]).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the database has migrations of notes up to 2, but this program knows only those up to 1"
        );
        assert_eq!(database.pending_migrations(&[other]).await.unwrap().len(), 1, "nothing was applied");
        assert_eq!(
            names(&database.migrate(&[other]).await.unwrap()),
            ["others"],
            "who is not served is not asked"
        );
    })
    .await;
}

#[tokio::test]
async fn a_failed_migration_leaves_nothing_behind_and_says_where() {
    each_engine(async |database: Database| {
        let broken = MigrationSet { service: "notes", migrations: &[FIRST, BROKEN] };
        let failed = database.migrate(&[broken]).await.unwrap_err();
        let text = "migration 2 (broken) of notes failed and was rolled back, at: alter table nowhere add column a text";
        assert_eq!(failed.to_string(), text);
        assert_eq!(names(&database.migrate(TWO).await.unwrap()), ["names"], "the first one stayed");
        assert!(database.read(&call()).rows(&Query::scan("half", "select id from half"), []).await.is_err());
        let twice = MigrationSet { service: "x", migrations: &[SECOND, SECOND] };
        assert!(matches!(database.migrate(&[twice]).await, Err(DatabaseError::BadSetting { .. })));
    })
    .await;
}

#[tokio::test]
async fn a_table_that_changes_under_prepared_statements_is_read_again() {
    let test = TestDatabase::on(TestPostgres::shared()).await;
    let database = test.open().await;
    let run = async |sql: &'static str| {
        let mut transaction = database.transaction(&call()).await.unwrap();
        transaction.execute(&Query::write("change", sql), []).await.unwrap();
        transaction.commit().await.unwrap();
    };
    run("create table changing (id bigint)").await;
    run("insert into changing (id) values (7)").await;
    for cost in [Query::point, Query::scan] {
        let read = cost("changing.read", "select id from changing");
        let value = async || database.read(&call()).row(&read, []).await.unwrap().unwrap();
        for _ in 0..8 {
            assert_eq!(value().await.get::<i64>(0).unwrap(), 7);
        }
        run("alter table changing alter column id type text").await;
        for _ in 0..8 {
            assert_eq!(value().await.get::<String>(0).unwrap(), "7");
        }
        run("alter table changing alter column id type bigint using cast(id as bigint)").await;
    }
}

/// A migration that waits for a table in use would keep every read behind it waiting.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_go_on_while_a_migration_waits_for_a_table() {
    const WIDEN: MigrationSet = MigrationSet {
        service: "widen",
        migrations: &[Migration {
            version: 1,
            name: "widen",
            sql: "alter table notes add column colour text",
        }],
    };
    const WAITING: Query = Query::point(
        "waiting",
        "select count(*) from pg_locks join pg_database on pg_database.oid = pg_locks.database \
         where not granted and datname = current_database()",
    );
    const LOOK: Query = Query::write("look", "select number from notes");
    let test = TestDatabase::postgres().await;
    let database = test.open().await;
    crate::create_notes(&database).await;
    let id = test.clock.fresh_id();
    crate::insert(&database, id, 7).await.unwrap();
    let mut uses = database.transaction(&call()).await.unwrap();
    uses.rows(&LOOK, []).await.unwrap();
    let there = database.clone();
    let migrating = pando_telemetry::spawn("test.migration", async move { there.migrate(&[WIDEN]).await });
    let waits = async || {
        let row = database.read(&call()).row(&WAITING, []).await.unwrap().unwrap();
        row.get::<i64>(0).unwrap() > 0
    };
    // Through two of its attempts at least.
    for _ in 0..2 {
        crate::eventually("the migration waits", waits).await;
        for _ in 0..10 {
            let read = database.read(&call()).row(&crate::FIND, params![id]).await;
            assert!(read.unwrap().is_some());
        }
        crate::eventually("the migration lets others go", async || !waits().await).await;
    }
    assert!(!migrating.is_finished());
    uses.commit().await.unwrap();
    assert_eq!(migrating.await.unwrap().unwrap().len(), 1);
}
