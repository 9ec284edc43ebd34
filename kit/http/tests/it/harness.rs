//! A real server on a free port, and a client that sees every byte.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use pando_clock::Clock;
use pando_http::{
    App, Caller, ClientAddress, Code, Drained, HttpOptions, IfNoneMatch, JsonAnswer, JsonBody, Problem,
    RawBody, RouteLimits, Server, StreamedBody, etag,
};
use pando_telemetry::Metrics;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// A running server; shut down with [`Running::stop`].
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) metrics: Metrics,
    pub(crate) shutdown: oneshot::Sender<()>,
    pub(crate) serving: JoinHandle<Drained>,
}

impl Running {
    pub(crate) fn start(change: impl FnOnce(&mut HttpOptions)) -> Self {
        Self::start_app(change, App::new("Test", "1.2.3"))
    }

    pub(crate) fn start_app(change: impl FnOnce(&mut HttpOptions), app: App) -> Self {
        let mut options = HttpOptions::default();
        options.listen.set_port(0);
        options.drain_delay_ms = 0;
        (options.metrics, options.health_kept_ms) = (true, 0);
        change(&mut options);
        let limits = vec![
            RouteLimits {
                path: "/upload",
                body_idle_ms: Some(1_500),
                body_bytes_max: Some(100_000),
                ..Default::default()
            },
            RouteLimits { path: "/small", body_bytes_max: Some(10), ..Default::default() },
        ];
        let app = app.service("test", test_routes(), limits);
        let metrics = Metrics::new();
        let server = Server::bind(&options, app, &metrics, &Clock::system()).unwrap();
        let address = server.local_addr();
        let (shutdown, stopped) = oneshot::channel();
        let serving = pando_telemetry::spawn("test_server", server.run(async { drop(stopped.await) }));
        Self { address, metrics, shutdown, serving }
    }

    pub(crate) async fn connect(&self) -> Wire {
        Wire::new(TcpStream::connect(self.address).await.unwrap())
    }

    /// Connects from another address of this machine, such as 127.0.0.2.
    pub(crate) async fn connect_from(&self, host: [u8; 4]) -> Wire {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind((host, 0).into()).unwrap();
        Wire::new(socket.connect(self.address).await.unwrap())
    }

    /// One request on a connection of its own.
    pub(crate) async fn ask(&self, request: &str) -> Answer {
        let mut wire = self.connect().await;
        wire.send(request.as_bytes()).await;
        wire.answer().await.expect("an answer")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await
    }

    pub(crate) async fn post(&self, path: &str, media: &str, body: &[u8]) -> Answer {
        let mut wire = self.connect().await;
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {media}\r\ncontent-length: {length}\r\n\r\n"
        );
        wire.send(&[head.as_bytes(), body].concat()).await;
        wire.answer().await.expect("an answer")
    }

    /// Shuts down and checks that nothing was cut off.
    pub(crate) async fn stop(self) {
        // The receiver may be gone when a test ended the server itself.
        let _ = self.shutdown.send(());
        let drained = self.serving.await.unwrap();
        assert_eq!(drained, Drained { connections_aborted: 0, requests_aborted: 0 });
        let text = self.metrics.render();
        assert!(text.contains("http_active_requests 0"), "every request ended: {text}");
        assert!(text.contains("http_connections 0"), "every connection ended: {text}");
    }

    /// The server still answers.
    pub(crate) async fn is_well(&self) {
        assert_eq!(self.get("/hello").await.status, 200);
    }
}

/// Lets others run until it is so; in vain after a while.
pub(crate) async fn until(what: &str, so: impl Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "in vain: {what}");
        tokio::task::yield_now().await;
    }
}

/// One connection, read and written by hand.
pub(crate) struct Wire<S = TcpStream> {
    pub(crate) stream: S,
    ahead: Vec<u8>,
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {:?}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// A problem of this status with every member.
    pub(crate) fn is_problem(&self, code: Code) {
        assert_eq!(self.status, code.status().as_u16(), "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json");
        let body = self.json();
        assert_eq!(body["code"], code.name());
        assert_eq!(body["status"], self.status);
        assert_eq!(body["title"], code.title());
        assert_eq!(body["error"], body["detail"]);
        assert!(body["errors"].is_array());
        assert_eq!(body["request_id"], self.header("x-request-id"));
        assert!(!self.header("x-request-id").is_empty());
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, ahead: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        // A server that has refused may close while we still write.
        let _ = self.stream.write_all(bytes).await;
    }

