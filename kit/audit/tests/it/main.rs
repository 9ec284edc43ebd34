//! The audit log on real engines.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod recording;
mod refusals;
mod scale;
mod sealing;
mod tampering;

use std::time::Duration;

use pando_audit::{Audit, AuditOptions, Entry, EntryResult, Fault, MIGRATIONS, Verdict};
use pando_clock::Clock;
use pando_database::{Database, Migration, MigrationSet, Query, Row, Value, params};
use pando_resilience::{Call, Tenant};
use pando_telemetry::Metrics;
use serde_json::json;

const CHANGES: MigrationSet = MigrationSet {
    service: "audit_test",
    migrations: &[Migration::new(1, "changes", "create table changes (name text not null primary key)")],
};
const CHANGE: Query = Query::write("changes.insert", "insert into changes (name) values ($1)");

/// A statement and its parameters.
type Statement = (&'static str, Vec<Value>);

/// A log on a fresh database, and its clock, which stands still.
struct House {
    database: Database,
    clock: Clock,
    metrics: Metrics,
    audit: Audit,
}

impl House {
    async fn on(database: Database) -> Self {
        database.migrate(&[MIGRATIONS, CHANGES]).await.unwrap();
        let (clock, metrics) = (Clock::scripted("2026-01-01T00:00:00Z".parse().unwrap()), Metrics::new());
        let audit = Audit::new(&database, &clock, &metrics, AuditOptions::default()).unwrap();
        Self { database, clock, metrics, audit }
    }

    /// Another process, as it were.
    fn other_audit(&self) -> Audit {
        Audit::new(&self.database, &self.clock, &Metrics::new(), AuditOptions::default()).unwrap()
    }

    /// Records so many entries of a tenant, and seals them.
    async fn write(&self, tenant: &str, count: usize) {
        for number in 1..=count {
            self.audit.record_alone(&call(tenant), &entry(&number.to_string())).await.unwrap();
        }
        assert_eq!(self.audit.seal_once().await.unwrap(), count as u64);
    }

    async fn verify(&self, tenant: &str) -> Verdict {
        self.audit.verify(&call(tenant), None).await.unwrap()
    }

    /// Runs statements past the log, in one transaction.
    async fn run(&self, statements: &[Statement]) {
        let call = call("");
        let mut tx = self.database.transaction(&call).await.unwrap();
        for (sql, values) in statements {
            tx.execute(&Query::write("outsider", sql), values).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    async fn rows(&self, sql: &'static str, values: impl AsRef<[Value]>) -> Vec<Row> {
        let call = call("");
        self.database.read_primary(&call).rows(&Query::scan("look", sql), values).await.unwrap()
    }

    async fn count(&self, sql: &'static str) -> i64 {
        self.rows(sql, params![]).await[0].get(0).unwrap()
    }
}

fn call(tenant: &str) -> Call {
    let mut call =
        Call::internal("request", Duration::from_secs(120)).of_tenant(Tenant::stored(tenant)).by("ann");
    (call.identity.credential, call.client) = ("key:0123456789abcdef".into(), "192.0.2.1".parse().ok());
    call
}

fn entry(resource_id: &str) -> Entry<'_> {
    Entry {
        action: "customers.update",
        resource: "customer",
        resource_id,
        result: EntryResult::Ok,
        details: json!({"fields": ["email"], "version": 3}),
    }
}

/// The findings of a verdict, by their numbers.
fn faults(verdict: &Verdict) -> Vec<(i64, Fault)> {
    verdict.findings.iter().map(|finding| (finding.number, finding.fault)).collect()
}
