//! Statements of the outbox.

use pando_clock::Timestamp;
use pando_database::{DatabaseError, Json, Query, Read, Row, Transaction, params};
use pando_resilience::Tenant;
use serde_json::Value;
use uuid::Uuid;

use crate::Event;

static INSERT: Query = Query::write(
    "outbox.publish",
    "insert into outbox_events (id, service, type, subject, version, data, trace, created_at, origin, \
     event_count, followers, tenant) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
);

static LOCK_LOG: Query =
    Query::write("outbox.lock_log", "select last_number from outbox_log where id = 1 for update skip locked");

static NUMBER: Query = Query::write(
    "outbox.number",
    "update outbox_events set log_number = numbered.log_number from (select position as place, \
     cast($1 as bigint) + row_number() over (order by position) as log_number from outbox_events \
     where log_number is null order by position limit $2) as numbered \
     where outbox_events.position = numbered.place",
);

static ADVANCE_LOG: Query =
    Query::write("outbox.advance_log", "update outbox_log set last_number = last_number + $1 where id = 1");

static STATE: Query = Query::point(
    "outbox.state",
    "select last_number, (select count(*) from (select position from outbox_events where log_number is null \
     order by position limit 1) as fresh) from outbox_log where id = 1",
);

static PLACES: Query = Query::point(
    "outbox.places",
    "select subscriber, log_number from outbox_cursors where subscriber = any($1)",
);

/// As many rows as it takes for so many events.
static READ: Query = Query::scan(
    "outbox.read",
    "select log_number, id, service, type, subject, version, data, trace, created_at, origin, followers, tenant \
     from outbox_events where log_number > $1 and log_number is not null and log_number <= (select \
     max(log_number) from (select log_number, event_count, sum(event_count) over (order by log_number) as total \
     from outbox_events where log_number > $1 and log_number is not null order by log_number limit $2) as page \
     where total - event_count < $2) order by log_number",
);

static ENTER: Query = Query::write(
    "outbox.enter",
    "insert into outbox_cursors (subscriber, log_number, held_until, updated_at) \
     select $1, last_number, $2, $2 from outbox_log where id = 1 on conflict (subscriber) do nothing",
);

static HOLD: Query = Query::write(
    "outbox.hold",
    "update outbox_cursors set holder = $2, held_until = $4 where subscriber = $1 \
     and (holder = $2 or holder is null or held_until < $3) returning log_number",
);

static ADVANCE: Query = Query::write(
    "outbox.advance",
    "update outbox_cursors set log_number = $3, updated_at = $4, held_until = $5 \
     where subscriber = $1 and holder = $2",
);

static RENEW: Query = Query::write(
    "outbox.renew",
    "update outbox_cursors set held_until = $3 where subscriber = $1 and holder = $2",
);

static LET_GO: Query = Query::write(
    "outbox.let_go",
    "update outbox_cursors set holder = null where subscriber = $1 and holder = $2",
);

static REPLAY: Query = Query::write(
    "outbox.replay",
    "update outbox_cursors set log_number = $2, holder = null, updated_at = $3 where subscriber = $1",
);

static FORGET: Query = Query::write("outbox.forget", "delete from outbox_cursors where subscriber = $1");

static NUMBER_BEFORE: Query = Query::scan(
    "outbox.number_before",
    "select coalesce(max(log_number), 0) from outbox_events where created_at < $1",
);

/// One index finds the events after a number, another one those without a number. In one statement, every row would be read.
static LAG: Query = Query::scan(
    "outbox.lag",
    "select cursor.subscriber, (select coalesce(cast(sum(event_count) as bigint), 0) from outbox_events \
     where log_number > cursor.log_number and log_number is not null) + (select \
     coalesce(cast(sum(event_count) as bigint), 0) from outbox_events where log_number is null), \
     coalesce((select created_at from outbox_events where log_number > cursor.log_number and \
     log_number is not null order by log_number limit 1), (select created_at from outbox_events \
     where log_number is null order by position limit 1)) from outbox_cursors as cursor",
);

