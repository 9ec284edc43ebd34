//! Sums over assessments. Each looks at the newest ones of a tenant, and at a bounded number of them.

use pando_service::prelude::*;

/// How many assessments are looked at: sums over more would take too long for a request.
pub(crate) const SAMPLE_MAX: i64 = 20_000;

/// Which assessments are counted.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) since: Timestamp,
    /// The moment that parts the time into an earlier half and a later one.
    pub(crate) middle: Timestamp,
    /// Empty for all of them.
    pub(crate) industry: String,
    pub(crate) country: String,
    pub(crate) level: String,
}

/// The sums of one industry in one country.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) industry: String,
    pub(crate) country: String,
    pub(crate) count: i64,
    pub(crate) mean: f64,
    pub(crate) earlier: Half,
    pub(crate) later: Half,
}

/// The sums of one half of the time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Half {
    pub(crate) count: i64,
    pub(crate) mean: Option<f64>,
}

/// The sums of all of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Totals {
    pub(crate) count: i64,
    pub(crate) mean: Option<f64>,
    pub(crate) high: i64,
    pub(crate) reviews: i64,
    pub(crate) confidence: Option<f64>,
    /// Whether older ones within the time were left out.
    pub(crate) is_cut: bool,
}

/// The newest assessments are chosen by the index on them before anything is filtered, so that a rare industry takes no longer.
macro_rules! newest {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " from (select industry, country, risk_score, risk_level, confidence, decision, status, created_at \
             from risk_assessments where tenant = $1 and created_at >= $2 order by created_at desc, id desc limit $3) newest \
             where status = 'completed' and ($4 = '' or lower(industry) = lower($4)) and ($5 = '' or country = $5) \
             and ($6 = '' or risk_level = $6)",
            $after
        )
    };
}

static SEGMENTS: Query = Query::scan(
    "risk.segments",
    newest!(
        "select industry, country, count(*), avg(risk_score), \
         sum(case when created_at < $7 then 1 else 0 end), avg(case when created_at < $7 then risk_score end), \
         avg(case when created_at >= $7 then risk_score end)",
        " group by industry, country order by count(*) desc, industry, country limit $8"
    ),
);

static TOTALS: Query = Query::scan(
    "risk.totals",
    newest!(
        "select count(*), avg(risk_score), sum(case when risk_level in ('high', 'critical') then 1 else 0 end), \
         sum(case when decision = 'review' then 1 else 0 end), avg(confidence)",
        ""
    ),
);

static SAMPLED: Query = Query::scan(
    "risk.sampled",
    "select count(*) from (select 1 from risk_assessments where tenant = $1 and created_at >= $2 limit $3) some_of_them",
);

/// The segments with the most assessments.
pub(crate) async fn segments(
    read: &Read<'_>,
    tenant: &Tenant,
    sample: &Sample,
    count: i64,
) -> Result<Vec<Segment>, Fault> {
    let Sample { since, middle, industry, country, level } = sample;
    let values = params![
        tenant,
        *since,
        SAMPLE_MAX,
        industry.as_str(),
        country.as_str(),
        level.as_str(),
        *middle,
        count
    ];
    let rows = read.rows(&SEGMENTS, values).await?;
    let segments = rows.iter().map(|row| {
        let (count, before): (i64, i64) = (row.get(2)?, row.get(4)?);
        Ok(Segment {
            industry: row.get(0)?,
            country: row.get(1)?,
            count,
            mean: row.get(3)?,
            earlier: Half { count: before, mean: row.get(5)? },
            later: Half { count: count - before, mean: row.get(6)? },
        })
    });
    segments.collect()
}

/// The sums over everything that is counted.
pub(crate) async fn totals(read: &Read<'_>, tenant: &Tenant, sample: &Sample) -> Result<Totals, Fault> {
    let Sample { since, industry, country, level, .. } = sample;
    let values = params![tenant, *since, SAMPLE_MAX, industry.as_str(), country.as_str(), level.as_str()];
    let row = read.row(&TOTALS, values).await?;
    let sampled = read.row(&SAMPLED, params![tenant, *since, SAMPLE_MAX + 1]).await?;
    let (Some(row), Some(sampled)) = (row, sampled) else {
        return Err(Fault::internal("a sum over assessments has no row"));
    };
    Ok(Totals {
        count: row.get(0)?,
        mean: row.get(1)?,
        high: row.get::<Option<i64>>(2)?.unwrap_or(0),
        reviews: row.get::<Option<i64>>(3)?.unwrap_or(0),
        confidence: row.get(4)?,
        is_cut: sampled.get::<i64>(0)? > SAMPLE_MAX,
    })
}
