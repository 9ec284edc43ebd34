//! How much a dead Redis slows down the slowest reads.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pando_servers::Redis;

use crate::load::{self, Pressure};
use crate::sample;
use crate::server::Server;

/// How long until a process notices that Redis is there, or gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// The slowest of a hundred reads, in milliseconds: with Redis, and without it once that is known. Nothing is kept in
/// the process, so that each read asks Redis.
pub(crate) async fn slowest_reads(
    binary: &Path,
    data: &Path,
    profiles: usize,
    script: &Path,
    pressure: Pressure,
) -> Result<(f64, f64)> {
    let redis = Redis::start(&[]);
    let url = redis.url();
    let variables = [("REDIS_ADDRESS", url.as_str()), ("PANDO_PROFILES__CACHE__L1", "false")];
    let server = Server::start(binary, data, &variables).await?;
    let path = format!("{}/api/v1/profiles/{}", server.url, sample::id(profiles - 1));
    wait_for(&server, "healthy").await?;
    // Once to fill Redis, and with the one that is looked at: a short load may leave it out.
    load::wrk(&server.url, Some(script), pressure).await?;
    load::curl(&path).await?;
    ensure!(load::curl(&path).await?.contains("x-cache: l2"), "reads are not answered by Redis");
    let with = load::wrk_slowest(&server.url, script, pressure).await?;
    redis.kill();
    wait_for(&server, "degraded").await?;
    let without = load::wrk_slowest(&server.url, script, pressure).await?;
    server.stop().await?;
    Ok((with, without))
}

async fn wait_for(server: &Server, status: &str) -> Result<()> {
    let limit = Instant::now() + PATIENCE;
    loop {
        let health = load::curl(&format!("{}/health", server.url)).await?;
        let redis = health.split_once("\"redis\":").context("no word of redis in /health")?.1;
        if redis.contains(&format!("\"status\":\"{status}\"")) {
            return Ok(());
        }
        ensure!(Instant::now() < limit, "redis is not {status}: {health}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