/// Only the front of the log is read, because every event behind a young one is young.
static SWEEP: Query = Query::write(
    "outbox.sweep",
    "delete from outbox_events where position in (select position from (select position, created_at, \
     log_number from outbox_events where log_number is not null order by log_number limit $2) as oldest \
     where created_at < $1 and log_number <= (select coalesce(min(log_number), cast($3 as bigint)) \
     from outbox_cursors))",
);

static SWEEP_UNREAD: Query = Query::write(
    "outbox.sweep_unread",
    "delete from outbox_events where not exists (select 1 from outbox_cursors) and position in (select \
     position from (select position, created_at from outbox_events where log_number is null \
     order by position limit $2) as oldest where created_at < $1)",
);

/// An event that shares the row of another: id, type, subject, version, data. The rest is as it stands there.
type Follower = (Uuid, String, String, i64, Value);

/// Adds a row of events: one, or some that have tenant, service, trace and origin in common. It is written with whatever the
/// transaction does next.
pub(crate) fn insert(tx: &mut Transaction, events: &[Event]) {
    let Some((event, followers)) = events.split_first() else { return };
    let packed = match followers {
        [] => None,
        _ => Some(pack(followers)),
    };
    let values = params![
        event.id,
        event.service.as_str(),
        event.kind.as_str(),
        event.subject.as_str(),
        event.version,
        event.data.clone(),
        event.trace.as_deref(),
        event.timestamp,
        event.origin,
        i64::try_from(events.len()).unwrap_or(i64::MAX),
        packed,
        &event.tenant,
    ];
    tx.execute_later(&INSERT, values);
}

/// As JSON, which every engine keeps as it is.
fn pack(events: &[Event]) -> String {
    let followers: Vec<_> = events
        .iter()
        .map(|event| (event.id, &event.kind, &event.subject, event.version, &event.data))
        .collect();
    serde_json::to_string(&followers).expect("texts, numbers and values of JSON are JSON")
}

/// Gives numbers to committed events that have none; how many, or nothing when somebody else does it just now.
pub(crate) async fn number(tx: &mut Transaction, count: usize) -> Result<Option<u64>, DatabaseError> {
    let Some(row) = tx.row(&LOCK_LOG, []).await? else { return Ok(None) };
    let last: i64 = row.get(0)?;
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let numbered = tx.execute(&NUMBER, params![last, count]).await?;
    if numbered > 0 {
        tx.execute(&ADVANCE_LOG, params![i64::try_from(numbered).unwrap_or(0)]).await?;
    }
    Ok(Some(numbered))
}

/// The number of the last event that has one, and whether any has none yet.
pub(crate) async fn state(read: &Read<'_>) -> Result<(i64, bool), DatabaseError> {
    let Some(row) = read.row(&STATE, []).await? else { return Ok((0, false)) };
    Ok((row.get(0)?, row.get::<i64>(1)? > 0))
}

/// Where these durable subscribers stand.
pub(crate) async fn places(
    read: &Read<'_>,
    subscribers: Vec<String>,
) -> Result<Vec<(String, i64)>, DatabaseError> {
    let rows = read.rows(&PLACES, params![subscribers]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// The events after a number, in order: so many, and those that share a row with the last one.
pub(crate) async fn read_after(
    read: &Read<'_>,
    number: i64,
    count: usize,
) -> Result<Vec<(i64, Event)>, DatabaseError> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let mut events = Vec::new();
    for row in read.rows(&READ, params![number, count]).await? {
        unpack(&row, &mut events)?;
    }
    Ok(events)
}

/// Makes a place for a subscriber, at the end of the log, unless it has one.
pub(crate) async fn enter(
    tx: &mut Transaction,
    subscriber: &str,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    tx.execute(&ENTER, params![subscriber, now]).await.map(drop)
}

/// Becomes the one that delivers to a subscriber: where it stands, or nothing when another one is.
pub(crate) async fn hold(
    tx: &mut Transaction,
    subscriber: &str,
    holder: Uuid,
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<i64>, DatabaseError> {
    tx.row(&HOLD, params![subscriber, holder, now, until]).await?.map(|row| row.get(0)).transpose()
}

/// Says how far a subscriber has come; false when another one delivers by now.
pub(crate) async fn advance(
    tx: &mut Transaction,
    (subscriber, holder): (&str, Uuid),
    number: i64,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&ADVANCE, params![subscriber, holder, number, now, until]).await? > 0)
}

