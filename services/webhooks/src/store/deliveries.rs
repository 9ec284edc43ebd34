//! The statements about events and their deliveries.

use pando_database::{BatchQuery, DatabaseError, Value};
use pando_service::prelude::*;
use pando_service::{name_in, value_in};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::events::StoredEvent;

/// How many characters of an answer are kept.
pub(crate) const RESPONSE_CHARS_MAX: usize = 1_024;

static EVENTS: BulkInsert = BulkInsert {
    name: "webhooks.events",
    table: "webhook_events",
    columns: &[
        ("tenant", ColumnType::Text),
        ("id", ColumnType::Uuid),
        ("kind", ColumnType::Text),
        ("subject", ColumnType::Text),
        ("data", ColumnType::Json),
        ("published_at", ColumnType::Timestamp),
    ],
    // The event is delivered again if the process died before it said that it had it.
    on_conflict: OnConflict::Skip("(id, tenant)"),
    key: "id",
};

static DELIVERIES: BulkInsert = BulkInsert {
    name: "webhooks.deliveries",
    table: "webhook_deliveries",
    columns: &[
        ("tenant", ColumnType::Text),
        ("webhook_id", ColumnType::Uuid),
        ("event_id", ColumnType::Uuid),
        ("subject", ColumnType::Text),
        ("version", ColumnType::Bigint),
        ("status", ColumnType::Text),
        ("attempts", ColumnType::Bigint),
        ("next_at", ColumnType::Timestamp),
        ("response", ColumnType::Text),
        ("error", ColumnType::Text),
    ],
    on_conflict: OnConflict::Skip("(webhook_id, event_id, tenant)"),
    key: "event_id",
};

macro_rules! due {
    ($more:literal) => {
        concat!(
            "select d.event_id, d.subject, d.attempts, e.kind, e.data, e.published_at from webhook_deliveries d \
             join webhook_events e on e.id = d.event_id and e.tenant = d.tenant \
             where d.webhook_id = $1 and d.tenant = $2 and d.status = 'pending' and d.next_at <= $3",
            $more,
            " order by d.next_at, d.event_id limit $4"
        )
    };
}

static DUE: Query = Query::scan("webhooks.due", due!(""));

/// Those of endpoints that keep the order: none whose thing has an earlier event that waits for its next attempt.
static DUE_IN_ORDER: Query = Query::scan(
    "webhooks.due_in_order",
    due!(
        " and not exists (select 1 from webhook_deliveries p where p.webhook_id = d.webhook_id and p.tenant = d.tenant \
         and p.status = 'pending' and p.subject = d.subject and (p.version, p.event_id) < (d.version, d.event_id))"
    ),
);

static NEXT: Query = Query::point(
    "webhooks.next",
    "select next_at from webhook_deliveries where webhook_id = $1 and tenant = $2 and status = 'pending' \
     order by next_at limit 1",
);

/// The outcomes of a round of attempts are noted at once. All are of one endpoint.
static ATTEMPTED: BatchQuery = BatchQuery {
    name: "webhooks.attempted",
    columns: &[
        ("event_id", ColumnType::Uuid),
        ("webhook_id", ColumnType::Uuid),
        ("tenant", ColumnType::Text),
        ("status", ColumnType::Text),
        ("attempts", ColumnType::Bigint),
        ("next_at", ColumnType::Timestamp),
        ("attempted_at", ColumnType::Timestamp),
        ("response_code", ColumnType::Bigint),
        ("latency_micros", ColumnType::Bigint),
        ("response", ColumnType::Text),
        ("error", ColumnType::Text),
    ],
    sql: "update webhook_deliveries set status = batch.status, attempts = batch.attempts, next_at = batch.next_at, \
          attempted_at = batch.attempted_at, response_code = batch.response_code, latency_micros = batch.latency_micros, \
          response = batch.response, error = batch.error from batch \
          where webhook_deliveries.webhook_id = batch.webhook_id and webhook_deliveries.event_id = batch.event_id \
          and webhook_deliveries.tenant = batch.tenant and webhook_deliveries.status = 'pending'",
};

macro_rules! listed {
    ($more:literal) => {
        concat!(
            "select d.webhook_id, d.event_id, d.status, d.attempts, d.next_at, d.attempted_at, d.response_code, \
             d.latency_micros, d.response, d.error, e.kind, e.subject, e.published_at from webhook_deliveries d \
             join webhook_events e on e.id = d.event_id and e.tenant = d.tenant \
             where d.webhook_id = $1 and d.tenant = $2 and d.event_id < $3",
            $more
        )
    };
}

static LIST: Query = Query::scan("webhooks.delivery_list", listed!(" order by d.event_id desc limit $4"));

static LIST_OF: Query =
    Query::scan("webhooks.delivery_list_of", listed!(" and d.status = $5 order by d.event_id desc limit $4"));

static FIND: Query = Query::point("webhooks.delivery", listed!(" and d.event_id = $4"));

/// A delivery that ended, or waits, is due at once.
static REDRIVE: Query = Query::write(
    "webhooks.redrive_one",
    "update webhook_deliveries set status = 'pending', attempts = 0, next_at = $4 \
     where webhook_id = $1 and event_id = $2 and tenant = $3",
);

