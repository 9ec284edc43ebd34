//! `pando serve`: runs the server from its start to its end.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use pando_clock::Clock;
use tracing::{info, warn};

use crate::config::{AuthMode, Loaded};
use crate::platform::Platform;
use crate::signals::StopSignals;

/// The exit status that shells report for a program that a second signal ended.
const LEFT_AT_ONCE: u8 = 130;

/// Runs the platform until it has received a stop signal and finished its work, or until a second signal.
pub(crate) async fn until_told_to_stop(
    loaded: &Loaded,
    port_file: Option<&Path>,
    clock: &Clock,
) -> Result<ExitCode> {
    let signals = StopSignals::listen().context("cannot listen for signals")?;
    for note in &loaded.notes {
        warn!("{note}");
    }
    let platform = tokio::select! {
        started = Platform::start(&loaded.config, clock) => started?,
        () = signals.told(1) => {
            info!("received a stop signal before the start was complete");
            return Ok(ExitCode::SUCCESS);
        }
    };
    say_what_is_off(loaded);
    if let Some(path) = port_file {
        write_port(path, platform.address().port())
            .with_context(|| format!("cannot write the port to {}", path.display()))?;
    }
    let stop = async {
        signals.told(1).await;
        info!(
            "received a stop signal: finishing requests and jobs; a second signal ends this process at once"
        );
        signals.how()
    };
    let reload = platform.reload();
    let reloading = async {
        for times in 1.. {
            signals.reloads(times).await;
            info!("received SIGHUP: reading the certificates again; other settings need a restart");
            reload.now();
        }
    };
    tokio::select! {
        () = reloading => Ok(ExitCode::SUCCESS),
        _ = platform.run(stop) => Ok(ExitCode::SUCCESS),
        () = signals.told(2) => {
            warn!("received a second stop signal: ending at once; requests in flight are lost");
            Ok(ExitCode::from(LEFT_AT_ONCE))
        }
    }
}

/// In one step, so that no program reads half a number.
fn write_port(path: &Path, port: u16) -> io::Result<()> {
    let written = path.with_extension("part");
    std::fs::write(&written, format!("{port}\n"))?;
    std::fs::rename(written, path)
}

fn say_what_is_off(loaded: &Loaded) {
    match loaded.config.auth.mode {
        AuthMode::Loopback => info!("authentication is off: only programs on this machine can call"),
        AuthMode::Required => {
            info!("callers have to prove who they are: see `pando keys`, `pando operators` and auth.issuers")
        }
        AuthMode::Off => {
            warn!(
                "authentication is off: everybody who can reach this address can read and change everything"
            )
        }
    }
}
