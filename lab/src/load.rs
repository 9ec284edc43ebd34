//! Runs the standard tools: wrk against servers, pgbench and psql against PostgreSQL.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use pando_database::testing::TestPostgres;
use tokio::process::Command;

/// How hard to push.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pressure {
    pub(crate) clients: usize,
    pub(crate) seconds: u64,
}

/// Requests per second that a server answers, every one of them well.
pub(crate) async fn wrk(url: &str, script: Option<&Path>, pressure: Pressure) -> Result<f64> {
    let mut command = Command::new("wrk");
    command.args(["-t", "1", "-c", &pressure.clients.to_string(), "-d", &format!("{}s", pressure.seconds)]);
    if let Some(script) = script {
        command.arg("-s").arg(script);
    }
    let output = output(command.arg(url)).await?;
    ensure!(!output.contains("Non-2xx"), "the server refused some requests:\n{output}");
    ensure!(!output.contains("Socket errors"), "some connections broke:\n{output}");
    number_after(&output, "Requests/sec:").with_context(|| format!("wrk printed no rate:\n{output}"))
}

/// Calls per second of a gRPC method that a server answers, with the same request each time. The edge of the client sees only
/// whether there is an answer: what it says is checked before.
pub(crate) async fn h2load(url: String, request: PathBuf, pressure: Pressure) -> Result<f64> {
    let mut command = Command::new("h2load");
    // A few connections with many calls each, as clients of gRPC have them.
    command.args(["-t", "1", "-c", "8", "-m", &pressure.clients.div_ceil(8).to_string()]);
    command.args(["-D", &pressure.seconds.to_string(), "-H", "content-type: application/grpc"]);
    let output = output(command.args(["-H", "te: trailers", "-d"]).arg(request).arg(url)).await?;
    ensure!(output.contains(" 0 failed, 0 errored, 0 timeout"), "the server refused some calls:\n{output}");
    let rate = output.split_once(" req/s").and_then(|(before, _)| before.rsplit(' ').next());
    rate.and_then(|rate| rate.parse().ok()).with_context(|| format!("h2load printed no rate:\n{output}"))
}

/// How long the slowest one of a hundred requests took, in milliseconds.
pub(crate) async fn wrk_slowest(url: &str, script: &Path, pressure: Pressure) -> Result<f64> {
    let mut command = Command::new("wrk");
    command.args(["-t", "1", "-c", &pressure.clients.to_string(), "-d", &format!("{}s", pressure.seconds)]);
    let output = output(command.arg("--latency").arg("-s").arg(script).arg(url)).await?;
    ensure!(!output.contains("Non-2xx"), "the server refused some requests:\n{output}");
    let slowest = output.lines().find_map(|line| line.trim().strip_prefix("99%"));
    let slowest = slowest.with_context(|| format!("wrk printed no latencies:\n{output}"))?.trim();
    let digits = slowest.trim_end_matches(char::is_alphabetic);
    let factor = match &slowest[digits.len()..] {
        "us" => 0.001,
        "ms" => 1.0,
        "s" => 1_000.0,
        unit => bail!("wrk measures in {unit:?}"),
    };
    Ok(digits.parse::<f64>()? * factor)
}

/// An answer, its head first.
pub(crate) async fn curl(url: &str) -> Result<String> {
    output(Command::new("curl").args(["-s", "-i", url])).await
}

/// Transactions per second of a pgbench script, prepared, with as many clients.
pub(crate) async fn pgbench(url: &str, script: &Path, pressure: Pressure) -> Result<f64> {
    let mut command = Command::new(TestPostgres::program("pgbench"));
    command.args(["-n", "-M", "prepared", "-j", "1", "-c", &pressure.clients.to_string()]);
    command.args(["-T", &pressure.seconds.to_string(), "-f"]).arg(script).arg(url);
    let output = output(&mut command).await?;
    number_after(&output, "tps =").with_context(|| format!("pgbench printed no rate:\n{output}"))
}

/// How long psql takes for some commands, its own start not counted.
pub(crate) async fn psql_timed(url: &str, commands: &str) -> Result<Duration> {
    let started = Instant::now();
    psql(url, "select 1").await?;
    let start = started.elapsed();
    let begun = Instant::now();
    psql(url, commands).await?;
    Ok(begun.elapsed().saturating_sub(start))
}

/// Runs some commands with psql.
pub(crate) async fn psql(url: &str, commands: &str) -> Result<String> {
    let mut command = Command::new(TestPostgres::program("psql"));
    command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", commands, url]);
    output(&mut command).await
}

async fn output(command: &mut Command) -> Result<String> {
    let name = format!("{:?}", command.as_std().get_program());
    let output =
        command.kill_on_drop(true).output().await.with_context(|| format!("{name} could not be run"))?;
    if !output.status.success() {
        bail!("{name} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn number_after(text: &str, label: &str) -> Option<f64> {
    text.split_once(label)?.1.split_whitespace().next()?.parse().ok()
}
