//! Wakes workers cheaply with hints. A worker that misses a hint finds the job by looking for it later.
//!
//! In this process a committed transaction wakes the queue's runner directly. Other processes are notified over the
//! database's channel, and only if no runner here is free to take the work. NOTIFY takes a lock on the whole database
//! when it commits, so each queue sends at most one notification in some milliseconds, outside of any transaction.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use pando_database::{Channel, ChannelSender, Signal};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use uuid::Uuid;

use crate::attempt::{Live, Stop};

/// The runners of this process that wait for work.
#[derive(Debug)]
pub(crate) struct Wakes {
    local: Mutex<HashMap<String, Arc<Bell>>>,
    told: Mutex<HashMap<String, Told>>,
    line: ChannelSender,
    pause: Duration,
    pub(crate) live: Live,
    /// Closed when the queue is dropped: the listening task ends.
    _open: watch::Sender<()>,
}

/// The bell of one runner.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    notify: Notify,
    /// The earliest moment, in microseconds, that somebody said a job is due at.
    due: AtomicI64,
    /// The runner could start a job at once.
    pub(crate) free: AtomicBool,
}

impl Bell {
    /// Rings: there is work at `due`, which may be past.
    pub(crate) fn ring(&self, due: i64) {
        self.due.fetch_min(due, Ordering::AcqRel);
        self.notify.notify_one();
    }

    pub(crate) async fn rung(&self) {
        self.notify.notified().await;
    }

    /// The earliest moment rung for since this was last asked.
    pub(crate) fn take_due(&self) -> i64 {
        self.due.swap(i64::MAX, Ordering::AcqRel)
    }
}

#[derive(Debug)]
struct Told {
    last: Instant,
    /// Somebody waits to speak as soon as it is allowed.
    waiting: bool,
}

impl Wakes {
    /// Starts to listen.
    pub(crate) fn open(channel: Channel, pause: Duration) -> Arc<Self> {
        let (open, closed) = watch::channel(());
        let wakes = Arc::new(Self {
            local: Mutex::default(),
            told: Mutex::default(),
            line: channel.sender(),
            pause,
            live: Live::default(),
            _open: open,
        });
        if !wakes.line.is_silent() {
            pando_telemetry::spawn("queue.wakes", listen(channel, Arc::downgrade(&wakes), closed));
        }
        wakes
    }

    /// The bell of a queue, made by the runner that serves it here.
    pub(crate) fn bell(&self, queue: &str) -> Arc<Bell> {
        let mut local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        let bell = local
            .entry(queue.to_owned())
            .or_insert_with(|| Arc::new(Bell { due: AtomicI64::new(i64::MAX), ..Bell::default() }));
        Arc::clone(bell)
    }

    /// A job that was just committed is due at `due`; `now` is the present moment.
    pub(crate) fn enqueued(self: &Arc<Self>, queue: &str, due: i64, now: i64) {
        let bell = self.local.lock().unwrap_or_else(PoisonError::into_inner).get(queue).cloned();
        if let Some(bell) = bell {
            bell.ring(due);
            if bell.free.load(Ordering::Acquire) {
                return;
            }
        }
        // Jobs that are due later are found in time by workers, which look every second.
        if due <= now + 1_000_000 {
            self.tell(queue);
        }
    }

    /// Tells the other processes that there is work, at most once in a pause.
    pub(crate) fn tell(self: &Arc<Self>, queue: &str) {
        if self.line.is_silent() {
            return;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match told.get_mut(queue) {
            Some(told) if told.waiting => {}
            Some(entry) if now < entry.last + self.pause => {
                entry.waiting = true;
                let (wakes, queue, until) = (Arc::clone(self), queue.to_owned(), entry.last + self.pause);
                pando_telemetry::spawn("queue.tell", async move {
                    tokio::time::sleep_until(until).await;
                    let mut told = wakes.told.lock().unwrap_or_else(PoisonError::into_inner);
                    told.insert(queue.clone(), Told { last: Instant::now(), waiting: false });
                    drop(told);
                    wakes.say(&queue);
                });
            }
            _ => {
                told.insert(queue.to_owned(), Told { last: now, waiting: false });
                self.say(queue);
            }
        }
    }

    fn say(&self, queue: &str) {
        self.line.send(format!("work {queue}"));
    }

    /// Stops a running attempt of a cancelled job, wherever it runs.
    pub(crate) fn cancel(&self, id: Uuid) {
        self.live.stop(id, Stop::Cancelled);
        self.line.send(format!("cancel {id}"));
    }

    fn heard(&self, signal: &Signal) {
        let ring = |queue: Option<&str>| {
            for (name, bell) in self.local.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                if queue.is_none_or(|queue| queue == name) {
                    bell.ring(0);
                }
            }
        };
        match signal {
            Signal::Opened => ring(None),
            Signal::Message(text) => match text.split_once(' ') {
                Some(("work", queue)) => ring(Some(queue)),
                Some(("cancel", id)) => {
                    if let Ok(id) = id.parse() {
                        self.live.stop(id, Stop::Cancelled);
                    }
                }
                _ => {}
            },
        }
    }
}

async fn listen(mut channel: Channel, wakes: Weak<Wakes>, mut closed: watch::Receiver<()>) {
    loop {
        let signal = tokio::select! {
            signal = channel.next() => signal,
            _ = closed.changed() => return,
        };
        match wakes.upgrade() {
            Some(wakes) => wakes.heard(&signal),
            None => return,
        }
    }
}
