//! A connection of its own for LISTEN and NOTIFY, opened again whenever it breaks.

use std::time::Duration;

use futures_util::future::join3;
use pando_clock::Clock;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::connect::Target;
use super::fault::fault;
use super::shared::jittered;
use crate::DatabaseError;
use crate::channel::{Channel, MESSAGES_MAX, Signal};

/// The first pause before connecting again; it doubles up to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Opens the line in the background: until it is there, and while it is away, nothing is heard.
pub(crate) fn open(target: &Target, name: &'static str, clock: &Clock) -> Channel {
    let (outgoing, to_send) = mpsc::channel(MESSAGES_MAX);
    let (heard, incoming) = mpsc::channel(MESSAGES_MAX);
    pando_telemetry::spawn("database.channel", keep(target.clone(), name, to_send, heard, clock.clone()));
    Channel { outgoing: Some(outgoing), incoming }
}

async fn keep(
    target: Target,
    name: &'static str,
    mut to_send: Receiver<String>,
    heard: Sender<Signal>,
    clock: Clock,
) {
    let mut pause = PAUSES.0;
    loop {
        let (arrived, mut arrivals) = mpsc::channel(MESSAGES_MAX);
        match listen(&target, name, arrived).await {
            Ok(client) => {
                pause = PAUSES.0;
                // Messages from the time without a connection are outdated, and `Opened` informs the receiver about the gap.
                while to_send.try_recv().is_ok() {}
                let _ = heard.try_send(Signal::Opened);
                if !serve(&client, name, &mut to_send, &mut arrivals, &heard).await {
                    return;
                }
            }
            Err(error) => tracing::debug!(%error, channel = name, "a channel could not be opened"),
        }
        tokio::select! {
            () = tokio::time::sleep(jittered(pause, &clock)) => {}
            () = heard.closed() => return,
        }
        pause = (pause * 2).min(PAUSES.1);
    }
}

async fn listen(
    target: &Target,
    name: &'static str,
    arrived: Sender<String>,
) -> Result<Client, DatabaseError> {
    let client = target.connect_listening(arrived).await?;
    let listening =
        tokio::time::timeout(target.patience, client.batch_execute(&format!("listen \"{name}\""))).await;
    let late = |_| DatabaseError::unavailable("the server did not answer in time");
    listening.map_err(late)?.map_err(|error| fault("listen", &error))?;
    Ok(client)
}

/// Carries messages both ways until the connection breaks (true), or the last listener has gone (false).
async fn serve(
    client: &Client,
    name: &'static str,
    to_send: &mut Receiver<String>,
    arrivals: &mut Receiver<String>,
    heard: &Sender<Signal>,
) -> bool {
    loop {
        tokio::select! {
            arrival = arrivals.recv() => match arrival {
                // Full: the reader is a thousand messages behind, and will look for work by itself.
                Some(message) => drop(heard.try_send(Signal::Message(message))),
                None => return true,
            },
            Some(message) = to_send.recv() => {
                if notify(client, name, &message).await.is_err() && client.is_closed() {
                    return true;
                }
            }
            () = heard.closed() => return false,
        }
    }
}

/// A wake-up is worth nothing after a crash, so its commit does not wait for the disk. The setting is made within the
/// transaction and ends with it.
async fn notify(client: &Client, channel: &str, message: &str) -> Result<(), tokio_postgres::Error> {
    let values = [(&channel as &(dyn ToSql + Sync), Type::TEXT), (&message, Type::TEXT)];
    // Polled in this order, so sent in this order, and all at once.
    let (begun, notified, ended) = join3(
        client.batch_execute("begin; set local synchronous_commit = off"),
        client.execute_typed("select pg_notify($1, $2)", &values),
        client.batch_execute("commit"),
    )
    .await;
    begun.and(notified.map(drop)).and(ended)
}
