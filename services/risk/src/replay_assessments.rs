//! Makes many decisions again, in pages, and counts those that differ.

use pando_clock::Clock;
use pando_database::Database;
use pando_service::prelude::*;
use uuid::Uuid;

use crate::domain::ids;
use crate::evidence::Evidence;
use crate::replay_assessment::{NOT_REPLAYABLE, replay};
use crate::store;

/// How many assessments are in memory at once.
const PAGE: usize = 200;
/// How many of the assessments that differ are named.
const NAMED_MAX: usize = 20;

/// The outcome of many replays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replays {
    /// How many were looked at.
    pub seen: usize,
    /// How many came out the same, byte for byte.
    pub same: usize,
    /// How many came out differently.
    pub different: usize,
    /// How many lack a part of what they were made from.
    pub not_replayable: usize,
    /// The first assessments that differ, and the first place in which each does.
    pub examples: Vec<(String, String)>,
}

/// Makes the decisions of a tenant again, the oldest first: from a moment on, at most `limit` of them.
pub async fn replay_assessments(
    (database, clock): (&Database, &Clock),
    call: &Call,
    from: Timestamp,
    limit: usize,
) -> Result<Replays, Fault> {
    let evidence = Evidence::new(database, clock);
    let read = database.read(call);
    let (mut replays, mut after) = (Replays::default(), (from, Uuid::nil()));
    while replays.seen < limit {
        let count = PAGE.min(limit - replays.seen);
        let page = store::page_after(&read, call.tenant(), after, count).await?;
        let Some(last) = page.last() else { break };
        after = (last.created_at, last.id);
        for assessed in &page {
            replays.seen += 1;
            match replay(&evidence, call, assessed).await {
                Ok(replay) if replay.same => replays.same += 1,
                Ok(replay) => {
                    replays.different += 1;
                    let place = replay.differences.into_iter().next().map(|first| first.pointer);
                    if replays.examples.len() < NAMED_MAX {
                        replays.examples.push((ids::ASSESSMENT.show(assessed.id), place.unwrap_or_default()));
                    }
                }
                Err(fault) if fault.name() == NOT_REPLAYABLE => replays.not_replayable += 1,
                Err(fault) => return Err(fault),
            }
        }
        if page.len() < count {
            break;
        }
    }
    Ok(replays)
}
