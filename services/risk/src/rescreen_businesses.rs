//! Screens the businesses under monitoring against the entries of a list that have changed, and against nothing else.

use std::time::Duration;

use pando_queue::{JobContext, JobType};
use pando_service::patiently;
use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::Risk;
use crate::domain::case::CaseRecord;
use crate::domain::events;
use crate::domain::facts::MatchSeen;
use crate::domain::monitored::{ListMoved, MonitoredRow};
use crate::screening::{Index, Query, QueryError};
use crate::store::{cases, monitored};
use crate::tenant_lists::TenantLists;

/// The job that screens again.
pub(crate) const RESCREEN: JobType<ListMoved> = JobType::new("risk_rescreen").within_ms(3_600_000);

/// How many businesses are screened in one transaction.
const PAGE: usize = 500;
/// How many tenants get their jobs in one transaction.
const TENANTS_PAGE: i64 = 500;
/// How long it may take to see whether the operator's lists have changed.
const START_BUDGET: Duration = Duration::from_secs(60);

/// How far a job has come: saved with each page.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Walk {
    #[serde(with = "uuid::serde::simple")]
    after: Uuid,
    screened: usize,
    matched: usize,
}

impl Risk {
    /// Has the businesses of a tenant screened again after a change of its list, in the transaction of the change.
    pub(crate) async fn rescreen_after(&self, write: &mut Write, moved: &ListMoved) -> Result<(), Fault> {
        let job = RESCREEN.job(moved)?.of_tenant(write.call.tenant());
        self.0.parts.queue.enqueue(&mut write.tx, job).await?;
        Ok(())
    }

    /// Compares the operator's lists with those of the process before, and has all tenants screen what has changed.
    pub(crate) async fn see_operator_lists(&self) -> Result<(), Fault> {
        let call = Call::internal("risk.monitoring", START_BUDGET);
        for (seen, index) in self.0.lists.searched() {
            let read = self.0.parts.database.read_primary(&call);
            let last = monitored::last_list(&read, &seen.name).await?;
            if last.as_ref().is_some_and(|(_, version)| *version == seen.version) {
                continue;
            }
            let number = last.as_ref().map_or(1, |(number, _)| number + 1);
            let entries = packed(index);
            let now = self.0.parts.clock.now();
            let mut tx = self.0.parts.database.transaction(&call).await?;
            let place = (seen.name.as_str(), number);
            if monitored::see_list(&mut tx, place, (&seen.version, entries), now).await? && number > 1 {
                let moved = ListMoved::OfOperator { name: seen.name.clone(), number };
                self.enqueue_for_all(&call, &mut tx, &moved).await?;
            }
            tx.commit().await?;
        }
        Ok(())
    }

