//! Every statement about operators and their sessions.

use pando_clock::Timestamp;
use pando_database::{DatabaseError, Query, Read, Row, Transaction, params};
use pando_resilience::{Role, Tenant};

use super::Operator;

macro_rules! columns {
    () => {
        "name, tenant, role, hash, issuer, subject, created_at, disabled_at, failures, locked_until"
    };
}

static FIND: Query =
    Query::point("auth.find_operator", concat!("select ", columns!(), " from operators where name = $1"));

static FIND_LINKED: Query = Query::point(
    "auth.find_linked_operator",
    concat!("select ", columns!(), " from operators where issuer = $1 and subject = $2"),
);

/// With an unknown name, the row of nobody.
static LOCK: Query = Query::write(
    "auth.lock_operator",
    concat!(
        "select ",
        columns!(),
        " from operators where name = $1 or name = '' order by name desc limit 1 for update"
    ),
);

static LIST: Query = Query::scan(
    "auth.list_operators",
    concat!(
        "select ",
        columns!(),
        " from operators where name <> '' and (tenant = $1 or $2) order by tenant, name limit $3"
    ),
);

static INSERT: Query = Query::write(
    "auth.insert_operator",
    "insert into operators (name, tenant, role, hash, issuer, subject, created_at, failures) \
     values ($1, $2, $3, $4, $5, $6, $7, 0)",
);

/// This row has no password and no session. Wrong passwords with unknown names are counted in it.
static INSERT_NOBODY: Query = Query::write(
    "auth.insert_nobody",
    "insert into operators (name, tenant, role, created_at, disabled_at, failures) \
     values ('', '', 'readonly', $1, $1, 0) on conflict (name) do nothing",
);

static UPDATE: Query = Query::write(
    "auth.update_operator",
    "update operators set role = $2, hash = $3, disabled_at = $4, failures = $5, locked_until = $6 where name = $1",
);

static INSERT_SESSION: Query = Query::write(
    "auth.insert_session",
    "insert into operator_sessions (id, operator, tenant, created_at, last_seen_at, expires_at) \
     values ($1, $2, $3, $4, $4, $5)",
);

static FIND_SESSION: Query = Query::point(
    "auth.find_session",
    "select o.name, o.tenant, o.role, o.disabled_at, s.last_seen_at, s.expires_at from operator_sessions as s \
     join operators as o on o.name = s.operator where s.id = $1",
);

static SESSION_SEEN: Query = Query::write(
    "auth.session_seen",
    "update operator_sessions set last_seen_at = $2 where id = $1 and last_seen_at < $2",
);

static DELETE_SESSION: Query =
    Query::write("auth.delete_session", "delete from operator_sessions where id = $1");

static DELETE_OTHERS: Query = Query::write(
    "auth.delete_other_sessions",
    "delete from operator_sessions where operator = $1 and id <> $2",
);

/// The sessions beyond those that were used last.
static DELETE_SURPLUS: Query = Query::write(
    "auth.delete_surplus_sessions",
    "delete from operator_sessions where operator = $1 and id not in \
     (select id from operator_sessions where operator = $1 order by last_seen_at desc limit $2)",
);

static SWEEP: Query = Query::write(
    "auth.sweep_sessions",
    "with ended as materialized (select id from operator_sessions where expires_at <= $1 or last_seen_at <= $2 \
     limit $3 for update skip locked) \
     delete from operator_sessions where exists (select 1 from ended where ended.id = operator_sessions.id)",
);

/// A session as it is stored, with the account that it belongs to.
pub(super) struct StoredSession {
    pub(super) operator: String,
    pub(super) tenant: Tenant,
    pub(super) role: Role,
    pub(super) is_disabled: bool,
    pub(super) last_seen_at: Timestamp,
    pub(super) expires_at: Timestamp,
}

pub(super) async fn find(read: &Read<'_>, name: &str) -> Result<Option<Operator>, DatabaseError> {
    read.row(&FIND, params![name]).await?.as_ref().map(operator).transpose()
}

/// The account of a person at a provider.
pub(super) async fn find_linked(
    read: &Read<'_>,
    (issuer, subject): (&str, &str),
) -> Result<Option<Operator>, DatabaseError> {
    read.row(&FIND_LINKED, params![issuer, subject]).await?.as_ref().map(operator).transpose()
}

/// The account of this name, or else that of nobody, which is made if it is missing. The row is locked.
pub(super) async fn lock(
    tx: &mut Transaction,
    name: &str,
    now: Timestamp,
) -> Result<Operator, DatabaseError> {
    if let Some(row) = tx.row(&LOCK, params![name]).await? {
        return operator(&row);
    }
    tx.execute(&INSERT_NOBODY, params![now]).await?;
    Ok(Operator::nobody())
}

