//! Every statement about API keys.

use pando_clock::Timestamp;
use pando_database::{DatabaseError, Query, Read, Row, Transaction, params};
use pando_http::Network;
use pando_resilience::{Scopes, Tenant};

use crate::ApiKey;

macro_rules! columns {
    () => {
        "id, tenant, kind, name, hash, scopes, networks, created_at, expires_at, revoked_at, last_used_at"
    };
}

static FIND: Query =
    Query::point("auth.find_key", concat!("select ", columns!(), " from api_keys where id = $1"));

static LIST: Query = Query::scan(
    "auth.list_keys",
    concat!(
        "select ",
        columns!(),
        " from api_keys where tenant = $1 or $2 order by tenant, created_at, id limit $3"
    ),
);

static INSERT: Query = Query::write(
    "auth.insert_key",
    "insert into api_keys (id, tenant, kind, name, hash, scopes, networks, created_at, expires_at) \
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
);

static EXPIRE: Query = Query::write(
    "auth.expire_key",
    "update api_keys set expires_at = $2 where id = $1 and (expires_at is null or expires_at > $2)",
);

static REVOKE: Query = Query::write(
    "auth.revoke_key",
    "update api_keys set revoked_at = $2 where id = $1 and revoked_at is null",
);

static USED: Query = Query::write(
    "auth.key_used",
    "update api_keys set last_used_at = $2 where id = $1 and (last_used_at is null or last_used_at < $3)",
);

static OFFER_SECRET: Query = Query::write(
    "auth.offer_secret",
    "insert into auth_secrets (name, secret) values ($1, $2) on conflict (name) do nothing",
);

static SECRET: Query = Query::write("auth.secret", "select secret from auth_secrets where name = $1");

/// A key as it is stored.
pub(crate) struct StoredKey {
    pub(crate) key: ApiKey,
    pub(crate) hash: Vec<u8>,
}

pub(crate) async fn find(read: &Read<'_>, id: &str) -> Result<Option<StoredKey>, DatabaseError> {
    read.row(&FIND, params![id]).await?.as_ref().map(stored).transpose()
}

/// The same, within a transaction.
pub(crate) async fn find_in(tx: &mut Transaction, id: &str) -> Result<Option<StoredKey>, DatabaseError> {
    tx.row(&FIND, params![id]).await?.as_ref().map(stored).transpose()
}

/// The keys of a tenant, or of all.
pub(crate) async fn list(
    read: &Read<'_>,
    tenant: Option<&Tenant>,
    limit: i64,
) -> Result<Vec<StoredKey>, DatabaseError> {
    let of = tenant.cloned().unwrap_or_default();
    read.rows(&LIST, params![&of, tenant.is_none(), limit]).await?.iter().map(stored).collect()
}

pub(crate) async fn insert(tx: &mut Transaction, stored: &StoredKey) -> Result<(), DatabaseError> {
    let ApiKey { id, tenant, kind, name, scopes, networks, created_at, expires_at, .. } = &stored.key;
    let scopes = scopes.iter().collect::<Vec<_>>().join(" ");
    let networks = networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let values = params![
        id.as_str(),
        tenant,
        kind.as_str(),
        name.as_str(),
        stored.hash.as_slice(),
        scopes,
        networks,
        *created_at,
        *expires_at
    ];
    tx.execute(&INSERT, values).await.map(drop)
}

/// Ends a key at a moment, unless it ends before.
pub(crate) async fn expire(tx: &mut Transaction, id: &str, at: Timestamp) -> Result<(), DatabaseError> {
    tx.execute(&EXPIRE, params![id, at]).await.map(drop)
}

/// Revokes a key; whether it was not revoked yet.
pub(crate) async fn revoke(tx: &mut Transaction, id: &str, at: Timestamp) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&REVOKE, params![id, at]).await? == 1)
}

/// Notes that a key was used, unless that was noted after `before`.
pub(crate) async fn used(
    tx: &mut Transaction,
    id: &str,
    (at, before): (Timestamp, Timestamp),
) -> Result<(), DatabaseError> {
    tx.execute(&USED, params![id, at, before]).await.map(drop)
}

fn stored(row: &Row) -> Result<StoredKey, DatabaseError> {
    let (scopes, networks): (String, String) = (row.get("scopes")?, row.get("networks")?);
    let networks: Option<Vec<Network>> = networks.split_ascii_whitespace().map(Network::parse).collect();
    let key = ApiKey {
        id: row.get("id")?,
        tenant: Tenant::stored(&row.get::<String>("tenant")?),
        kind: row.get("kind")?,
        name: row.get("name")?,
        scopes: Scopes::named(scopes.split_ascii_whitespace()),
        networks: networks.ok_or_else(|| DatabaseError::BadColumn {
            column: "networks".to_owned(),
            expected: "networks",
            found: networks_text(row),
        })?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
        revoked_at: row.get("revoked_at")?,
        last_used_at: row.get("last_used_at")?,
    };
    Ok(StoredKey { key, hash: row.get("hash")? })
}

fn networks_text(row: &Row) -> String {
    row.get::<String>("networks").unwrap_or_default()
}

/// The secret of this name; the fresh one if there was none.
pub(crate) async fn secret(tx: &mut Transaction, name: &str, fresh: &[u8]) -> Result<Vec<u8>, DatabaseError> {
    tx.execute(&OFFER_SECRET, params![name, fresh.to_vec()]).await?;
    tx.row(&SECRET, params![name]).await?.map_or(Ok(Vec::new()), |row| row.get(0))
}
