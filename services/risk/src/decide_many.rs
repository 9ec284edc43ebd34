//! Decides about many businesses at once, on as many threads as the settings allow.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::try_join_all;
use pando_service::prelude::*;

use crate::Risk;
use crate::domain::assessment::Assessed;
use crate::domain::business::Business;
use crate::ground::Ground;
use crate::model::HistoryInputs;

/// Fewer businesses are not worth a thread of their own.
const PART_MIN: usize = 8;

/// The outcome for one business.
pub(crate) struct Decided {
    pub(crate) outcome: Result<Assessed, Fault>,
    /// How long the decision took: features, score, lists and rules.
    pub(crate) micros: i64,
}

impl Risk {
    /// Decides about businesses, each by its own history; the outcomes are in the order of the businesses. An error about one of them
    /// is its own outcome.
    pub(crate) async fn decide_many(
        &self,
        (call, ground): (&Call, &Arc<Ground>),
        businesses: Vec<Business>,
        now: Timestamp,
    ) -> Result<Vec<Decided>, Fault> {
        let asked: Vec<&Business> = businesses.iter().collect();
        let histories = self.history(call, &asked, now).await?;
        let part = businesses.len().div_ceil(self.0.deciding_max).max(PART_MIN);
        let mut all = businesses.into_iter().zip(histories).peekable();
        let mut parts = Vec::new();
        while all.peek().is_some() {
            let some: Vec<(Business, HistoryInputs)> = all.by_ref().take(part).collect();
            parts.push(self.decide_part((call, ground), some, now));
        }
        Ok(try_join_all(parts).await?.into_iter().flatten().collect())
    }

    /// Decides on a thread where nothing else waits; all batches of a process together have a bounded number of these.
    async fn decide_part(
        &self,
        (call, ground): (&Call, &Arc<Ground>),
        part: Vec<(Business, HistoryInputs)>,
        now: Timestamp,
    ) -> Result<Vec<Decided>, Fault> {
        let _turn = self.0.deciding.acquire().await.map_err(Fault::internal)?;
        let (risk, call, ground) = (self.clone(), call.clone(), Arc::clone(ground));
        let decide = move || {
            let decide = |(business, history)| {
                let begun = Instant::now();
                let outcome = risk.decide((&call, &ground), business, history, now);
                Decided { outcome, micros: i64::try_from(begun.elapsed().as_micros()).unwrap_or(i64::MAX) }
            };
            part.into_iter().map(decide).collect()
        };
        tokio::task::spawn_blocking(decide).await.map_err(Fault::internal)
    }
}
