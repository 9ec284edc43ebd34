//! The positions of durable subscribers.

use pando_clock::Timestamp;
use pando_database::{DatabaseError, Query, Read, Transaction, params};

static PLACES: Query = Query::scan(
    "outbox.subscribers",
    "select subscriber, log_number, updated_at, holder is not null and held_until >= $1 \
     from outbox_cursors order by subscriber",
);

static ENTER: Query = Query::write(
    "outbox.enter_reader",
    "insert into outbox_cursors (subscriber, log_number, held_until, updated_at) values ($1, 0, $2, $2) \
     on conflict (subscriber) do nothing",
);

static ADVANCE: Query = Query::write(
    "outbox.advance_reader",
    "update outbox_cursors set log_number = $3, updated_at = $4 where subscriber = $1 and log_number = $2",
);

/// Name, number in the log, when it last moved, and whether somebody delivers to it.
pub(crate) async fn places(
    read: &Read<'_>,
    now: Timestamp,
) -> Result<Vec<(String, i64, Timestamp, bool)>, DatabaseError> {
    let rows = read.rows(&PLACES, params![now]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).collect()
}

/// Makes a place for a reader, at the beginning of the log, unless it has one.
pub(crate) async fn enter(
    tx: &mut Transaction,
    subscriber: &str,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    tx.execute(&ENTER, params![subscriber, now]).await.map(drop)
}

/// Moves the place of a reader from one number to another; false if it is not there.
pub(crate) async fn advance(
    tx: &mut Transaction,
    subscriber: &str,
    (from, to): (i64, i64),
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&ADVANCE, params![subscriber, from, to, now]).await? > 0)
}
