//! Verification: reading the whole log, and comparing it with its hashes.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::BoxFuture;
use pando_database::{DatabaseError, Read};
use pando_resilience::{Call, Tenant};

use crate::walk::Walk;
use crate::{Audit, AuditError, Head, Verdict, store};

/// How many entries are read with one statement. A statement that read all of them would keep the database from cleaning up
/// `audit_unsealed` in the meantime.
const SEGMENT: usize = 20_000;

impl Audit {
    /// Verifies the log of the call's tenant. With `expected`, a head that was kept earlier, it also proves that the log still
    /// contains all that it contained then. The call's deadline must leave time to read the whole log.
    pub fn verify<'a>(
        &'a self,
        call: &'a Call,
        expected: Option<Head>,
    ) -> BoxFuture<'a, Result<Verdict, AuditError>> {
        Box::pin(self.walk(call, call.tenant().clone(), expected))
    }

    /// Verifies the logs of all tenants, in the order of their names, and those of which a head is expected.
    pub fn verify_all<'a>(
        &'a self,
        call: &'a Call,
        expected: &'a BTreeMap<Tenant, Head>,
    ) -> BoxFuture<'a, Result<Vec<Verdict>, AuditError>> {
        Box::pin(async move {
            let stored = store::tenants(&self.0.database.read_primary(call)).await?;
            let tenants: BTreeSet<Tenant> = stored.into_iter().chain(expected.keys().cloned()).collect();
            let mut verdicts = Vec::with_capacity(tenants.len());
            for tenant in tenants {
                let expected = expected.get(&tenant).copied();
                verdicts.push(self.walk(call, tenant, expected).await?);
            }
            Ok(verdicts)
        })
    }

    async fn walk(&self, call: &Call, tenant: Tenant, expected: Option<Head>) -> Result<Verdict, AuditError> {
        let read = self.0.database.read_primary(call);
        let mut walk = Walk::new(expected, self.0.options.findings_max);
        let mut from = i64::MIN;
        loop {
            let segment = store::segment(&tenant, from, SEGMENT);
            let mut rows = read.stream(&segment, SEGMENT).await?;
            let (mut count, mut head, started, mut fault) = (0, None, from, None);
            loop {
                let row = match rows.next().await {
                    Ok(Some(row)) => row,
                    Ok(None) => break,
                    Err(error) => {
                        fault = Some(error);
                        break;
                    }
                };
                head = store::head_from(&row);
                if row.get::<Option<i64>>("number").is_ok_and(|number| number.is_none()) {
                    // There is no entry behind the last one, only the head.
                    break;
                }
                count += 1;
                from = row.get::<i64>("number").map_or(from, |number| number.saturating_add(1));
                walk.step(&row, head);
            }
            if let Some(fault) = fault {
                drop(rows);
                from = pass(&read, (&tenant, from), fault, &mut walk).await?;
                continue;
            }
            // A number that cannot be read comes last: without this there would be no end.
            if count < SEGMENT || from == started {
                let unsealed = store::unsealed(&read, &tenant).await?;
                return Ok(walk.finish(tenant, head, unsealed));
            }
        }
    }
}

/// Passes an entry that the engine cannot read, such as a text on SQLite that is not UTF-8; the number behind it. Another fault ends the walk.
async fn pass(
    read: &Read<'_>,
    (tenant, from): (&Tenant, i64),
    fault: DatabaseError,
    walk: &mut Walk,
) -> Result<i64, DatabaseError> {
    if !matches!(fault, DatabaseError::Query { .. }) {
        return Err(fault);
    }
    let number = store::next_number(read, tenant, from).await?.ok_or(fault)?;
    walk.pass(number);
    Ok(number.saturating_add(1))
}