    pub(crate) async fn get(&mut self, path: &str) -> Option<Answer> {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await;
        self.answer().await
    }

    /// The next head alone, for answers that have no body by rule.
    pub(crate) async fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.ahead.windows(4).position(|window| window == b"\r\n\r\n") {
                return String::from_utf8(self.ahead.drain(..end + 4).collect()).unwrap();
            }
            self.more().await.expect("a head");
        }
    }

    /// The next answer; none when the connection ends first.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        tokio::time::timeout(Duration::from_secs(20), self.read_answer())
            .await
            .expect("an answer or a close in 20 s")
    }

    async fn read_answer(&mut self) -> Option<Answer> {
        let end = loop {
            if let Some(end) = self.ahead.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            self.more().await?;
        };
        let head: Vec<u8> = self.ahead.drain(..end).collect();
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            headers.append(http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
        }
        if status == 100 {
            return Box::pin(self.read_answer()).await;
        }
        let body = match headers.get(header::CONTENT_LENGTH) {
            Some(length) => self.take(length.to_str().unwrap().parse().unwrap()).await?,
            None if headers.contains_key(header::TRANSFER_ENCODING) => self.take_chunks().await?,
            None => Vec::new(),
        };
        Some(Answer { status, headers, body })
    }

    async fn take_chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                if let Some(end) = self.ahead.windows(2).position(|window| window == b"\r\n") {
                    break end;
                }
                self.more().await?;
            };
            let line: Vec<u8> = self.ahead.drain(..end + 2).collect();
            let size = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16).unwrap();
            let chunk = self.take(size + 2).await?;
            if size == 0 {
                return Some(body);
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }

    async fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.ahead.len() < length {
            self.more().await?;
        }
        Some(self.ahead.drain(..length).collect())
    }

    async fn more(&mut self) -> Option<()> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer).await {
            Ok(0) | Err(_) => None,
            Ok(read) => {
                self.ahead.extend_from_slice(&buffer[..read]);
                Some(())
            }
        }
    }

    /// Waits until the server closes, and tells whether it said nothing more.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.ahead.is_empty() && self.answer().await.is_none()
    }
}

impl Wire {
    /// Whether an answer has begun to come.
    pub(crate) fn has_bytes(&mut self) -> bool {
        let mut buffer = [0; 4 * 1024];
        if let Ok(read @ 1..) = self.stream.try_read(&mut buffer) {
            self.ahead.extend_from_slice(&buffer[..read]);
        }
        !self.ahead.is_empty()
    }
}

pub(crate) fn test_routes() -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(hello))
        .routes(routes!(item, put_item))
        .routes(routes!(batch))
        .routes(routes!(echo_json))
        .routes(routes!(small))
        .routes(routes!(upload))
        .routes(routes!(behave))
        .routes(routes!(large))
        .routes(routes!(stream))
        .routes(routes!(huge))
        .routes(routes!(breaking))
        .routes(routes!(lookalike))
        .route("/undocumented", axum::routing::get(|| async { "never" }))
}

#[utoipa::path(get, path = "/hello", responses((status = 200, description = "ok", body = Value)))]
async fn hello(Caller(call): Caller, ClientAddress(client): ClientAddress) -> JsonAnswer<Value> {
    let left = u64::try_from(call.deadline.remaining().as_millis()).unwrap();
    JsonAnswer(json!({ "request_id": *call.request_id, "consistency": call.consistency.as_deref(),
        "left_ms": left, "client": client.to_string() }))
}

#[utoipa::path(get, path = "/items/{id}", params(("id" = String, Path)), responses((status = 200, description = "ok", body = String)))]
async fn item(Path(id): Path<String>, IfNoneMatch(known): IfNoneMatch) -> Response {
    if known.is_fresh(3) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag(3))]).into_response();
    }
    ([(header::ETAG, etag(3))], id).into_response()
}

#[utoipa::path(put, path = "/items/{id}", params(("id" = String, Path)), request_body = Value, responses((status = 200, description = "ok", body = Value)))]
async fn put_item(Path(id): Path<String>, JsonBody(mut body): JsonBody) -> JsonAnswer<Value> {
    body.insert("id".to_owned(), id.into());
    JsonAnswer(body.into())
}

#[utoipa::path(post, path = "/items:batch", responses((status = 200, description = "ok", body = String)))]
async fn batch() -> &'static str {
    "batch"
}

