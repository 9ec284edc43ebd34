//! Stop signals of the operating system: the first one lets the process finish its work, the second one ends it at
//! once.

use std::io;

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
}

impl StopSignals {
    /// Takes over SIGTERM and SIGINT.
    pub(crate) fn listen() -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (count, seen) = watch::channel(Seen::default());
        pando_telemetry::spawn("stop_signals", async move {
            loop {
                let from_keyboard = tokio::select! {
                    _ = terminate.recv() => false,
                    _ = interrupt.recv() => true,
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

    /// Returns when the process has been told this many times.
    pub(crate) async fn told(&self, times: u32) {
        let mut seen = self.0.clone();
        if seen.wait_for(|seen| seen.count >= times).await.is_err() {
            // The listener ends only with the runtime, so no further signal can arrive.
            std::future::pending::<()>().await;
        }
    }
}