    async fn enqueue_for_all(
        &self,
        call: &Call,
        tx: &mut Transaction,
        moved: &ListMoved,
    ) -> Result<(), Fault> {
        let read = self.0.parts.database.read_primary(call);
        let mut after = Tenant::default();
        let mut tenants = Vec::from_iter(monitored::has_any(&read, &after).await?.then(Tenant::default));
        loop {
            let page = monitored::tenants_after(&read, &after, TENANTS_PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.clone();
            tenants.extend(page);
        }
        for tenant in tenants {
            self.0.parts.queue.enqueue(tx, RESCREEN.job(moved)?.of_tenant(&tenant)).await?;
        }
        Ok(())
    }

    /// Screens page after page. Each commits its cases with how far this has come, so no match opens two of them.
    pub(crate) async fn rescreen(self, context: JobContext, moved: ListMoved) -> Result<(), Fault> {
        let call = context.call().by(RESCREEN.name());
        // Another process may have changed the list a moment ago.
        self.0.grounds.forget(call.tenant());
        let ground = self.tenant_ground(&call).await?;
        let changed = self.changed_entries(&call, &ground.lists, &moved).await?;
        let mut walk: Walk = context.cursor().unwrap_or_default();
        loop {
            let read = self.0.parts.database.read_primary(&call);
            let page = match &changed {
                Some(index) if index.names() > 0 => {
                    monitored::page(&read, call.tenant(), (walk.after, PAGE)).await?
                }
                _ => Vec::new(),
            };
            let found = match &changed {
                Some(index) => self.found(index, &ground.lists, &page)?,
                None => Vec::new(),
            };
            let is_last = page.len() < PAGE;
            let next = Walk {
                after: page.last().map_or(walk.after, |last| last.business),
                screened: walk.screened + page.len(),
                matched: walk.matched + found.len(),
            };
            patiently(|| self.open_matched((&call, &context), &found, (next, is_last))).await?;
            if is_last {
                return Ok(());
            }
            walk = next;
        }
    }

    /// An index of the entries that the change has added or changed; none if the list is gone.
    async fn changed_entries(
        &self,
        call: &Call,
        lists: &TenantLists,
        moved: &ListMoved,
    ) -> Result<Option<Index>, Fault> {
        match moved {
            ListMoved::OfTenant { list, after, to } => Ok(lists.changed(*list, (*after, *to))),
            ListMoved::OfOperator { name, number } => {
                let read = self.0.parts.database.read_primary(call);
                let seen = monitored::list(&read, name, *number).await?;
                let before = monitored::list(&read, name, number - 1).await?;
                let ((version, _), (_, before)) = seen.zip(before).ok_or_else(no_numbers)?;
                let known = unpacked(&before);
                let found = self.0.lists.searched().find(|(seen, _)| seen.name == *name);
                let Some((held, index)) = found else {
                    return Err(Fault::busy(format!("this process does not have the list {name}")));
                };
                if held.version != version {
                    return Err(Fault::busy(format!("this process has another version of the list {name}")));
                }
                let entries = index.list().entries().iter();
                let changed = entries.filter(|entry| known.binary_search(&short(&entry.version())).is_err());
                Ok(Some(index.of(changed.cloned().collect())))
            }
        }
    }

    /// The businesses of a page that match changed entries, without those matches that are remembered as false.
    fn found<'p>(
        &self,
        index: &Index,
        lists: &TenantLists,
        page: &'p [MonitoredRow],
    ) -> Result<Vec<(&'p MonitoredRow, Vec<MatchSeen>)>, Fault> {
        let mut all = Vec::new();
        for row in page {
            let query = Query {
                country: Some(&row.shown.country),
                threshold: f64::from(self.0.options.match_percent_min) / 100.0,
                ..Query::new(&row.shown.business_name)
            };
            let matches = match index.search(&query) {
                Ok(matches) => matches,
                // A name of signs alone is on no list.
                Err(QueryError::NoWords) => continue,
                Err(error) => return Err(Fault::internal(error)),
            };
            let counted = matches.iter().filter(|found| !lists.is_false(row.business, found.entry));
            let matches: Vec<MatchSeen> = counted.map(|found| MatchSeen::of(found, false)).collect();
            if !matches.is_empty() {
                all.push((row, matches));
            }
        }
        Ok(all)
    }

    /// Opens a case for each business that matches, and publishes the match.
    async fn open_matched(
        &self,
        (call, context): (&Call, &JobContext),
        found: &[(&MonitoredRow, Vec<MatchSeen>)],
        (walk, is_last): (Walk, bool),
    ) -> Result<(), Fault> {
        let mut write = self.0.writes.begin(call).await?;
        context.fence(&mut write.tx).await?;
        let (clock, mut opened) = (&self.0.parts.clock, Vec::with_capacity(found.len()));
        for (row, matches) in found {
            let about = (None, row.business, row.shown.business_name.clone());
            let details = json!({"matches": matches});
            let case = CaseRecord::opened(clock.fresh_id(), ("monitoring", about), details, clock.now());
            write.created(events::sanctions_match(&case, matches));
            opened.push(case);
        }
        cases::open(&mut write.tx, call.tenant(), &opened).await?;
        let counts = json!({"screened": walk.screened, "matched": walk.matched});
        if is_last {
            context.complete(&mut write.tx, counts).await?;
        } else {
            context.save(&mut write.tx, json!(walk), Some(counts)).await?;
        }
        write.end().await?;
        Ok(())
    }
}

fn no_numbers() -> Fault {
    Fault::internal("the lists to compare are gone")
}

/// The first 64 bits of the version of an entry.
fn short(version: &str) -> u64 {
    version.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default()
}

fn packed(index: &Index) -> Vec<u8> {
    let mut shorts: Vec<u64> = index.list().entries().iter().map(|entry| short(&entry.version())).collect();
    shorts.sort_unstable();
    shorts.into_iter().flat_map(u64::to_be_bytes).collect()
}

fn unpacked(bytes: &[u8]) -> Vec<u64> {
    bytes.as_chunks::<8>().0.iter().map(|chunk| u64::from_be_bytes(*chunk)).collect()
}
