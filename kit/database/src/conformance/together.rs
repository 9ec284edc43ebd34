//! Statements that share a trip: they run in order, all or none, and their errors are reported.

use uuid::Uuid;

use super::call;
use crate::{Database, DatabaseError, Engine, Query, Transaction, params};

const OPEN: Query = Query::write(
    "accounts.open_later",
    "insert into accounts (id, email_key, balance) values ($1, $2, $3) on conflict (id) do nothing returning balance",
);
const ADD: Query = Query::write(
    "accounts.add_later",
    "update accounts set balance = balance + $2 where id = $1 returning balance",
);
const FIND: Query = Query::point("accounts.found", "select balance from accounts where id = $1");
const NONSENSE: Query = Query::write("nonsense.later", "update no_such_table set a = 1");

pub(super) async fn exercise(database: &Database) -> Result<(), DatabaseError> {
    what_waits_runs_before_the_next(database).await?;
    many_run_in_their_order(database).await?;
    one_statement_runs_for_many_sets(database).await?;
    what_is_left_runs_with_the_commit(database).await?;
    what_fails_is_told_and_leaves_nothing(database).await?;
    too_much_that_waits_is_refused(database).await?;
    a_loop_makes_room(database).await?;
    what_is_dropped_did_not_happen(database).await?;
    who_goes_away_during_the_commit_leaves_it_to_its_end(database).await?;
    an_unflushed_commit_is_seen_like_any_other(database).await
}

async fn balance(database: &Database, id: Uuid) -> Result<Option<i64>, DatabaseError> {
    database.read(&call()).row(&FIND, params![id]).await?.map(|row| row.get(0)).transpose()
}

fn fresh(database: &Database) -> (Uuid, String) {
    let id = database.inner().clock.fresh_id();
    (id, format!("together-{id}"))
}

async fn begin_with_account(database: &Database) -> Result<(Transaction, Uuid), DatabaseError> {
    let (id, email) = fresh(database);
    let mut transaction = database.transaction(&call()).await?;
    transaction.execute_later(&OPEN, params![id, email, 5_i64]);
    Ok((transaction, id))
}

async fn what_waits_runs_before_the_next(database: &Database) -> Result<(), DatabaseError> {
    let (mut transaction, id) = begin_with_account(database).await?;
    transaction.execute_later(&ADD, params![id, 1_i64]);
    let row = transaction.row(&ADD, params![id, 10_i64]).await?.expect("it is there by now");
    assert_eq!(row.get::<i64>(0)?, 16);
    assert_eq!(balance(database, id).await?, None);
    transaction.execute_later(&ADD, params![id, 100_i64]);
    assert_eq!(transaction.execute(&ADD, params![id, 1_000_i64]).await?, 1, "the changes of the last alone");
    transaction.commit().await?;
    assert_eq!(balance(database, id).await?, Some(1_116));
    Ok(())
}

async fn many_run_in_their_order(database: &Database) -> Result<(), DatabaseError> {
    for next in [true, false] {
        let (mut transaction, id) = begin_with_account(database).await?;
        // In any other order the balance would be less than nothing, which a check of the table forbids.
        for number in 1..=100_i64 {
            transaction.execute_later(&ADD, params![id, number]);
            transaction.execute_later(&ADD, params![id, -number - i64::from(number == 1) * 5]);
        }
        if next {
            transaction.execute(&ADD, params![id, 7_i64]).await?;
        }
        transaction.commit().await?;
        assert_eq!(balance(database, id).await?, Some(if next { 7 } else { 0 }));
    }
    Ok(())
}

async fn one_statement_runs_for_many_sets(database: &Database) -> Result<(), DatabaseError> {
    let (mut transaction, id) = begin_with_account(database).await?;
    transaction.execute_later(&ADD, params![id, 1_i64]);
    let sets = (1..=50_i64).map(|number| Vec::from(params![id, number])).collect();
    let rows = transaction.rows_each(&ADD, sets).await?;
    let found = rows.iter().map(|row| row.get::<i64>(0)).collect::<Result<Vec<_>, _>>()?;
    assert_eq!(found, (1..=50).map(|number| 6 + number * (number + 1) / 2).collect::<Vec<i64>>());
    assert!(transaction.rows_each(&ADD, Vec::new()).await?.is_empty());
    let sets = vec![Vec::from(params![id, 1_i64]), Vec::from(params![id, -10_000_i64])];
    let refused = transaction.rows_each(&ADD, sets).await.expect_err("a check");
    assert!(matches!(refused, DatabaseError::CheckViolation { .. }), "{refused:?}");
    assert!(matches!(transaction.commit().await, Err(DatabaseError::TransactionFailed { .. })));
    Ok(())
}

async fn what_is_left_runs_with_the_commit(database: &Database) -> Result<(), DatabaseError> {
    let (transaction, id) = begin_with_account(database).await?;
    let before = database.position(&call()).await?;
    let token = transaction.commit().await?;
    assert!(token > before, "it wrote");
    assert_eq!(balance(database, id).await?, Some(5));
    let mut transaction = database.transaction(&call()).await?;
    transaction.execute_later(&ADD, params![id, 1_i64]);
    let (rows, _) = transaction.rows_and_commit(&ADD, params![id, 1_i64]).await?;
    let found = rows.iter().map(|row| row.get::<i64>(0)).collect::<Result<Vec<_>, _>>()?;
    assert_eq!(found, [7], "the rows of the last");
    let mut transaction = database.transaction(&call()).await?;
    transaction.execute(&ADD, params![id, 1_i64]).await?;
    let (rows, _) = transaction.rows_and_commit(&OPEN, params![id, "again", 1_i64]).await?;
    assert!(rows.is_empty());
    assert_eq!(balance(database, id).await?, Some(8));
    Ok(())
}