static DEAD_SINCE: Query = Query::scan(
    "webhooks.dead_since",
    "select event_id from webhook_deliveries where webhook_id = $1 and tenant = $2 and status = 'dead' \
     and event_id >= $3 order by event_id limit $4",
);

static REDRIVE_ALL: Query = Query::write(
    "webhooks.redrive",
    "update webhook_deliveries set status = 'pending', attempts = 0, next_at = $4 \
     where webhook_id = $1 and tenant = $2 and event_id = any($3) and status = 'dead'",
);

static FORGET: Query = Query::write(
    "webhooks.forget_deliveries",
    "delete from webhook_deliveries where (webhook_id, event_id, tenant) in (select webhook_id, event_id, tenant \
     from webhook_deliveries where webhook_id = $1 and event_id < $2 limit $3)",
);

static FORGET_EVENTS: Query = Query::write(
    "webhooks.forget_events",
    "delete from webhook_events where (id, tenant) in (select id, tenant from webhook_events where id < $1 limit $2)",
);

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryStatus {
    /// It waits for its first or its next attempt.
    Pending,
    /// It arrived.
    Delivered,
    /// It failed too often, and waits for somebody to send it again.
    Dead,
}

/// A delivery whose attempt is due.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    pub(crate) event: StoredEvent,
    pub(crate) attempts: i64,
}

/// The outcome of one attempt.
#[derive(Clone, Debug)]
pub(crate) struct Attempted {
    pub(crate) event: Uuid,
    pub(crate) status: DeliveryStatus,
    pub(crate) attempts: i64,
    pub(crate) next_at: Timestamp,
    pub(crate) ended_at: Timestamp,
    pub(crate) response_code: Option<u16>,
    pub(crate) latency_micros: i64,
    pub(crate) response: String,
    pub(crate) error: String,
}

/// A delivery as its row and that of its event have it.
#[derive(Clone, Debug)]
pub(crate) struct StoredDelivery {
    pub(crate) webhook: Uuid,
    pub(crate) event: Uuid,
    pub(crate) kind: String,
    pub(crate) subject: String,
    pub(crate) status: DeliveryStatus,
    pub(crate) attempts: i64,
    pub(crate) next_at: Timestamp,
    pub(crate) attempted_at: Option<Timestamp>,
    pub(crate) response_code: Option<i64>,
    pub(crate) latency_micros: Option<i64>,
    pub(crate) response: String,
    pub(crate) error: String,
    pub(crate) published_at: Timestamp,
}

impl StoredDelivery {
    /// A delivery that was not tried yet.
    pub(crate) fn fresh(webhook: Uuid, event: &StoredEvent, now: Timestamp) -> Self {
        Self {
            webhook,
            event: event.id,
            kind: event.kind.clone(),
            subject: event.subject.clone(),
            status: DeliveryStatus::Pending,
            attempts: 0,
            next_at: now,
            attempted_at: None,
            response_code: None,
            latency_micros: None,
            response: String::new(),
            error: String::new(),
            published_at: event.published_at,
        }
    }
}

