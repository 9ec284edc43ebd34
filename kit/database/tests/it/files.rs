//! The SQLite file: made for its owner alone, shared with other processes, refused when it is something else.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use futures_util::future::join_all;
use pando_clock::Clock;
use pando_database::conformance::ENDLESS;
use pando_database::testing::{TestDatabase, each_engine};
use pando_database::{Database, DatabaseError, Secret, Token};
use pando_resilience::Call;
use pando_telemetry::Metrics;

use crate::{FIND, call, count, create_notes, insert};
use pando_database::params;

#[tokio::test]
async fn a_file_and_its_folder_are_made_for_their_owner_alone() {
    let mut test = TestDatabase::sqlite();
    let folder = test.options.sqlite.path.with_file_name("new").join("deep");
    test.options.sqlite.path = folder.join("test.db");
    create_notes(&test.open().await).await;
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("test.db")), 0o600);
    assert_eq!(mode(&folder.join("test.db-wal")), 0o600);
}

#[tokio::test]
async fn what_is_no_database_is_refused_by_name_and_left_alone() {
    let test = TestDatabase::sqlite();
    let path = &test.options.sqlite.path;
    let other = "a text file, and long enough to be taken for something with a header of a hundred bytes or more, \
                 which it does not have";
    std::fs::write(path, other).unwrap();
    let refused = Database::open(&test.options, &test.metrics, &test.clock).await.unwrap_err();
    assert!(matches!(refused, DatabaseError::BadFile { .. }), "{refused:?}");
    assert!(refused.to_string().contains(path.to_str().unwrap()), "{refused}");
    assert_eq!(std::fs::read_to_string(path).unwrap(), other);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_open_the_same_file_write_in_turn() {
    let test = TestDatabase::sqlite();
    let (one, two) = tokio::join!(test.open(), test.open());
    create_notes(&one).await;
    let clock = Clock::system();
    let write = async |number: i64| {
        let database = if number % 2 == 0 { &one } else { &two };
        insert(database, clock.fresh_id(), number).await.unwrap()
    };
    let mut tokens: Vec<Token> = join_all((0..100).map(write)).await;
    assert_eq!((count(&one).await, count(&two).await), (100, 100));
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), 100, "no two commits have the same token");
}

#[tokio::test]
async fn tokens_grow_across_a_restart() {
    let test = TestDatabase::sqlite();
    let database = test.open().await;
    create_notes(&database).await;
    let id = test.clock.fresh_id();
    let before = insert(&database, id, 7).await.unwrap();
    database.close().await;
    let database = test.open().await;
    assert_eq!(
        database.read(&call()).row(&FIND, params![id]).await.unwrap().unwrap().get::<i64>(0).unwrap(),
        7
    );
    assert!(insert(&database, test.clock.fresh_id(), 8).await.unwrap() > before);
}

#[tokio::test]
async fn the_last_to_go_leaves_one_tidy_file() {
    let test = TestDatabase::sqlite();
    let database = test.open().await;
    create_notes(&database).await;
    database.close().await;
    let names: Vec<_> =
        std::fs::read_dir(test.options.sqlite.path.parent().unwrap()).unwrap().flatten().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_database_refuses_work() {
    each_engine(async |database: Database| {
        create_notes(&database).await;
        database.close().await;
        database.close().await;
        let call = call();
        let id = Clock::system().fresh_id();
        let point = database.read(&call).row(&FIND, params![id]).await.map(|_| ());
        let scan = database.read(&call).row(&crate::COUNT, []).await.map(|_| ());
        let write = database.transaction(&call).await.map(|_| ());
        for refused in [point, scan, write] {
            assert!(matches!(refused, Err(DatabaseError::Unavailable { .. })), "{refused:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_without_the_password() {
    let mut test = TestDatabase::sqlite();
    test.options.url = Some(Secret::new("postgres://someone:opensesame@127.0.0.1:1/nothing"));
    let refused = Database::open(&test.options, &Metrics::new(), &test.clock).await.unwrap_err();
    assert!(matches!(refused, DatabaseError::Unavailable { .. }), "{refused:?}");
    assert!(!format!("{refused} {refused:?} {:?}", test.options).contains("sesame"));
}

#[tokio::test]
async fn a_task_that_only_reads_lets_others_run() {
    let test = TestDatabase::sqlite();
    let database = test.open().await;
    create_notes(&database).await;
    let call = call();
    let reading = async {
        loop {
            database.read(&call).row(&FIND, params![uuid::Uuid::nil()]).await.unwrap();
        }
    };
    let stopped = tokio::time::timeout(Duration::from_millis(20), reading).await;
    assert!(stopped.is_err());
}

#[tokio::test]
async fn a_link_to_the_file_is_as_good_as_the_file() {
    let mut test = TestDatabase::sqlite();
    let file = test.options.sqlite.path.clone();
    let folder = file.with_file_name("elsewhere");
    std::fs::create_dir(&folder).unwrap();
    let link = folder.join("link.db");
    create_notes(&test.open().await).await;
    std::os::unix::fs::symlink(&file, &link).unwrap();
    test.options.sqlite.path = link;
    let database = test.open().await;
    insert(&database, test.clock.fresh_id(), 1).await.unwrap();
    assert_eq!(count(&database).await, 1);
    database.ping(&call()).await.unwrap();
}

#[tokio::test]
async fn a_link_to_nowhere_is_refused_by_name() {
    let test = TestDatabase::sqlite();
    let path = &test.options.sqlite.path;
    std::os::unix::fs::symlink(path.with_file_name("nowhere.db"), path).unwrap();
    let refused = Database::open(&test.options, &test.metrics, &test.clock).await.unwrap_err();
    assert!(matches!(refused, DatabaseError::BadFile { .. }), "{refused:?}");
    assert!(refused.to_string().contains(path.to_str().unwrap()), "{refused}");
}

#[tokio::test]
async fn a_closed_file_does_not_pass_for_a_healthy_one() {
    let test = TestDatabase::sqlite();
    let database = test.open().await;
    database.ping(&call()).await.unwrap();
    database.close().await;
    assert!(matches!(database.ping(&call()).await, Err(DatabaseError::Unavailable { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_waits_for_what_runs() {
    each_engine(async |database: Database| {
        create_notes(&database).await;
        let call = call();
        let mut transaction = database.transaction(&call).await.unwrap();
        let id = Clock::system().fresh_id();
        transaction.execute(&crate::INSERT, params![id, 1_i64]).await.unwrap();
        let brief = Call::internal("brief", Duration::from_secs(2));
        let scan = async {
            let stopped = database.read(&brief).row(&ENDLESS, []).await;
            assert!(matches!(stopped, Err(DatabaseError::DeadlineExceeded)), "{stopped:?}");
        };
        let mut closing = Box::pin(async {
            while database.statistics().in_use < 2 {
                tokio::task::yield_now().await;
            }
            database.close().await;
        });
        tokio::select! {
            biased;
            () = &mut closing => panic!("it was closed under a scan and a transaction"),
            () = scan => {}
        }
        tokio::join!(closing, async { transaction.commit().await.unwrap() });
    })
    .await;
}
