//! Wake-ups over a quorum queue for each queue of jobs: each wakes one worker, wherever it runs. A worker that finds
//! more than it can take sends the next.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::SelectAll;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, Consumer};
use pando_clock::Clock;
use pando_database::Secret;
use tokio::sync::{Notify, mpsc, watch};

use super::{BrokerError, BrokerOptions, connect, step};
use crate::wake::Wakes;

/// The first pause before connecting again; it doubles up to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How many lines in a row end over the same queue until it is made anew.
const STRIKES_MAX: u32 = 2;
/// How many wake-ups may wait to be sent.
const WAITING_MAX: usize = 1_024;

/// The line of this process to the broker.
#[derive(Debug)]
pub(crate) struct Carrier {
    outgoing: mpsc::Sender<String>,
    line: Arc<Line>,
    /// Closed with the last handle of the queue: the task ends.
    _stop: watch::Sender<()>,
}

/// What the line and its keeper tell each other.
#[derive(Debug, Default)]
struct Line {
    /// What is given to it is carried.
    open: AtomicBool,
    /// The queues whose wake-ups this process takes.
    served: Mutex<HashSet<String>>,
    more_served: Notify,
}

impl Carrier {
    /// Opens the line in the background, and keeps it open.
    pub(crate) fn start(
        options: &BrokerOptions,
        url: &Secret,
        wakes: Weak<Wakes>,
        clock: Clock,
    ) -> Arc<Self> {
        let (outgoing, to_send) = mpsc::channel(WAITING_MAX);
        let (stop, stopping) = watch::channel(());
        let line = Arc::<Line>::default();
        let keeper = Keeper::new(options.clone(), url.clone(), Arc::clone(&line), wakes, clock);
        pando_telemetry::spawn("queue.carrier", keeper.keep(to_send, stopping));
        Arc::new(Self { outgoing, line, _stop: stop })
    }

    /// Takes the wake-ups of these queues from now on.
    pub(crate) fn serve(&self, names: &[String]) {
        self.line.served.lock().unwrap_or_else(PoisonError::into_inner).extend(names.iter().cloned());
        self.line.more_served.notify_one();
    }

    /// Whether what is given to it is carried.
    pub(crate) fn is_open(&self) -> bool {
        self.line.open.load(Ordering::Acquire)
    }

    /// Carries a wake-up; false when somebody else must.
    pub(crate) fn carry(&self, queue: &str) -> bool {
        self.is_open() && self.outgoing.try_send(queue.to_owned()).is_ok()
    }
}

struct Keeper {
    options: BrokerOptions,
    url: Secret,
    line: Arc<Line>,
    wakes: Weak<Wakes>,
    clock: Clock,
    /// The queue that the broker is asked about, and how many lines in a row ended over that.
    asked: Option<String>,
    strikes: u32,
}

impl Keeper {
    fn new(options: BrokerOptions, url: Secret, line: Arc<Line>, wakes: Weak<Wakes>, clock: Clock) -> Self {
        Self { options, url, line, wakes, clock, asked: None, strikes: 0 }
    }

