//! Deadlines: a statement that runs too long is stopped, and its connection can be used again.

use std::time::{Duration, Instant};

use pando_resilience::Call;

use super::{ENDLESS, call};
use crate::{Database, DatabaseError, Query, params};

const ENDLESS_POINT: Query = Query::point(
    "endless.point",
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000000000) select count(*) from n",
);
const OPEN: Query =
    Query::write("accounts.open", "insert into accounts (id, email_key, balance) values ($1, $2, 1)");

/// How late an answer may be on a busy machine; a statement that is not stopped takes minutes.
const SLACK: Duration = Duration::from_secs(20);

pub(super) async fn exercise(database: &Database) -> Result<(), DatabaseError> {
    late_work_is_not_started(database).await?;
    slow_statements_stop_at_the_deadline(database).await?;
    an_idle_transaction_does_not_outlive_its_deadline(database).await?;
    a_cancelled_statement_harms_nobody(database).await
}

fn short() -> Call {
    Call::internal("short", Duration::from_millis(800))
}

async fn late_work_is_not_started(database: &Database) -> Result<(), DatabaseError> {
    let late = Call::internal("late", Duration::ZERO);
    let point = database.read(&late).row(&Query::point("one", "select 1"), []).await;
    assert!(matches!(point, Err(DatabaseError::DeadlineExceeded)), "{point:?}");
    let scan = database.read(&late).row(&ENDLESS, []).await;
    assert!(matches!(scan, Err(DatabaseError::DeadlineExceeded)), "{scan:?}");
    let transaction = database.transaction(&late).await.map(|_| ());
    assert!(matches!(transaction, Err(DatabaseError::DeadlineExceeded)), "{transaction:?}");
    Ok(())
}

async fn slow_statements_stop_at_the_deadline(database: &Database) -> Result<(), DatabaseError> {
    for query in [&ENDLESS, &ENDLESS_POINT] {
        let started = Instant::now();
        let stopped = database.read(&short()).row(query, []).await;
        assert!(matches!(stopped, Err(DatabaseError::DeadlineExceeded)), "{stopped:?}");
        assert!(started.elapsed() < SLACK, "{:?}", started.elapsed());
    }
    let (started, id) = (Instant::now(), database.inner().clock.fresh_id());
    let mut transaction = database.transaction(&short()).await?;
    transaction.execute(&OPEN, params![id, "too late"]).await?;
    let stopped = transaction.row(&ENDLESS, []).await;
    assert!(matches!(stopped, Err(DatabaseError::DeadlineExceeded)), "{stopped:?}");
    let committed = transaction.commit().await;
    assert!(matches!(committed, Err(DatabaseError::TransactionFailed { .. })), "{committed:?}");
    assert!(started.elapsed() < SLACK, "{:?}", started.elapsed());
    writes_go_on(database, "too late").await
}

async fn an_idle_transaction_does_not_outlive_its_deadline(database: &Database) -> Result<(), DatabaseError> {
    let short = short();
    let mut idle = database.transaction(&short).await?;
    idle.execute(&OPEN, params![database.inner().clock.fresh_id(), "idle"]).await?;
    tokio::time::sleep_until(short.deadline.instant()).await;
    let committed = idle.commit().await;
    assert!(matches!(committed, Err(DatabaseError::DeadlineExceeded)), "{committed:?}");
    writes_go_on(database, "idle").await
}

async fn a_cancelled_statement_harms_nobody(database: &Database) -> Result<(), DatabaseError> {
    let long = call();
    let mut transaction = database.transaction(&long).await?;
    transaction.execute(&OPEN, params![database.inner().clock.fresh_id(), "cancelled"]).await?;
    let impatient = tokio::time::timeout(Duration::from_millis(50), transaction.row(&ENDLESS, [])).await;
    assert!(impatient.is_err(), "{impatient:?}");
    drop(transaction);
    let read = database.read(&long);
    let impatient = tokio::time::timeout(Duration::from_millis(50), read.row(&ENDLESS, [])).await;
    assert!(impatient.is_err(), "{impatient:?}");
    writes_go_on(database, "cancelled").await
}

/// The row of the transaction that was stopped is not in the way, and the writer is free.
async fn writes_go_on(database: &Database, email_key: &str) -> Result<(), DatabaseError> {
    let started = Instant::now();
    let mut transaction = database.transaction(&call()).await?;
    transaction.execute(&OPEN, params![database.inner().clock.fresh_id(), email_key]).await?;
    transaction.commit().await?;
    assert!(started.elapsed() < SLACK, "{:?}", started.elapsed());
    Ok(())
}
