//! The server: listens, accepts, serves HTTP/1.1 and HTTP/2 on one port, and ends without losing a request.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use http::{HeaderMap, StatusCode};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use pando_clock::Clock;
use pando_resilience::Identity;
use pando_telemetry::{Gauge, Metrics};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::access_log::AccessLog;
use crate::body_budget::BodyBudget;
use crate::compression::compress;
use crate::connection::{Connection, Order, until_ordered};
use crate::edge::handle;
use crate::edge_state::Edge;
use crate::openapi::{Assembled, assemble};
use crate::proxies::TrustedProxies;
use crate::short_paths::at_its_path;
use crate::socket::Socket;
use crate::stream::Stream;
use crate::sweeper::{Mood, Sweeper};
use crate::tls::{Begun, Reload, Tls, Watching};
use crate::{App, HttpError, HttpOptions};

/// How many connections the kernel holds for us before we accept them.
const BACKLOG: u32 = 4096;

/// How many probes a peer may leave unanswered, within as much time as it was silent before.
const PROBES: u32 = 4;

/// How much of its answer one HTTP/2 stream holds while the socket is busy.
const H2_SEND_BYTES: usize = 64 * 1024;

/// The ways to stop a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Load balancers get `drain_delay_ms` to look elsewhere.
    Announced,
    /// Nobody sends requests here who would have to be told.
    AtOnce,
}

impl From<()> for Stop {
    fn from((): ()) -> Self {
        Self::Announced
    }
}

/// How a shutdown went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were still open when the time was over.
    pub connections_aborted: usize,
    /// Requests on them that got no answer. Zero unless `drain_ms` was too short.
    pub requests_aborted: usize,
}

/// A server that listens. Nothing is answered until [`Server::run`].
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    options: HttpOptions,
    edge: Arc<Edge>,
    sweeper: Arc<Sweeper>,
    draining: Arc<AtomicBool>,
    connections: Gauge,
    protocols: Arc<Protocols>,
    tls: Option<Arc<Tls>>,
    _watching: Option<Watching>,
}

struct Protocols {
    http1: http1::Builder,
    http2: http2::Builder<Tasks>,
}

impl Server {
    /// Builds the routes and listens. Call it inside a Tokio runtime.
    pub fn bind(
        options: &HttpOptions,
        app: App,
        metrics: &Metrics,
        clock: &Clock,
    ) -> Result<Self, HttpError> {
        if options.header_bytes_max < 8 * 1024 {
            return Err(HttpError::Option("header_bytes_max must be at least 8192"));
        }
        if options.peer_probe_ms < 1_000 / u64::from(PROBES) {
            return Err(HttpError::Option("peer_probe_ms must be at least 250"));
        }
        if options.connections_max == 0 || options.connections_per_peer_max == 0 {
            return Err(HttpError::Option("connections_max and connections_per_peer_max must be at least 1"));
        }
        let draining = Arc::new(AtomicBool::new(false));
        let (gate, authentication) = (app.gate.clone(), app.authentication.clone());
        let on_refusal = app.on_refusal.clone();
        let Assembled { router, table: routes, .. } = assemble(app, options, metrics, &draining)?;
        let mut edge = Edge {
            routes,
            compressed: options.compress.then(|| compress(router.clone(), options.compress_bytes_min)),
            router,
            proxies: TrustedProxies::parse(&options.trusted_proxies)?,
            access_log: AccessLog::new(&options.access_log),
            clock: clock.clone(),
            draining: draining.clone(),
            active: metrics.gauge("http_active_requests", "Requests being answered.", &[]),
            anonymous: Arc::new(Identity::of("anonymous")),
            guest: Arc::new(Identity::guest()),
            authentication,
            pod_name: Edge::pod_name(options),
            uri_bytes_max: options.uri_bytes_max,
            local_hosts_only: options.local_hosts_only,
            headers_max: options.headers_max,
            compress_bytes_min: options.compress_bytes_min,
            hot_headers: HeaderMap::new(),
            hot_head: Vec::new(),
            hot_wire: options.hot_reads && options.hot_wire,
            gate,
            on_refusal,
            bodies: Arc::new(BodyBudget::new(options.body_budget_bytes, options.json_nodes_max)),
        };
        edge.hot_headers();
        let tls = Tls::open(&options.tls, metrics, clock)?.map(Arc::new);
        let watching = tls.as_ref().map(|tls| tls.watch(&options.tls));
        let unusable = |source| HttpError::Listen { address: options.listen, source };
        let probe = Duration::from_millis(options.peer_probe_ms);
        let listener = listen(options.listen, probe).map_err(unusable)?;
        let address = listener.local_addr().map_err(unusable)?;
        Ok(Self {
            listener,
            address,
            options: options.clone(),
            edge: Arc::new(edge),
            sweeper: Arc::new(Sweeper::new(options)),
            draining,
            connections: metrics.gauge("http_connections", "Open connections.", &[]),
            protocols: Arc::new(Protocols::new(options)),
            tls,
            _watching: watching,
        })
    }

