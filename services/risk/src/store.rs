//! Every statement about assessments, beside the rows that it reads.

pub(crate) mod archive;
pub(crate) mod backtests;
pub(crate) mod batches;
pub(crate) mod cases;
pub(crate) mod evidence;
pub(crate) mod monitored;
pub(crate) mod rulesets;
pub(crate) mod shadows;
pub(crate) mod tenant_lists;

use std::collections::BTreeMap;

use pando_database::Value;
use pando_service::Listed;
use pando_service::prelude::*;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::domain::assessment::{Assessed, AssessmentStatus};
use crate::domain::factors::RiskFactor;
use crate::domain::ids::moment_of;

pub(crate) mod analytics;
pub(crate) mod monitorings;
pub(crate) mod predictions;

/// The schema of this service, in the order it came to be.
pub const MIGRATIONS: MigrationSet = MigrationSet {
    service: "risk",
    migrations: &[
        Migration::new(1, "risk", include_str!("../migrations/0001_risk.sql")),
        Migration::new(2, "batches", include_str!("../migrations/0002_batches.sql")),
        Migration::new(3, "archive", include_str!("../migrations/0003_archive.sql")),
        Migration::new(4, "evidence", include_str!("../migrations/0004_evidence.sql")),
        Migration::new(5, "rule_versions", include_str!("../migrations/0005_rule_versions.sql")),
        Migration::new(6, "lists", include_str!("../migrations/0006_lists.sql")),
        Migration::new(7, "cases", include_str!("../migrations/0007_cases.sql")),
        Migration::new(8, "monitoring", include_str!("../migrations/0008_monitoring.sql")),
        Migration::new(9, "outlook", include_str!("../migrations/0009_outlook.sql")),
        Migration::new(10, "media", include_str!("../migrations/0010_media.sql")),
    ],
};

/// The newest assessments first.
pub(crate) static NEWEST: Order =
    Order { name: "-created_at", column: "created_at", kind: KeyKind::Time, descending: true };

macro_rules! columns {
    () => {
        "a.id, a.user_id, a.business_id, a.status, a.risk_score, a.risk_level, a.confidence, a.decision, a.input, \
         a.result, a.version, a.created_at, a.updated_at, f.place, f.category, f.subcategory, f.name, f.score, \
         f.weight, f.details"
    };
}

/// Assessments with their factors come in one statement; one without factors is there, too.
macro_rules! joined {
    ($rows:literal) => {
        concat!(
            "select ",
            columns!(),
            " from (",
            $rows,
            ") a left join risk_factors f on f.assessment_id = a.id and f.tenant = a.tenant \
             and f.created_at = a.created_at"
        )
    };
}

static FIND: Query = Query::point(
    "risk.find",
    concat!(
        joined!("select * from risk_assessments where id = $1 and tenant = $2 and created_at = $3"),
        " order by f.place"
    ),
);

/// The same among those that were moved into the archive.
static FIND_ARCHIVED: Query = Query::point(
    "risk.find_archived",
    concat!(
        "select ",
        columns!(),
        " from risk_assessments_archive a left join risk_factors_archive f on f.assessment_id = a.id \
         and f.tenant = a.tenant and f.created_at = a.created_at where a.id = $1 and a.tenant = $2 and a.created_at = $3 \
         order by f.place"
    ),
);

static OF_BUSINESS: Query = Query::scan(
    "risk.of_business",
    concat!(
        joined!(
            "select * from risk_assessments where tenant = $1 and business_id = $2 order by created_at desc, id desc limit $3"
        ),
        " order by a.created_at desc, a.id desc, f.place"
    ),
);

/// Assessments after a place, the oldest first.
static AFTER: Query = Query::scan(
    "risk.after",
    concat!(
        joined!(
            "select * from risk_assessments where tenant = $1 and (created_at, id) > ($2, $3) order by created_at, id limit $4"
        ),
        " order by a.created_at, a.id, f.place"
    ),
);

