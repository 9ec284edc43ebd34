//! The statements that end attempts. Every statement names the lease: without the lease nothing changes.

use pando_clock::Timestamp;
use pando_database::{DatabaseError, Query, Row, Transaction, Value as Parameter, params};
use serde_json::Value;
use uuid::Uuid;

use crate::JobState;
use crate::lanes::Lane;

/// A job that ended: what else hangs on it.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) id: Uuid,
    pub(crate) state: JobState,
    pub(crate) batch: Option<Uuid>,
    pub(crate) sequel: Option<Value>,
    pub(crate) result: Option<Value>,
    pub(crate) queue: String,
    pub(crate) lane: Option<String>,
}

impl Ended {
    /// The lane whose next job may go forward, now that this one has ended.
    pub(crate) fn lane(&self) -> Option<Lane> {
        let name = self.lane.clone().filter(|_| self.state.is_end())?;
        Some(Lane { queue: self.queue.clone(), name })
    }
}

/// The columns that every end reads back, for [`ended_from`].
macro_rules! ended {
    () => {
        " returning id, state, batch_id, sequel, case when sequel is null then null else result end, queue, lane"
    };
}

/// The columns that every end clears.
macro_rules! let_go {
    () => {
        "lease = null, lease_until = null, \
         unique_key = case when unique_scope = 'window' then unique_key else null end"
    };
}

static FENCE: Query = Query::write(
    "queue.fence",
    "select 1 from queue_jobs where id = $1 and lease = $2 and state = 'running' for update",
);

static SAVE: Query = Query::write(
    "queue.save",
    "update queue_jobs set cursor = $3, progress = coalesce(cast($4 as jsonb), progress), lease_until = $5 \
     where id = $1 and lease = $2 and state = 'running'",
);

static SAVE_PROGRESS: Query = Query::write(
    "queue.save_progress",
    "update queue_jobs set progress = $3 where id = $1 and lease = $2 and state = 'running'",
);

static COMPLETE: Query = Query::write(
    "queue.complete",
    concat!(
        "update queue_jobs set state = 'completed', ended_at = $3, ",
        let_go!(),
        " where id = any($2) and lease = $1 and state = 'running'",
        ended!()
    ),
);

static COMPLETE_ONE: Query = Query::write(
    "queue.complete_one",
    concat!(
        "update queue_jobs set state = 'completed', ended_at = $3, result = $4, ",
        let_go!(),
        " where id = $1 and lease = $2 and state = 'running'",
        ended!()
    ),
);

/// A job that somebody wants cancelled is not tried again.
static AGAIN: Query = Query::write(
    "queue.again",
    "update queue_jobs set lease = null, lease_until = null, error = $5, fingerprint = $6, run_at = $4, \
     state = case when cancel_requested then 'cancelled' when cast($4 as timestamptz) > cast($3 as timestamptz) then 'scheduled' else 'pending' end, \
     ended_at = case when cancel_requested then cast($3 as timestamptz) else null end, \
     unique_key = case when cancel_requested and unique_scope = 'live' then null else unique_key end \
     where id = $1 and lease = $2 and state = 'running' returning id, state, batch_id, null, null, queue, lane",
);

static BURY: Query = Query::write(
    "queue.bury",
    concat!(
        "update queue_jobs set state = 'dead', ended_at = $3, error = $4, fingerprint = $5, ",
        let_go!(),
        " where id = $1 and lease = $2 and state = 'running'",
        ended!()
    ),
);

static CANCELLED: Query = Query::write(
    "queue.cancelled",
    concat!(
        "update queue_jobs set state = 'cancelled', ended_at = $3, ",
        let_go!(),
        " where id = $1 and lease = $2 and state = 'running'",
        ended!()
    ),
);

/// The attempt does not count.
static HAND_BACK: Query = Query::write(
    "queue.hand_back",
    "update queue_jobs set lease = null, lease_until = null, attempts = attempts - 1, \
     state = case when cancel_requested then 'cancelled' else 'pending' end, \
     ended_at = case when cancel_requested then cast($3 as timestamptz) else null end, \
     unique_key = case when cancel_requested and unique_scope = 'live' then null else unique_key end \
     where id = any($2) and lease = $1 and state = 'running' returning id, state, batch_id, null, null, queue, lane",
);

/// Whether the attempt is the living one; until the transaction ends it stays so.
pub(crate) async fn fence(tx: &mut Transaction, id: Uuid, lease: Uuid) -> Result<bool, DatabaseError> {
    Ok(tx.row(&FENCE, params![id, lease]).await?.is_some())
}

