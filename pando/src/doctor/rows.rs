//! The database: whether it can be reached, its version, and whether it allows enough connections.

use std::time::Duration;

use pando_clock::{Clock, Timestamp};
use pando_database::{Database, DatabaseError, Query};
use pando_resilience::{Call, Deadline};
use pando_telemetry::Metrics;

use super::Finding;
use crate::config::Config;
use crate::wiring::migrations;

/// How long the database may take to answer before it counts as away.
const PATIENCE: Duration = Duration::from_secs(10);
/// Clocks further apart than this make times in rows and times in logs tell different stories.
const SKEW_MICROS_MAX: u64 = 1_000_000;

/// Only a server has settings and a clock of its own, so the question itself finds out whether there is one.
const SERVER: Query = Query::point(
    "doctor_server",
    "select current_setting('server_version'),
            current_setting('max_connections')::bigint
                - current_setting('superuser_reserved_connections')::bigint,
            clock_timestamp()",
);
const LIBRARY: Query = Query::point("doctor_library", "select sqlite_version()");

struct Server {
    version: String,
    connections_max: i64,
    now: Timestamp,
}

pub(super) async fn examine(config: &Config, replicas: u64, clock: &Clock) -> Vec<Finding> {
    let place = config.database_place();
    if config.database_file().is_some_and(|file| !file.exists()) {
        // Opening it would make it, and a look changes nothing.
        return vec![Finding::ok("database", format!("the first start will create {place}"))];
    }
    let options = config.database_options();
    let opened = Deadline::after(PATIENCE).bound(Database::open(&options, &Metrics::new(), clock)).await;
    let database = match opened {
        Ok(Ok(database)) => database,
        Ok(Err(error)) => return vec![away(&place, &error.to_string())],
        Err(late) => return vec![away(&place, &late.to_string())],
    };
    let call = Call::internal("doctor", PATIENCE);
    let findings = match database.ping(&call).await {
        Ok(()) => examine_open(config, replicas, clock, &database, &call).await,
        Err(error) => vec![away(&place, &error.to_string())],
    };
    database.close().await;
    findings
}

fn away(place: &str, reason: &str) -> Finding {
    Finding::fail("database", format!("{place}: {reason}"), "start it, or correct [database] in the settings")
}

async fn examine_open(
    config: &Config,
    replicas: u64,
    clock: &Clock,
    database: &Database,
    call: &Call,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (place, pool) = (config.database_place(), &config.database.pool);
    match server(database, call).await {
        Ok(server) => {
            findings.push(Finding::ok(
                "database",
                format!("{} {} at {place}", database.engine(), server.version),
            ));
            findings.push(connections(config, replicas, server.connections_max));
            findings.push(skew(server.now, clock.now()));
        }
        Err(_) => {
            let version = library(database, call).await.unwrap_or_default();
            findings.push(Finding::ok("database", format!("{:?} {version} at {place}", database.engine())));
        }
    }
    let statistics = database.statistics();
    findings.push(Finding::ok(
        "pool",
        format!(
            "{} open, {} in use, at most {}; a caller waits {} ms for one",
            statistics.open, statistics.in_use, statistics.max, pool.checkout_ms
        ),
    ));
    findings.push(schema(database).await);
    findings
}

async fn server(database: &Database, call: &Call) -> Result<Server, DatabaseError> {
    let row = database.read_primary(call).row(&SERVER, []).await?.ok_or(DatabaseError::DeadlineExceeded)?;
    Ok(Server { version: row.get(0)?, connections_max: row.get(1)?, now: row.get(2)? })
}

async fn library(database: &Database, call: &Call) -> Result<String, DatabaseError> {
    match database.read_primary(call).row(&LIBRARY, []).await? {
        Some(row) => row.get(0),
        None => Ok(String::new()),
    }
}

/// Whether every replica can open every connection it is allowed.
fn connections(config: &Config, replicas: u64, available: i64) -> Finding {
    // One more each, for migrations and this command.
    let each = config.database.pool.max as u64 + config.database.reads.connections as u64 + 1;
    let wanted = each.saturating_mul(replicas);
    let available = u64::try_from(available).unwrap_or_default();
    let detail =
        format!("{replicas} processes may open {wanted} connections, and the server allows {available}");
    if wanted <= available {
        return Finding::ok("connections", detail);
    }
    let fitting = (available / replicas.max(1)).saturating_sub(config.database.reads.connections as u64 + 1);
    let raise = format!("raise the server's max_connections by {}", wanted - available);
    let advice = if fitting == 0 { raise } else { format!("set database.pool.max = {fitting}, or {raise}") };
    Finding::fail("connections", detail, advice)
}

fn skew(theirs: Timestamp, ours: Timestamp) -> Finding {
    let apart = theirs.as_micros().abs_diff(ours.as_micros());
    let detail =
        format!("the clock of the database and the clock of this machine differ by {} ms", apart / 1_000);
    if apart <= SKEW_MICROS_MAX {
        return Finding::ok("clocks", detail);
    }
    Finding::warn("clocks", detail, "run a time service (chrony, systemd-timesyncd) on both machines")
}

async fn schema(database: &Database) -> Finding {
    match database.pending_migrations(&migrations()).await {
        Ok(pending) if pending.is_empty() => Finding::ok("schema", "up to date"),
        Ok(pending) if pending.iter().all(|migration| migration.waits) => {
            let detail = format!("up to date; migrations to finish: {}", pending.len());
            let advice = "run `pando migrate --finish` once every process runs this version";
            Finding::warn("schema", detail, advice)
        }
        Ok(pending) => {
            let missing = pending.iter().filter(|migration| !migration.waits).count();
            let detail = format!("migrations to apply: {missing}");
            Finding::warn("schema", detail, "run `pando migrate`, or let `pando serve` do it")
        }
        Err(error @ DatabaseError::NewerSchema { .. }) => Finding::fail(
            "schema",
            error.to_string(),
            "run a version of pando that is as new as the database",
        ),
        Err(error) => {
            let cause = format!("{:#}", anyhow::Error::from(error));
            Finding::fail("schema", cause, "restore the database from a backup, or find out what changed it")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn the_pool_that_fits_is_named() {
        let config = Config::default();
        assert_eq!(connections(&config, 3, 97).verdict, Verdict::Ok);
        let finding = connections(&config, 10, 97);
        assert_eq!(finding.verdict, Verdict::Fail);
        assert_eq!(
            finding.to_string(),
            "fail  connections: 10 processes may open 250 connections, and the server allows 97; \
             set database.pool.max = 4, or raise the server's max_connections by 153"
        );
    }

    #[test]
    fn clocks_a_second_apart_are_named() {
        let ours = Timestamp::from_micros(1_767_225_600_000_000);
        assert_eq!(skew(ours.plus_micros(-900_000), ours).verdict, Verdict::Ok);
        assert_eq!(skew(ours.plus_micros(-1_100_000), ours).verdict, Verdict::Warn);
    }
}