    /// Has this server read its certificates at once, also while it runs.
    pub fn reload(&self) -> Reload {
        Reload::of(self.tls.as_ref())
    }

    /// The address it listens on, with the port that was really taken.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is done, and then drains: the server reports that it is not ready, waits for the delay, accepts no
    /// new connections, lets requests finish, and aborts those that are left after `drain_ms`.
    ///
    /// `shutdown` may say [`Stop::AtOnce`]: then there is no delay.
    pub async fn run<S: Into<Stop>>(self, shutdown: impl Future<Output = S>) -> Drained {
        let mut next_id = 0;
        let stop = self.accept_until(&mut next_id, pin!(shutdown)).await.into();
        self.draining.store(true, Ordering::Relaxed);
        let delay_ms = if stop == Stop::AtOnce { 0 } else { self.options.drain_delay_ms };
        let delay = Duration::from_millis(delay_ms);
        tracing::info!(delay_ms, "shutting down: not ready any more");
        self.accept_until(&mut next_id, pin!(tokio::time::sleep(delay))).await;
        self.accept_waiting(&mut next_id);
        self.drain().await
    }

    async fn accept_until<T>(&self, next_id: &mut u64, mut end: Pin<&mut impl Future<Output = T>>) -> T {
        let mut sweep = tokio::time::interval(self.sweeper.interval());
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let crowded = self.sweeper.len() >= self.options.connections_max;
            tokio::select! {
                biased;
                ended = &mut end => return ended,
                _ = sweep.tick() => self.sweeper.sweep(Instant::now(), if crowded { Mood::Crowded } else { Mood::Open }),
                accepted = self.listener.accept(), if !crowded => match accepted {
                    Ok((stream, peer)) => self.begin(next_id, stream, peer),
                    Err(error) => rest_after(&error).await,
                },
            }
        }
    }

    /// Connections the kernel has already accepted for us must be served: their clients may have sent a request.
    fn accept_waiting(&self, next_id: &mut u64) {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        while let Poll::Ready(Ok((stream, peer))) = self.listener.poll_accept(&mut context) {
            self.begin(next_id, stream, peer);
        }
    }

    fn begin(&self, next_id: &mut u64, stream: TcpStream, peer: SocketAddr) {
        *next_id += 1;
        let id = *next_id;
        // Small answers must not wait for the acknowledgement of the last one.
        let _ = stream.set_nodelay(true);
        let (id_of_connection, active) = (self.edge.clock.fresh_id(), self.edge.active.clone());
        let connection = Arc::new(Connection::new(peer, id_of_connection, active, self.tls.is_some()));
        let counted = (!self.edge.proxies.trusts(peer.ip().to_canonical())).then(|| peer.ip());
        if !self.sweeper.add(id, connection.clone(), counted) {
            let answer = self.edge.protocol_answer(StatusCode::TOO_MANY_REQUESTS);
            // An answer over TLS would cost the handshake that the limit is there to spare.
            if self.tls.is_none() {
                // It fits what the kernel holds for the client, and a client that is gone needs no answer.
                let _ = stream.try_write(&answer);
            }
            return;
        }
        self.connections.inc();
        let open = Open { id, sweeper: self.sweeper.clone(), connections: self.connections.clone() };
        let (edge, protocols, tls) = (self.edge.clone(), self.protocols.clone(), self.tls.clone());
        pando_telemetry::spawn("http_connection", async move {
            let _open = open;
            let begun = match tls {
                // On the heap, because the rest of a connection needs less.
                Some(tls) => Box::pin(tls.begin(stream, &connection)).await,
                None => Begun::Open(Stream::Plain(stream)),
            };
            match begun {
                Begun::Open(stream) => {
                    let socket = Socket::new(stream, connection.clone(), edge.clone());
                    serve(socket, connection, edge, &protocols).await;
                }
                Begun::PlainHttp(stream) => {
                    let socket = Socket::new(Stream::Plain(stream), connection, edge);
                    Box::pin(socket.answer_plain_http()).await;
                }
                Begun::Ended => {}
            }
        });
    }

    async fn drain(self) -> Drained {
        let Self { listener, options, sweeper, _watching, .. } = self;
        drop(listener);
        let (began, patience) = (Instant::now(), Duration::from_millis(options.drain_ms));
        while sweeper.len() > 0 && began.elapsed() < patience {
            sweeper.sweep(Instant::now(), Mood::Draining);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let connections_aborted = sweeper.len();
        let requests_aborted = sweeper.abort_all();
        if connections_aborted > 0 {
            tracing::warn!(
                connections_aborted,
                requests_aborted,
                "drained, but not everything ended in time"
            );
        } else {
            tracing::info!("drained: every request got its answer");
        }
        Drained { connections_aborted, requests_aborted }
    }
}

