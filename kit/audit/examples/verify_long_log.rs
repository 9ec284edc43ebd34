//! Sealing and verifying a long log on one engine: how long it takes, and how much memory the process has meanwhile.
//!
//! `cargo run --release -p pando-audit --example verify_long_log -- [sqlite or postgres] [entries]`
#![expect(clippy::print_stdout, reason = "a measurement speaks to its reader")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pando_audit::{Audit, AuditOptions, Entry, EntryResult, MIGRATIONS};
use pando_clock::Clock;
use pando_database::testing::TestDatabase;
use pando_resilience::{Call, Tenant};
use pando_telemetry::Metrics;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const BATCH: usize = 5_000;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let engine = arguments.next().unwrap_or_else(|| "sqlite".to_owned());
    let entries: usize = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let test = match engine.as_str() {
        "postgres" => TestDatabase::postgres().await,
        _ => TestDatabase::sqlite(),
    };
    let database = test.open().await;
    database.migrate(&[MIGRATIONS]).await?;
    let audit = Audit::new(&database, &Clock::system(), &Metrics::new(), AuditOptions::default())?;
    let call = Call::internal("0198a0b2-2f6e-7c51-9d5e-3a0f6f1f8a11", Duration::from_secs(3_600))
        .of_tenant(Tenant::named("acme")?);
    let entry = Entry {
        action: "customers.update",
        resource: "customer",
        resource_id: "0198a0b2-2f6e-7c51-9d5e-3a0f6f1f8a11",
        result: EntryResult::Ok,
        details: serde_json::json!({"fields": ["email", "phone"], "version": 3}),
    };
    let batch = vec![entry; BATCH];
    for _ in 0..entries / BATCH {
        let mut tx = database.transaction(&call).await?;
        audit.record_all(&mut tx, &call, &batch).await?;
        tx.commit().await?;
    }
    let started = Instant::now();
    let sealed = audit.seal_once().await?;
    println!("{engine}: {sealed} entries sealed in {:.1} s", started.elapsed().as_secs_f64());

    for _ in 0..3 {
        let before = resident_kib()?;
        let most = Arc::new(AtomicU64::new(before));
        let seen = Arc::clone(&most);
        let watch = pando_telemetry::spawn("verify_long_log.memory", async move {
            loop {
                seen.fetch_max(resident_kib().unwrap_or(0), Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let started = Instant::now();
        let verdict = audit.verify(&call, None).await?;
        let took = started.elapsed().as_secs_f64();
        watch.abort();
        assert!(verdict.is_intact() && verdict.entries == sealed, "{verdict:?}");
        let most = most.load(Ordering::Relaxed);
        println!(
            "{engine}: {} entries verified in {took:.1} s; resident memory {} MiB before, {} MiB at most",
            verdict.entries,
            before / 1_024,
            most / 1_024
        );
    }
    database.close().await;
    Ok(())
}

/// The resident memory of this process.
fn resident_kib() -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
