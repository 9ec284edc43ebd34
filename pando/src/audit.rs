//! `pando audit`: checks the audit log.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Subcommand;
use pando_audit::{Audit, Head, Verdict};
use pando_clock::Clock;
use pando_resilience::{Call, Tenant};
use pando_telemetry::Metrics;

use crate::config::Config;
use crate::migrate;

/// How long a verification may take: a million entries are read in seconds.
const BUDGET: Duration = Duration::from_secs(24 * 3_600);

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Look for entries that were changed, removed, moved or inserted
    ///
    /// Looks for entries of the audit log that were changed, removed, moved or inserted, names them, and then ends with
    /// exit code 1. A log that was rewritten as a whole agrees with itself: keep the heads outside of the database
    /// (--heads), and compare with them later (--expect).
    Verify {
        /// The file of an earlier --heads: the log must still contain what it contained then
        #[arg(long, value_name = "FILE")]
        expect: Option<PathBuf>,
        /// Write the heads to this file, if the log is intact
        #[arg(long, value_name = "FILE")]
        heads: Option<PathBuf>,
    },
}

/// Runs the command.
pub(crate) async fn run(
    config: &Config,
    AuditCommand::Verify { expect, heads }: AuditCommand,
    clock: &Clock,
    out: &mut dyn Write,
) -> Result<ExitCode> {
    let expected = expect.as_deref().map(read_heads).transpose()?.unwrap_or_default();
    let metrics = Metrics::new();
    let database = migrate::open(config, &metrics, clock).await?;
    let audit = Audit::new(&database, clock, &metrics, config.audit.clone())?;
    let verdicts = audit.verify_all(&Call::internal("audit.verify", BUDGET), &expected).await;
    database.close().await;
    let verdicts = verdicts.context("the audit log cannot be read (has `pando migrate` been run?)")?;
    let intact = verdicts.iter().all(Verdict::is_intact);
    for verdict in &verdicts {
        tell(verdict, out)?;
    }
    if verdicts.is_empty() {
        writeln!(out, "the audit log is empty")?;
    }
    if let Some(file) = heads.filter(|_| intact) {
        write_heads(&file, &verdicts)?;
    }
    Ok(if intact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(verdict: &Verdict, out: &mut dyn Write) -> Result<()> {
    let tenant = match verdict.tenant.is_default() {
        true => String::new(),
        false => format!("{}: ", verdict.tenant),
    };
    for finding in &verdict.findings {
        writeln!(out, "fail  {tenant}{finding}")?;
    }
    let named = u64::try_from(verdict.findings.len()).unwrap_or(u64::MAX);
    if verdict.findings_total > named {
        writeln!(out, "fail  {tenant}{} more findings are not named", verdict.findings_total - named)?;
    }
    if verdict.is_intact() {
        let head = verdict.head.map(|head| format!(", head {head}")).unwrap_or_default();
        writeln!(out, "ok    {tenant}{} entries{head}", verdict.entries)?;
    }
    if verdict.unsealed > 0 {
        writeln!(out, "note  {tenant}{} entries are not sealed yet, and were not checked", verdict.unsealed)?;
    }
    Ok(())
}

/// A head in each line, and behind it the tenant, which may be empty.
fn read_heads(file: &Path) -> Result<BTreeMap<Tenant, Head>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut heads = BTreeMap::new();
    for (place, line) in text.lines().enumerate() {
        let (head, tenant) = line.split_once(' ').unwrap_or((line, ""));
        let head = head.parse().with_context(|| format!("{}, line {}", file.display(), place + 1))?;
        heads.insert(Tenant::stored(tenant), head);
    }
    Ok(heads)
}

fn write_heads(file: &Path, verdicts: &[Verdict]) -> Result<()> {
    let line = |verdict: &Verdict| verdict.head.map(|head| format!("{head} {}\n", verdict.tenant));
    let lines: String = verdicts.iter().filter_map(line).collect();
    std::fs::write(file, lines).with_context(|| format!("cannot write {}", file.display()))
}
