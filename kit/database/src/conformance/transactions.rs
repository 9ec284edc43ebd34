//! Transactions: all or nothing, isolated from each other, with a token that grows.

use futures_util::future::join_all;
use uuid::Uuid;

use super::call;
use crate::{Database, DatabaseError, Query, Token, Transaction, params};

const OPEN: Query = Query::write(
    "accounts.open",
    "insert into accounts (id, email_key, balance) values ($1, $2, $3) returning balance",
);
const FIND: Query = Query::point("accounts.find", "select balance from accounts where id = $1");
const LOCKED: Query = Query::write("accounts.lock", "select balance from accounts where id = $1 for update");
const ADD: Query = Query::write("accounts.add", "update accounts set balance = balance + $2 where id = $1");
const ENTER: Query =
    Query::write("entries.insert", "insert into entries (id, account_id, line) values ($1, $2, $3)");
const COUNT: Query = Query::scan("accounts.count", "select count(*) from accounts where email_key = any($1)");
const NONSENSE: Query = Query::write("nonsense", "update no_such_table set a = 1");
const WRITE: Query =
    Query::point("accounts.sneak", "insert into accounts (id, email_key, balance) values ($1, 'x', 1)");

pub(super) async fn exercise(database: &Database) -> Result<(), DatabaseError> {
    a_dropped_transaction_did_not_happen(database).await?;
    broken_constraints_have_names(database).await?;
    a_failed_transaction_only_rolls_back(database).await?;
    neighbours_do_not_share_a_fate(database).await?;
    a_locked_row_is_counted_up_by_everyone(database).await?;
    reads_cannot_write(database).await?;
    tokens_grow(database).await
}

async fn balance(database: &Database, id: Uuid) -> Result<Option<i64>, DatabaseError> {
    database.read(&call()).row(&FIND, params![id]).await?.map(|row| row.get(0)).transpose()
}

async fn open(transaction: &mut Transaction, id: Uuid, email_key: &str) -> Result<(), DatabaseError> {
    let row = transaction.row(&OPEN, params![id, email_key, 5_i64]).await?.expect("it returns");
    assert_eq!(row.get::<i64>(0)?, 5);
    Ok(())
}

async fn opened(database: &Database, email_key: &str) -> Result<Uuid, DatabaseError> {
    let id = database.inner().clock.fresh_id();
    let mut transaction = database.transaction(&call()).await?;
    open(&mut transaction, id, email_key).await?;
    transaction.commit().await?;
    Ok(id)
}

async fn a_dropped_transaction_did_not_happen(database: &Database) -> Result<(), DatabaseError> {
    let id = database.inner().clock.fresh_id();
    let mut dropped = database.transaction(&call()).await?;
    open(&mut dropped, id, "dropped").await?;
    assert_eq!(balance(database, id).await?, None, "others do not see it yet");
    drop(dropped);
    let mut undone = database.transaction(&call()).await?;
    open(&mut undone, id, "dropped").await?;
    undone.rollback().await?;
    assert_eq!(balance(database, id).await?, None);
    let idle = database.transaction(&call()).await?;
    idle.commit().await?;
    Ok(())
}

async fn broken_constraints_have_names(database: &Database) -> Result<(), DatabaseError> {
    let id = opened(database, "taken").await?;
    let fresh = || database.inner().clock.fresh_id();
    let mut transaction = database.transaction(&call()).await?;
    transaction.execute(&ENTER, params![fresh(), id, 1_i64]).await?;
    transaction.commit().await?;
    for (query, values, expected) in [
        (&OPEN, params![fresh(), "taken", 1_i64], "unique accounts_email_key_key"),
        (&OPEN, params![id, "other", 1_i64], "unique accounts_pkey"),
        (&ENTER, params![fresh(), id, 1_i64], "unique entries_account_id_line_key"),
        (&ENTER, params![fresh(), fresh(), 1_i64], "reference"),
        (&OPEN, params![fresh(), "negative", -1_i64], "check accounts_balance_check"),
        (&OPEN, params![fresh(), None::<String>, 1_i64], "check accounts.email_key"),
    ] {
        let mut transaction = database.transaction(&call()).await?;
        let error = transaction.execute(query, values).await.expect_err(expected);
        let found = match error {
            DatabaseError::UniqueViolation { constraint, .. } => format!("unique {constraint}"),
            DatabaseError::ForeignKeyViolation { .. } => "reference".to_owned(),
            DatabaseError::CheckViolation { constraint } => format!("check {constraint}"),
            other => other.to_string(),
        };
        assert_eq!(found, expected);
    }
    Ok(())
}

