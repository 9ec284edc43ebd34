//! Runs every job that is due, in the calling task: for tests and for commands.

use futures_util::future::join_all;

use crate::attempt::execute;
use crate::claim::Claimer;
use crate::settle::Settlement;
use crate::{Queue, QueueError, Registry};

/// How many jobs run at once.
const BATCH: usize = 16;

impl Queue {
    /// Runs the jobs that are due by the queue's clock, and the jobs that follow from them, until none is due. Returns the
    /// number of attempts. It needs no worker and works beside one.
    pub async fn run_until_idle(&self, registry: &Registry) -> Result<usize, QueueError> {
        let kinds: Vec<String> = registry.names().map(ToOwned::to_owned).collect();
        let (mut attempts, mut tenant) = (0, String::new());
        let names = self.options().queues_of(registry);
        loop {
            // Does at once the work that the runners of a worker do in the background.
            let moved = self.repair_lanes(&names).await?;
            let mut ran = 0;
            for name in &names {
                let claimer =
                    Claimer { queue: name, kinds: &kinds, count: BATCH, looks: true, tenant: &mut tenant };
                let turn = self.claim(claimer).await?;
                ran += turn.claimed.len();
                let single = self.options().single(name);
                let attempts = turn.claimed.into_iter().map(async |claimed| {
                    let signals = self.wakes().live.enter(claimed.id, claimed.lease);
                    let mut settlement =
                        Settlement::begun(name, &claimed, single.concurrency_total.is_some());
                    settlement.verdict = execute(self, registry, claimed, signals).await;
                    settlement
                });
                let settlements = join_all(attempts).await;
                self.settle(&settlements).await?;
                for settlement in settlements {
                    self.wakes().live.leave(settlement.id, settlement.lease);
                }
            }
            if ran + moved == 0 {
                return Ok(attempts);
            }
            attempts += ran;
        }
    }
}
