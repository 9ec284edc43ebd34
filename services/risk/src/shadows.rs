//! Counts the differences between the live rules and those in the shadow: in the process, and soon in the database.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pando_clock::Clock;
use pando_database::Database;
use pando_service::prelude::*;

use crate::rules::{Difference, Summary};
use crate::store::shadows;

/// How long counts stay in the process: so much of them is lost if it is killed.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a write of counts may take.
const WRITE_BUDGET: Duration = Duration::from_secs(10);
/// How many runs have counts in a process that are not written yet; those of further ones are left out.
const RUNS_MAX: usize = 1_000;

/// The comparisons that this process has made and not written yet. Cloning shares them.
#[derive(Clone)]
pub(crate) struct Shadows(Arc<Inner>);

struct Inner {
    database: Database,
    clock: Clock,
    waiting: Mutex<HashMap<(Tenant, i64), Summary>>,
}

impl Shadows {
    pub(crate) fn new(database: &Database, clock: &Clock) -> Self {
        let (database, clock) = (database.clone(), clock.clone());
        Self(Arc::new(Inner { database, clock, waiting: Mutex::default() }))
    }

    /// Counts a comparison. The first one of a pause has them written at its end.
    pub(crate) fn add(&self, tenant: &Tenant, number: u64, (request, difference): (&str, Difference)) {
        let Ok(number) = i64::try_from(number) else { return };
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = waiting.is_empty();
        let key = (tenant.clone(), number);
        if waiting.len() >= RUNS_MAX && !waiting.contains_key(&key) {
            return;
        }
        waiting.entry(key).or_default().add(request, difference);
        drop(waiting);
        if is_first {
            let shadows = self.clone();
            pando_telemetry::spawn("risk.shadows", async move {
                tokio::time::sleep(PAUSE).await;
                if let Err(fault) = shadows.write_all().await {
                    tracing::warn!(%fault, "comparisons with the rules in the shadow were not counted");
                }
            });
        }
    }

    /// Writes all that was counted.
    pub(crate) async fn write_all(&self) -> Result<(), Fault> {
        let waiting = std::mem::take(&mut *self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        for ((tenant, number), summary) in waiting {
            let call = Call::internal("risk.shadows", WRITE_BUDGET).of_tenant(tenant);
            let mut tx = self.0.database.transaction(&call).await?;
            shadows::add(&mut tx, call.tenant(), (number, self.0.clock.now()), summary).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}
