//! The positions of durable subscribers.

use pando_clock::Timestamp;
use pando_database::{DatabaseError, Query, Read, params};

static PLACES: Query = Query::scan(
    "outbox.subscribers",
    "select subscriber, log_number, updated_at, holder is not null and held_until >= $1 \
     from outbox_cursors order by subscriber",
);

/// Name, number in the log, when it last moved, and whether somebody delivers to it.
pub(crate) async fn places(
    read: &Read<'_>,
    now: Timestamp,
) -> Result<Vec<(String, i64, Timestamp, bool)>, DatabaseError> {
    let rows = read.rows(&PLACES, params![now]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).collect()
}
