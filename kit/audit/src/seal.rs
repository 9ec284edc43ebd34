//! Sealing: entries get their numbers and hashes after their commits, so that writers never wait for each other.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use pando_database::DatabaseError;
use pando_resilience::Call;

use crate::chain::encode;
use crate::store::{self, Waiting};
use crate::{Audit, AuditError};

/// How long one transaction of the sealer may take.
const BUDGET: Duration = Duration::from_secs(10);
/// How many tenants are sealed together.
const TENANTS_MAX: usize = 1_000;

impl Audit {
    /// Seals the entries that are committed now, except those of tenants that another process is sealing; how many.
    pub fn seal_once(&self) -> BoxFuture<'_, Result<u64, AuditError>> {
        Box::pin(self.seal_all())
    }

    async fn seal_all(&self) -> Result<u64, AuditError> {
        let mut sealed = 0;
        loop {
            let call = Call::internal("audit.seal", BUDGET);
            let mut waiting = store::waiting(&self.0.database.read_primary(&call), TENANTS_MAX).await?;
            self.show(&waiting);
            let (tenants, before) = (waiting.len(), sealed);
            while !waiting.is_empty() {
                match self.seal_batch(&mut waiting).await {
                    Ok(batch) => sealed += batch,
                    // A chain that cannot grow must not hold up the others.
                    Err(error) if waiting.len() > 1 && is_of_one_chain(&error) => {
                        sealed += self.seal_apart(std::mem::take(&mut waiting)).await?;
                    }
                    Err(error) => return Err(error),
                }
            }
            if tenants < TENANTS_MAX || sealed == before {
                return Ok(sealed);
            }
        }
    }

    /// Seals the entries of each tenant by themselves; the last error comes after all of them were tried.
    async fn seal_apart(&self, waiting: Vec<Waiting>) -> Result<u64, AuditError> {
        let (mut sealed, mut failed) = (0, None);
        for tenant in waiting {
            let mut alone = vec![tenant];
            while !alone.is_empty() {
                match self.seal_batch(&mut alone).await {
                    Ok(batch) => sealed += batch,
                    Err(error) => {
                        alone.clear();
                        failed = Some(error);
                    }
                }
            }
        }
        failed.map_or(Ok(sealed), Err)
    }

    /// Seals one batch of entries of these tenants, and leaves those that may have more; how many.
    async fn seal_batch(&self, waiting: &mut Vec<Waiting>) -> Result<u64, AuditError> {
        // Every sealer inserts heads in the same order, so two of them cannot wait for each other.
        waiting.sort_unstable_by(|one, two| one.tenant.cmp(&two.tenant));
        let names = |of: fn(&Waiting) -> bool| -> Vec<String> {
            waiting.iter().filter(|it| of(it)).map(|it| it.tenant.clone()).collect()
        };
        let call = Call::internal("audit.seal", BUDGET);
        let mut tx = self.0.database.transaction(&call).await?;
        store::begin_chains(&mut tx, names(|it| !it.has_head)).await?;
        let mut heads = store::lock(&mut tx, names(|_| true)).await?;
        let entries_each = (self.0.options.seal_batch_max / waiting.len().max(1)).max(1);
        let entries = store::take(&mut tx, heads.keys(), entries_each).await?;
        if entries.is_empty() {
            waiting.clear();
            return Ok(0);
        }
        let (mut moved, mut links) = (BTreeMap::new(), Vec::with_capacity(entries.len()));
        for entry in entries {
            let Some(head) = heads.get_mut(&entry.tenant) else { continue };
            let previous = head.hash;
            *head = head.after(&encode(&entry));
            let (end, taken) = moved.entry(entry.tenant.clone()).or_insert((*head, 0));
            (*end, *taken) = (*head, *taken + 1);
            links.push((entry, previous, *head));
        }
        let sealed = u64::try_from(links.len()).unwrap_or(u64::MAX);
        store::chain(&mut tx, links).await?;
        store::move_heads(&mut tx, moved.iter().map(|(tenant, (head, _))| (tenant, *head))).await?;
        tx.commit().await?;
        waiting.retain(|it| moved.get(&it.tenant).is_some_and(|(_, taken)| *taken == entries_each));
        self.0.sealed.inc_by(sealed);
        Ok(sealed)
    }

    /// Shows in the metrics how many entries wait, and for how long.
    fn show(&self, waiting: &[Waiting]) {
        self.0.unsealed.set(waiting.iter().map(|waiting| waiting.entries).sum());
        let oldest = waiting.iter().map(|waiting| waiting.oldest.as_micros()).min();
        let age = oldest.map_or(0, |oldest| self.0.clock.now().as_micros() - oldest);
        self.0.unsealed_age.set((age / 1_000_000).max(0));
    }

    /// Seals every `seal_ms`, until the last clone of this is dropped. Every process may do so: they share the work.
    pub fn keep_sealed(&self) {
        let every = Duration::from_millis(self.0.options.seal_ms);
        let weak = std::sync::Arc::downgrade(&self.0);
        pando_telemetry::spawn("audit.sealer", async move {
            loop {
                tokio::time::sleep(every).await;
                let Some(inner) = weak.upgrade() else { return };
                if let Err(error) = Self(inner.clone()).seal_once().await {
                    inner.seal_failures.inc();
                    tracing::warn!(%error, "entries of the audit log could not be sealed");
                }
            }
        });
    }
}

/// Whether an error comes from the rows of one chain: a number that is taken, or a row that cannot be read.
fn is_of_one_chain(error: &AuditError) -> bool {
    matches!(
        error,
        AuditError::Database(DatabaseError::UniqueViolation { .. } | DatabaseError::BadColumn { .. })
    )
}
