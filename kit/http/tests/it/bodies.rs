//! Bodies: how large, how slow, in which media type.

use pando_http::Code;

use crate::harness::Running;

#[tokio::test]
async fn json_is_read_strictly() {
    let server = Running::start(|_| {});
    let good =
        server.post("/json", "application/json; charset=utf-8", "{\"name\":\"Zoë 李雷\"}".as_bytes()).await;
    assert_eq!((good.status, good.json()["name"].as_str()), (200, Some("Zoë 李雷")));
    for body in ["", "{", "[]", "null", "{\"a\":1,\"a\":2}", "{\"a\":\"\\u0000\"}", "{}{}"] {
        server.post("/json", "application/json", body.as_bytes()).await.is_problem(Code::Malformed);
    }
    server
        .post("/json", "application/json", &"[".repeat(10_000).into_bytes())
        .await
        .is_problem(Code::Malformed);
    server.post("/json", "application/json", b"{\"a\":\"\xff\"}").await.is_problem(Code::Malformed);
    server.post("/json", "text/plain", b"{}").await.is_problem(Code::UnsupportedMedia);
    let untyped = server.ask("POST /json HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}").await;
    assert_eq!(untyped.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_says_it_is_too_large_is_refused_at_once() {
    let server = Running::start(|_| {});
    let mut wire = server.connect().await;
    // Not a byte of the body is sent.
    wire.send(b"POST /json HTTP/1.1\r\nhost: x\r\ncontent-length: 104857600\r\n\r\n").await;
    wire.answer().await.unwrap().is_problem(Code::TooLarge);
    drop(wire);
    let exact = server.post("/small", "text/plain", b"0123456789").await;
    assert_eq!((exact.status, exact.text().as_str()), (200, "0123456789"));
    server.post("/small", "text/plain", b"0123456789a").await.is_problem(Code::TooLarge);
    server.stop().await;
}

#[tokio::test]
async fn a_refused_body_that_is_sent_all_the_same_does_not_destroy_the_answer() {
    let server = Running::start(|_| {});
    let body = vec![b'x'; 8 * 1024 * 1024];
    for _ in 0..5 {
        server.post("/json", "application/json", &body).await.is_problem(Code::TooLarge);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_chunked_body_is_bounded_while_it_is_read() {
    let server = Running::start(|_| {});
    let request = "POST /small HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n6\r\n012345\r\n6\r\n678901\r\n0\r\n\r\n";
    server.ask(request).await.is_problem(Code::TooLarge);
    let fits = "POST /small HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n";
    assert_eq!(server.ask(fits).await.text(), "0123456789");
    server.stop().await;
}

#[tokio::test]
async fn encoded_bodies_are_refused() {
    let server = Running::start(|_| {});
    let head = "POST /json HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n";
    server.ask(&format!("{head}content-encoding: gzip\r\n\r\n{{}}")).await.is_problem(Code::UnsupportedMedia);
    assert_eq!(server.ask(&format!("{head}content-encoding: identity\r\n\r\n{{}}")).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_slow_body_is_the_clients_fault() {
    let server = Running::start(|options| options.deadline_ms = 1_000);
    let request =
        "POST /json HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{\"a\"";
    server.ask(request).await.is_problem(Code::RequestTimeout);
    server.is_well().await;
    server.stop().await;
}

#[tokio::test]
async fn a_streamed_body_may_take_long_but_not_pause_long() {
    let server = Running::start(|options| options.deadline_ms = 1_000);
    let mut wire = server.connect().await;
    wire.send(b"POST /upload HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").await;
    let mut pause = tokio::time::interval(std::time::Duration::from_millis(250));
    for _ in 0..6 {
        pause.tick().await;
        wire.send(b"5\r\nhello\r\n").await;
    }
    wire.send(b"0\r\n\r\n").await;
    assert_eq!(wire.answer().await.unwrap().text(), "30");
    wire.send(b"POST /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhello").await;
    wire.answer().await.unwrap().is_problem(Code::RequestTimeout);
    drop(wire);
    server.post("/upload", "text/plain", &vec![b'x'; 100_001]).await.is_problem(Code::TooLarge);
    server.stop().await;
}

#[tokio::test]
async fn a_body_cut_short_is_told_or_closed() {
    let server = Running::start(|_| {});
    let mut wire = server.connect().await;
    wire.send(
        b"POST /json HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{}",
    )
    .await;
    tokio::io::AsyncWriteExt::shutdown(&mut wire.stream).await.unwrap();
    wire.answer().await.unwrap().is_problem(Code::Malformed);
    drop(wire);
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_go_on() {
    let server = Running::start(|_| {});
    let mut wire = server.connect().await;
    wire.send(b"POST /small HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\nhello")
        .await;
    assert_eq!(wire.answer().await.unwrap().text(), "hello");
    wire.send(b"POST /small HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 50\r\n\r\n").await;
    wire.answer().await.unwrap().is_problem(Code::TooLarge);
    drop(wire);
    server.stop().await;
}

#[tokio::test]
async fn a_body_of_many_tiny_values_is_refused_before_it_is_built() {
    let server = Running::start(|options| options.json_nodes_max = 1_000);
    // Large enough to be parsed away from the threads that serve.
    let bomb = format!("{{\"items\":[{}{{}}]}}", "{\"\":0},".repeat(20_000));
    let refused = server.post("/json", "application/json", bomb.as_bytes()).await;
    refused.is_problem(Code::TooLarge);
    assert!(refused.text().contains("more than 1000 values"), "{}", refused.text());
    let large = format!("{{\"text\":\"{}\"}}", "x".repeat(200_000));
    assert_eq!(server.post("/json", "application/json", large.as_bytes()).await.body, large.as_bytes());
    server.stop().await;
}

#[tokio::test]
async fn bodies_share_one_budget_that_keeps_a_reserve_for_small_ones() {
    const LARGE: usize = 600 * 1024;
    let server = Running::start(|options| {
        (options.body_budget_bytes, options.deadline_ms) = (1024 * 1024, 60_000);
    });
    let head = format!("POST /json HTTP/1.1\r\nhost: x\r\ncontent-length: {LARGE}\r\n\r\n");
    let mut unfinished = server.connect().await;
    unfinished.send(&[head.as_bytes(), &vec![b' '; LARGE - 2]].concat()).await;
    let large = [&vec![b' '; LARGE - 2][..], b"{}"].concat();
    // The bytes of the first are on their way: at some moment there is no room for a second.
    let refused = loop {
        let answer = server.post("/json", "application/json", &large).await;
        if answer.status != 200 {
            break answer;
        }
    };
    refused.is_problem(Code::Unavailable);
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(server.post("/json", "application/json", b"{}").await.status, 200);
    unfinished.send(b"{}").await;
    assert_eq!(unfinished.answer().await.unwrap().status, 200);
    assert_eq!(server.post("/json", "application/json", &large).await.status, 200, "it is given back");
    drop(unfinished);
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_trickles_is_ended_though_it_never_pauses_for_long() {
    let server =
        Running::start(|options| (options.body_grace_ms, options.body_bytes_per_second_min) = (300, 1_000));
    let mut slow = server.connect().await;
    slow.send(b"POST /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 90000\r\n\r\n").await;
    let mut pause = tokio::time::interval(std::time::Duration::from_millis(20));
    let mut sent = 0;
    // Fifty bytes a second, far below what is asked for, and never a pause of a second and a half.
    while sent < 1_000 && slow.stream.try_write(b"x").is_ok() {
        pause.tick().await;
        sent += 1;
        if slow.has_bytes() {
            break;
        }
    }
    slow.answer().await.unwrap().is_problem(Code::RequestTimeout);
    assert!(sent < 1_000, "ended long before 20 s");
    drop(slow);
    server.stop().await;
}
