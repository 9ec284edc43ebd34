//! The statements about cases.

use pando_database::Value;
use pando_service::Listed;
use pando_service::prelude::*;
use uuid::Uuid;

use crate::domain::case::{Case, CaseNote, CaseOutcome, CaseRecord, CaseStatus};
use crate::domain::ids;

/// The newest cases first.
pub(crate) static NEWEST: Order =
    Order { name: "-created_at", column: "created_at", kind: KeyKind::Time, descending: true };

macro_rules! columns {
    () => {
        "id, kind, assessment_id, business_id, business_name, details, status, assignee, proposed, proposed_by, \
         proposed_at, outcome, confirmed_by, closed_at, notes, version, created_at, updated_at"
    };
}

static OPEN: BulkInsert = BulkInsert {
    name: "risk.open_cases",
    table: "risk_cases",
    columns: &[
        ("tenant", ColumnType::Text),
        ("id", ColumnType::Uuid),
        ("kind", ColumnType::Text),
        ("assessment_id", ColumnType::Uuid),
        ("business_id", ColumnType::Uuid),
        ("business_name", ColumnType::Text),
        ("details", ColumnType::Json),
        ("status", ColumnType::Text),
        ("notes", ColumnType::Bigint),
        ("version", ColumnType::Bigint),
        ("created_at", ColumnType::Timestamp),
        ("updated_at", ColumnType::Timestamp),
    ],
    on_conflict: OnConflict::Fail,
    key: "id",
};

static FIND: Query = Query::point(
    "risk.find_case",
    concat!("select ", columns!(), " from risk_cases where id = $1 and tenant = $2"),
);

static LOCK: Query = Query::point(
    "risk.lock_case",
    concat!("select ", columns!(), " from risk_cases where id = $1 and tenant = $2 for update"),
);

static LIST: List = List {
    name: "risk.list_cases",
    select: concat!("select ", columns!(), " from risk_cases"),
    rows: "true",
};

static UPDATE: Query = Query::write(
    "risk.update_case",
    "update risk_cases set status = $3, assignee = $4, proposed = $5, proposed_by = $6, proposed_at = $7, outcome = $8, \
     confirmed_by = $9, closed_at = $10, notes = $11, version = $12, updated_at = $13 where id = $1 and tenant = $2",
);

static WRITE_NOTE: Query = Query::write(
    "risk.write_case_note",
    "insert into risk_case_notes (tenant, case_id, place, author, note, written_at) values ($1, $2, $3, $4, $5, $6)",
);

static NOTES: Query = Query::scan(
    "risk.case_notes",
    "select author, note, written_at from risk_case_notes where case_id = $1 and tenant = $2 order by place limit $3",
);

/// Opens cases.
pub(crate) async fn open(tx: &mut Transaction, tenant: &Tenant, cases: &[CaseRecord]) -> Result<(), Fault> {
    let row = |case: &CaseRecord| -> Result<Vec<Value>, Fault> {
        let shown = &case.shown;
        let values = params![
            tenant,
            case.id,
            shown.kind.as_str(),
            case.assessment,
            case.business,
            shown.business_name.as_str(),
            Value::json(&shown.details).map_err(Fault::internal)?,
            shown.status.as_str(),
            shown.notes,
            shown.version,
            shown.created_at,
            shown.updated_at
        ];
        Ok(values.into())
    };
    match cases {
        [] => {}
        [one] => tx.insert_later(&OPEN, row(one)?),
        many => {
            let rows: Result<Vec<_>, Fault> = many.iter().map(row).collect();
            tx.bulk_insert(&OPEN, rows?).await?;
        }
    }
    Ok(())
}

pub(crate) async fn find(read: &Read<'_>, tenant: &Tenant, id: Uuid) -> Result<Option<CaseRecord>, Fault> {
    read.row(&FIND, params![id, tenant]).await?.map(|row| case(&row)).transpose()
}

/// The same, locked until the transaction ends.
pub(crate) async fn lock(
    tx: &mut Transaction,
    tenant: &Tenant,
    id: Uuid,
) -> Result<Option<CaseRecord>, Fault> {
    tx.row(&LOCK, params![id, tenant]).await?.map(|row| case(&row)).transpose()
}

/// Cases, the newest first, after a place.
pub(crate) async fn page(
    read: &Read<'_>,
    tenant: &Tenant,
    (status, after, count): (Option<CaseStatus>, Option<Place>, usize),
) -> Result<Vec<CaseRecord>, Fault> {
    let mut list: Listed<'_> = LIST.of(tenant);
    if let Some(status) = status {
        list = list.filter("status = $1", params![status.as_str()]);
    }
    list.rows(read, &NEWEST, after, count).await?.iter().map(case).collect()
}

pub(crate) fn update(tx: &mut Transaction, tenant: &Tenant, case: &CaseRecord) {
    let shown = &case.shown;
    let values = params![
        case.id,
        tenant,
        shown.status.as_str(),
        shown.assignee.clone(),
        shown.proposed.map(CaseOutcome::as_str),
        shown.proposed_by.clone(),
        shown.proposed_at,
        shown.outcome.map(CaseOutcome::as_str),
        shown.confirmed_by.clone(),
        shown.closed_at,
        shown.notes,
        shown.version,
        shown.updated_at
    ];
    tx.execute_later(&UPDATE, values);
}

/// Writes the note that is the last one of a case now.
pub(crate) fn write_note(tx: &mut Transaction, tenant: &Tenant, (case, note): (&CaseRecord, &CaseNote)) {
    let (author, text) = (note.author.as_str(), note.note.as_str());
    let values = params![tenant, case.id, case.shown.notes, author, text, note.written_at];
    tx.execute_later(&WRITE_NOTE, values);
}

/// The notes of a case, the oldest first.
pub(crate) async fn notes(
    read: &Read<'_>,
    (tenant, id): (&Tenant, Uuid),
    count: usize,
) -> Result<Vec<CaseNote>, Fault> {
    let limit = i64::try_from(count).unwrap_or(i64::MAX);
    let note = |row: &Row| {
        Ok(CaseNote {
            author: row.get("author")?,
            note: row.get("note")?,
            written_at: row.get("written_at")?,
        })
    };
    read.rows(&NOTES, params![id, tenant, limit]).await?.iter().map(note).collect()
}

fn case(row: &Row) -> Result<CaseRecord, Fault> {
    let (id, business): (Uuid, Uuid) = (row.get("id")?, row.get("business_id")?);
    let assessment: Option<Uuid> = row.get("assessment_id")?;
    let outcome = |column: &'static str| -> Result<Option<CaseOutcome>, Fault> {
        row.get::<Option<String>>(column)?.map(|name| super::of_name(&name)).transpose()
    };
    let shown = Case {
        id: ids::CASE.show(id),
        kind: row.get("kind")?,
        assessment_id: assessment.map(|id| ids::ASSESSMENT.show(id)),
        business_id: ids::BUSINESS.show(business),
        business_name: row.get("business_name")?,
        details: row.get::<Json<_>>("details")?.0,
        status: super::of_name(&row.get::<String>("status")?)?,
        assignee: row.get("assignee")?,
        proposed: outcome("proposed")?,
        proposed_by: row.get("proposed_by")?,
        proposed_at: row.get("proposed_at")?,
        outcome: outcome("outcome")?,
        confirmed_by: row.get("confirmed_by")?,
        closed_at: row.get("closed_at")?,
        notes: row.get("notes")?,
        version: row.get("version")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    };
    Ok(CaseRecord { id, assessment, business, shown })
}