    async fn keep(mut self, mut to_send: mpsc::Receiver<String>, mut stopping: watch::Receiver<()>) {
        let mut pause = PAUSES.0;
        loop {
            let ended = tokio::select! {
                ended = self.session(&mut to_send, &mut pause) => ended,
                _ = stopping.changed() => return,
            };
            self.line.open.store(false, Ordering::Release);
            if let Err(error) = ended {
                tracing::warn!(%error, "the broker is away: wake-ups go over the database");
            }
            self.strikes += u32::from(self.asked.is_some());
            while let Ok(queue) = to_send.try_recv() {
                self.over_the_database(&queue);
            }
            let jitter = u32::from(self.clock.fresh_id().as_bytes()[15]);
            tokio::select! {
                () = tokio::time::sleep(pause / 2 + pause / 2 * jitter / 255) => {}
                _ = stopping.changed() => return,
            }
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    fn over_the_database(&self, queue: &str) {
        if let Some(wakes) = self.wakes.upgrade() {
            wakes.over_the_database(queue);
        }
    }

    /// From one connection to its end.
    async fn session(
        &mut self,
        to_send: &mut mpsc::Receiver<String>,
        pause: &mut Duration,
    ) -> Result<(), BrokerError> {
        let (connection, channel) = connect(&self.url).await?;
        step(channel.basic_qos(self.options.prefetch, BasicQosOptions::default())).await?;
        self.bury(&connection).await;
        let (mut declared, mut consumed) = (HashSet::new(), HashSet::new());
        let mut deliveries: SelectAll<Consumer> = SelectAll::new();
        *pause = PAUSES.0;
        loop {
            let served = self.line.served.lock().unwrap_or_else(PoisonError::into_inner).clone();
            for queue in served.difference(&consumed.clone()) {
                self.asked = Some(queue.clone());
                self.declare(&channel, queue, &mut declared).await?;
                deliveries.push(self.consume(&channel, queue).await?);
                (self.asked, self.strikes) = (None, 0);
                consumed.insert(queue.clone());
                // Whatever was said while the line was down.
                self.ring(queue);
            }
            self.line.open.store(true, Ordering::Release);
            tokio::select! {
                () = self.line.more_served.notified() => {}
                Some(queue) = to_send.recv() => {
                    self.asked = Some(queue.clone());
                    if let Err(error) = self.send(&channel, &queue, &mut declared).await {
                        self.over_the_database(&queue);
                        return Err(error);
                    }
                    (self.asked, self.strikes) = (None, 0);
                }
                delivery = deliveries.next(), if !deliveries.is_empty() => {
                    let delivery = delivery.ok_or(BrokerError::Closed)??;
                    self.ring(self.queue_of(delivery.routing_key.as_str()));
                    // Rung first: a wake-up of a worker that died goes to another.
                    step(delivery.ack(BasicAckOptions::default())).await?;
                }
            }
        }
    }

    fn name(&self, queue: &str) -> String {
        format!("{}.jobs.{queue}", self.options.namespace)
    }

    fn queue_of<'n>(&self, name: &'n str) -> &'n str {
        let prefix = self.options.namespace.len() + ".jobs.".len();
        name.get(prefix..).unwrap_or_default()
    }

    fn ring(&self, queue: &str) {
        if let Some(wakes) = self.wakes.upgrade() {
            wakes.bell(queue).ring(0);
        }
    }

    async fn declare(
        &self,
        channel: &Channel,
        queue: &str,
        declared: &mut HashSet<String>,
    ) -> Result<(), BrokerError> {
        if declared.contains(queue) {
            return Ok(());
        }
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        // Hints, of which the newest say everything.
        let most = i32::try_from(self.options.wakeups_max).unwrap_or(i32::MAX);
        arguments.insert("x-max-length".into(), AMQPValue::LongInt(most));
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        step(channel.queue_declare(self.name(queue).into(), options, arguments)).await?;
        declared.insert(queue.to_owned());
        Ok(())
    }

    async fn consume(&self, channel: &Channel, queue: &str) -> Result<Consumer, BrokerError> {
        let options = BasicConsumeOptions::default();
        let consuming =
            channel.basic_consume(self.name(queue).into(), "".into(), options, FieldTable::default());
        step(consuming).await
    }

    /// Deletes a queue over which lines end again and again. After a crash of the broker it may be left without a leader
    /// for good; or it was made with other settings. What is in it are hints.
    async fn bury(&mut self, connection: &Connection) {
        let Some(queue) = self.asked.take_if(|_| self.strikes >= STRIKES_MAX) else { return };
        self.strikes = 0;
        let deleting = async {
            let channel = step(connection.create_channel()).await?;
            step(channel.queue_delete(self.name(&queue).into(), QueueDeleteOptions::default())).await
        };
        match deleting.await {
            Ok(_) => tracing::warn!(queue, "a queue of wake-ups cannot be used, and is made anew"),
            Err(error) => tracing::warn!(queue, %error, "a queue of wake-ups cannot be used, nor deleted"),
        }
    }

    async fn send(
        &self,
        channel: &Channel,
        queue: &str,
        declared: &mut HashSet<String>,
    ) -> Result<(), BrokerError> {
        self.declare(channel, queue, declared).await?;
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let properties = BasicProperties::default().with_delivery_mode(2);
        let published = channel.basic_publish("".into(), self.name(queue).into(), options, b"", properties);
        let confirmation = step(step(published).await?).await?;
        // A message that came back found no queue: somebody deleted it under us.
        if !confirmation.is_ack() || confirmation.take_message().is_some() {
            return Err(BrokerError::Refused);
        }
        Ok(())
    }
}
