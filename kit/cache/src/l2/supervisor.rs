//! Keeps the connection to Redis: opens it, checks it, listens on the bus, and opens it again when it breaks.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use pando_resilience::BreakerState;
use pando_tls::certificate_fault;
use redis::aio::{PubSub, PubSubSink, PubSubStream};
use redis::{RedisError, RedisResult, Value};

use super::bus::Message;
use super::connect::Wire;
use super::link::{Failed, Link};
use crate::events::SilenceStamps;
use crate::lock::{lock, write};
use crate::options::millis;

const HEARTBEAT: Duration = Duration::from_secs(1);
const HEARTBEATS_MISSED_MAX: u32 = 3;
/// After so many microseconds without a heartbeat a process counts as dead.
const LEASE: i64 = 10_000_000;
/// A process vouches for another if it has known all events since so many microseconds before the other's last
/// heartbeat, and was here itself so many microseconds ago. In that time the other has announced what it wrote.
const WITNESS: (i64, i64) = (2_000_000, 3_000_000);
const PAUSE_LEAST: Duration = Duration::from_millis(50);

/// How a platform listens: the stream of messages, and the end that can be asked whether it still lives.
type Bus = (PubSubSink, PubSubStream);

impl Link {
    /// Runs until it is aborted.
    pub(crate) async fn supervise(self: Arc<Self>) {
        let mut pause = PAUSE_LEAST;
        let mut told = false;
        loop {
            if let Err(open) = self.breaker.admit().map(drop) {
                tokio::time::sleep(open.retry_after).await;
                continue;
            }
            match self.establish().await {
                Ok((wire, bus, run)) => {
                    tracing::info!("redis is connected");
                    (pause, told) = (PAUSE_LEAST, false);
                    *lock(&self.reason) = None;
                    self.serve(&wire, bus, &run).await;
                    *write(&self.wire) = None;
                    tracing::warn!("the connection to redis is lost; the caches work without it");
                }
                Err(why) => {
                    let why = why.to_string();
                    *lock(&self.reason) = Some(why.clone());
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(%why, "redis cannot be reached; the caches work without it");
                    }
                    if self.breaker.state() == BreakerState::HalfOpen {
                        self.breaker.trip();
                    }
                }
            }
            // A share of chance, so that processes do not come back all at once.
            tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            pause = pause.saturating_mul(2).min(millis(self.options.breaker_open_ms));
        }
    }

    /// A connection that is proven: it writes, it listens, and it has heard all that this process had to say.
    async fn establish(&self) -> Result<(Wire, Bus, String), Why> {
        let patience = millis(self.options.connect_ms.saturating_mul(2));
        let connected = tokio::time::timeout(patience, async {
            let (wire, listener) = self.place.connect(&self.options).await?;
            Ok::<_, RedisError>((wire, self.listen(listener).await?))
        });
        let (wire, bus) = connected.await.map_err(|_| Why::Silent)??;
        let was_up = self.was_up.swap(true, Ordering::Relaxed);
        // Messages were lost while this process did not listen, so entries that were loaded before may be old.
        self.connections.fetch_add(1, Ordering::AcqRel);
        self.registry.missed_messages(was_up);
        let run = self.run_id(&wire).await?;
        self.trust(&wire, &run).await?;
        if was_up {
            self.distrust_until_now(&wire).await?;
        }
        self.announce(&wire).await?;
        while self.breaker.state() != BreakerState::Closed {
            self.ping(&wire).await?;
        }
        loop {
            self.replay(&wire).await?;
            // Under the lock: an invalidation is either sent over this connection, or kept for it.
            let pending = lock(&self.pending);
            if pending.is_empty() {
                // The trouble of the last connection says nothing about this one.
                let _ = self.broken.notified().now_or_never();
                *write(&self.wire) = Some(wire.clone());
                return Ok((wire, bus, run));
            }
        }
    }

    async fn listen(&self, mut listener: PubSub) -> RedisResult<Bus> {
        listener.subscribe(self.channel()).await?;
        Ok(listener.split())
    }

    /// Makes sure that what Redis holds was not written by an earlier run of it, whose last deletions may be missing.
    /// That is a write: a replica refuses it, and is not used.
    async fn trust(&self, wire: &Wire, run: &str) -> Result<(), Failed> {
        let keys = ["run", "distrusted"].map(|what| self.common_key(what));
        let stamp = self.ask_on(wire, self.hard(), async |carrier| {
            let mut call = self.scripts.trust.prepare_invoke();
            call.key(&keys[0]).key(&keys[1]).arg(run).invoke_async::<i64>(carrier).await
        });
        self.distrusted.fetch_max(stamp.await?, Ordering::AcqRel);
        Ok(())
    }

    /// While this process could not reach Redis, perhaps no process could send an invalidation there. So this process reads again
    /// what was written there before. Other processes may have been connected all the time, and keep their entries.
    async fn distrust_until_now(&self, wire: &Wire) -> Result<(), Failed> {
        let now = self.ask_on(wire, self.hard(), async |carrier| {
            redis::cmd("TIME").query_async::<(i64, i64)>(carrier).await
        });
        let (seconds, micros) = now.await?;
        self.distrusted.fetch_max(seconds * 1_000_000 + micros, Ordering::AcqRel);
        Ok(())
    }

    /// Says that this process lives, and learns whether another one died with something to say.
    async fn announce(&self, wire: &Wire) -> Result<(), Failed> {
        let keys = ["processes", "distrusted", "witnesses", "silence", "unwitnessed"];
        let keys = keys.map(|what| self.common_key(what));
        let knowing = self.registry.knowing_events();
        // One that has something to say is not as far as its heartbeat would claim.
        let owes = !lock(&self.pending).is_empty();
        let stamps = self.ask_on(wire, self.hard(), async |carrier| {
            let mut call = self.scripts.beat.prepare_invoke();
            for key in &keys {
                call.key(key);
            }
            call.arg(self.id).arg(LEASE).arg(WITNESS.0).arg(WITNESS.1).arg(knowing).arg(i64::from(owes));
            call.invoke_async::<(i64, i64, i64)>(carrier).await
        });
        let (distrusted, last, unwitnessed) = stamps.await?;
        if self.distrusted.fetch_max(distrusted, Ordering::AcqRel) < distrusted {
            self.registry.missed_messages(false);
        }
        let stamps = SilenceStamps { last, unwitnessed };
        *lock(&self.silence) = stamps;
        self.registry.hear_of_silence(stamps);
        Ok(())
    }

    /// Says that this process ends, and owes nothing.
    pub(crate) async fn farewell(&self) {
        if lock(&self.pending).is_empty() {
            let keys = ["witnesses", "processes"].map(|what| self.common_key(what));
            // A process that is not heard counts as dead, which is safe.
            for key in keys {
                let _ = self
                    .ask(self.hard(), async |carrier| {
                        redis::cmd("HDEL").arg(&key).arg(self.id).exec_async(carrier).await
                    })
                    .await;
            }
        }
    }

    /// Which run of the server this is; of a Cluster, which runs of all its masters, and which nodes are masters by the
    /// word of one of them: the connection learns that late.
    async fn run_id(&self, wire: &Wire) -> Result<String, Failed> {
        let info = self.ask_on(wire, self.hard(), async |carrier| {
            redis::cmd("INFO").arg("server").query_async::<Value>(carrier).await
        });
        let mut ids = Vec::new();
        collect_run_ids(&info.await?, &mut ids);
        if wire.is_cluster() {
            let slots = self.ask_on(wire, self.hard(), async |carrier| {
                redis::cmd("CLUSTER").arg("SLOTS").query_async::<Vec<Vec<Value>>>(carrier).await
            });
            ids.extend(slots.await?.iter().filter_map(|range| master_id(range)));
        }
        ids.sort_unstable();
        ids.dedup();
        // A server that does not say who it is, is another one each time.
        Ok(if ids.is_empty() { fastrand::u64(..).to_string() } else { ids.join(" ") })
    }

    async fn ping(&self, wire: &Wire) -> Result<(), Failed> {
        self.ask_on(wire, self.hard(), async |carrier| redis::cmd("PING").exec_async(carrier).await).await
    }

    /// Sends what could not be sent, in order; gives back what still cannot.
    async fn replay(&self, wire: &Wire) -> Result<(), Failed> {
        let (invalidations, overflowed) = lock(&self.pending).take();
        for (done, invalidation) in invalidations.iter().enumerate() {
            match self.send(wire, invalidation).await {
                Ok(stamp) => self.registry.sent(invalidation, stamp),
                Err(failed) => {
                    lock(&self.pending).give_back(invalidations[done..].to_vec(), overflowed);
                    return Err(failed);
                }
            }
        }
        if overflowed {
            tracing::warn!("too many invalidations were queued while redis was down: everything is expired");
            for everything in self.registry.everything() {
                match self.send(wire, &everything).await {
                    Ok(stamp) => self.registry.sent(&everything, stamp),
                    Err(failed) => {
                        lock(&self.pending).give_back(Vec::new(), true);
                        return Err(failed);
                    }
                }
            }
        }
        Ok(())
    }

    /// Listens until the connection is of no use any more.
    async fn serve(&self, wire: &Wire, (asks, mut messages): Bus, run: &str) {
        let listen = async {
            while let Some(message) = messages.next().await {
                self.hear(message.get_payload_bytes());
            }
        };
        // At the same time, so that a slow answer to a heartbeat does not delay the messages of other processes.
        tokio::select! {
            () = listen => {}
            () = self.beat(wire, asks, run) => {}
            () = self.send_again(wire) => {}
            () = self.broken.notified() => {}
        }
    }

    /// Asks again and again whether both connections live; ends when too many answers are missing.
    async fn beat(&self, wire: &Wire, mut asks: PubSubSink, run: &str) {
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut missed = 0;
        while missed < HEARTBEATS_MISSED_MAX {
            heartbeat.tick().await;
            let hears = tokio::time::timeout(self.hard(), asks.ping::<Value>());
            let (answers, hears) = tokio::join!(self.announce(wire), hears);
            missed = if answers.is_ok() && matches!(hears, Ok(Ok(_))) { 0 } else { missed + 1 };
            // A Cluster replaces one master by another behind the connection, and the new one may lack the last deletions.
            if wire.is_cluster() && self.run_id(wire).await.is_ok_and(|now| now != run) {
                tracing::warn!("a master of the redis cluster was replaced or restarted");
                return;
            }
        }
    }

    /// Sends queued invalidations as soon as possible, because until then other processes serve the old values.
    async fn send_again(&self, wire: &Wire) {
        loop {
            self.unsent.notified().await;
            while self.replay(wire).await.is_err() {
                tokio::time::sleep(PAUSE_LEAST).await;
            }
        }
    }

    fn hear(&self, payload: &[u8]) {
        match Message::read(payload) {
            Some(message) if message.sender != self.id => self.registry.hear(&message),
            Some(_) => {}
            None => tracing::debug!("the bus of the caches carried something that is not a message"),
        }
    }
}

