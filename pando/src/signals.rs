//! Signals of the operating system. The first one to stop lets the process finish its work, the second one ends it at once. SIGHUP
//! has the certificates read again; if a terminal is closed, it is a signal to stop.

use std::io::{self, IsTerminal};

use pando_http::Stop;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Counts the signals that ask this process to stop.
#[derive(Clone, Debug)]
pub(crate) struct StopSignals(watch::Receiver<Seen>);

/// The signals that have arrived so far.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    count: u32,
    /// The first one was Ctrl-C.
    from_keyboard: bool,
    /// How often the certificates were to be read again.
    reloads: u32,
}

impl StopSignals {
    /// Takes over SIGTERM, SIGINT and SIGHUP.
    pub(crate) fn listen() -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let has_terminal = io::stderr().is_terminal();
        let (count, seen) = watch::channel(Seen::default());
        pando_telemetry::spawn("stop_signals", async move {
            loop {
                let from_keyboard = tokio::select! {
                    _ = terminate.recv() => false,
                    _ = interrupt.recv() => true,
                    _ = hangup.recv() => {
                        if !has_terminal {
                            count.send_modify(|seen| seen.reloads += 1);
                            continue;
                        }
                        false
                    }
                    () = count.closed() => return,
                };
                count.send_modify(|seen| {
                    seen.from_keyboard |= seen.count == 0 && from_keyboard;
                    seen.count += 1;
                });
            }
        });
        Ok(Self(seen))
    }

    /// How to stop: somebody at a keyboard has no load balancer that needs to look elsewhere first.
    pub(crate) fn how(&self) -> Stop {
        if self.0.borrow().from_keyboard { Stop::AtOnce } else { Stop::Announced }
    }

    /// Returns when the certificates were to be read again this many times.
    pub(crate) async fn reloads(&self, times: u32) {
        self.wait(|seen| seen.reloads >= times).await;
    }

    /// Returns when the process has been told this many times.
    pub(crate) async fn told(&self, times: u32) {
        self.wait(|seen| seen.count >= times).await;
    }

    async fn wait(&self, reached: impl FnMut(&Seen) -> bool) {
        let mut seen = self.0.clone();
        if seen.wait_for(reached).await.is_err() {
            // The listener ends only with the runtime, so no further signal can arrive.
            std::future::pending::<()>().await;
        }
    }
}
