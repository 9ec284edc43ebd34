//! Runs a version of the rules over stored assessments, as a job, and counts where it would have decided otherwise.

use pando_queue::{Job, JobContext, JobState, JobType};
use pando_service::patiently;
use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Risk;
use crate::domain::ids;
use crate::rules::{Ruleset, Summary, compare};
use crate::store::backtests::{self, BacktestRow};

/// The job of a backtest.
pub(crate) const BACKTEST: JobType<OfBacktest> = JobType::new("risk_backtest").within_ms(3_600_000);

/// How many assessments are compared in one transaction.
const PAGE: i64 = 500;
/// How many assessments a run compares, unless the request says otherwise; and at most.
const ASSESSMENTS_DEFAULT: i64 = 100_000;
const ASSESSMENTS_MAX: i64 = 10_000_000;

const RUNNING: &str = "running";
const COMPLETED: &str = "completed";
const CANCELLED: &str = "cancelled";

/// The run that a job is about.
#[derive(Serialize, Deserialize)]
pub(crate) struct OfBacktest {
    backtest: Uuid,
}

/// How far a run has come: saved with each page.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Walk {
    after: Timestamp,
    after_id: Uuid,
}

/// A run of a version over stored assessments.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Backtest {
    /// Its id.
    pub id: String,
    /// `running`, `completed`, `cancelled` or `failed`.
    pub status: String,
    /// The version that it tries.
    pub number: u64,
    /// The hash of its document.
    pub candidate_hash: String,
    /// The hash of the rules that decided when the run began: it compares with them.
    pub live_hash: String,
    /// The moment of the first assessment that it takes.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// The moment of the last one.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// How many assessments it compares at most.
    pub limit: i64,
    /// The counts so far, and the first 20 assessments with a difference.
    #[schema(value_type = Object)]
    pub summary: Summary,
    /// Assessments that were stored without the request of their rules.
    pub skipped: i64,
    /// The caller who began it.
    pub created_by: String,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it last came further.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

