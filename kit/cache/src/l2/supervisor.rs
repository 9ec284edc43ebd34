//! Keeps the connection to Redis: makes it, proves it, listens on it, and makes it anew.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use pando_resilience::BreakerState;
use redis::aio::{PubSub, PubSubSink, PubSubStream};
use redis::{RedisError, RedisResult};

use super::bus::Message;
use super::connect::Wire;
use super::link::{Failed, Link};
use crate::lock::{lock, write};
use crate::options::millis;

const HEARTBEAT: Duration = Duration::from_secs(1);
const HEARTBEATS_MISSED_MAX: u32 = 3;
/// After so many microseconds without a heartbeat a process counts as dead.
const LEASE: i64 = 10_000_000;
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
                Ok((wire, bus)) => {
                    tracing::info!("redis is there");
                    (pause, told) = (PAUSE_LEAST, false);
                    self.serve(&wire, bus).await;
                    *write(&self.wire) = None;
                    tracing::warn!("redis is gone; the caches go on without it");
                }
                Err(why) => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(%why, "redis is not there; the caches go on without it");
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
    async fn establish(&self) -> Result<(Wire, Bus), Why> {
        let patience = millis(self.options.connect_ms.saturating_mul(2));
        let connected = tokio::time::timeout(patience, async {
            let (wire, listener) = self.place.connect(&self.options).await?;
            Ok::<_, RedisError>((wire, self.listen(listener).await?))
        });
        let (wire, bus) = connected.await.map_err(|_| Why::Silent)??;
        let was_up = self.was_up.swap(true, Ordering::Relaxed);
        // Messages were lost while nobody listened: what was loaded before may be old.
        self.connections.fetch_add(1, Ordering::AcqRel);
        self.registry.missed_messages(was_up);
        self.trust(&wire, was_up).await?;
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
                // What the last connection had to complain of is no complaint of this one.
                let _ = self.broken.notified().now_or_never();
                *write(&self.wire) = Some(wire.clone());
                return Ok((wire, bus));
            }
        }
    }

    async fn listen(&self, mut listener: PubSub) -> RedisResult<Bus> {
        listener.subscribe(self.channel()).await?;
        Ok(listener.split())
    }

    /// Makes sure that what Redis holds was not written by an earlier run of it, whose last deletions may be missing.
    /// That is a write: a replica refuses it, and is not used.
    async fn trust(&self, wire: &Wire, was_up: bool) -> Result<(), Failed> {
        let run = match wire.is_cluster() {
            // Nodes come and go one by one: after any outage, what is there is read again.
            true if was_up => fastrand::u64(..).to_string(),
            true => self.options.key_prefix.clone(),
            false => self.run_id(wire).await?,
        };
        let keys = ["run", "distrusted"].map(|what| self.common_key(what));
        let stamp = self.ask_on(wire, self.hard(), async |carrier| {
            let mut call = self.scripts.trust.prepare_invoke();
            call.key(&keys[0]).key(&keys[1]).arg(run).invoke_async::<i64>(carrier).await
        });
        self.distrusted.fetch_max(stamp.await?, Ordering::AcqRel);
        Ok(())
    }

    /// Nobody may have been able to tell Redis anything while it was away from here: what was written there before is
    /// read again by this process. The others may have heard all along, and keep what they have.
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
        let keys = ["processes", "distrusted"].map(|what| self.common_key(what));
        let stamp = self.ask_on(wire, self.hard(), async |carrier| {
            let mut call = self.scripts.beat.prepare_invoke();
            call.key(&keys[0]).key(&keys[1]).arg(self.id).arg(LEASE).invoke_async::<i64>(carrier).await
        });
        let stamp = stamp.await?;
        if self.distrusted.fetch_max(stamp, Ordering::AcqRel) < stamp {
            self.registry.missed_messages(false);
        }
        Ok(())
    }

    /// Says that this process ends, and owes nothing.
    pub(crate) async fn farewell(&self) {
        if lock(&self.pending).is_empty() {
            let key = self.common_key("processes");
            // Who is not heard counts as dead, which is safe.
            let _ = self
                .ask(self.hard(), async |carrier| {
                    redis::cmd("HDEL").arg(&key).arg(self.id).exec_async(carrier).await
                })
                .await;
        }
    }

    async fn run_id(&self, wire: &Wire) -> Result<String, Failed> {
        let info = self.ask_on(wire, self.hard(), async |carrier| {
            redis::cmd("INFO").arg("server").query_async::<String>(carrier).await
        });
        let info = info.await?;
        let id = info.lines().find_map(|line| line.strip_prefix("run_id:"));
        // A server that does not say who it is, is another one each time.
        Ok(id.map_or_else(|| fastrand::u64(..).to_string(), |id| id.trim().to_owned()))
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
            tracing::warn!(
                "more invalidations than are kept came while redis was down: everything is expired"
            );
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
    async fn serve(&self, wire: &Wire, (asks, mut messages): Bus) {
        let listen = async {
            while let Some(message) = messages.next().await {
                self.hear(message.get_payload_bytes());
            }
        };
        // Side by side: a slow answer to a heartbeat does not hold up what the others have to say.
        tokio::select! {
            () = listen => {}
            () = self.beat(wire, asks) => {}
            () = self.send_again(wire) => {}
            () = self.broken.notified() => {}
        }
    }

    /// Asks again and again whether both connections live; ends when too many answers are missing.
    async fn beat(&self, wire: &Wire, mut asks: PubSubSink) {
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut missed = 0;
        while missed < HEARTBEATS_MISSED_MAX {
            heartbeat.tick().await;
            let hears = tokio::time::timeout(self.hard(), asks.ping::<redis::Value>());
            let (answers, hears) = tokio::join!(self.announce(wire), hears);
            missed = if answers.is_ok() && matches!(hears, Ok(Ok(_))) { 0 } else { missed + 1 };
        }
    }

    /// Sends what could not be sent at first, as soon as it can be: until then the others serve it old.
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
            None => tracing::debug!("a message on the bus of the caches that is none"),
        }
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
enum Why {
    #[error("it does not answer")]
    Silent,
    #[error("{0}")]
    Redis(#[from] RedisError),
    #[error("it answers, and does not do what it is asked")]
    Refused,
}

impl From<Failed> for Why {
    fn from(_: Failed) -> Self {
        Self::Refused
    }
}