static LIST: List =
    List { name: "risk.list", select: "select id, created_at from risk_assessments", rows: "true" };

static OF_IDS: Query = Query::scan(
    "risk.of_ids",
    concat!(
        joined!(
            "select * from risk_assessments where tenant = $1 and id = any($2) and created_at >= $3 and created_at <= $4"
        ),
        " order by a.created_at desc, a.id desc, f.place"
    ),
);

static COUNT: Query = Query::scan("risk.count", "select count(*) from risk_assessments where tenant = $1");

static COUNT_OF: Query =
    Query::scan("risk.count_of", "select count(*) from risk_assessments where tenant = $1 and status = $2");

/// The assessments of businesses since a moment, for the features of their next one.
static RECENT: Query = Query::scan(
    "risk.recent",
    "select business_id, created_at, risk_score from risk_assessments where tenant = $1 and business_id = any($2) \
     and created_at >= $3 order by business_id, created_at desc, id desc limit $4",
);

/// Which businesses were seen with the same address, phone number or e-mail address since a moment.
macro_rules! sharing {
    ($name:literal, $column:literal) => {
        Query::scan(
            $name,
            concat!(
                "select distinct ",
                $column,
                ", business_id from risk_assessments where tenant = $1 and ",
                $column,
                " = any($2) and created_at >= $3 limit $4"
            ),
        )
    };
}

static SAME_ADDRESS: Query = sharing!("risk.same_address", "address_id");
static SAME_PHONE: Query = sharing!("risk.same_phone", "phone_id");
static SAME_EMAIL: Query = sharing!("risk.same_email", "email_id");

static ASSESSMENTS: BulkInsert = BulkInsert {
    name: "risk.insert",
    table: "risk_assessments",
    columns: &[
        ("tenant", ColumnType::Text),
        ("id", ColumnType::Uuid),
        ("created_at", ColumnType::Timestamp),
        ("user_id", ColumnType::Text),
        ("business_id", ColumnType::Uuid),
        ("address_id", ColumnType::Uuid),
        ("phone_id", ColumnType::Uuid),
        ("email_id", ColumnType::Uuid),
        ("business_name", ColumnType::Text),
        ("industry", ColumnType::Text),
        ("country", ColumnType::Text),
        ("status", ColumnType::Text),
        ("risk_score", ColumnType::Double),
        ("risk_level", ColumnType::Text),
        ("confidence", ColumnType::Double),
        ("decision", ColumnType::Text),
        ("input", ColumnType::Json),
        ("result", ColumnType::Json),
        ("version", ColumnType::Bigint),
        ("updated_at", ColumnType::Timestamp),
    ],
    on_conflict: OnConflict::Fail,
    key: "id",
};

static FACTORS: BulkInsert = BulkInsert {
    name: "risk.insert_factors",
    table: "risk_factors",
    columns: &[
        ("tenant", ColumnType::Text),
        ("assessment_id", ColumnType::Uuid),
        ("created_at", ColumnType::Timestamp),
        ("place", ColumnType::Bigint),
        ("category", ColumnType::Text),
        ("subcategory", ColumnType::Text),
        ("name", ColumnType::Text),
        ("score", ColumnType::Double),
        ("weight", ColumnType::Double),
        ("details", ColumnType::Json),
    ],
    on_conflict: OnConflict::Fail,
    key: "assessment_id",
};

/// One earlier assessment of a business.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Earlier {
    pub(crate) at: Timestamp,
    pub(crate) score: Option<f64>,
}

