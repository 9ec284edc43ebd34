//! The hot read: answered from memory, with every guard and every header of the edge.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use pando_http::{
    App, Code, Encoding, Gate, GateRequest, HotAnswer, HotRead, HotRequest, HttpOptions, Problem, RawBody,
    ServiceRoutes, etag,
};
use tokio::net::TcpStream;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::harness::Running;

const WARM: &[u8] = br#"{"from":"memory"}"#;

#[utoipa::path(get, path = "/warm/{id}", params(("id" = String, Path)), responses((status = 200, description = "ok")))]
async fn warm(Path(_id): Path<String>) -> Response {
    let body =
        [(header::CONTENT_TYPE, HeaderValue::from_static("application/json")), (header::ETAG, etag(7))];
    (body, r#"{"from":"handler"}"#).into_response()
}

/// Knows the name `known`, as of the token `t1`.
fn remembered(asked: &HotRequest<'_>) -> Option<HotAnswer> {
    let body = match asked.name {
        "known" => Bytes::from_static(WARM),
        "large" => Bytes::from(vec![b' '; 2_000]),
        "packed" => return Some(packed(asked)),
        "longer" => return Some(packed(&HotRequest { encoding: Encoding::Identity, ..*asked })),
        "panics" => panic!("as asked"),
        _ => return None,
    };
    let current = asked.consistency.is_none_or(|token| token == "t1");
    let cache = HeaderValue::from_static("l1; age=0");
    current.then(|| HotAnswer { body, encoding: Encoding::Identity, version: 7, tag: etag(7), cache })
}

/// An answer that is kept in every encoding.
fn packed(asked: &HotRequest<'_>) -> HotAnswer {
    let text = large_text();
    let encoding = asked.encoding_for(text.len());
    let body = encoding.pack(text.as_bytes()).unwrap_or_else(|| text.into());
    HotAnswer { body, encoding, version: 7, tag: etag(7), cache: HeaderValue::from_static("l1; age=0") }
}

fn large_text() -> String {
    format!("{{\"text\":\"{}\"}}", "pando ".repeat(400))
}

#[utoipa::path(post, path = "/count", request_body = String, responses((status = 200, description = "ok", body = String)))]
async fn count(RawBody(body): RawBody) -> String {
    body.len().to_string()
}

fn warm_service(routes: OpenApiRouter) -> ServiceRoutes {
    ServiceRoutes::new("warm", routes, Vec::new())
}

pub(crate) fn start(change: impl FnOnce(&mut HttpOptions)) -> Running {
    let routes = OpenApiRouter::new().routes(routes!(warm)).routes(routes!(count));
    let hot = HotRead { path: "/warm/{id}", find: Arc::new(remembered) };
    Running::start_app(change, App::new("Test", "1").serve(warm_service(routes).hot_read(hot)))
}

#[tokio::test]
async fn what_is_in_memory_is_answered_with_the_headers_of_a_handlers_answer() {
    let server = start(|options| options.pod_name = Some("pod-7".to_owned()));
    let hot = server.get("/warm/known").await;
    let cold = server.get("/warm/unknown").await;
    assert_eq!((hot.status, hot.text().as_str()), (200, r#"{"from":"memory"}"#));
    assert_eq!((cold.status, cold.text().as_str()), (200, r#"{"from":"handler"}"#));
    for name in ["content-type", "etag", "vary", "x-pod-name", "x-content-type-options", "cache-control"] {
        assert_eq!(hot.header(name), cold.header(name), "{name}");
        assert_ne!(hot.header(name), "", "{name}");
    }
    assert_eq!(hot.header("x-cache"), "l1; age=0");
    assert_eq!(hot.header("x-request-id").len(), 36);
    let metrics = server.metrics.render();
    let counted =
        metrics.lines().find(|line| line.starts_with("http_requests_total{") && line.contains("/warm/"));
    assert!(counted.is_some_and(|line| line.ends_with("} 2")), "{counted:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_version_the_caller_has_is_not_sent_again_from_memory() {
    let server = start(|_| {});
    let ask = async |tags: &str| {
        server.ask(&format!("GET /warm/known HTTP/1.1\r\nhost: x\r\nif-none-match: {tags}\r\n\r\n")).await
    };
    let fresh = ask("\"6\", \"7\"").await;
    assert_eq!((fresh.status, fresh.body.len(), fresh.header("etag")), (304, 0, "\"7\""));
    assert_eq!(fresh.header("content-type"), "");
    assert_eq!(ask("\"6\"").await.text(), r#"{"from":"memory"}"#);
    // The handler knows how to refuse it; this one does not look.
    assert_eq!(ask("7").await.text(), r#"{"from":"handler"}"#);
    server.stop().await;
}

#[tokio::test]
async fn what_only_the_handler_can_do_goes_to_the_handler() {
    let server = start(|_| {});
    for (request, from) in [
        ("GET /warm/known?fields=id HTTP/1.1\r\nhost: x\r\n\r\n", "handler"),
        ("GET /warm/known HTTP/1.1\r\nhost: x\r\npando-consistency: t1\r\n\r\n", "memory"),
        ("GET /warm/known HTTP/1.1\r\nhost: x\r\npando-consistency: t2\r\n\r\n", "handler"),
        ("GET /warm/known HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip\r\n\r\n", "memory"),
        ("GET /warm/large HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip\r\n\r\n", "handler"),
        ("GET /warm/known HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nx", "handler"),
    ] {
        let answer = server.ask(request).await;
        assert_eq!(answer.text(), format!(r#"{{"from":"{from}"}}"#), "{request}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_large_answer_that_is_kept_packed_is_sent_from_memory() {
    for (hot_wire, from) in [(true, "the wire"), (false, "the edge")] {
        let server = start(|options| options.hot_wire = hot_wire);
        for (accepts, encoding) in
            [("gzip, deflate, br, zstd", "br"), ("gzip", "gzip"), ("", ""), ("zstd", "handler")]
        {
            let request =
                format!("GET /warm/packed HTTP/1.1\r\nhost: x\r\naccept-encoding: {accepts}\r\n\r\n");
            let answer = server.ask(&request).await;
            // This server packs zstd for each caller, behind the router.
            if encoding == "handler" {
                assert_eq!(answer.text(), r#"{"from":"handler"}"#, "{from}");
                continue;
            }
            assert_eq!((answer.status, answer.header("content-encoding")), (200, encoding), "{from}");
            assert_eq!((answer.header("x-cache"), answer.header("vary")), ("l1; age=0", "accept-encoding"));
            assert_eq!(answer.header("etag"), "\"7\"", "the version, in every encoding");
            assert_eq!(unpack(encoding, &answer.body), large_text(), "{accepts} from {from}");
        }
        server.stop().await;
    }
}

fn unpack(encoding: &str, body: &[u8]) -> String {
    let mut text = String::new();
    match encoding {
        "gzip" => flate2::read::GzDecoder::new(body).read_to_string(&mut text).unwrap(),
        "br" => brotli::Decompressor::new(body, 4_096).read_to_string(&mut text).unwrap(),
        _ => (&mut &body[..]).read_to_string(&mut text).unwrap(),
    };
    text
}

#[tokio::test]
async fn a_look_up_that_panics_is_answered_by_the_handler_on_the_same_connection() {
    for hot_wire in [true, false] {
        let server = start(|options| options.hot_wire = hot_wire);
        let mut wire = server.connect().await;
        for _ in 0..2 {
            assert_eq!(wire.get("/warm/panics").await.expect("an answer").text(), r#"{"from":"handler"}"#);
            assert_eq!(wire.get("/warm/known").await.expect("an answer").text(), r#"{"from":"memory"}"#);
        }
        drop(wire);
        server.stop().await;
    }
}

/// Counts what passes it, and refuses one client.
fn counting(passed: &Arc<AtomicUsize>) -> Gate {
    let passed = Arc::clone(passed);
    Arc::new(move |asked: &GateRequest<'_>| {
        passed.fetch_add(1, Ordering::SeqCst);
        match asked.client.to_string().as_str() {
            "9.9.9.9" => Err(Problem::new(Code::TooMany, "once is enough")),
            _ => Ok(()),
        }
    })
}

#[tokio::test]
async fn the_gate_is_asked_once_for_each_request_whichever_way_it_is_answered() {
    for hot_wire in [true, false] {
        let (passed, looked) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&looked);
        let find = move |asked: &HotRequest<'_>| {
            counted.fetch_add(1, Ordering::SeqCst);
            match asked.name {
                // Longer than what the wire copies.
                "huge" => remembered(&HotRequest { name: "known", ..*asked })
                    .map(|answer| HotAnswer { body: vec![b' '; 20_000].into(), ..answer }),
                _ => remembered(asked),
            }
        };
        let routes = OpenApiRouter::new().routes(routes!(warm)).routes(routes!(count));
        let hot = HotRead { path: "/warm/{id}", find: Arc::new(find) };
        let app = App::new("Test", "1").serve(warm_service(routes).hot_read(hot)).gate(counting(&passed));
        let change = |options: &mut HttpOptions| {
            options.hot_wire = hot_wire;
            options.trusted_proxies = vec!["127.0.0.1".to_owned()];
        };
        let server = Running::start_app(change, app);
        let mut wire = server.connect().await;
        // Each with the number of looks into memory.
        for (request, looks) in [
            ("GET /warm/known HTTP/1.1\r\nhost: x\r\n\r\n", 1),
            ("GET /warm/unknown HTTP/1.1\r\nhost: x\r\n\r\n", 1),
            ("GET /warm/huge HTTP/1.1\r\nhost: x\r\n\r\n", 1),
            ("GET /warm/large HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip\r\n\r\n", 1),
            ("GET /warm/packed HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip\r\n\r\n", 1),
            ("GET /warm/known HTTP/1.1\r\nhost: x\r\nif-none-match: \"6\"\r\n\r\n", 1),
            ("GET /hello HTTP/1.1\r\nhost: x\r\n\r\n", 0),
            ("POST /count HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc", 0),
        ] {
            let before = (passed.load(Ordering::SeqCst), looked.load(Ordering::SeqCst));
            wire.send(request.as_bytes()).await;
            assert_eq!(wire.answer().await.unwrap().status, 200, "{request}");
            let after = (passed.load(Ordering::SeqCst), looked.load(Ordering::SeqCst));
            assert_eq!((after.0 - before.0, after.1 - before.1), (1, looks), "{hot_wire} {request}");
        }
        let before = passed.load(Ordering::SeqCst);
        wire.send(b"GET /warm/known HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 9.9.9.9\r\n\r\n").await;
        wire.answer().await.unwrap().is_problem(Code::TooMany);
        assert_eq!(passed.load(Ordering::SeqCst) - before, 1, "a refusal counts once as well");
        // What no guard lets through does not come to the gate.
        assert_eq!(wire.get("/nowhere").await.unwrap().status, 404);
        assert_eq!(passed.load(Ordering::SeqCst) - before, 1);
        drop(wire);
        server.stop().await;
    }
}

#[tokio::test]
async fn the_guards_stand_before_the_memory() {
    let server = start(|options| {
        options.local_hosts_only = true;
        options.headers_max = 5;
    });
    let foreign = server.ask("GET /warm/known HTTP/1.1\r\nhost: evil.example\r\n\r\n").await;
    foreign.is_problem(Code::Malformed);
    for (origin, status) in [("http://evil.example", 400), ("null", 400), ("http://localhost:5173", 200)] {
        let asked = format!("GET /warm/known HTTP/1.1\r\nhost: localhost\r\norigin: {origin}\r\n\r\n");
        assert_eq!(server.ask(&asked).await.status, status, "{origin}");
    }
    let two = server.ask("GET /warm/known HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n\r\n").await;
    two.is_problem(Code::Malformed);
    for name in ["via", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"]
    {
        let asked = format!("GET /warm/known HTTP/1.1\r\nhost: localhost\r\n{name}: 10.0.0.1\r\n\r\n");
        server.ask(&asked).await.is_problem(Code::Malformed);
    }
    let mut wire = server.connect().await;
    // A connection is not trusted for what its first request said.
    for (host, status) in
        [("localhost", 200), ("evil.example", 400), ("localhost:80", 200), ("localhost", 200)]
    {
        wire.send(format!("GET /warm/known HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes()).await;
        assert_eq!(wire.answer().await.unwrap().status, status, "{host}");
    }
    server.stop().await;
}

#[tokio::test]
async fn http2_reads_from_memory_too() {
    let server = start(|_| {});
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    pando_telemetry::spawn("test_client", async { drop(connection.await) });
    let ask = |method: Method| {
        Request::builder().method(method).uri("http://x/warm/known").body(Empty::<Bytes>::new()).unwrap()
    };
    let head = client.send_request(ask(Method::HEAD)).await.unwrap();
    assert_eq!((head.status(), head.headers().get("x-cache")), (StatusCode::OK, None));
    let answer = client.send_request(ask(Method::GET)).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["x-cache"], "l1; age=0");
    assert_eq!(answer.collect().await.unwrap().to_bytes(), WARM);
    drop(client);
    server.stop().await;
}

#[tokio::test]
async fn a_hot_read_of_a_route_that_is_not_there_is_refused_at_the_start() {
    let hot = HotRead { path: "/other", find: Arc::new(remembered) };
    let app = App::new("Test", "1").serve(warm_service(OpenApiRouter::new()).hot_read(hot));
    let refused = pando_http::document(app).unwrap_err().to_string();
    assert!(refused.contains("/other"), "{refused}");
}