fn listen(address: SocketAddr, probe: Duration) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart must not wait for the connections of the last run to time out.
    socket.set_reuseaddr(true)?;
    // Accepted connections inherit this. A peer that has disappeared is detected after a few unanswered probes. The system counts
    // in seconds.
    let seconds = |time: Duration| time.max(Duration::from_secs(1));
    let keep_alive = TcpKeepalive::new().with_time(seconds(probe)).with_interval(seconds(probe / PROBES));
    let keep_alive = keep_alive.with_retries(PROBES);
    SockRef::from(&socket).set_tcp_keepalive(&keep_alive)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// A failed accept: the connection was gone already, or there are no file descriptors left, which takes a moment.
async fn rest_after(error: &io::Error) {
    if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        return;
    }
    tracing::warn!(%error, "cannot accept connections");
    tokio::time::sleep(Duration::from_millis(50)).await;
}

/// One connection from the first byte of its first request to its last.
async fn serve(mut socket: Socket, connection: Arc<Connection>, edge: Arc<Edge>, protocols: &Protocols) {
    let protocol = until_ordered(&connection, |cx, close| match socket.poll_protocol(cx) {
        // Nothing is begun that would have to be finished.
        Poll::Pending if close => Poll::Ready(Err(io::ErrorKind::Interrupted.into())),
        polled => polled,
    })
    .await;
    let http2 = match protocol {
        Ok(Ok(http2)) => http2,
        Ok(Err(_gone)) => return,
        Err(Order::HeadTimedOut) => return socket.answer_head_timeout().await,
        Err(_ended) => return,
    };
    let requests = connection.clone();
    let service = service_fn(move |request| handle(&edge, &requests, at_its_path(request)));
    if http2 {
        let mut serving = pin!(protocols.http2.serve_connection(socket, service));
        let ended = until_ordered(&connection, |cx, close| {
            if close {
                serving.as_mut().graceful_shutdown();
            }
            serving.as_mut().poll(cx)
        });
        if let Ok(Err(error)) = ended.await {
            tracing::debug!(%error, peer = %connection.peer, "connection ended");
        }
        return;
    }
    let mut serving = protocols.http1.serve_connection(socket, service);
    let ended = until_ordered(&connection, |cx, close| {
        if close {
            Pin::new(&mut serving).graceful_shutdown();
        }
        Pin::new(&mut serving).poll(cx)
    });
    match ended.await {
        Err(Order::HeadTimedOut) => serving.into_parts().io.answer_head_timeout().await,
        Ok(Err(error)) => tracing::debug!(%error, peer = %connection.peer, "connection ended"),
        Ok(Ok(())) | Err(_) => {}
    }
}

/// Takes a connection out of the books when its task ends, however it ends.
struct Open {
    id: u64,
    sweeper: Arc<Sweeper>,
    connections: Gauge,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.sweeper.remove(self.id);
        self.connections.dec();
    }
}

impl Protocols {
    fn new(options: &HttpOptions) -> Self {
        let mut http1 = http1::Builder::new();
        http1.max_buf_size(options.header_bytes_max);
        // A client that closes its sending side after the request still gets its answer.
        http1.half_close(true);
        if options.headers_max != 100 {
            // hyper's own default is 100, kept on the stack; another number costs an allocation a request.
            http1.max_headers(options.headers_max);
        }
        let mut http2 = http2::Builder::new(Tasks);
        http2
            .timer(TokioTimer::new())
            .keep_alive_interval(Duration::from_millis(options.peer_probe_ms))
            .keep_alive_timeout(Duration::from_millis(options.peer_probe_ms))
            .max_send_buf_size(H2_SEND_BYTES)
            .max_concurrent_streams(options.h2_streams_max)
            .max_header_list_size(u32::try_from(options.header_bytes_max).unwrap_or(u32::MAX))
            .max_pending_accept_reset_streams(options.h2_pending_resets_max)
            .max_local_error_reset_streams(options.h2_local_resets_max);
        Self { http1, http2 }
    }
}

/// Starts the tasks hyper needs for HTTP/2 where they are counted.
#[derive(Clone, Copy, Debug)]
struct Tasks;

impl<F> hyper::rt::Executor<F> for Tasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        pando_telemetry::spawn("http2_stream", future);
    }
}
