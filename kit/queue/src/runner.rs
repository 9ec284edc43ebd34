//! The runner of one queue: claims jobs while there is room and work.
//!
//! Jobs are claimed many at a time. If they turn out to be short, a few more are claimed than can run at once, namely
//! as many as were finished in the last tenth of a second, so that the next claim is under way while they run. Long
//! jobs are never claimed before they can start.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use uuid::Uuid;

use crate::attempt::{Signals, Stop, execute};
use crate::claim::{Claimer, Turn};
use crate::settle::Settlement;
use crate::store::claim::Claimed;
use crate::verdict::Verdict;
use crate::wake::Bell;
use crate::worker::{Phase, Stopped};
use crate::{Queue, QueueError, Registry};

/// How much work may be claimed ahead, in time.
const AHEAD: Duration = Duration::from_millis(100);
/// How long after a wake-up from afar to look for jobs that are due.
const LOOK_AFTER: Duration = Duration::from_millis(3);
/// How long a job may wait here before it is given back for others to run.
const HOLD_MAX: Duration = Duration::from_secs(1);
/// How long to leave the database alone after a claim failed.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(500);

/// A queue of this process at work.
pub(crate) struct Runner {
    queue: Queue,
    registry: Arc<Registry>,
    name: Arc<str>,
    kinds: Arc<Vec<String>>,
    concurrency: usize,
    frees_others: bool,
    settle: mpsc::Sender<Settlement>,
    bell: Arc<Bell>,
    phase: watch::Receiver<Phase>,
    /// Claimed and not started yet, with when it was claimed.
    waiting: VecDeque<(Claimed, Arc<Signals>, Instant)>,
    /// By job and lease: of one job an attempt that was lost may still be ending here when the next begins.
    running: HashMap<(Uuid, Uuid), Arc<Signals>>,
    done: (mpsc::UnboundedSender<Done>, mpsc::UnboundedReceiver<Done>),
    claiming: Option<Claiming>,
    tenant: String,
    /// Somebody said that there is work.
    wanted: bool,
    /// The last claim was full.
    more: bool,
    /// When to look for due jobs, whatever anybody says.
    look_at: Instant,
    looks: bool,
    pace: Pace,
    stopped: Stopped,
}

/// A claim under way, and the tenant that had the last turn in it.
type Claiming = JoinHandle<(Result<Turn, QueueError>, String)>;

/// An attempt that is over, and whether it came to an end.
type Done = ((Uuid, Uuid), bool);

/// How fast jobs are finished.
struct Pace {
    since: Instant,
    finished: usize,
    ahead: usize,
}

impl Runner {
    pub(crate) fn new(
        queue: Queue,
        registry: Arc<Registry>,
        name: &str,
        settle: mpsc::Sender<Settlement>,
        phase: watch::Receiver<Phase>,
    ) -> Self {
        let bell = queue.wakes().bell(name);
        let kinds = Arc::new(registry.names().map(ToOwned::to_owned).collect());
        Self {
            name: name.into(),
            kinds,
            concurrency: queue.options().concurrency_of(name),
            frees_others: queue.options().single(name).concurrency_total.is_some(),
            queue,
            registry,
            settle,
            bell,
            phase,
            waiting: VecDeque::new(),
            running: HashMap::new(),
            done: mpsc::unbounded_channel(),
            claiming: None,
            tenant: String::new(),
            wanted: true,
            more: false,
            look_at: Instant::now(),
            looks: true,
            pace: Pace { since: Instant::now(), finished: 0, ahead: 0 },
            stopped: Stopped::default(),
        }
    }

    /// Works until it has to stop, and returns the fate of the jobs that it had then.
    pub(crate) async fn run(mut self) -> Stopped {
        let mut finished = Vec::new();
        loop {
            self.start_waiting().await;
            self.claim_if_useful();
            self.bell.free.store(self.room() > 0, Ordering::Release);
            tokio::select! {
                (result, tenant) = joined(&mut self.claiming) => {
                    self.claiming = None;
                    self.tenant = tenant;
                    self.take(result);
                }
                _ = self.done.1.recv_many(&mut finished, 1_000) => {
                    for (attempt, _) in finished.drain(..) {
                        self.running.remove(&attempt);
                        self.pace.finished += 1;
                    }
                }
                () = self.bell.rung() => self.hear(),
                () = tokio::time::sleep_until(self.look_at) => {
                    (self.wanted, self.looks) = (true, true);
                    self.look_at = Instant::now() + Duration::from_millis(self.queue.options().poll_ms);
                }
                changed = self.phase.changed() => {
                    if changed.is_err() {
                        return self.abandon();
                    }
                    if *self.phase.borrow() != Phase::Working {
                        break;
                    }
                }
            }
        }
        self.bell.free.store(false, Ordering::Release);
        self.drain().await
    }

    /// The worker was dropped: everything stops where it is, as if the process had died, and is rescued by others.
    fn abandon(self) -> Stopped {
        self.bell.free.store(false, Ordering::Release);
        for signals in self.running.values() {
            signals.stop(Stop::Lost);
        }
        self.stopped
    }

    /// Lets running jobs end, or stops them, depending on the command; hands the others back.
    async fn drain(mut self) -> Stopped {
        if let Some(claiming) = self.claiming.take()
            && let Ok((Ok(turn), _)) = claiming.await
        {
            self.take(Ok(turn));
        }
        while let Some((claimed, _, _)) = self.waiting.pop_front() {
            self.stopped.handed_back += 1;
            self.hand_back(claimed).await;
        }
        loop {
            if self.phase.has_changed().is_err() {
                return self.abandon();
            }
            if *self.phase.borrow_and_update() == Phase::HandingBack {
                for signals in self.running.values() {
                    signals.stop(Stop::HandBack);
                }
            }
            if self.running.is_empty() {
                return self.stopped;
            }
            tokio::select! {
                Some((attempt, finished)) = self.done.1.recv() => {
                    self.running.remove(&attempt);
                    if finished { self.stopped.finished += 1 } else { self.stopped.handed_back += 1 }
                }
                _ = self.phase.changed() => {}
            }
        }
    }

