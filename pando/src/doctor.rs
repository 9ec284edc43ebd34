//! `pando doctor`: checks everything that can be checked before a start, and recommends changes.

mod broker;
mod certificate;
mod files;
mod machine;
mod rows;

use std::fmt;
use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use pando_clock::Clock;

use crate::config::{Config, Role, Sources};
use crate::platform::{CLOSE_BUDGET, HAND_BACK_BUDGET};

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    /// How bad it is.
    verdict: Verdict,
    /// The name of the check.
    check: &'static str,
    /// The found state.
    detail: String,
    /// The recommended change; empty if nothing needs to change.
    advice: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// As it should be.
    Ok,
    /// It runs, and will hurt one day.
    Warn,
    /// It does not run like this.
    Fail,
}

impl Finding {
    fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self { verdict: Verdict::Ok, check, detail: detail.into(), advice: String::new() }
    }

    fn warn(check: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warn, check, detail: detail.into(), advice: advice.into() }
    }

    fn fail(check: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, check, detail: detail.into(), advice: advice.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
        };
        write!(f, "{word:5} {}: {}", self.check, self.detail)?;
        if !self.advice.is_empty() {
            write!(f, "; {}", self.advice)?;
        }
        Ok(())
    }
}

/// Runs every check and prints a line for each; the exit code says whether the platform can run.
pub(crate) async fn run(
    sources: &Sources,
    replicas: u64,
    clock: &Clock,
    out: &mut dyn Write,
) -> Result<ExitCode> {
    let findings = examine(sources, replicas, clock).await;
    for finding in &findings {
        writeln!(out, "{finding}")?;
    }
    let worst = findings.iter().map(|finding| finding.verdict).max();
    Ok(if worst == Some(Verdict::Fail) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn examine(sources: &Sources, replicas: u64, clock: &Clock) -> Vec<Finding> {
    let loaded = match sources.read() {
        Ok(loaded) => loaded,
        Err(error) => {
            let advice = "correct it; `pando config print` shows the effective settings";
            return error.problems.into_iter().map(|it| Finding::fail("settings", it, advice)).collect();
        }
    };
    let config = &loaded.config;
    let mut findings: Vec<Finding> = config
        .contradictions()
        .into_iter()
        .map(|(key, reason)| Finding::fail("settings", format!("{key}: {reason}"), ""))
        .collect();
    if findings.is_empty() {
        findings.push(Finding::ok("settings", "they fit together"));
    }
    let unset = "unset it, or leave it for a later version";
    findings.extend(loaded.notes.iter().map(|note| Finding::warn("settings", note, unset)));
    findings.push(stopping(config));
    findings.extend(certificate::examine(config, clock));
    findings.push(machine::open_files(config));
    findings.push(machine::disk_space(&config.data_dir));
    findings.extend(rows::examine(config, replicas, clock).await);
    findings.extend(files::examine(config, clock).await);
    findings.extend(broker::examine(config).await);
    findings
}

/// Whether requests in flight can finish when the process receives a stop signal.
fn stopping(config: &Config) -> Finding {
    let http = &config.http;
    if http.drain_ms < http.deadline_ms {
        let detail = format!(
            "http.drain_ms = {} is shorter than http.deadline_ms = {}",
            http.drain_ms, http.deadline_ms
        );
        return Finding::warn(
            "stopping",
            detail,
            format!("set http.drain_ms = {} or more", http.deadline_ms),
        );
    }
    let jobs = match config.plays(Role::Worker) {
        true => config.worker.stop_ms.div_ceil(1_000).saturating_add(HAND_BACK_BUDGET.as_secs()),
        false => 0,
    };
    let longest = http.drain_delay_ms.saturating_add(http.drain_ms).div_ceil(1_000).saturating_add(jobs)
        + CLOSE_BUDGET.as_secs();
    let detail = format!(
        "takes at most {longest} s: whoever stops this process must wait that long before killing it \
         (Kubernetes: terminationGracePeriodSeconds, 30 by default)"
    );
    Finding::ok("stopping", detail)
}
