//! The progress of each import.

use pando_clock::Timestamp;
use pando_database::{DatabaseError, Json, Query, Read, Row, Transaction, params};
use pando_resilience::Tenant;
use serde_json::{Value, json};

use crate::domain::import::{Import, ImportState};

static INSERT: Query = Query::point(
    "profiles.insert_import",
    "insert into profile_imports (token, state, records_done, created, updated, conflicts, invalid, problems, \
     started_at, updated_at, content_hash, ignored, tenant) \
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) on conflict do nothing",
);

static FIND: Query = Query::point(
    "profiles.find_import",
    "select token, state, records_done, created, updated, conflicts, invalid, problems, started_at, updated_at, \
     content_hash, ignored from profile_imports where tenant = $2 and token = $1",
);

/// The old count is the fence: of two uploads of one import, one writes and the other gets an error.
static ADVANCE: Query = Query::point(
    "profiles.advance_import",
    "update profile_imports set state = $2, records_done = $3, created = $4, updated = $5, conflicts = $6, \
     invalid = $7, problems = $8, updated_at = $9, content_hash = $11, ignored = $12 \
     where tenant = $13 and token = $1 and records_done = $10 and state = 'running'",
);

static PROBLEMS: Query = Query::scan(
    "profiles.import_problems",
    "select token, problems from profile_imports where tenant = $2 and token > $1 order by token limit 100",
);

static EMPTY_PROBLEMS: Query = Query::write(
    "profiles.empty_import_problems",
    "update profile_imports set problems = $2 where tenant = $3 and token = $1",
);

static PURGE: Query = Query::write(
    "profiles.purge_imports",
    "delete from profile_imports where (tenant, token) in (\
     select tenant, token from profile_imports where updated_at < $1 order by updated_at limit 500)",
);

/// Adds an import, unless there is one of this token.
pub(crate) async fn insert(
    tx: &mut Transaction,
    tenant: &Tenant,
    import: &Import,
) -> Result<(), DatabaseError> {
    let values = params![
        import.token.as_str(),
        import.state.name(),
        import.records_done,
        import.created,
        import.updated,
        import.conflicts,
        import.invalid,
        import.problems_json(),
        import.started_at,
        import.updated_at,
        import.content_hash.as_deref(),
        json!(import.ignored),
        tenant
    ];
    tx.execute(&INSERT, values).await.map(drop)
}

/// The import of this token.
pub(crate) async fn find(
    read: &Read<'_>,
    tenant: &Tenant,
    token: &str,
) -> Result<Option<Import>, DatabaseError> {
    read.row(&FIND, params![token, tenant]).await?.as_ref().map(import_from).transpose()
}

/// The import of this token, in a transaction.
pub(crate) async fn find_in(
    tx: &mut Transaction,
    tenant: &Tenant,
    token: &str,
) -> Result<Option<Import>, DatabaseError> {
    tx.row(&FIND, params![token, tenant]).await?.as_ref().map(import_from).transpose()
}

/// Writes how far the import has come; false when it was not where the caller thought.
pub(crate) async fn advance(
    tx: &mut Transaction,
    tenant: &Tenant,
    import: &Import,
    done_before: i64,
) -> Result<bool, DatabaseError> {
    let values = params![
        import.token.as_str(),
        import.state.name(),
        import.records_done,
        import.created,
        import.updated,
        import.conflicts,
        import.invalid,
        import.problems_json(),
        import.updated_at,
        done_before,
        import.content_hash.as_deref(),
        json!(import.ignored),
        tenant
    ];
    Ok(tx.execute(&ADVANCE, values).await? == 1)
}

/// The lists of problems of some imports of a tenant, after `last` in the order of tokens.
pub(crate) async fn problems(
    read: &Read<'_>,
    tenant: &Tenant,
    last: &str,
) -> Result<Vec<(String, Value)>, DatabaseError> {
    let rows = read.rows(&PROBLEMS, params![last, tenant]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Deletes some imports of all tenants that did not continue after a moment, and returns their number.
pub(crate) async fn purge(tx: &mut Transaction, before: Timestamp) -> Result<u64, DatabaseError> {
    tx.execute(&PURGE, params![before]).await
}

/// Forgets what was wrong with the records of an import.
pub(crate) async fn empty_problems(
    tx: &mut Transaction,
    tenant: &Tenant,
    token: &str,
) -> Result<u64, DatabaseError> {
    tx.execute(&EMPTY_PROBLEMS, params![token, json!([]), tenant]).await
}

fn import_from(row: &Row) -> Result<Import, DatabaseError> {
    let state: String = row.get(1)?;
    Ok(Import {
        token: row.get(0)?,
        state: if state == ImportState::Completed.name() {
            ImportState::Completed
        } else {
            ImportState::Running
        },
        dry_run: false,
        records_done: row.get(2)?,
        created: row.get(3)?,
        updated: row.get(4)?,
        conflicts: row.get(5)?,
        invalid: row.get(6)?,
        problems: row.get::<Json<_>>(7)?.0,
        started_at: row.get(8)?,
        updated_at: row.get(9)?,
        content_hash: row.get(10)?,
        ignored: row.get::<Option<Json<_>>>(11)?.map(|ignored| ignored.0).unwrap_or_default(),
    })
}
