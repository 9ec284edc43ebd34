//! What an ordinary request gets: headers, routes, problems, deadlines, compression.

use pando_http::Code;

use crate::harness::Running;

#[tokio::test]
async fn every_answer_is_named_and_guarded() {
    let server = Running::start(|options| options.pod_name = Some("pod-7".to_owned()));
    let answer = server.get("/hello").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["request_id"], answer.header("x-request-id"));
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(server.get("/docs").await.header("referrer-policy"), "no-referrer");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-pod-name"), "pod-7");
    assert_eq!(answer.header("connection"), "");

    let request = "GET /hello HTTP/1.1\r\nhost: x\r\nx-request-id: mine-1\r\npando-consistency: p:7\r\n\r\n";
    let named = server.ask(request).await;
    assert_eq!(named.header("x-request-id"), "mine-1");
    assert_eq!(named.json()["request_id"], "mine-1");
    assert_eq!(named.json()["consistency"], "p:7");
    server.stop().await;
}

#[tokio::test]
async fn a_version_is_confirmed_instead_of_sent_again() {
    let server = Running::start(|_| {});
    let answer = server.get("/items/7").await;
    assert_eq!((answer.status, answer.text().as_str(), answer.header("etag")), (200, "7", "\"3\""));
    assert_eq!(answer.header("cache-control"), "private, no-cache");
    let again = server.ask("GET /items/7 HTTP/1.1\r\nhost: x\r\nif-none-match: \"3\"\r\n\r\n").await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!((answer.header("vary"), again.header("vary")), ("accept-encoding", "accept-encoding"));
    let bad = server.ask("GET /items/7 HTTP/1.1\r\nhost: x\r\nif-none-match: 3\r\n\r\n").await;
    bad.is_problem(Code::Malformed);
    server.stop().await;
}