async fn a_failed_transaction_only_rolls_back(database: &Database) -> Result<(), DatabaseError> {
    let id = database.inner().clock.fresh_id();
    let mut transaction = database.transaction(&call()).await?;
    open(&mut transaction, id, "failed").await?;
    let failed = transaction.execute(&NONSENSE, []).await;
    assert!(matches!(failed, Err(DatabaseError::Query { name: "nonsense", .. })), "{failed:?}");
    let after = transaction.execute(&ADD, params![id, 1_i64]).await;
    assert!(matches!(after, Err(DatabaseError::TransactionFailed { .. })), "{after:?}");
    assert!(matches!(transaction.commit().await, Err(DatabaseError::TransactionFailed { .. })));
    assert_eq!(balance(database, id).await?, None);
    Ok(())
}

/// Two hundred at once: some commit, some fail, some are dropped. Every one that was acknowledged is there.
async fn neighbours_do_not_share_a_fate(database: &Database) -> Result<(), DatabaseError> {
    opened(database, "crowd-taken").await?;
    let one = async |number: i64| -> Result<Option<String>, DatabaseError> {
        let id = database.inner().clock.fresh_id();
        let mut transaction = database.transaction(&call()).await?;
        let email_key = format!("crowd-{number}");
        open(&mut transaction, id, &email_key).await?;
        match number % 4 {
            0 => {
                let taken = params![database.inner().clock.fresh_id(), "crowd-taken", 1_i64];
                assert!(matches!(
                    transaction.execute(&OPEN, taken).await,
                    Err(DatabaseError::UniqueViolation { .. })
                ));
                Ok(None)
            }
            1 => Ok(None),
            _ => transaction.commit().await.map(|_| Some(email_key)),
        }
    };
    // Sixteen at a time: more would wait longer for a connection than the pool lets them.
    let mut acknowledged = Vec::new();
    for start in (0..200).step_by(16) {
        for result in join_all((start..200.min(start + 16)).map(one)).await {
            acknowledged.extend(result?);
        }
    }
    let count = |names: Vec<String>| async move {
        let row = database.read(&call()).row(&COUNT, params![names]).await?.expect("a count");
        row.get::<i64>(0)
    };
    assert_eq!(acknowledged.len(), 100);
    assert_eq!(count(acknowledged).await?, 100);
    assert_eq!(count((0..200).map(|number| format!("crowd-{number}")).collect()).await?, 100);
    Ok(())
}

async fn a_locked_row_is_counted_up_by_everyone(database: &Database) -> Result<(), DatabaseError> {
    let id = opened(database, "counter").await?;
    let one = async || -> Result<(), DatabaseError> {
        let mut transaction = database.transaction(&call()).await?;
        let row = transaction.row(&LOCKED, params![id]).await?.expect("it is there");
        let change = row.get::<i64>(0)? % 2 + 1;
        assert_eq!(transaction.execute(&ADD, params![id, change]).await?, 1);
        transaction.commit().await.map(|_| ())
    };
    for result in join_all((0..16).map(|_| one())).await {
        result?;
    }
    // 5 → 7 → 9 …: each saw what the one before had written.
    assert_eq!(balance(database, id).await?, Some(5 + 16 * 2));
    Ok(())
}

async fn reads_cannot_write(database: &Database) -> Result<(), DatabaseError> {
    let id = database.inner().clock.fresh_id();
    for query in [
        WRITE,
        Query::scan("accounts.sneak", "insert into accounts (id, email_key, balance) values ($1, 'x', 1)"),
    ] {
        let refused = database.read(&call()).rows(&query, params![id]).await;
        assert!(matches!(refused, Err(DatabaseError::ReadOnly { .. })), "{refused:?}");
    }
    Ok(())
}

async fn tokens_grow(database: &Database) -> Result<(), DatabaseError> {
    let mut tokens: Vec<Token> = Vec::new();
    for number in 0..5 {
        let mut transaction = database.transaction(&call()).await?;
        open(&mut transaction, database.inner().clock.fresh_id(), &format!("token-{number}")).await?;
        let token = transaction.commit().await?;
        assert_eq!(token.to_string().parse::<Token>()?, token);
        assert!(database.position(&call()).await? >= token, "the log stands before an answered write");
        tokens.push(token);
    }
    assert!(tokens.is_sorted_by(|earlier, later| earlier < later), "{tokens:?}");
    Ok(())
}
