//! `pando queue`: commands for operators about jobs, run directly on the database.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use pando_clock::Clock;
use pando_queue::{DeadSelection, Outbox, Queue};
use pando_resilience::Call;
use pando_telemetry::Metrics;
use uuid::Uuid;

use crate::config::Config;
use crate::{jobs, migrate, recording};

/// How long one question or command may take; a redrive may be about many.
const BUDGET: Duration = Duration::from_secs(60);

/// Most groups of dead letters that are listed.
const GROUPS_MAX: usize = 100;

/// Commands about jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum QueueCommand {
    /// Show the state of each queue
    List,
    /// Show everything that is known about a job
    Show {
        /// The id of the job
        id: Uuid,
    },
    /// List dead letters, grouped by error, the most frequent first
    Dead,
    /// Redrive dead letters: run them again, with their attempts counted from zero
    Redrive(Redrive),
    /// Start no more jobs of a queue; running jobs continue
    Pause {
        /// The name of the queue
        queue: String,
    },
    /// Start jobs of a paused queue again
    Resume {
        /// The name of the queue
        queue: String,
    },
    /// List the subscribers of events, their positions, and how far they are behind
    Subscribers,
    /// Remove a subscriber that will not come back; until then events are kept for it
    ForgetSubscriber {
        /// The name of the subscriber
        name: String,
        /// Remove the subscriber even if the settings name it or a process delivers to it. It gets no more events until
        /// a process with this subscriber starts, and never gets the events in between
        #[arg(long)]
        force: bool,
    },
}

/// Which dead letters to bring back, and how.
#[derive(Args, Debug)]
pub(crate) struct Redrive {
    /// Only dead letters of this queue
    #[arg(long)]
    queue: Option<String>,
    /// Only dead letters of this kind
    #[arg(long)]
    kind: Option<String>,
    /// Only dead letters with this fingerprint, which `pando queue dead` shows
    #[arg(long)]
    fingerprint: Option<String>,
    /// Only the job with this id
    #[arg(long)]
    id: Option<Uuid>,
    /// How many jobs become due in a second; by default all at once
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// Only count the dead letters
    #[arg(long)]
    dry_run: bool,
}

/// Asks or does it, and prints the answer.
pub(crate) async fn run(
    config: &Config,
    command: QueueCommand,
    clock: &Clock,
    out: &mut dyn Write,
) -> Result<()> {
    let metrics = Metrics::new();
    migrate::on_database(config, &metrics, clock, async |database| {
        let queue = jobs::queue(config, database, &metrics, clock)?;
        let audit = recording::audit(config, (database, clock, &metrics))?;
        recording::record_jobs(audit.as_ref(), &queue);
        obey(&queue, command, out).await
    })
    .await
}

async fn obey(queue: &Queue, command: QueueCommand, out: &mut dyn Write) -> Result<()> {
    let call = Call::internal("pando queue", BUDGET);
    match command {
        QueueCommand::List => list(queue, &call, out).await?,
        QueueCommand::Show { id } => {
            let job = queue.find(&call, id).await?.with_context(|| format!("there is no job {id}"))?;
            writeln!(out, "{}", serde_json::to_string_pretty(&job)?)?;
        }
        QueueCommand::Dead => dead(queue, &call, out).await?,
        QueueCommand::Redrive(Redrive { queue: of, kind, fingerprint, id, rate, dry_run }) => {
            let selection = DeadSelection { queue: of, kind, fingerprint, id };
            let done = queue.redrive(&call, &selection, rate, dry_run).await?;
            writeln!(out, "{} dead letters, {} redriven", done.selected, done.redriven)?;
        }
        QueueCommand::Pause { queue: name } => {
            queue.pause(&call, &name).await?;
            writeln!(out, "{name} is paused")?;
        }
        QueueCommand::Resume { queue: name } => {
            queue.resume(&call, &name).await?;
            writeln!(out, "{name} is resumed")?;
        }
        QueueCommand::Subscribers => subscribers(queue, &call, out).await?,
        QueueCommand::ForgetSubscriber { name, force } => {
            let outbox = Outbox::new(queue, "pando");
            let known = outbox.subscribers(&call).await?;
            let Some(status) = known.into_iter().find(|status| status.subscriber == name) else {
                bail!("there is no subscriber {name}: `pando queue subscribers` names them");
            };
            if status.in_use && !force {
                bail!("{name} is in use: take it out of the settings of every process first, or use --force");
            }
            outbox.forget(&call, &name).await?;
            let freed = status.kept_alone;
            writeln!(out, "{name} is forgotten; {freed} events were kept for it alone and may be swept")?;
        }
    }
    Ok(())
}

async fn subscribers(queue: &Queue, call: &Call, out: &mut dyn Write) -> Result<()> {
    let known = Outbox::new(queue, "pando").subscribers(call).await?;
    if known.is_empty() {
        writeln!(out, "there are no subscribers, so no events are kept for any")?;
    }
    for status in known {
        let (name, position, moved) = (status.subscriber, status.position, status.moved_at);
        let behind = match (status.events, status.since) {
            (0, _) | (_, None) => "has them all".to_owned(),
            (events, Some(since)) => {
                format!("{events} events behind since {since}, {} kept for it alone", status.kept_alone)
            }
        };
        let used = if status.in_use { "" } else { ", not in use here" };
        writeln!(out, "{name}: at {position} since {moved}, {behind}{used}")?;
    }
    Ok(())
}

async fn list(queue: &Queue, call: &Call, out: &mut dyn Write) -> Result<()> {
    let queues = queue.queues(call).await?;
    if queues.is_empty() {
        writeln!(out, "no queue has ever held a job")?;
    }
    for status in queues {
        let counts: Vec<String> =
            status.counts.iter().map(|(state, count)| format!("{count} {state}")).collect();
        let counts = if counts.is_empty() { "empty".to_owned() } else { counts.join(", ") };
        let paused = if status.paused { ", paused" } else { "" };
        let oldest = status.oldest.map(|since| format!(", the oldest due since {since}")).unwrap_or_default();
        writeln!(out, "{}: {counts}{oldest}{paused}", status.queue)?;
    }
    Ok(())
}

async fn dead(queue: &Queue, call: &Call, out: &mut dyn Write) -> Result<()> {
    let groups = queue.dead_groups(call, GROUPS_MAX).await?;
    if groups.is_empty() {
        writeln!(out, "no job is dead")?;
    }
    for group in groups {
        let (count, kind, name) = (group.count, group.kind, group.queue);
        writeln!(
            out,
            "{count} {kind} in {name}, last {}, {}: {}",
            group.last, group.fingerprint, group.error
        )?;
    }
    Ok(())
}
