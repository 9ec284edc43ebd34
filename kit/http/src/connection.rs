//! One connection: its present activity, how long this has lasted, and how the connection ends.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use pando_telemetry::Gauge;
use uuid::Uuid;

use crate::proxies::{is_host, is_local_host};
use crate::{HotAnswer, Problem};

/// The longest host, port included.
const HOST_BYTES_MAX: usize = 255;

/// The present activity of a connection, as the sweeper sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No byte has come yet.
    Fresh,
    /// The head of a request is arriving, or the handshake of TLS.
    Head,
    /// A request is being answered.
    Busy,
    /// The body of every request that is being answered is waited for.
    Body,
    /// The client does not take the bytes of an answer.
    Stalled,
    /// Between requests.
    Idle,
    /// The last answer is written; further bytes of the client are discarded.
    Lingering,
}

/// The orders of the sweeper to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Finish what is begun, then close.
    Close,
    /// Say that the head took too long, then close.
    HeadTimedOut,
    /// Close now.
    Abort,
}

impl Order {
    fn number(self) -> u8 {
        match self {
            Self::Close => 1,
            Self::HeadTimedOut => 2,
            Self::Abort => 3,
        }
    }
}

/// The state that a connection's task, its requests and the sweeper share. A request never reads the clock: each step only
/// sets a flag, and the sweeper measures how long nothing changes.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) peer: SocketAddr,
    /// Whether it speaks TLS.
    pub(crate) encrypted: bool,
    active: Gauge,
    id: Uuid,
    requests: AtomicU32,
    in_flight: AtomicU32,
    /// How many of them wait for their body.
    waiting_bodies: AtomicU32,
    /// Changes with every piece of a body.
    pieces: AtomicU32,
    written: AtomicU32,
    answering: AtomicBool,
    answers: Mutex<Vec<Watched>>,
    reading_head: AtomicBool,
    stalled: AtomicBool,
    lingering: AtomicBool,
    linger: AtomicBool,
    http2: AtomicBool,
    order: AtomicU8,
    task: AtomicWaker,
    has_carried: AtomicBool,
    /// The decisions about the request that hyper gets next.
    carried: Mutex<Option<Carried>>,
    /// The host of the first request. Later requests usually name the same one, which then need not be parsed again.
    first_host: OnceLock<(Box<[u8]>, Host)>,
}

/// The checked value of a `Host`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Host {
    /// A name or an address, with an optional port.
    pub(crate) readable: bool,
    /// This machine as it names itself.
    pub(crate) local: bool,
}

/// The decisions of the wire about a request that hyper continues, so that neither is made a second time.
#[derive(Debug)]
pub(crate) struct Carried {
    /// The decision of the gate; `None` if it was not asked.
    pub(crate) gate: Option<Result<(), Problem>>,
    /// The answer from memory.
    pub(crate) answer: Option<HotAnswer>,
}

/// How far an answer is, as the sweeper sees it: changes with every piece, and is odd while the application has none.
#[derive(Debug, Default)]
pub(crate) struct Progress(AtomicU32);

impl Progress {
    pub(crate) fn moves(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Whether it is the client who has to take what is there.
    pub(crate) fn waits_for_client(moves: u32) -> bool {
        moves.is_multiple_of(2)
    }

    /// A piece is handed out.
    pub(crate) fn taken(&self) {
        let moves = self.moves();
        self.0
            .store(moves.wrapping_add(if Self::waits_for_client(moves) { 2 } else { 1 }), Ordering::Relaxed);
    }

    /// The application has no piece yet.
    pub(crate) fn nothing_there(&self) {
        let moves = self.moves();
        if Self::waits_for_client(moves) {
            self.0.store(moves.wrapping_add(1), Ordering::Relaxed);
        }
    }
}

/// The answer of one HTTP/2 stream, with what the sweeper saw of it last.
#[derive(Debug)]
struct Watched {
    progress: Arc<Progress>,
    seen: u32,
    since: Option<Instant>,
}

impl Connection {
    pub(crate) fn new(peer: SocketAddr, id: Uuid, active: Gauge, encrypted: bool) -> Self {
        Self {
            peer,
            encrypted,
            active,
            id,
            requests: AtomicU32::new(0),
            in_flight: AtomicU32::new(0),
            waiting_bodies: AtomicU32::new(0),
            pieces: AtomicU32::new(0),
            written: AtomicU32::new(0),
            answering: AtomicBool::new(false),
            answers: Mutex::new(Vec::new()),
            reading_head: AtomicBool::new(false),
            stalled: AtomicBool::new(false),
            lingering: AtomicBool::new(false),
            linger: AtomicBool::new(false),
            http2: AtomicBool::new(false),
            order: AtomicU8::new(0),
            task: AtomicWaker::new(),
            has_carried: AtomicBool::new(false),
            carried: Mutex::new(None),
            first_host: OnceLock::new(),
        }
    }

