//! How the operating system tells a process to stop: once to finish its work, twice to leave at once.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Counts the signals that ask this process to stop.
#[derive(Clone, Debug)]
pub(crate) struct StopSignals(watch::Receiver<u32>);

impl StopSignals {
    /// Takes over SIGTERM and SIGINT.
    pub(crate) fn listen() -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (count, seen) = watch::channel(0);
        pando_telemetry::spawn("stop_signals", async move {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                    () = count.closed() => return,
                }
                count.send_modify(|count| *count += 1);
            }
        });
        Ok(Self(seen))
    }

    /// Returns when the process has been told this many times.
    pub(crate) async fn told(&self, times: u32) {
        let mut seen = self.0.clone();
        if seen.wait_for(|count| *count >= times).await.is_err() {
            // The listener ends only with the runtime: nobody will tell us any more.
            std::future::pending::<()>().await;
        }
    }
}