/// Writes how far the attempt has come, and renews its lease: while the transaction is open no heartbeat can. Whether it
/// is the living one.
pub(crate) async fn save(
    tx: &mut Transaction,
    id: Uuid,
    lease: Uuid,
    cursor: Value,
    progress: Option<Value>,
    lease_until: Timestamp,
) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&SAVE, params![id, lease, cursor, progress, lease_until]).await? > 0)
}

/// Writes what the attempt says of itself; whether it is the living one.
pub(crate) async fn save_progress(
    tx: &mut Transaction,
    id: Uuid,
    lease: Uuid,
    progress: Value,
) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&SAVE_PROGRESS, params![id, lease, progress]).await? > 0)
}

/// Completes jobs of one lease that have no result.
pub(crate) async fn complete(
    tx: &mut Transaction,
    lease: Uuid,
    ids: Vec<Uuid>,
    now: Timestamp,
) -> Result<Vec<Ended>, DatabaseError> {
    tx.rows(&COMPLETE, params![lease, ids, now]).await?.iter().map(ended_from).collect()
}

/// Completes one job; nothing when the attempt is not the living one.
pub(crate) async fn complete_one(
    tx: &mut Transaction,
    (id, lease): (Uuid, Uuid),
    result: Option<Value>,
    now: Timestamp,
) -> Result<Option<Ended>, DatabaseError> {
    let row = tx.row(&COMPLETE_ONE, params![id, lease, now, result]).await?;
    row.as_ref().map(ended_from).transpose()
}

/// Ends of attempts that are written one row each, all in one trip.
#[derive(Debug, Default)]
pub(crate) struct Each {
    complete: Vec<Vec<Parameter>>,
    again: Vec<Vec<Parameter>>,
    bury: Vec<Vec<Parameter>>,
    cancelled: Vec<Vec<Parameter>>,
}

impl Each {
    /// Completes one with its result.
    pub(crate) fn complete(&mut self, (id, lease): (Uuid, Uuid), result: Value, now: Timestamp) {
        self.complete.push(params![id, lease, now, result].into());
    }

    /// Sets the next attempt.
    pub(crate) fn again(
        &mut self,
        (id, lease): (Uuid, Uuid),
        (now, run_at): (Timestamp, Timestamp),
        (error, fingerprint): (&str, &str),
    ) {
        self.again.push(params![id, lease, now, run_at, error, fingerprint].into());
    }

    /// Puts it among the dead letters.
    pub(crate) fn bury(
        &mut self,
        (id, lease): (Uuid, Uuid),
        now: Timestamp,
        (error, fingerprint): (&str, &str),
    ) {
        self.bury.push(params![id, lease, now, error, fingerprint].into());
    }

    /// Ends it as cancelled.
    pub(crate) fn cancelled(&mut self, (id, lease): (Uuid, Uuid), now: Timestamp) {
        self.cancelled.push(params![id, lease, now].into());
    }

    /// Writes them all; those whose attempt was the living one.
    pub(crate) async fn write(self, tx: &mut Transaction) -> Result<Vec<Ended>, DatabaseError> {
        let mut ended = Vec::new();
        for (query, sets) in [
            (&AGAIN, self.again),
            (&BURY, self.bury),
            (&CANCELLED, self.cancelled),
            (&COMPLETE_ONE, self.complete),
        ] {
            for row in tx.rows_each(query, sets).await? {
                ended.push(ended_from(&row)?);
            }
        }
        Ok(ended)
    }
}

/// Gives jobs of one lease back, uncounted.
pub(crate) async fn hand_back(
    tx: &mut Transaction,
    lease: Uuid,
    ids: Vec<Uuid>,
    now: Timestamp,
) -> Result<Vec<Ended>, DatabaseError> {
    tx.rows(&HAND_BACK, params![lease, ids, now]).await?.iter().map(ended_from).collect()
}

pub(crate) fn ended_from(row: &Row) -> Result<Ended, DatabaseError> {
    let state: String = row.get(1)?;
    Ok(Ended {
        id: row.get(0)?,
        state: JobState::parse(&state).unwrap_or(JobState::Running),
        batch: row.get(2)?,
        sequel: row.get(3)?,
        result: row.get(4)?,
        queue: row.get(5)?,
        lane: row.get(6)?,
    })
}