async fn what_fails_is_told_and_leaves_nothing(database: &Database) -> Result<(), DatabaseError> {
    let nonsense =
        |refused: &DatabaseError| matches!(refused, DatabaseError::Query { name: "nonsense.later", .. });
    let (mut transaction, id) = begin_with_account(database).await?;
    transaction.execute_later(&NONSENSE, []);
    let refused = transaction.execute(&ADD, params![id, 1_i64]).await.expect_err("it failed before");
    assert!(nonsense(&refused), "{refused:?}");
    assert!(matches!(transaction.commit().await, Err(DatabaseError::TransactionFailed { .. })));
    assert_eq!(balance(database, id).await?, None);

    let (mut transaction, id) = begin_with_account(database).await?;
    transaction.execute_later(&NONSENSE, []);
    transaction.execute_later(&ADD, params![id, 1_i64]);
    let refused = transaction.commit().await.expect_err("one of them failed");
    assert!(nonsense(&refused), "{refused:?}");
    assert_eq!(balance(database, id).await?, None);

    // The constraint has its name there too, and a parameter that does not fit sends nothing at all.
    let (transaction, id) = begin_with_account(database).await?;
    let refused = transaction.rows_and_commit(&ADD, params![id, -6_i64]).await.expect_err("a check");
    assert!(matches!(refused, DatabaseError::CheckViolation { .. }), "{refused:?}");
    let (transaction, id) = begin_with_account(database).await?;
    let refused = transaction.rows_and_commit(&ADD, params![id]).await.expect_err("a parameter is missing");
    assert!(matches!(refused, DatabaseError::BadParameter { .. }), "{refused:?}");
    assert_eq!(balance(database, id).await?, None);
    Ok(())
}

async fn too_much_that_waits_is_refused(database: &Database) -> Result<(), DatabaseError> {
    let refusal = |refused: &DatabaseError| {
        matches!(
            refused,
            DatabaseError::TooManyWaiting { name: "accounts.add_later" | "accounts.open_later" }
        )
    };
    let (mut transaction, id) = begin_with_account(database).await?;
    for _ in 0..5_000 {
        transaction.execute_later(&ADD, params![id, 1_i64]);
    }
    let refused = transaction.execute(&ADD, params![id, 1_i64]).await.expect_err("too many");
    assert!(refusal(&refused), "{refused:?}");
    assert!(matches!(transaction.commit().await, Err(DatabaseError::TransactionFailed { .. })));
    assert_eq!(balance(database, id).await?, None);

    let (mut transaction, id) = begin_with_account(database).await?;
    for _ in 0..40 {
        transaction.execute_later(&OPEN, params![id, "x".repeat(1 << 20), 5_i64]);
    }
    let refused = transaction.commit().await.expect_err("too many bytes");
    assert!(refusal(&refused), "{refused:?}");
    assert_eq!(balance(database, id).await?, None);
    Ok(())
}

async fn a_loop_makes_room(database: &Database) -> Result<(), DatabaseError> {
    let (mut transaction, id) = begin_with_account(database).await?;
    for _ in 0..5_000 {
        transaction.execute_later(&ADD, params![id, 1_i64]);
        transaction.make_room().await?;
    }
    for _ in 0..40 {
        transaction.execute_later(&OPEN, params![id, "x".repeat(1 << 20), 5_i64]);
        transaction.make_room().await?;
    }
    transaction.commit().await?;
    assert_eq!(balance(database, id).await?, Some(5_005));
    Ok(())
}

async fn what_is_dropped_did_not_happen(database: &Database) -> Result<(), DatabaseError> {
    let (dropped, id) = begin_with_account(database).await?;
    drop(dropped);
    let (undone, other) = begin_with_account(database).await?;
    undone.rollback().await?;
    assert_eq!((balance(database, id).await?, balance(database, other).await?), (None, None));
    Ok(())
}

async fn who_goes_away_during_the_commit_leaves_it_to_its_end(
    database: &Database,
) -> Result<(), DatabaseError> {
    for waits in [false, true] {
        let (tell, told) = tokio::sync::oneshot::channel();
        let (id, email) = fresh(database);
        let mut transaction = database.transaction(&call()).await?;
        if waits {
            transaction.execute(&OPEN, params![id, email.as_str(), 5_i64]).await?;
        }
        // Gone with the closure when that is never run.
        transaction.after_commit(move || tell.send(()).unwrap_or_default());
        let mut commit = Box::pin(transaction.rows_and_commit(&OPEN, params![id, email, 5_i64]));
        // If a caller leaves before its turn at SQLite's writer, or before the commit is sent, nothing is written.
        let leaves = database.inner().together && (waits || database.engine() == Engine::Postgres);
        if leaves && futures_util::poll!(&mut commit).is_pending() {
            drop(commit);
        } else if !leaves {
            commit.await?;
        }
        assert!(told.await.is_ok(), "who is to be told is told");
        assert_eq!(balance(database, id).await?, Some(5));
    }
    Ok(())
}

async fn an_unflushed_commit_is_seen_like_any_other(database: &Database) -> Result<(), DatabaseError> {
    let (id, email) = fresh(database);
    let mut transaction = database.transaction_unflushed(&call()).await?;
    let row = transaction.row(&OPEN, params![id, email, 5_i64]).await?.expect("it returns");
    assert_eq!(row.get::<i64>(0)?, 5);
    let token = transaction.commit().await?;
    assert_eq!(balance(database, id).await?, Some(5));
    assert!(database.position(&call()).await? >= token);
    Ok(())
}
