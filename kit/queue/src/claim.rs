//! One round of claiming: in one transaction, due jobs become claimable and the jobs that may run are claimed.

use std::collections::BTreeMap;
use std::time::Instant;

use pando_clock::Timestamp;
use pando_database::Transaction;
use pando_resilience::Call;

use crate::settle::BUDGET;
use crate::store::claim::{self as store, Ask, Claimed};
use crate::{Queue, QueueError};

/// How many tenants take turns in one claim.
const TENANTS_MAX: usize = 32;

/// The result of a turn.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) claimed: Vec<Claimed>,
    /// There may be more at once.
    pub(crate) more: bool,
    /// When the next job is due; `None` if this is unknown or if there is none.
    pub(crate) next_due: Option<Timestamp>,
}

/// The runner that claims, and how many jobs it wants.
#[derive(Debug)]
pub(crate) struct Claimer<'a> {
    pub(crate) queue: &'a str,
    pub(crate) kinds: &'a [String],
    pub(crate) count: usize,
    /// Whether to look for jobs whose moment has come, and for when the next one's comes.
    pub(crate) looks: bool,
    /// The tenant that had the last turn.
    pub(crate) tenant: &'a mut String,
}

impl Queue {
    pub(crate) async fn claim(&self, claimer: Claimer<'_>) -> Result<Turn, QueueError> {
        let started = Instant::now();
        let result = self.claim_in_transaction(claimer).await;
        self.gauges().operation("claim", started, &result);
        result
    }

    async fn claim_in_transaction(&self, claimer: Claimer<'_>) -> Result<Turn, QueueError> {
        let call = Call::internal("queue.claim", BUDGET);
        let (options, single) = (self.options(), self.options().single(claimer.queue));
        let now = self.clock().now();
        // A claim that is lost with its server was a lease that ran out.
        let mut tx = self.database().transaction_unflushed(&call).await?;
        if claimer.looks {
            store::promote(&mut tx, claimer.queue, now, options.batch_max);
        }
        let mut count = claimer.count;
        if let Some(total) = single.concurrency_total {
            let running = store::lock_and_count(&mut tx, claimer.queue).await?;
            count = count.min(total.saturating_sub(running));
        }
        let lease_micros = i64::try_from(options.lease().as_micros()).unwrap_or(i64::MAX);
        let ask = Ask {
            queue: claimer.queue,
            kinds: claimer.kinds,
            tenant: None,
            count,
            lease: self.clock().fresh_id(),
            now,
            lease_until: now.plus_micros(lease_micros),
        };
        let engine = self.database().engine();
        // Nothing comes after the claim: it goes with the commit.
        let is_last = !single.fair && single.rate_per_second.is_none() && !claimer.looks;
        if is_last && count > 0 {
            let claimed = store::claim_and_commit(tx, engine, &ask).await?;
            return Ok(Turn { more: claimed.len() >= claimer.count, claimed, next_due: None });
        }
        let mut claimed = match () {
            () if count == 0 => Vec::new(),
            () if single.fair => self.claim_fairly(&mut tx, &ask, claimer.tenant).await?,
            () => store::claim(&mut tx, engine, &ask).await?,
        };
        let more = claimed.len() >= claimer.count;
        if let Some(rate) = single.rate_per_second {
            claimed = grant(&mut tx, claimer.queue, claimed, rate, now).await?;
        }
        let mut next_due = None;
        if claimer.looks {
            // Due jobs remain that were too many to become claimable at once.
            next_due = store::next_due_and_commit(tx, claimer.queue).await?;
        } else {
            tx.commit().await?;
        }
        Ok(Turn { claimed, more, next_due })
    }

    /// The same share for each tenant with waiting jobs; the remaining places go to the first jobs.
    async fn claim_fairly(
        &self,
        tx: &mut Transaction,
        ask: &Ask<'_>,
        last: &mut String,
    ) -> Result<Vec<Claimed>, QueueError> {
        let mut tenants = store::tenants(tx, ask.queue, last, TENANTS_MAX).await?;
        if tenants.len() < TENANTS_MAX && !last.is_empty() {
            let others = store::tenants(tx, ask.queue, "", TENANTS_MAX).await?;
            let known = tenants.len();
            tenants.extend(others.into_iter().filter(|tenant| tenant <= last).take(TENANTS_MAX - known));
        }
        let share = (ask.count / tenants.len().max(1)).max(1);
        let mut claimed = Vec::new();
        for tenant in &tenants {
            let count = share.min(ask.count - claimed.len());
            if count == 0 {
                break;
            }
            let ask = Ask { tenant: Some(tenant), count, ..ask.clone() };
            claimed.extend(store::claim(tx, self.database().engine(), &ask).await?);
            last.clone_from(tenant);
        }
        if claimed.len() < ask.count {
            let rest = Ask { count: ask.count - claimed.len(), ..ask.clone() };
            claimed.extend(store::claim(tx, self.database().engine(), &rest).await?);
        }
        Ok(claimed)
    }
}

/// Gives each job of a rate key its place, `rate` in a second: those whose place is later go back until then.
/// A place is kept: a job asks once.
async fn grant(
    tx: &mut Transaction,
    queue: &str,
    claimed: Vec<Claimed>,
    rate: f64,
    now: Timestamp,
) -> Result<Vec<Claimed>, QueueError> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a rate that is slower than the calendar stays at its end"
    )]
    let step = (1_000_000.0 / rate) as i64;
    // In the order of the keys: two claims that lock several never wait for each other in a circle.
    let mut by_key: BTreeMap<String, Vec<Claimed>> = BTreeMap::new();
    let mut granted = Vec::new();
    for job in claimed {
        match &job.rate_key {
            Some(key) if !job.rate_granted => by_key.entry(key.clone()).or_default().push(job),
            _ => granted.push(job),
        }
    }
    for (key, jobs) in by_key {
        let mut free_at = store::rate_free_at(tx, queue, &key, now).await?;
        for job in jobs {
            if free_at <= now {
                granted.push(job);
            } else {
                store::postpone(tx, &job, free_at).await?;
            }
            free_at = free_at.plus_micros(step);
        }
        store::set_rate(tx, queue, &key, free_at).await?;
    }
    Ok(granted)
}