/// Adds assessments with their factors.
pub(crate) async fn insert(
    tx: &mut Transaction,
    tenant: &Tenant,
    assessed: &[Assessed],
) -> Result<(), Fault> {
    let rows: Result<Vec<Vec<Value>>, serde_json::Error> =
        assessed.iter().map(|one| row_of(tenant, one)).collect();
    let rows = rows.map_err(Fault::internal)?;
    let mut factors = Vec::new();
    for one in assessed {
        for (place, factor) in one.factors.iter().enumerate() {
            factors.push(factor_row(tenant, one, place, factor).map_err(Fault::internal)?);
        }
    }
    if let [row] = &*rows {
        tx.insert_later(&ASSESSMENTS, row.clone());
        for factor in factors {
            tx.insert_later(&FACTORS, factor);
        }
        return Ok(());
    }
    tx.bulk_insert(&ASSESSMENTS, rows).await?;
    tx.bulk_insert(&FACTORS, factors).await?;
    Ok(())
}

pub(crate) async fn find(read: &Read<'_>, tenant: &Tenant, id: Uuid) -> Result<Option<Assessed>, Fault> {
    let mut rows = read.rows(&FIND, params![id, tenant, moment_of(id)]).await?;
    if rows.is_empty() {
        rows = read.rows(&FIND_ARCHIVED, params![id, tenant, moment_of(id)]).await?;
    }
    Ok(assembled(&rows)?.pop())
}

/// The latest assessments of a business, the newest first.
pub(crate) async fn of_business(
    read: &Read<'_>,
    tenant: &Tenant,
    business: Uuid,
    count: usize,
) -> Result<Vec<Assessed>, Fault> {
    let rows = read.rows(&OF_BUSINESS, params![tenant, business, limit(count)]).await?;
    assembled(&rows)
}

/// Assessments of a tenant after a place, the oldest first.
pub(crate) async fn page_after(
    read: &Read<'_>,
    tenant: &Tenant,
    (after, after_id): (Timestamp, Uuid),
    count: usize,
) -> Result<Vec<Assessed>, Fault> {
    let rows = read.rows(&AFTER, params![tenant, after, after_id, limit(count)]).await?;
    assembled(&rows)
}

/// A page of assessments, the newest first, and how many there are in all.
pub(crate) async fn page(
    read: &Read<'_>,
    tenant: &Tenant,
    status: Option<AssessmentStatus>,
    (after, offset, count): (Option<&PageEnd>, usize, usize),
) -> Result<(Vec<Assessed>, Option<PageEnd>, i64), Fault> {
    let mut list: Listed<'_> = LIST.of(tenant);
    if let Some(status) = status {
        list = list.filter("status = $1", params![status.as_str()]);
    }
    let place = |row: &Row| Ok(Place { key: SortKey::Time(row.get("created_at")?), id: row.get("id")? });
    let page = list.page(read, &NEWEST, (after, offset + count), place, Place::clone).await?;
    let ids: Vec<Uuid> = page.items.iter().skip(offset).map(|place| place.id).collect();
    let total = match status {
        Some(status) => read.row(&COUNT_OF, params![tenant, status.as_str()]).await?,
        None => read.row(&COUNT, params![tenant]).await?,
    };
    let total = total.map(|row| row.get(0)).transpose()?.unwrap_or_default();
    Ok((of_ids(read, tenant, ids).await?, page.next, total))
}

/// The assessments of these ids, the newest first.
pub(crate) async fn of_ids(read: &Read<'_>, tenant: &Tenant, ids: Vec<Uuid>) -> Result<Vec<Assessed>, Fault> {
    let moments = || ids.iter().copied().map(moment_of);
    let (Some(first), Some(last)) = (moments().min(), moments().max()) else { return Ok(Vec::new()) };
    let rows = read.rows(&OF_IDS, params![tenant, ids, first, last]).await?;
    assembled(&rows)
}

/// The assessments of businesses since a moment, the newest first.
pub(crate) async fn recent(
    read: &Read<'_>,
    tenant: &Tenant,
    businesses: Vec<Uuid>,
    (since, count): (Timestamp, usize),
) -> Result<BTreeMap<Uuid, Vec<Earlier>>, Fault> {
    let rows = read.rows(&RECENT, params![tenant, businesses, since, limit(count)]).await?;
    let mut recent: BTreeMap<Uuid, Vec<Earlier>> = BTreeMap::new();
    for row in &rows {
        let earlier = Earlier { at: row.get(1)?, score: row.get(2)? };
        recent.entry(row.get(0)?).or_default().push(earlier);
    }
    Ok(recent)
}

