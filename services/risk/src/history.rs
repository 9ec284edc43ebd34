//! The history of businesses at the moment when they are assessed: their earlier assessments, and others that share something with them.

use std::collections::BTreeMap;

use pando_service::prelude::*;
use uuid::Uuid;

use crate::Risk;
use crate::domain::business::{Business, Traces};
use crate::model::{Earlier, HistoryInputs};
use crate::store::{self, Shared};

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
/// How far back earlier assessments count.
const LOOK_BACK_DAYS: i64 = 730;
/// How many rows are read at most: of a business that is assessed all the time, the latest count.
const ROWS_MAX: usize = 20_000;

impl Risk {
    /// The history of each of these businesses up to a moment.
    pub(crate) async fn history(
        &self,
        call: &Call,
        businesses: &[&Business],
        now: Timestamp,
    ) -> Result<Vec<HistoryInputs>, Fault> {
        let (read, tenant) = (self.0.parts.database.read(call), call.tenant());
        let ids: Vec<Uuid> = businesses.iter().map(|business| business.id()).collect();
        let traces: Vec<Traces> = businesses.iter().map(|business| business.traces()).collect();
        let since = now.plus_micros(-LOOK_BACK_DAYS * DAY);
        let recent = store::recent(&read, tenant, distinct(ids.iter().copied()), (since, ROWS_MAX)).await?;
        let week = now.plus_micros(-7 * DAY);
        let sharing = async |shared, values: Vec<Uuid>| {
            store::sharing(&read, tenant, (shared, values), (week, ROWS_MAX)).await
        };
        let addresses = distinct(traces.iter().map(|traces| traces.address));
        let addresses = sharing(Shared::Address, addresses).await?;
        let phones = distinct(traces.iter().filter_map(|traces| traces.phone));
        let phones = sharing(Shared::Phone, phones).await?;
        let emails = distinct(traces.iter().filter_map(|traces| traces.email));
        let emails = sharing(Shared::Email, emails).await?;
        let others = |found: &BTreeMap<Uuid, Vec<Uuid>>, trace: Option<Uuid>, own: Uuid| {
            let all = trace.and_then(|trace| found.get(&trace)).map_or(&[][..], Vec::as_slice);
            counted(all.iter().filter(|business| **business != own).count())
        };
        Ok(ids
            .iter()
            .zip(&traces)
            .map(|(id, traces)| {
                let earlier = recent.get(id).map_or(&[][..], Vec::as_slice);
                HistoryInputs {
                    same_address_7d: others(&addresses, Some(traces.address), *id),
                    same_phone_7d: others(&phones, traces.phone, *id),
                    same_email_7d: others(&emails, traces.email, *id),
                    ..of_earlier(earlier, now)
                }
            })
            .collect())
    }
}

/// The history of a business alone.
fn of_earlier(earlier: &[store::Earlier], now: Timestamp) -> HistoryInputs {
    let within = |micros: i64| {
        counted(earlier.iter().filter(|one| one.at.as_micros() > now.as_micros() - micros).count())
    };
    #[expect(clippy::cast_precision_loss, reason = "days need no more than 52 bits")]
    let days = |at: Timestamp| (now.as_micros() - at.as_micros()) as f64 / DAY as f64;
    let scores: Vec<(f64, f64)> = earlier.iter().filter_map(|one| Some((days(one.at), one.score?))).collect();
    HistoryInputs {
        assessed_1h: within(HOUR),
        assessed_24h: within(DAY),
        assessed_7d: within(7 * DAY),
        earlier: Earlier::of(&scores),
        ..HistoryInputs::default()
    }
}

fn distinct(ids: impl Iterator<Item = Uuid>) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn counted(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
