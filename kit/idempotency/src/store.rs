//! Every statement about stored answers.

use pando_clock::Timestamp;
use pando_database::{DatabaseError, Json, Query, Read, Row, Transaction, Value, params};
use pando_resilience::Tenant;

use crate::earlier;
use crate::{Key, Outcome, Request, Scope};

/// Takes the key, or takes it over from an answer that expired. On PostgreSQL it waits here for another transaction
/// that has just taken the same key.
static CLAIM: Query = Query::write(
    "idempotency.claim",
    "insert into idempotency_records (tenant, actor, operation, key, request_hash, created_at, expires_at) \
     values ($1, $2, $3, $4, $5, $6, $7) on conflict (tenant, actor, operation, key) do update set \
     request_hash = excluded.request_hash, status = null, headers = null, body = null, \
     subject = null, \
     created_at = excluded.created_at, expires_at = excluded.expires_at \
     where idempotency_records.expires_at <= excluded.created_at returning 1",
);

macro_rules! find {
    () => {
        "select request_hash, status, headers, body from idempotency_records where tenant = $1 and actor = $2 \
         and operation = $3 and key = $4 and expires_at > $5"
    };
}

static FIND: Query = Query::point("idempotency.find", find!());
static FIND_IN: Query = Query::write("idempotency.find_in", find!());

static STORE: Query = Query::write(
    "idempotency.store",
    "update idempotency_records set status = $6, headers = null, body = $7, subject = $8 where tenant = $1 and actor = $2 \
     and operation = $3 and key = $4 and request_hash = $5",
);

static REPLACE: Query = Query::write(
    "idempotency.replace",
    "update idempotency_records set status = $2, headers = null, body = $3, subject = null \
     where tenant = $1 and subject = $4",
);

static PAGE: Query = Query::scan(
    "idempotency.page",
    "select request_hash, status, headers, body, tenant, actor, operation, key from idempotency_records \
     where status is not null and subject is null and tenant = $1 and (actor, operation, key) > ($2, $3, $4) \
     order by actor, operation, key limit 20",
);

static SWEEP: Query = Query::write(
    "idempotency.sweep",
    "with expired as materialized (select tenant, actor, operation, key from idempotency_records \
     where expires_at <= $1 order by expires_at limit $2 for update skip locked) \
     delete from idempotency_records where exists (select 1 from expired where \
     expired.tenant = idempotency_records.tenant and expired.actor = idempotency_records.actor and \
     expired.operation = idempotency_records.operation and expired.key = idempotency_records.key)",
);

/// The status of the outcomes that are refusals, from this one on.
pub(crate) const REFUSAL: i64 = 400;

/// The stored record of a key.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) hash: Vec<u8>,
    /// `None` while its transaction is open, which no other transaction can see.
    pub(crate) outcome: Option<Outcome>,
}

fn key_values(request: &Request) -> Vec<Value> {
    let scope = &request.scope;
    let values =
        params![scope.tenant.as_str(), scope.actor.as_str(), scope.operation.as_str(), request.key.as_str()];
    Vec::from(values)
}

/// Takes the key for this transaction; false when it is taken.
pub(crate) async fn claim(
    tx: &mut Transaction,
    request: &Request,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<bool, DatabaseError> {
    let mut values = key_values(request);
    values.extend(params![request.hash.to_vec(), now, expires_at]);
    Ok(tx.row(&CLAIM, values).await?.is_some())
}

/// The stored record of the key.
pub(crate) async fn find(
    read: &Read<'_>,
    request: &Request,
    now: Timestamp,
) -> Result<Option<Record>, DatabaseError> {
    let mut values = key_values(request);
    values.push(now.into());
    read.row(&FIND, values).await?.as_ref().map(record_from).transpose()
}

/// The stored record of the key, as the transaction sees it.
pub(crate) async fn find_in(
    tx: &mut Transaction,
    request: &Request,
    now: Timestamp,
) -> Result<Option<Record>, DatabaseError> {
    let mut values = key_values(request);
    values.push(now.into());
    tx.row(&FIND_IN, values).await?.as_ref().map(record_from).transpose()
}

/// Writes the answer beside the effect.
pub(crate) async fn store(
    tx: &mut Transaction,
    request: &Request,
    outcome: &Outcome,
    subject: Option<&str>,
) -> Result<bool, DatabaseError> {
    let mut values = key_values(request);
    values.extend(params![request.hash.to_vec(), status_of(outcome), outcome.body.clone(), subject]);
    Ok(tx.execute(&STORE, values).await? > 0)
}

/// Puts an answer in the place of all that are about a subject of a tenant; how many.
pub(crate) async fn replace(
    tx: &mut Transaction,
    (tenant, subject): (&Tenant, &str),
    outcome: &Outcome,
) -> Result<u64, DatabaseError> {
    tx.execute(&REPLACE, params![tenant, status_of(outcome), outcome.body.clone(), subject]).await
}

/// Some requests of a tenant with their answers, after one in the order of keys.
pub(crate) async fn page(
    read: &Read<'_>,
    tenant: &Tenant,
    last: Option<&Request>,
) -> Result<Vec<(Request, Outcome)>, DatabaseError> {
    let after = last.map_or_else(|| Vec::from(params![tenant, "", "", ""]), key_values);
    let rows = read.rows(&PAGE, after).await?;
    let answered = rows.iter().map(|row| {
        let Record { hash, outcome } = record_from(row)?;
        let scope = Scope { tenant: row.get(4)?, actor: row.get(5)?, operation: row.get(6)? };
        let request =
            Request { scope, key: Key::stored(row.get(7)?), hash: hash.try_into().unwrap_or_default() };
        Ok(outcome.map(|outcome| (request, outcome)))
    });
    answered.filter_map(Result::transpose).collect()
}

/// Deletes expired answers; how many.
pub(crate) async fn sweep(tx: &mut Transaction, now: Timestamp, count: usize) -> Result<u64, DatabaseError> {
    tx.execute(&SWEEP, params![now, i64::try_from(count).unwrap_or(i64::MAX)]).await
}

/// Processes of an earlier version read it as the status of an answer over HTTP.
fn status_of(outcome: &Outcome) -> i64 {
    if outcome.is_refusal { REFUSAL } else { 200 }
}

fn record_from(row: &Row) -> Result<Record, DatabaseError> {
    let status: Option<i64> = row.get(1)?;
    let headers: Option<Json<Vec<(String, String)>>> = row.get(2)?;
    let body = row.get::<Option<Vec<u8>>>(3)?.unwrap_or_default();
    let outcome = status.map(|status| match headers {
        Some(Json(headers)) => earlier::outcome(status, &headers, body),
        None => Outcome { is_refusal: status >= REFUSAL, body },
    });
    Ok(Record { hash: row.get(0)?, outcome })
}
