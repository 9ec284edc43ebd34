//! Every statement that moves old assessments into the archive, and the partitions of the tables.

use pando_database::{DatabaseError, MonthlyTable};
use pando_service::prelude::*;
use uuid::Uuid;

/// The tables that PostgreSQL partitions by month.
pub(crate) const MONTHLY: [MonthlyTable; 2] = [
    MonthlyTable { table: "risk_assessments", column: "created_at" },
    MonthlyTable { table: "risk_factors", column: "created_at" },
];

static OLD: Query = Query::scan(
    "risk.old",
    "select distinct tenant from (select tenant from risk_assessments where created_at < $1 limit $2) old",
);

/// The oldest assessments of a tenant, which nobody else moves meanwhile.
static LOCK: Query = Query::write(
    "risk.lock_old",
    "select id from risk_assessments where tenant = $1 and created_at < $2 order by created_at, id limit $3 for update",
);

macro_rules! columns {
    () => {
        "tenant, id, created_at, user_id, business_id, address_id, phone_id, email_id, business_name, \
         industry, country, status, risk_score, risk_level, confidence, decision, input, result, \
         version, updated_at"
    };
}

macro_rules! factor_columns {
    () => {
        "tenant, assessment_id, created_at, place, category, subcategory, name, score, weight, details"
    };
}

static COPY: Query = Query::write(
    "risk.archive",
    concat!(
        "insert into risk_assessments_archive (",
        columns!(),
        ") select ",
        columns!(),
        " from risk_assessments where tenant = $1 and id = any($2) and created_at < $3"
    ),
);

static COPY_FACTORS: Query = Query::write(
    "risk.archive_factors",
    concat!(
        "insert into risk_factors_archive (",
        factor_columns!(),
        ") select ",
        factor_columns!(),
        " from risk_factors where tenant = $1 and assessment_id = any($2) and created_at < $3"
    ),
);

static DELETE: Query = Query::write(
    "risk.delete_archived",
    "delete from risk_assessments where tenant = $1 and id = any($2) and created_at < $3",
);

static DELETE_FACTORS: Query = Query::write(
    "risk.delete_archived_factors",
    "delete from risk_factors where tenant = $1 and assessment_id = any($2) and created_at < $3",
);

/// Some of the tenants with assessments from before a moment; none if there is no such assessment.
pub(crate) async fn tenants(
    read: &Read<'_>,
    before: Timestamp,
    count: usize,
) -> Result<Vec<Tenant>, DatabaseError> {
    let rows = read.rows(&OLD, params![before, number(count)]).await?;
    rows.iter().map(|row| Ok(Tenant::stored(&row.get::<String>(0)?))).collect()
}

/// Moves the oldest assessments of a tenant from before a moment, with their factors; answers how many. The rows are named by their ids
/// and locked, so what is copied is what is deleted.
pub(crate) async fn move_oldest(
    tx: &mut Transaction,
    tenant: &Tenant,
    (before, count): (Timestamp, usize),
) -> Result<u64, DatabaseError> {
    let rows = tx.rows(&LOCK, params![tenant, before, number(count)]).await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
    if ids.is_empty() {
        return Ok(0);
    }
    let copied = tx.execute(&COPY, params![tenant, ids.clone(), before]).await?;
    let factors = tx.execute(&COPY_FACTORS, params![tenant, ids.clone(), before]).await?;
    let deleted = tx.execute(&DELETE, params![tenant, ids.clone(), before]).await?;
    let deleted_factors = tx.execute(&DELETE_FACTORS, params![tenant, ids, before]).await?;
    if (copied, factors) != (deleted, deleted_factors) {
        return Err(DatabaseError::Contention { name: "risk.archive" });
    }
    Ok(copied)
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