impl Risk {
    /// Begins a run of a version over the assessments of a range.
    pub async fn start_ruleset_backtest(
        &self,
        call: &Call,
        (number, fields): (u64, &Map<String, Value>),
    ) -> Result<Written<Backtest>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let (tenant, now) = (call.tenant(), self.0.parts.clock.now());
            let (from, to, assessments_max) = range(fields, now)?;
            let candidate = self.ruleset_version(call, number).await?;
            let live = self.tenant_ground(call).await?;
            let row = BacktestRow {
                id: self.0.parts.clock.fresh_id(),
                number: i64::try_from(number).map_err(Fault::internal)?,
                candidate_hash: candidate.hash,
                live_hash: live.ruleset.hash().to_owned(),
                from,
                to,
                assessments_max,
                status: RUNNING.to_owned(),
                summary: Summary::default(),
                skipped: 0,
                created_by: call.actor().to_owned(),
                created_at: now,
                updated_at: now,
            };
            let mut write = turn.begin().await?;
            backtests::insert(&mut write.tx, tenant, &row)?;
            let job = BACKTEST.job(&OfBacktest { backtest: row.id })?;
            let job = Job { id: Some(row.id), ..job }.of_tenant(tenant);
            self.0.parts.queue.enqueue(&mut write.tx, job).await?;
            let data = json!({"number": number, "from": from, "to": to});
            write.acted(Change { event: "rules.backtest_started", id: row.id, version: 1, data });
            write.done(shown(row))
        });
        write.await
    }

    /// A run, and what it has found so far.
    pub async fn ruleset_backtest(&self, call: &Call, id: Uuid) -> Result<Backtest, Fault> {
        let read = self.0.parts.database.read_primary(call);
        let row = backtests::find(&read, call.tenant(), id).await?.ok_or_else(no_backtest)?;
        let mut found = shown(row);
        if found.status == RUNNING {
            let job = self.0.parts.queue.find(call, id).await?;
            if job.is_none_or(|job| matches!(job.state, JobState::Dead | JobState::Cancelled)) {
                "failed".clone_into(&mut found.status);
            }
        }
        Ok(found)
    }

    /// Ends a run: its job stops before the next page.
    pub async fn cancel_ruleset_backtest(&self, call: &Call, id: Uuid) -> Result<Written<()>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let tenant = call.tenant();
            let mut write = turn.begin().await?;
            let mut row = backtests::lock(&mut write.tx, tenant, id).await?.ok_or_else(no_backtest)?;
            if row.status == COMPLETED {
                return Err(Fault::conflict("the run is completed already"));
            }
            if row.status == RUNNING {
                (row.status, row.updated_at) = (CANCELLED.to_owned(), self.0.parts.clock.now());
                backtests::save(&mut write.tx, tenant, &row)?;
                let data = json!({"number": row.number});
                write.acted(Change { event: "rules.backtest_cancelled", id, version: 1, data });
            }
            write.done(())
        });
        write.await
    }

    /// Compares page after page. Each commits with how far the run has come, so nothing is counted twice.
    pub(crate) async fn run_backtest(self, context: JobContext, of: OfBacktest) -> Result<(), Fault> {
        let call = context.call().by(BACKTEST.name());
        let read = self.0.parts.database.read_primary(&call);
        let row = backtests::find(&read, call.tenant(), of.backtest).await?.ok_or_else(no_backtest)?;
        let rules = (
            self.kept_rules(&call, &row.live_hash).await?,
            self.kept_rules(&call, &row.candidate_hash).await?,
        );
        let mut walk = context.cursor().unwrap_or(Walk { after: row.from, after_id: Uuid::nil() });
        loop {
            let place = (walk.after, walk.after_id);
            let page = backtests::page(&read, call.tenant(), (place, row.to), PAGE).await?;
            let step = || self.backtest_page((&call, &context), of.backtest, (&rules.0, &rules.1), &page);
            match patiently(step).await? {
                Some(next) => walk = next,
                None => return Ok(()),
            }
        }
    }

    /// Counts one page; the place to go on from, or none at the end.
    async fn backtest_page(
        &self,
        (call, context): (&Call, &JobContext),
        id: Uuid,
        (live, candidate): (&Ruleset, &Ruleset),
        page: &[(Uuid, Timestamp, crate::domain::assessment::Basis)],
    ) -> Result<Option<Walk>, Fault> {
        let tenant = call.tenant();
        let mut tx = self.0.parts.database.transaction(call).await?;
        context.fence(&mut tx).await?;
        let mut row = backtests::lock(&mut tx, tenant, id).await?.ok_or_else(no_backtest)?;
        let seen = || i64::try_from(row.summary.compared).unwrap_or(i64::MAX).saturating_add(row.skipped);
        let room = usize::try_from(row.assessments_max.saturating_sub(seen())).unwrap_or_default();
        let is_cancelled = row.status == CANCELLED;
        let counted = if is_cancelled { &[] } else { &page[..page.len().min(room)] };
        for (assessment, _, basis) in counted {
            match &basis.facts {
                Some(facts) => {
                    let difference = compare(live, candidate, &facts.request);
                    row.summary.add(&ids::ASSESSMENT.show(*assessment), difference);
                }
                None => row.skipped += 1,
            }
        }
        row.updated_at = self.0.parts.clock.now();
        let is_last = i64::try_from(page.len()).unwrap_or(i64::MAX) < PAGE || room <= page.len();
        let next = page.last().filter(|_| !is_last && !is_cancelled);
        let next = next.map(|(id, at, _)| Walk { after: *at, after_id: *id });
        let progress = json!({"compared": row.summary.compared, "different": row.summary.different});
        match next {
            Some(walk) => context.save(&mut tx, json!(walk), Some(progress)).await?,
            None => {
                if !is_cancelled {
                    COMPLETED.clone_into(&mut row.status);
                }
                context.complete(&mut tx, progress).await?;
            }
        }
        backtests::save(&mut tx, tenant, &row)?;
        tx.commit().await?;
        Ok(next)
    }

    async fn kept_rules(&self, call: &Call, hash: &str) -> Result<std::sync::Arc<Ruleset>, Fault> {
        if hash == self.0.ruleset.hash() {
            return Ok(std::sync::Arc::clone(&self.0.ruleset));
        }
        let kept = self.0.evidence.ruleset(call, hash).await?;
        kept.ok_or_else(|| Fault::internal(format!("the document {hash} of a ruleset is gone")))
    }
}

/// The range and the number of assessments that a request asks for.
fn range(fields: &Map<String, Value>, now: Timestamp) -> Result<(Timestamp, Timestamp, i64), Fault> {
    let mut reader = FieldReader::new(fields);
    let mut moment = |field: &str, otherwise: Timestamp| {
        let text = reader.text(field, 100);
        if text.is_empty() {
            return otherwise;
        }
        text.parse().unwrap_or_else(|_| {
            reader.refuse(field, "INVALID_INPUT", "must be a time such as 2026-11-30T08:00:00Z");
            otherwise
        })
    };
    let (from, to) = (moment("from", Timestamp::from_micros(0)), moment("to", now));
    let limit = match fields.get("limit") {
        None | Some(Value::Null) => ASSESSMENTS_DEFAULT,
        Some(limit) => match limit.as_i64().filter(|limit| (1..=ASSESSMENTS_MAX).contains(limit)) {
            Some(limit) => limit,
            None => {
                reader.refuse("limit", "INVALID_INPUT", "must be a whole number from 1 to 10000000");
                ASSESSMENTS_DEFAULT
            }
        },
    };
    reader.finish()?;
    Ok((from, to, limit))
}

fn shown(row: BacktestRow) -> Backtest {
    Backtest {
        id: ids::BACKTEST.show(row.id),
        status: row.status,
        number: u64::try_from(row.number).unwrap_or_default(),
        candidate_hash: row.candidate_hash,
        live_hash: row.live_hash,
        from: row.from,
        to: row.to,
        limit: row.assessments_max,
        summary: row.summary,
        skipped: row.skipped,
        created_by: row.created_by,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

/// The run that a caller named does not exist.
pub(crate) fn no_backtest() -> Fault {
    Fault::not_found("backtest")
}
