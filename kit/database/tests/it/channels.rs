//! Hooks after a commit, and the line between processes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pando_clock::Clock;
use pando_database::testing::{TestDatabase, TestPostgres, each_engine};
use pando_database::{Signal, params};

use crate::{INSERT, call, create_notes};

#[tokio::test]
async fn what_waits_for_the_commit_runs_after_it_and_not_after_a_rollback() {
    each_engine(async |database| {
        create_notes(&database).await;
        let ran = Arc::new(AtomicUsize::new(0));
        for commits in [true, false] {
            let mut transaction = database.transaction(&call()).await.unwrap();
            transaction.execute(&INSERT, params![Clock::system().fresh_id(), 1_i64]).await.unwrap();
            let counted = Arc::clone(&ran);
            transaction.after_commit(move || {
                counted.fetch_add(1, Ordering::SeqCst);
            });
            assert_eq!(ran.load(Ordering::SeqCst), usize::from(!commits), "not before the commit");
            match commits {
                true => drop(transaction.commit().await.unwrap()),
                false => transaction.rollback().await.unwrap(),
            }
        }
        assert_eq!(ran.load(Ordering::SeqCst), 1);
    })
    .await;
}

async fn hear(channel: &mut pando_database::Channel) -> Signal {
    tokio::time::timeout(Duration::from_secs(20), channel.next()).await.expect("a signal comes")
}

#[tokio::test]
async fn processes_hear_each_other_also_after_the_server_was_gone() {
    let server = TestPostgres::start(&["fsync=off"]);
    let test = TestDatabase::on(&server).await;
    let (one, other) = (test.open().await, test.open().await);
    let (mut hearing, mut speaking) = (one.channel("trial"), other.channel("trial"));
    for round in ["before", "after"] {
        assert_eq!(hear(&mut hearing).await, Signal::Opened);
        assert_eq!(hear(&mut speaking).await, Signal::Opened);
        speaking.sender().send(round);
        assert_eq!(hear(&mut hearing).await, Signal::Message(round.into()));
        assert_eq!(hear(&mut speaking).await, Signal::Message(round.into()));
        if round == "before" {
            server.kill();
            server.resurrect();
        }
    }
}

#[tokio::test]
async fn a_file_has_no_line() {
    let database = TestDatabase::sqlite().open().await;
    let mut channel = database.channel("trial");
    channel.sender().send("anybody?");
    assert!(channel.sender().is_silent());
    assert!(tokio::time::timeout(Duration::from_millis(20), channel.next()).await.is_err());
}