/// Says that whoever delivers to a subscriber is alive; false when another one delivers by now.
pub(crate) async fn renew(
    tx: &mut Transaction,
    (subscriber, holder): (&str, Uuid),
    until: Timestamp,
) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&RENEW, params![subscriber, holder, until]).await? > 0)
}

/// Lets another one deliver.
pub(crate) async fn let_go(
    tx: &mut Transaction,
    subscriber: &str,
    holder: Uuid,
) -> Result<(), DatabaseError> {
    tx.execute(&LET_GO, params![subscriber, holder]).await.map(drop)
}

/// Changes the position of a subscriber; false if no subscriber has this name.
pub(crate) async fn replay(
    tx: &mut Transaction,
    subscriber: &str,
    number: i64,
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&REPLAY, params![subscriber, number, now]).await? > 0)
}

/// Removes a subscriber; false if none has this name.
pub(crate) async fn forget(tx: &mut Transaction, subscriber: &str) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&FORGET, params![subscriber]).await? > 0)
}

/// The number of the last event before a moment.
pub(crate) async fn number_before(read: &Read<'_>, moment: Timestamp) -> Result<i64, DatabaseError> {
    read.row(&NUMBER_BEFORE, params![moment]).await?.map_or(Ok(0), |row| row.get(0))
}

/// How many events each subscriber has before it, and when the first of them was written.
pub(crate) async fn lag(read: &Read<'_>) -> Result<Vec<(String, i64, Option<Timestamp>)>, DatabaseError> {
    let rows = read.rows(&LAG, []).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect()
}

/// Deletes old events that every subscriber has; how many.
pub(crate) async fn sweep(
    tx: &mut Transaction,
    before: Timestamp,
    count: usize,
) -> Result<u64, DatabaseError> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    tx.execute(&SWEEP, params![before, count, i64::MAX]).await
}

/// Deletes old events without a number that no durable subscriber needs, and returns how many.
pub(crate) async fn sweep_unread(
    tx: &mut Transaction,
    before: Timestamp,
    count: usize,
) -> Result<u64, DatabaseError> {
    tx.execute(&SWEEP_UNREAD, params![before, i64::try_from(count).unwrap_or(i64::MAX)]).await
}

fn unpack(row: &Row, events: &mut Vec<(i64, Event)>) -> Result<(), DatabaseError> {
    let number: i64 = row.get(0)?;
    let first = Event {
        id: row.get(1)?,
        tenant: Tenant::stored(&row.get::<String>(11)?),
        service: row.get(2)?,
        kind: row.get(3)?,
        subject: row.get(4)?,
        version: row.get(5)?,
        data: row.get(6)?,
        trace: row.get(7)?,
        timestamp: row.get(8)?,
        origin: row.get(9)?,
    };
    let followers = row.get::<Option<Json<Vec<Follower>>>>(10)?.map(|it| it.0).unwrap_or_default();
    events.reserve(followers.len() + 1);
    let (tenant, service, trace) = (first.tenant.clone(), first.service.clone(), first.trace.clone());
    let (timestamp, origin) = (first.timestamp, first.origin);
    events.push((number, first));
    for (id, kind, subject, version, data) in followers {
        let (tenant, service, trace) = (tenant.clone(), service.clone(), trace.clone());
        let event = Event { id, tenant, service, kind, subject, version, data, trace, timestamp, origin };
        events.push((number, event));
    }
    Ok(())
}