    /// A request begins; it ends when the guard is dropped, with the last byte of its answer.
    pub(crate) fn begin(self: &Arc<Self>) -> Busy {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.reading_head.store(false, Ordering::Relaxed);
        self.answering.store(true, Ordering::Relaxed);
        self.active.inc();
        Busy { connection: self.clone(), number }
    }

    /// A request came and was answered in one go; which one it is.
    pub(crate) fn answered_at_once(&self) -> u32 {
        self.reading_head.store(false, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed)
    }

    /// The id of a request that brought none: the connection's own, which is fresh, counted up. A fresh id for each
    /// request would cost a system call for its random part.
    pub(crate) fn request_id(&self, number: u32) -> Uuid {
        Uuid::from_u128(self.id.as_u128() ^ u128::from(number))
    }

    /// Leaves what the wire has decided for the request that hyper is given next. Requests of HTTP/1.1 come one by one.
    pub(crate) fn carry(&self, carried: Carried) {
        *self.carried.lock().unwrap_or_else(PoisonError::into_inner) = Some(carried);
        self.has_carried.store(true, Ordering::Release);
    }

    /// The decisions of the wire about this request, if it has looked at it.
    pub(crate) fn take_carried(&self) -> Option<Carried> {
        if !self.has_carried.load(Ordering::Acquire) {
            return None;
        }
        self.has_carried.store(false, Ordering::Release);
        self.carried.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The kinds of `Host`.
    pub(crate) fn host(&self, name: &[u8]) -> Host {
        // It is kept as long as the connection lives, and no name is longer.
        if name.len() > HOST_BYTES_MAX {
            return Host { readable: false, local: false };
        }
        let read = || Host { readable: is_host(name), local: is_local_host(name) };
        let (first, host) = self.first_host.get_or_init(|| (name.into(), read()));
        if **first == *name { *host } else { read() }
    }

    pub(crate) fn phase(&self) -> Phase {
        if self.lingering.load(Ordering::Relaxed) {
            Phase::Lingering
        } else if self.stalled.load(Ordering::Relaxed) {
            Phase::Stalled
        } else if self.in_flight() > 0 {
            if self.waiting_bodies.load(Ordering::Relaxed) < self.in_flight() {
                Phase::Busy
            } else {
                Phase::Body
            }
        } else if self.reading_head.load(Ordering::Relaxed) {
            Phase::Head
        } else if self.requests.load(Ordering::Relaxed) == 0 {
            Phase::Fresh
        } else {
            Phase::Idle
        }
    }

    /// Changes with every request, so that two idle times are not taken for one.
    pub(crate) fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    /// A reader begins to wait for a body, or waits no more.
    pub(crate) fn body_waits(&self, waiting: bool) {
        match waiting {
            true => self.waiting_bodies.fetch_add(1, Ordering::Relaxed),
            false => self.waiting_bodies.fetch_sub(1, Ordering::Relaxed),
        };
        self.pieces.fetch_add(1, Ordering::Relaxed);
    }

    /// Changes with every piece of a body that had to be waited for.
    pub(crate) fn pieces(&self) -> u32 {
        self.pieces.load(Ordering::Relaxed)
    }

    /// Changes with every write the client made room for.
    pub(crate) fn written(&self) -> u32 {
        self.written.load(Ordering::Relaxed)
    }

    /// The client took bytes. Only the connection's task writes: no need for a locked addition.
    pub(crate) fn bytes_left(&self) {
        self.written.store(self.written().wrapping_add(1), Ordering::Relaxed);
    }

    /// All that hyper was given is written.
    pub(crate) fn all_written(&self) {
        if self.in_flight() == 0 {
            self.answering.store(false, Ordering::Relaxed);
        }
    }

    /// Whether what is written now may belong to an answer of the application.
    pub(crate) fn is_answering(&self) -> bool {
        self.answering.load(Ordering::Relaxed)
    }

    /// Whether the client has taken nothing of some HTTP/2 answer for this long, though the application had more.
    /// Its socket may well be read: HTTP/2 has a window for each stream.
    pub(crate) fn has_stalled_answer(&self, now: Instant, limit: Duration) -> bool {
        let mut stalled = false;
        for watched in self.answers().iter_mut() {
            let moves = watched.progress.moves();
            let since = *watched.since.get_or_insert(now);
            if moves != watched.seen {
                (watched.seen, watched.since) = (moves, Some(now));
            } else if Progress::waits_for_client(moves) {
                stalled |= now.saturating_duration_since(since) >= limit;
            }
        }
        stalled
    }

    /// A panic elsewhere leaves a list that is still true: the lock is taken all the same.
    fn answers(&self) -> MutexGuard<'_, Vec<Watched>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many requests are being answered.
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(crate) fn is_http2(&self) -> bool {
        self.http2.load(Ordering::Relaxed)
    }

    pub(crate) fn set_http2(&self) {
        self.http2.store(true, Ordering::Relaxed);
        self.reading_head.store(false, Ordering::Relaxed);
    }

    /// Bytes came in. Between two requests of HTTP/1.1 they are the next head; HTTP/2 may be a mere ping.
    pub(crate) fn bytes_came(&self) {
        if self.in_flight.load(Ordering::Relaxed) == 0 && !self.is_http2() {
            self.reading_head.store(true, Ordering::Relaxed);
        }
    }

    /// The handshake of TLS is over: the first request has a time of its own.
    pub(crate) fn handshake_done(&self) {
        self.reading_head.store(false, Ordering::Relaxed);
    }

    pub(crate) fn set_stalled(&self, stalled: bool) {
        // Read first: a store would take the cache line from the other core on every write.
        if self.stalled.load(Ordering::Relaxed) != stalled {
            self.stalled.store(stalled, Ordering::Relaxed);
        }
    }

    /// The client may still be sending when the connection closes: read it away, or the reset that follows
    /// destroys the answer before the client has read it.
    pub(crate) fn linger_at_close(&self) {
        self.linger.store(true, Ordering::Relaxed);
    }

    pub(crate) fn must_linger(&self) -> bool {
        self.linger.load(Ordering::Relaxed)
    }

    pub(crate) fn set_lingering(&self) {
        self.lingering.store(true, Ordering::Relaxed);
    }

    /// Called by the sweeper. A stronger order replaces a weaker one.
    pub(crate) fn order(&self, order: Order) {
        let number = order.number();
        if self.order.fetch_max(number, Ordering::AcqRel) < number {
            self.task.wake();
        }
    }

    /// Called by the connection's task when an order has become pointless.
    fn withdraw(&self, order: Order) {
        let _ = self.order.compare_exchange(order.number(), 0, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Called by the connection's task once, before it first looks for orders.
    pub(crate) fn listen_for_orders(&self, cx: &Context<'_>) {
        self.task.register(cx.waker());
    }

    /// The order given, if any.
    pub(crate) fn ordered(&self) -> Option<Order> {
        match self.order.load(Ordering::Acquire) {
            0 => None,
            1 => Some(Order::Close),
            2 => Some(Order::HeadTimedOut),
            _ => Some(Order::Abort),
        }
    }
}

/// A request in flight.
#[derive(Debug)]
pub(crate) struct Busy {
    connection: Arc<Connection>,
    number: u32,
}

impl Busy {
    /// Which request of its connection it is.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Has the sweeper time how the client takes the answer.
    pub(crate) fn watch_answer(&self) -> Arc<Progress> {
        let progress = Arc::new(Progress::default());
        let watched = Watched { progress: progress.clone(), seen: 0, since: None };
        self.connection.answers().push(watched);
        progress
    }

    pub(crate) fn forget_answer(&self, progress: &Arc<Progress>) {
        let mut answers = self.connection.answers();
        if let Some(index) = answers.iter().position(|watched| Arc::ptr_eq(&watched.progress, progress)) {
            answers.swap_remove(index);
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.connection.active.dec();
        self.connection.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Polls until done or until the sweeper ends it. The second argument of `poll` is true once, when it has to begin closing.
pub(crate) async fn until_ordered<F, T>(connection: &Connection, mut poll: F) -> Result<T, Order>
where
    F: FnMut(&mut Context<'_>, bool) -> Poll<T>,
{
    let mut listening = false;
    let mut closing = false;
    std::future::poll_fn(move |cx| {
        if !listening {
            connection.listen_for_orders(cx);
            listening = true;
        }
        loop {
            if let Poll::Ready(done) = poll(cx, false) {
                return Poll::Ready(Ok(done));
            }
            match connection.ordered() {
                Some(Order::Close) if !closing => {
                    closing = true;
                    if let Poll::Ready(done) = poll(cx, true) {
                        return Poll::Ready(Ok(done));
                    }
                }
                // The rest of the head came in the same moment: it is a request now, and is answered.
                Some(Order::HeadTimedOut) if connection.in_flight() > 0 => {
                    connection.withdraw(Order::HeadTimedOut)
                }
                None | Some(Order::Close) => return Poll::Pending,
                Some(order) => return Poll::Ready(Err(order)),
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    fn connection() -> Arc<Connection> {
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        Arc::new(Connection::new(peer, Uuid::nil(), Gauge::default(), false))
    }

    #[test]
    fn a_head_that_came_in_the_last_moment_is_answered() {
        let mut context = Context::from_waker(std::task::Waker::noop());
        // The sweeper gives its order, and then the rest of the head is read.
        let (slow, quick) = (connection(), connection());
        for connection in [&slow, &quick] {
            connection.bytes_came();
            connection.order(Order::HeadTimedOut);
        }
        let mut timed_out = pin!(until_ordered(&slow, |_, _| Poll::<()>::Pending));
        assert_eq!(timed_out.as_mut().poll(&mut context), Poll::Ready(Err(Order::HeadTimedOut)));
        let mut busy = None;
        let mut answering = pin!(until_ordered(&quick, |_, _| {
            busy.get_or_insert_with(|| quick.begin());
            Poll::<()>::Pending
        }));
        assert_eq!(answering.as_mut().poll(&mut context), Poll::Pending);
        assert_eq!(quick.ordered(), None, "it does not end the next request");
    }

    #[test]
    fn a_connection_tells_what_it_is_doing() {
        let connection = connection();
        assert_eq!(connection.phase(), Phase::Fresh);
        connection.bytes_came();
        assert_eq!(connection.phase(), Phase::Head);
        let busy = connection.begin();
        connection.bytes_came();
        assert_eq!(connection.phase(), Phase::Busy);
        connection.body_waits(true);
        assert_eq!(connection.phase(), Phase::Body);
        connection.body_waits(false);
        assert_eq!(connection.phase(), Phase::Busy);
        drop(busy);
        assert_eq!(connection.phase(), Phase::Idle);
        assert!(!connection.host(&[b'x'; 256]).readable && connection.host(&[b'x'; 255]).readable);
        connection.order(Order::Abort);
        connection.order(Order::Close);
        assert_eq!(connection.ordered(), Some(Order::Abort));
    }
}