#[tokio::test]
async fn what_a_handler_says_it_depends_on_stands_beside_the_encoding() {
    let server = Running::start(|_| {});
    let answer = server.get("/behave/varied").await;
    let vary: Vec<_> = answer.headers.get_all("vary").iter().collect();
    assert_eq!(vary, ["origin", "accept-encoding"]);
    server.stop().await;
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let server = Running::start(|_| {});
    for path in
        ["/nowhere", "/undocumented", "/hello/", "/../hello", "/%2e%2e/hello", "/items/7/8", "//hello"]
    {
        let answer = server.get(path).await;
        answer.is_problem(Code::NotFound);
        assert_eq!(answer.json()["instance"], path);
    }
    for method in ["POST", "DELETE", "TRACE", "BREW", "PROPFIND"] {
        let answer =
            server.ask(&format!("{method} /hello HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n")).await;
        answer.is_problem(Code::MethodNotAllowed);
        assert_eq!(answer.header("allow"), "GET, HEAD, OPTIONS");
    }
    let options = server.ask("OPTIONS /items/7 HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!((options.status, options.header("allow")), (204, "GET, HEAD, PUT, OPTIONS"));
    let batch = server.post("/items:batch", "text/plain", b"").await;
    assert_eq!((batch.status, batch.text().as_str()), (200, "batch"));
    server.get("/items:batch").await.is_problem(Code::MethodNotAllowed);
    server.stop().await;
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let server = Running::start(|_| {});
    let mut wire = server.connect().await;
    wire.send(b"HEAD /large HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip\r\n\r\n").await;
    let head = wire.head().await;
    assert!(!head.contains("content-length") && head.contains("vary: accept-encoding"), "{head}");
    for path in ["/large", "/health", "/nowhere"] {
        wire.send(format!("HEAD {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await;
        let head = wire.head().await;
        assert!(head.contains("content-length: "), "{head}");
    }
    // Nothing but heads came: the next answer on the same connection is in step.
    assert_eq!(wire.get("/hello").await.unwrap().status, 200);
    drop(wire);
    server.stop().await;
}

#[tokio::test]
async fn failures_say_nothing_of_the_inside() {
    let server = Running::start(|_| {});
    let internal = server.get("/behave/internal").await;
    internal.is_problem(Code::Internal);
    assert!(!internal.text().contains("hunter2"));
    let away = server.get("/behave/unavailable").await;
    away.is_problem(Code::Unavailable);
    assert_eq!(away.header("retry-after"), "1");
    server.get("/behave/nothing").await.is_problem(Code::NotFound);
    server.stop().await;
}

#[tokio::test]
async fn an_error_without_a_problem_becomes_one() {
    let server = Running::start(|_| {});
    let teapot = server.get("/behave/teapot").await;
    assert_eq!((teapot.status, teapot.header("content-type")), (418, "application/problem+json"));
    assert_eq!(teapot.json()["detail"], "short and stout");
    let bare = server.get("/behave/bare").await;
    assert_eq!((bare.status, bare.json()["code"].as_str()), (502, Some("bad_gateway")));
    let own = server.get("/behave/own").await;
    assert_eq!((own.status, own.json()["own"].as_bool()), (409, Some(true)));
    server.stop().await;
}

#[tokio::test]
async fn a_panic_is_an_answer_and_the_connection_goes_on() {
    let server = Running::start(|_| {});
    let mut wire = server.connect().await;
    let answer = wire.get("/behave/panic").await.unwrap();
    answer.is_problem(Code::Internal);
    assert!(!answer.text().contains("as asked"));
    assert_eq!(wire.get("/hello").await.unwrap().status, 200);
    drop(wire);
    server.stop().await;
}

#[tokio::test]
async fn a_deadline_ends_the_handler() {
    let server = Running::start(|options| options.deadline_ms = 2_000);
    server.get("/behave/hang").await.is_problem(Code::Timeout);
    let shorter = server.ask("GET /hello HTTP/1.1\r\nhost: x\r\nrequest-timeout: 1500ms\r\n\r\n").await;
    assert!(shorter.json()["left_ms"].as_u64().unwrap() <= 1_500);
    let longer = server.ask("GET /hello HTTP/1.1\r\nhost: x\r\nrequest-timeout: 60\r\n\r\n").await;
    assert!(longer.json()["left_ms"].as_u64().unwrap() <= 2_000);
    server.stop().await;
}

#[tokio::test]
async fn only_trusted_proxies_name_the_client() {
    let request = "GET /hello HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 203.0.113.9\r\n\r\n";
    let server = Running::start(|_| {});
    assert_eq!(server.ask(request).await.json()["client"], "127.0.0.1");
    server.stop().await;
    let server = Running::start(|options| options.trusted_proxies = vec!["127.0.0.0/8".to_owned()]);
    assert_eq!(server.ask(request).await.json()["client"], "203.0.113.9");
    server.stop().await;
}

#[tokio::test]
async fn large_texts_are_compressed_for_those_who_ask() {
    let server = Running::start(|_| {});
    let plain = server.get("/large").await;
    assert_eq!((plain.body.len(), plain.header("content-encoding")), (6_000, ""));
    assert_eq!(plain.header("vary"), "accept-encoding");
    for encoding in ["gzip", "br", "zstd"] {
        let request =
            |path: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\naccept-encoding: {encoding}\r\n\r\n");
        let packed = server.ask(&request("/large")).await;
        assert_eq!(packed.header("content-encoding"), encoding);
        assert_eq!(packed.header("vary"), "accept-encoding");
        assert!(packed.body.len() < 600, "{} bytes", packed.body.len());
        assert_eq!(server.ask(&request("/hello")).await.header("content-encoding"), "");
        assert_eq!(server.ask(&request("/stream")).await.body.len(), 1_100);
        server.ask(&request("/behave/internal")).await.is_problem(Code::Internal);
        for path in ["/behave/many_errors", "/behave/long_text"] {
            let problem = server.ask(&request(path)).await;
            problem.is_problem(Code::Invalid);
            assert!(problem.body.len() > 2_000, "large enough to be worth it");
            assert_eq!((problem.header("content-encoding"), problem.header("vary")), ("", ""), "{path}");
        }
        let own = server.ask(&request("/behave/large_own")).await;
        assert_eq!((own.status, own.header("content-encoding")), (409, encoding));
    }
    server.stop().await;
}

#[tokio::test]
async fn requests_are_counted_by_route_never_by_path() {
    let server = Running::start(|_| {});
    for path in ["/items/1", "/items/2", "/nowhere/1", "/nowhere/2"] {
        server.get(path).await;
    }
    server.ask("BREW /hello HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let text = server.get("/metrics").await.text();
    for line in [
        r#"http_requests_total{endpoint="/items/{id}",method="GET",service="test",status="200"} 2"#,
        r#"http_requests_total{endpoint="unknown",method="GET",service="none",status="404"} 2"#,
        r#"http_errors_total{endpoint="unknown",error_type="not_found",method="GET"} 2"#,
        r#"http_requests_total{endpoint="/hello",method="OTHER",service="test",status="405"} 1"#,
        r#"http_request_duration_seconds_count{endpoint="/items/{id}",method="GET",service="test"} 2"#,
        "http_active_requests 1",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    server.stop().await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_counted() {
    let server = Running::start(|_| {});
    let mut wire = server.connect().await;
    assert!(wire.get("/breaking").await.is_none(), "cut short, so that nobody takes it for the whole");
    let counted = r#"http_errors_total{endpoint="/breaking",error_type="aborted",method="GET"} 1"#;
    assert!(server.metrics.render().contains(counted), "{}", server.metrics.render());
    server.stop().await;
}
