//! Wake-ups between the processes that share a database.

use tokio::sync::mpsc;

/// An item from a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Somebody sent this text: another process, or this one.
    Message(String),
    /// The line was just opened, or opened again: messages may have been missed.
    Opened,
}

/// A line between the processes that share a database: LISTEN and NOTIFY on PostgreSQL. On SQLite it is silent: its
/// processes share a file, and nothing tells one of them what another did.
///
/// Messages get lost while the server is away, and when a reader falls a thousand behind: they are wake-ups, never
/// the truth. Dropped, with its senders: its connection closes.
#[derive(Debug)]
pub struct Channel {
    pub(crate) outgoing: Option<mpsc::Sender<String>>,
    pub(crate) incoming: mpsc::Receiver<Signal>,
}

/// The speaking end of a [`Channel`].
#[derive(Clone, Debug)]
pub struct ChannelSender(Option<mpsc::Sender<String>>);

/// How many messages may wait on either side.
pub(crate) const MESSAGES_MAX: usize = 1_024;

impl Channel {
    /// A channel without a line.
    pub(crate) fn silent() -> Self {
        Self { outgoing: None, incoming: mpsc::channel(1).1 }
    }

    /// The next signal. On a silent channel it never comes.
    pub async fn next(&mut self) -> Signal {
        match self.incoming.recv().await {
            Some(signal) => signal,
            None => std::future::pending().await,
        }
    }

    /// Its speaking end.
    pub fn sender(&self) -> ChannelSender {
        ChannelSender(self.outgoing.clone())
    }
}

impl ChannelSender {
    /// Sends a message to every process that listens, this one included; does not wait. PostgreSQL takes a lock of
    /// the whole database for it when it commits, so: some a second, never one per row.
    pub fn send(&self, message: impl Into<String>) {
        if let Some(line) = &self.0 {
            // Full: the line is down or slow, and who listens looks by himself now and then.
            let _ = line.try_send(message.into());
        }
    }

    /// Whether anybody else could hear it.
    pub fn is_silent(&self) -> bool {
        self.0.is_none()
    }
}