    /// How many more jobs may be claimed.
    fn room(&self) -> usize {
        let target = self.concurrency + self.pace.ahead;
        target.saturating_sub(self.running.len() + self.waiting.len())
    }

    fn hear(&mut self) {
        let (due, now) = (self.bell.take_due(), self.queue.clock().now().as_micros());
        if due == i64::MAX {
            // It was heard already.
            return;
        }
        if due <= now {
            self.wanted = true;
            if due == 0 {
                // A hint from another process, perhaps about a job that becomes due in a moment. Waiting jobs come first.
                self.look_at = self.look_at.min(Instant::now() + LOOK_AFTER);
            }
        } else {
            self.look_at = self.look_at.min(at(due, now));
        }
    }

    fn claim_if_useful(&mut self) {
        self.measure_pace();
        let room = self.room();
        // After a full claim the next one waits until it is worth its while; a wake-up does not wait.
        let worth = room >= (self.concurrency + self.pace.ahead).div_ceil(2);
        if self.claiming.is_some() || room == 0 || !(self.wanted || (self.more && worth)) {
            return;
        }
        let (queue, name, kinds) = (self.queue.clone(), Arc::clone(&self.name), Arc::clone(&self.kinds));
        let (mut tenant, looks) = (std::mem::take(&mut self.tenant), std::mem::take(&mut self.looks));
        let count = room.min(self.queue.options().batch_max);
        (self.wanted, self.more) = (false, false);
        self.claiming = Some(pando_telemetry::spawn("queue.claim", async move {
            let claimer = Claimer { queue: &name, kinds: &kinds, count, looks, tenant: &mut tenant };
            let result = queue.claim(claimer).await;
            (result, tenant)
        }));
    }

    fn take(&mut self, result: Result<Turn, QueueError>) {
        let turn = match result {
            Ok(turn) => turn,
            Err(error) => {
                tracing::warn!(%error, queue = %self.name, "jobs could not be claimed");
                self.look_at = Instant::now() + PAUSE_AFTER_ERROR;
                return;
            }
        };
        self.more = turn.more;
        if let Some(due) = turn.next_due {
            self.look_at = self.look_at.min(at(due.as_micros(), self.queue.clock().now().as_micros()));
        }
        let now = Instant::now();
        for claimed in turn.claimed {
            let signals = self.queue.wakes().live.enter(claimed.id, claimed.lease);
            self.waiting.push_back((claimed, signals, now));
        }
        if self.more && self.room() == 0 {
            // More than this process can take.
            self.queue.wakes().tell(&self.name);
        }
    }

    async fn start_waiting(&mut self) {
        while self.running.len() < self.concurrency
            && let Some((claimed, signals, _)) = self.waiting.pop_front()
        {
            self.start(claimed, signals);
        }
        // Jobs that cannot start soon should rather run in another process.
        while self.waiting.front().is_some_and(|(_, _, since)| since.elapsed() > HOLD_MAX) {
            if let Some((claimed, _, _)) = self.waiting.pop_front() {
                self.pace.ahead = 0;
                self.hand_back(claimed).await;
            }
        }
    }

    fn start(&mut self, claimed: Claimed, signals: Arc<Signals>) {
        let attempt = (claimed.id, claimed.lease);
        self.running.insert(attempt, Arc::clone(&signals));
        let (queue, registry, settle) = (self.queue.clone(), Arc::clone(&self.registry), self.settle.clone());
        let done = self.done.0.clone();
        let mut settlement = self.settlement(&claimed);
        pando_telemetry::spawn("queue.job", async move {
            settlement.verdict = execute(&queue, &registry, claimed, signals).await;
            let finished = !matches!(settlement.verdict, Verdict::HandedBack);
            // Only a worker that is gone does not take it: then the lease runs out.
            let _ = settle.send(settlement).await;
            let _ = done.send((attempt, finished));
        });
    }

    async fn hand_back(&self, claimed: Claimed) {
        let _ = self.settle.send(self.settlement(&claimed)).await;
    }

    fn settlement(&self, claimed: &Claimed) -> Settlement {
        Settlement { queue: Arc::clone(&self.name), ..Settlement::begun("", claimed, self.frees_others) }
    }

    fn measure_pace(&mut self) {
        let elapsed = self.pace.since.elapsed();
        if elapsed < AHEAD / 5 {
            return;
        }
        let ahead =
            self.pace.finished.saturating_mul(usize::try_from(AHEAD.as_micros()).unwrap_or(usize::MAX))
                / usize::try_from(elapsed.as_micros()).unwrap_or(usize::MAX).max(1);
        let ahead = ahead.min(self.queue.options().batch_max);
        self.pace = Pace { since: Instant::now(), finished: 0, ahead };
    }
}

/// The moment, on the timers' clock, of a moment on the wall.
fn at(due: i64, now: i64) -> Instant {
    Instant::now() + Duration::from_micros(u64::try_from(due.saturating_sub(now)).unwrap_or(0))
}

/// The end of a task, if there is one; else forever.
async fn joined(task: &mut Option<Claiming>) -> (Result<Turn, QueueError>, String) {
    match task {
        Some(task) => task.await.unwrap_or_else(|_| {
            let gone = pando_database::DatabaseError::Contention { name: "queue.claim" };
            (Err(gone.into()), String::new())
        }),
        None => std::future::pending().await,
    }
}