/// The runs that an answer names: one server's text, or a map of a Cluster's.
fn collect_run_ids(answer: &Value, ids: &mut Vec<String>) {
    let mut read = |text: &str| {
        let id = text.lines().find_map(|line| line.strip_prefix("run_id:"));
        ids.extend(id.map(|id| id.trim().to_owned()));
    };
    match answer {
        Value::BulkString(bytes) => read(&String::from_utf8_lossy(bytes)),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => read(text),
        Value::Array(answers) => answers.iter().for_each(|answer| collect_run_ids(answer, ids)),
        Value::Map(answers) => answers.iter().for_each(|(_, answer)| collect_run_ids(answer, ids)),
        _ => {}
    }
}

/// The id of the master in a line of `CLUSTER SLOTS`: first and last slot, then each node with address, port and id.
fn master_id(range: &[Value]) -> Option<String> {
    let Some(Value::Array(master)) = range.get(2) else { return None };
    match master.get(2) {
        Some(Value::BulkString(id)) => Some(String::from_utf8_lossy(id).into_owned()),
        _ => None,
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
enum Why {
    #[error("it does not answer")]
    Silent,
    #[error("{}", said(.0))]
    Redis(#[from] RedisError),
    #[error("it answers, but does not execute commands")]
    Refused,
}

/// The reason of the library, or the fault of the certificate if there is one.
fn said(error: &RedisError) -> String {
    match certificate_fault(error) {
        Some(reason) => format!("no encrypted connection: {reason}"),
        None => error.to_string(),
    }
}

impl From<Failed> for Why {
    fn from(_: Failed) -> Self {
        Self::Refused
    }
}