#[utoipa::path(post, path = "/json", request_body = Value, responses((status = 200, description = "ok", body = Value)))]
async fn echo_json(JsonBody(body): JsonBody) -> JsonAnswer<Value> {
    JsonAnswer(body.into())
}

#[utoipa::path(post, path = "/small", request_body = String, responses((status = 200, description = "ok", body = String)))]
async fn small(RawBody(body): RawBody) -> Vec<u8> {
    body.to_vec()
}

#[utoipa::path(post, path = "/upload", request_body = String, responses((status = 200, description = "ok", body = String)))]
async fn upload(mut body: StreamedBody) -> Result<String, Problem> {
    let mut bytes = 0;
    while let Some(piece) = body.next().await {
        bytes += piece?.len();
    }
    Ok(bytes.to_string())
}

/// Does what its path says.
#[utoipa::path(get, path = "/behave/{how}", params(("how" = String, Path)), responses((status = 200, description = "ok", body = String)))]
async fn behave(Path(how): Path<String>) -> Response {
    match how.as_str() {
        "panic" => panic!("as asked"),
        "hang" => std::future::pending().await,
        "internal" => Problem::internal("password=hunter2").into_response(),
        "unavailable" => Problem::unavailable("database away").into_response(),
        "teapot" => (StatusCode::IM_A_TEAPOT, "short and stout").into_response(),
        "bare" => StatusCode::BAD_GATEWAY.into_response(),
        "many_errors" => {
            let rule = "must be something else than what was sent";
            (0..50)
                .fold(Problem::invalid(vec![]), |problem, _| problem.with_field("name", "value", rule))
                .into_response()
        }
        "long_text" => (StatusCode::UNPROCESSABLE_ENTITY, "not what is wanted ".repeat(150)).into_response(),
        "large_own" => {
            (StatusCode::CONFLICT, JsonAnswer(json!({"own": "pando ".repeat(1_000)}))).into_response()
        }
        "varied" => ([(header::VARY, "origin")], "pando ".repeat(1_000)).into_response(),
        "own" => (StatusCode::CONFLICT, JsonAnswer(json!({"own": true}))).into_response(),
        "slow" => {
            // The time a handler takes is what is asked for.
            tokio::time::sleep(Duration::from_secs(1)).await;
            "slow".into_response()
        }
        other => Problem::not_found(other).into_response(),
    }
}

#[utoipa::path(get, path = "/large", responses((status = 200, description = "ok", body = String)))]
async fn large() -> String {
    "pando ".repeat(1_000)
}

#[utoipa::path(get, path = "/stream", responses((status = 200, description = "ok", body = String)))]
async fn stream() -> Response {
    let pieces = (0..100).map(|_| Ok::<_, std::io::Error>("0123456789\n"));
    let body = axum::body::Body::from_stream(futures_util::stream::iter(pieces));
    ([(header::CONTENT_TYPE, "text/csv")], body).into_response()
}

/// More than the sockets between server and client hold.
#[utoipa::path(get, path = "/huge", responses((status = 200, description = "ok", body = String)))]
async fn huge() -> Vec<u8> {
    vec![b'x'; HUGE]
}

pub(crate) const HUGE: usize = 16 * 1024 * 1024;

/// Promises more than comes.
#[utoipa::path(get, path = "/breaking", responses((status = 200, description = "ok", body = String)))]
async fn breaking() -> Response {
    let pieces = [Ok("some"), Err(std::io::Error::other("the database went away"))];
    axum::body::Body::from_stream(futures_util::stream::iter(pieces)).into_response()
}

pub(crate) const LOOKALIKE: &str = "HTTP/1.1 400 is what the customer wrote";

/// A body whose second piece looks like an answer. It has a length, so that nothing is written between the pieces,
/// and each is written by itself.
#[utoipa::path(get, path = "/lookalike", responses((status = 200, description = "ok", body = String)))]
async fn lookalike() -> Response {
    let pieces = futures_util::stream::unfold(0, |number| async move {
        tokio::task::yield_now().await;
        let piece = ["first ", LOOKALIKE].get(number).copied()?;
        Some((Ok::<_, std::io::Error>(piece), number + 1))
    });
    let length = "first ".len() + LOOKALIKE.len();
    ([(header::CONTENT_LENGTH, length)], axum::body::Body::from_stream(pieces)).into_response()
}
