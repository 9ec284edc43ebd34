//! The statements about predictions.

use pando_service::prelude::*;
use uuid::Uuid;

/// The last prediction for an assessment and a horizon.
pub(crate) struct KeptPrediction {
    pub(crate) score: f64,
    pub(crate) model_type: String,
    pub(crate) model_version: String,
    pub(crate) version: i64,
}

/// A prediction to be kept.
pub(crate) struct PredictionRow<'a> {
    pub(crate) assessment: Uuid,
    pub(crate) horizon_months: u8,
    pub(crate) score: f64,
    pub(crate) level: &'a str,
    pub(crate) model_type: &'a str,
    pub(crate) model_version: &'a str,
    pub(crate) version: i64,
    pub(crate) at: Timestamp,
}

static LOCK: Query = Query::point(
    "risk.lock_prediction",
    "select score, model_type, model_version, version from risk_predictions \
     where tenant = $1 and assessment_id = $2 and horizon_months = $3 for update",
);

/// Of two requests that predict the same at once, the later one counts.
static PUT: Query = Query::write(
    "risk.put_prediction",
    "insert into risk_predictions (tenant, assessment_id, horizon_months, score, level, model_type, model_version, \
     version, created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) \
     on conflict (tenant, assessment_id, horizon_months) do update set score = excluded.score, level = excluded.level, \
     model_type = excluded.model_type, model_version = excluded.model_version, version = excluded.version, \
     updated_at = excluded.updated_at",
);

/// The last prediction for an assessment and a horizon, locked until the transaction ends.
pub(crate) async fn lock(
    tx: &mut Transaction,
    tenant: &Tenant,
    (assessment, horizon_months): (Uuid, u8),
) -> Result<Option<KeptPrediction>, Fault> {
    let row = tx.row(&LOCK, params![tenant, assessment, i64::from(horizon_months)]).await?;
    row.map(|row| {
        Ok(KeptPrediction {
            score: row.get(0)?,
            model_type: row.get(1)?,
            model_version: row.get(2)?,
            version: row.get(3)?,
        })
    })
    .transpose()
}

/// Keeps a prediction instead of the one before.
pub(crate) fn put(tx: &mut Transaction, tenant: &Tenant, row: &PredictionRow<'_>) {
    let values = params![
        tenant,
        row.assessment,
        i64::from(row.horizon_months),
        row.score,
        row.level,
        row.model_type,
        row.model_version,
        row.version,
        row.at
    ];
    tx.execute_later(&PUT, values);
}
