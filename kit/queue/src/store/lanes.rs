//! Statements of lanes.

use pando_clock::Timestamp;
use pando_database::{DatabaseError, Query, Read, Transaction, params};

use crate::lanes::Lane;

/// Nothing happens where the first one is forward already.
static MOVE_FORWARD: Query = Query::write(
    "queue.lane_move",
    "update queue_jobs set state = case when run_at > $3 then 'scheduled' else 'pending' end \
     where state = 'behind' and id = (select id from queue_jobs where queue = $1 and lane = $2 \
     and lane is not null and ended_at is null order by lane_number limit 1)",
);

/// Steps through the index from one lane with jobs behind to the next, and looks at who is first in it.
pub(super) static STANDING_STILL: Query = Query::scan(
    "queue.lanes_standing_still",
    "with recursive step (lane) as (select (select min(lane) from queue_jobs where queue = $1 \
     and state = 'behind') union all select (select min(job.lane) from queue_jobs as job where job.queue = $1 \
     and job.state = 'behind' and job.lane > step.lane) from step where step.lane is not null) \
     select lane from step where lane is not null and (select first.state from queue_jobs as first \
     where first.queue = $1 and first.lane = step.lane and first.lane is not null and first.ended_at is null \
     order by first.lane_number limit 1) = 'behind' limit $2",
);

/// Lets the first job of a lane forward; with whatever the transaction does next.
pub(crate) fn move_forward(tx: &mut Transaction, lane: &Lane, now: Timestamp) {
    tx.execute_later(&MOVE_FORWARD, params![lane.queue.as_str(), lane.name.as_str(), now]);
}

/// Lanes of a queue whose first job is not forward: for a moment that is so whenever one ended.
pub(crate) async fn standing_still(
    read: &Read<'_>,
    queue: &str,
    count: usize,
) -> Result<Vec<String>, DatabaseError> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    read.rows(&STANDING_STILL, params![queue, count]).await?.iter().map(|row| row.get(0)).collect()
}