pub(super) async fn list(
    read: &Read<'_>,
    tenant: Option<&Tenant>,
    limit: i64,
) -> Result<Vec<Operator>, DatabaseError> {
    let of = tenant.cloned().unwrap_or_default();
    read.rows(&LIST, params![&of, tenant.is_none(), limit]).await?.iter().map(operator).collect()
}

pub(super) async fn insert(tx: &mut Transaction, new: &Operator) -> Result<(), DatabaseError> {
    let (issuer, subject) = new.link.clone().unzip();
    let values = params![
        new.name.as_str(),
        &new.tenant,
        new.role.name(),
        new.hash.clone(),
        issuer,
        subject,
        new.created_at
    ];
    tx.execute(&INSERT, values).await.map(drop)
}

/// Writes what may change of an account.
pub(super) async fn update(tx: &mut Transaction, operator: &Operator) -> Result<(), DatabaseError> {
    let values = params![
        operator.name.as_str(),
        operator.role.name(),
        operator.hash.clone(),
        operator.disabled_at,
        operator.failures,
        operator.locked_until
    ];
    tx.execute(&UPDATE, values).await.map(drop)
}

/// Stores a session, and ends those beyond `kept`.
pub(super) async fn insert_session(
    tx: &mut Transaction,
    id: &[u8; 32],
    operator: &Operator,
    (now, expires_at, kept): (Timestamp, Timestamp, i64),
) -> Result<(), DatabaseError> {
    let name = operator.name.as_str();
    tx.execute(&INSERT_SESSION, params![&id[..], name, &operator.tenant, now, expires_at]).await?;
    tx.execute(&DELETE_SURPLUS, params![name, kept]).await.map(drop)
}

pub(super) async fn find_session(
    read: &Read<'_>,
    id: &[u8; 32],
) -> Result<Option<StoredSession>, DatabaseError> {
    let Some(row) = read.row(&FIND_SESSION, params![&id[..]]).await? else { return Ok(None) };
    Ok(Some(StoredSession {
        operator: row.get("name")?,
        tenant: Tenant::stored(&row.get::<String>("tenant")?),
        role: role(&row)?,
        is_disabled: row.get::<Option<Timestamp>>("disabled_at")?.is_some(),
        last_seen_at: row.get("last_seen_at")?,
        expires_at: row.get("expires_at")?,
    }))
}

pub(super) async fn session_seen(
    tx: &mut Transaction,
    id: &[u8; 32],
    at: Timestamp,
) -> Result<(), DatabaseError> {
    tx.execute(&SESSION_SEEN, params![&id[..], at]).await.map(drop)
}

pub(super) async fn delete_session(tx: &mut Transaction, id: &[u8; 32]) -> Result<(), DatabaseError> {
    tx.execute(&DELETE_SESSION, params![&id[..]]).await.map(drop)
}

/// Ends the sessions of an operator, but for this one.
pub(super) async fn delete_others(
    tx: &mut Transaction,
    operator: &str,
    kept: Option<&[u8; 32]>,
) -> Result<(), DatabaseError> {
    let kept = kept.map_or(&[][..], |id| &id[..]);
    tx.execute(&DELETE_OTHERS, params![operator, kept]).await.map(drop)
}

/// Deletes sessions that ended before `now`, or were last used before `idle_since`.
pub(super) async fn sweep(
    tx: &mut Transaction,
    (now, idle_since): (Timestamp, Timestamp),
    count: i64,
) -> Result<u64, DatabaseError> {
    tx.execute(&SWEEP, params![now, idle_since, count]).await
}

fn operator(row: &Row) -> Result<Operator, DatabaseError> {
    let (issuer, subject): (Option<String>, Option<String>) = (row.get("issuer")?, row.get("subject")?);
    Ok(Operator {
        name: row.get("name")?,
        tenant: Tenant::stored(&row.get::<String>("tenant")?),
        role: role(row)?,
        hash: row.get("hash")?,
        link: issuer.zip(subject),
        created_at: row.get("created_at")?,
        disabled_at: row.get("disabled_at")?,
        failures: row.get("failures")?,
        locked_until: row.get("locked_until")?,
    })
}

fn role(row: &Row) -> Result<Role, DatabaseError> {
    let name: String = row.get("role")?;
    Role::named(&name).ok_or_else(|| DatabaseError::BadColumn {
        column: "role".to_owned(),
        expected: "a role",
        found: name,
    })
}