/// A detail that several businesses may share.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shared {
    Address,
    Phone,
    Email,
}

/// The businesses that were seen with these addresses, phone numbers or e-mail addresses since a moment.
pub(crate) async fn sharing(
    read: &Read<'_>,
    tenant: &Tenant,
    (shared, values): (Shared, Vec<Uuid>),
    (since, count): (Timestamp, usize),
) -> Result<BTreeMap<Uuid, Vec<Uuid>>, Fault> {
    let query = match shared {
        Shared::Address => &SAME_ADDRESS,
        Shared::Phone => &SAME_PHONE,
        Shared::Email => &SAME_EMAIL,
    };
    let mut found: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
    if values.is_empty() {
        return Ok(found);
    }
    for row in &read.rows(query, params![tenant, values, since, limit(count)]).await? {
        found.entry(row.get(0)?).or_default().push(row.get(1)?);
    }
    Ok(found)
}

fn row_of(tenant: &Tenant, one: &Assessed) -> Result<Vec<Value>, serde_json::Error> {
    let traces = one.business.traces();
    let values = params![
        tenant,
        one.id,
        one.created_at,
        one.user.as_str(),
        one.business_id,
        traces.address,
        traces.phone,
        traces.email,
        one.business.business_name.as_str(),
        one.business.industry.as_str(),
        one.business.country.as_str(),
        one.status.as_str(),
        one.score,
        one.level.name(),
        one.confidence,
        one.decision.name(),
        Value::json(&one.business)?,
        Value::json(&one.basis)?,
        one.version,
        one.updated_at
    ];
    Ok(values.into())
}

fn factor_row(
    tenant: &Tenant,
    one: &Assessed,
    place: usize,
    factor: &RiskFactor,
) -> Result<Vec<Value>, serde_json::Error> {
    let values = params![
        tenant,
        one.id,
        one.created_at,
        limit(place),
        factor.category.as_str(),
        factor.subcategory.as_str(),
        factor.name.as_str(),
        factor.score,
        factor.weight,
        Value::json(factor)?
    ];
    Ok(values.into())
}

/// Assessments from rows of which each has one factor, or none.
fn assembled(rows: &[Row]) -> Result<Vec<Assessed>, Fault> {
    let mut all: Vec<Assessed> = Vec::new();
    for row in rows {
        let id: Uuid = row.get("id")?;
        if all.last().is_none_or(|last| last.id != id) {
            all.push(assessed(row)?);
        }
        if let (Some(Json(factor)), Some(last)) =
            (row.get::<Option<Json<RiskFactor>>>("details")?, all.last_mut())
        {
            last.factors.push(factor);
        }
    }
    Ok(all)
}

fn assessed(row: &Row) -> Result<Assessed, Fault> {
    let text = |column: &'static str| row.get::<String>(column);
    Ok(Assessed {
        id: row.get("id")?,
        user: text("user_id")?,
        business_id: row.get("business_id")?,
        business: row.get::<Json<_>>("input")?.0,
        status: of_name(&text("status")?)?,
        score: row.get("risk_score")?,
        level: of_name(&text("risk_level")?)?,
        confidence: row.get("confidence")?,
        decision: of_name(&text("decision")?)?,
        basis: row.get::<Json<_>>("result")?.0,
        factors: Vec::new(),
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        version: row.get("version")?,
    })
}

/// The value of a name, as answers have it too.
pub(crate) fn of_name<T: DeserializeOwned>(name: &str) -> Result<T, Fault> {
    serde_json::from_value(name.into()).map_err(Fault::internal)
}

fn limit(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