impl DeliveryStatus {
    pub(crate) const ALL: [(&'static str, Self); 3] =
        [("pending", Self::Pending), ("delivered", Self::Delivered), ("dead", Self::Dead)];

    pub(crate) fn as_str(self) -> &'static str {
        name_in(&Self::ALL, &self)
    }
}

/// Adds events, and their deliveries to endpoints, unless they are there already.
pub(crate) async fn insert(
    tx: &mut Transaction,
    events: &[(Tenant, StoredEvent)],
    deliveries: &[(Tenant, Uuid, &StoredEvent, i64)],
    now: Timestamp,
) -> Result<(), Fault> {
    let events = events.iter().map(|(tenant, event)| {
        let StoredEvent { id, kind, subject, data, published_at } = event;
        let data = Value::from(data.clone());
        params![tenant, *id, kind.as_str(), subject.as_str(), data, *published_at].into()
    });
    tx.bulk_insert(&EVENTS, events.collect()).await?;
    let pending = DeliveryStatus::Pending.as_str();
    let deliveries = deliveries.iter().map(|(tenant, webhook, event, version)| {
        params![tenant, *webhook, event.id, event.subject.as_str(), *version, pending, 0_i64, now, "", ""]
            .into()
    });
    tx.bulk_insert(&DELIVERIES, deliveries.collect()).await?;
    Ok(())
}

/// The deliveries of an endpoint that are due.
pub(crate) async fn due(
    read: &Read<'_>,
    (tenant, webhook): (&Tenant, Uuid),
    in_order: bool,
    now: Timestamp,
    count: usize,
) -> Result<Vec<Due>, DatabaseError> {
    let query = if in_order { &DUE_IN_ORDER } else { &DUE };
    let rows = read.rows(query, params![webhook, tenant, now, limit(count)]).await?;
    let due = |row: &Row| {
        let event = StoredEvent {
            id: row.get("event_id")?,
            kind: row.get("kind")?,
            subject: row.get("subject")?,
            data: row.get("data")?,
            published_at: row.get("published_at")?,
        };
        Ok(Due { event, attempts: row.get("attempts")? })
    };
    rows.iter().map(due).collect()
}

/// When the next attempt of an endpoint is due.
pub(crate) async fn next(
    tx: &mut Transaction,
    (tenant, webhook): (&Tenant, Uuid),
) -> Result<Option<Timestamp>, DatabaseError> {
    tx.row(&NEXT, params![webhook, tenant]).await?.map(|row| row.get(0)).transpose()
}

/// Notes what became of attempts.
pub(crate) async fn attempted(
    tx: &mut Transaction,
    (tenant, webhook): (&Tenant, Uuid),
    ended: &[Attempted],
) -> Result<(), DatabaseError> {
    let row = |done: &Attempted| {
        let values = params![
            done.event,
            webhook,
            tenant,
            done.status.as_str(),
            done.attempts,
            done.next_at,
            done.ended_at,
            done.response_code.map(i64::from),
            done.latency_micros,
            done.response.as_str(),
            done.error.as_str()
        ];
        values.into()
    };
    tx.batch(&ATTEMPTED, ended.iter().map(row).collect()).await.map(drop)
}

/// Deliveries of an endpoint, the newest first, before an event.
pub(crate) async fn list(
    read: &Read<'_>,
    (tenant, webhook): (&Tenant, Uuid),
    status: Option<DeliveryStatus>,
    (before, count): (Option<Uuid>, usize),
) -> Result<Vec<StoredDelivery>, DatabaseError> {
    let before = before.unwrap_or(Uuid::max());
    let rows = match status {
        None => read.rows(&LIST, params![webhook, tenant, before, limit(count)]).await?,
        Some(status) => {
            let values = params![webhook, tenant, before, limit(count), status.as_str()];
            read.rows(&LIST_OF, values).await?
        }
    };
    rows.iter().map(stored).collect()
}

pub(crate) async fn find(
    read: &Read<'_>,
    (tenant, webhook): (&Tenant, Uuid),
    event: Uuid,
) -> Result<Option<StoredDelivery>, DatabaseError> {
    let row = read.row(&FIND, params![webhook, tenant, Uuid::max(), event]).await?;
    row.as_ref().map(stored).transpose()
}

/// Has a delivery tried anew; whether there is one.
pub(crate) async fn redrive(
    tx: &mut Transaction,
    (tenant, webhook): (&Tenant, Uuid),
    event: Uuid,
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&REDRIVE, params![webhook, event, tenant, now]).await? > 0)
}

/// The dead letters of an endpoint whose events are not older.
pub(crate) async fn dead_since(
    read: &Read<'_>,
    (tenant, webhook): (&Tenant, Uuid),
    since: Timestamp,
    count: usize,
) -> Result<Vec<Uuid>, DatabaseError> {
    let rows = read.rows(&DEAD_SINCE, params![webhook, tenant, first_id(since), limit(count)]).await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Has dead letters tried anew, and counts them.
pub(crate) async fn redrive_all(
    tx: &mut Transaction,
    (tenant, webhook): (&Tenant, Uuid),
    events: Vec<Uuid>,
    now: Timestamp,
) -> Result<u64, DatabaseError> {
    tx.execute(&REDRIVE_ALL, params![webhook, tenant, events, now]).await
}

/// Removes up to so many deliveries of an endpoint whose events are older, or all; how many they were.
pub(crate) async fn forget(
    tx: &mut Transaction,
    webhook: Uuid,
    before: Option<Timestamp>,
    count: usize,
) -> Result<u64, DatabaseError> {
    let before = before.map_or(Uuid::max(), first_id);
    tx.execute(&FORGET, params![webhook, before, limit(count)]).await
}

/// Removes up to so many events that are older; how many they were.
pub(crate) async fn forget_events(
    tx: &mut Transaction,
    before: Timestamp,
    count: usize,
) -> Result<u64, DatabaseError> {
    tx.execute(&FORGET_EVENTS, params![first_id(before), limit(count)]).await
}

fn stored(row: &Row) -> Result<StoredDelivery, DatabaseError> {
    Ok(StoredDelivery {
        webhook: row.get("webhook_id")?,
        event: row.get("event_id")?,
        kind: row.get("kind")?,
        subject: row.get("subject")?,
        status: row.parsed("status", "a status", |name| value_in(&DeliveryStatus::ALL, name))?,
        attempts: row.get("attempts")?,
        next_at: row.get("next_at")?,
        attempted_at: row.get("attempted_at")?,
        response_code: row.get("response_code")?,
        latency_micros: row.get("latency_micros")?,
        response: row.get("response")?,
        error: row.get("error")?,
        published_at: row.get("published_at")?,
    })
}

fn limit(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The smallest id of an event of a moment: ids begin with the milliseconds of their time.
fn first_id(moment: Timestamp) -> Uuid {
    let millis = u128::try_from(moment.as_micros().div_euclid(1_000)).unwrap_or_default();
    Uuid::from_u128(millis << 80)
}
