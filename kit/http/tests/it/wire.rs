//! Hot reads on the wire: whatever a client sends, and in whatever pieces, the answers are those of the ordinary way.

use tokio::io::AsyncWriteExt as _;

use crate::harness::{Answer, Running};
use crate::hot;

const HOT: &str = "GET /warm/known HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Requests of every kind, most of them not quite what they should be. Every body is one that its route reads: whether
/// hyper closes after an answer to half a request depends on the pieces.
const REQUESTS: &[&str] = &[
    HOT,
    "GET /warm/known HTTP/1.1\r\nHost: localhost\r\nUser-Agent: a/1\r\nAccept: */*\r\nConnection: Keep-Alive\r\n\r\n",
    "GET /warm/known HTTP/1.1\r\nhost: localhost\r\nX-Request-ID: mine\r\n\r\n",
    "GET /warm/known HTTP/1.1\r\nhost: localhost\r\nx-request-id: not mine\r\n\r\n",
    "GET /warm/known HTTP/1.1\r\nhost: localhost\r\nPando-Consistency: t1\r\n\r\n",
    "GET /warm/known HTTP/1.1\r\nhost: localhost\r\npando-consistency: t2\r\n\r\n",
    "GET /warm/known HTTP/1.1\r\nhost: localhost\r\nAccept-Encoding: gzip\r\n\r\n",
    "GET /warm/large HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "GET /warm/large HTTP/1.1\r\nhost: localhost\r\naccept-encoding: gzip\r\n\r\n",
    "GET /warm/packed HTTP/1.1\r\nhost: localhost\r\naccept-encoding: gzip\r\n\r\n",
    "GET /warm/packed HTTP/1.1\r\nhost: localhost\r\naccept-encoding: br;q=0.5, gzip\r\n\r\n",
    "GET /warm/packed HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "GET /warm/panics HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "GET /warm/known HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: 10.0.0.1\r\n\r\n",
    "GET /warm/known HTTP/1.1\r\nhost: localhost\r\nif-none-match: \"7\"\r\n\r\n",
    "GET /warm/known HTTP/1.1\r\nhost: localhost\r\nif-match: \"9\"\r\n\r\n",
    "GET /warm/known?fields=id HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "GET /warm/known#here HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "GET http://localhost/warm/known HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "GET /warm/unknown HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "GET /nowhere HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "DELETE /warm/known HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "OPTIONS /warm/known HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "GET /warm/known HTTP/1.0\r\nhost: localhost\r\nconnection: keep-alive\r\n\r\n",
    "GET /warm/known HTTP/1.1\r\n\r\n",
    "GET /warm/known HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n\r\n",
    "GET /warm/known HTTP/1.1\r\nhost: a/b\r\n\r\n",
    "GET /warm/known HTTP/1.1\r\nhost: evil.example\r\n\r\n",
    "GET /warm/known HTTP/1.1\r\nhost: localhost\r\norigin: http://evil.example\r\n\r\n",
    "\r\nGET /warm/known HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "GET /warm/known HTTP/1.1\nhost: localhost\n\n",
    "GET /warm/known HTTP/1.1\r\nhost : localhost\r\n\r\n",
    "GET /warm/known HTTP/1.1\r\nhost: localhost\r\nfolded: a\r\n b\r\n\r\n",
    "GET  /warm/known HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "GET /warm/kno\u{0}wn HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "GET /warm/known HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n",
    "GET /warm/known HTTP/1.1\r\nhost: localhost\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
    "POST /json HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 12\r\n\r\n{\"name\":\"x\"}",
    // Bodies that hold a request, which must not be one.
    "POST /count HTTP/1.1\r\nhost: localhost\r\ncontent-length: 46\r\n\r\nGET /warm/known HTTP/1.1\r\nhost: localhost\r\n\r\n ",
    "POST /count HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n\
     2e\r\nGET /warm/known HTTP/1.1\r\nhost: localhost\r\n\r\n \r\n0\r\n\r\n",
    "POST /count HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\nabc",
    "POST /count HTTP/1.1\r\nhost: localhost\r\ncontent-length: +3\r\n\r\nabc",
    "POST /count HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3, 3\r\n\r\nabc",
    "POST /count HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999999999999999999\r\n\r\nabc",
    "POST /count HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\nabc",
    "\u{16}\u{3}\u{1} hello",
];

/// One server that answers on the wire, and one that does not.
fn start() -> [Running; 2] {
    [true, false].map(|hot_wire| {
        hot::start(|options| {
            options.hot_wire = hot_wire;
            options.local_hosts_only = true;
            // However slow this machine is.
            (options.deadline_ms, options.header_read_timeout_ms) = (60_000, 60_000);
        })
    })
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}

/// Everything that is answered to these bytes, sent in pieces that end where told, without what differs by nature.
async fn answers(server: &Running, bytes: &[u8], ends: &[usize]) -> Vec<String> {
    let mut wire = server.connect().await;
    let mut sent = 0;
    for end in ends.iter().copied().chain([bytes.len()]) {
        wire.send(&bytes[sent..end]).await;
        sent = end;
        tokio::task::yield_now().await;
    }
    let _ = wire.stream.shutdown().await;
    let mut all = Vec::new();
    while let Some(answer) = wire.answer().await {
        all.push(told(&answer));
    }
    all
}

fn told(answer: &Answer) -> String {
    let mut headers: Vec<String> = answer
        .headers
        .iter()
        .filter(|(name, _)| *name != "date" && *name != "x-request-id")
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    headers.sort();
    let id = answer.header("x-request-id");
    assert!(answer.status != 200 || answer.header("date").ends_with(" GMT"), "{answer:?}");
    let named = if id.len() == 36 { "fresh" } else { id };
    let body = answer.text().replace(if id.is_empty() { "-" } else { id }, "");
    format!("{} {named} {} {body}", answer.status, headers.join("|"))
}

/// The same answers from both servers; how many there were.
async fn agree(servers: &[Running; 2], bytes: &[u8], ends: &[usize]) -> usize {
    let [wire, ordinary] = servers;
    let found = answers(wire, bytes, ends).await;
    let expected = answers(ordinary, bytes, &[]).await;
    assert_eq!(found, expected, "{:?} in pieces at {ends:?}", String::from_utf8_lossy(bytes));
    found.len()
}

#[tokio::test]
async fn every_request_is_answered_as_it_is_without_the_wire() {
    let servers = start();
    for request in REQUESTS {
        for bytes in [request.to_string(), format!("{HOT}{request}{HOT}")] {
            for ends in [vec![], vec![bytes.len() / 2], (1..bytes.len()).collect()] {
                agree(&servers, bytes.as_bytes(), &ends).await;
            }
        }
    }
    let many: String = (0..60).map(|number| format!("x-{number}: 1\r\n")).collect();
    let long = format!("GET /warm/{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "k".repeat(20_000));
    for request in [format!("GET /warm/known HTTP/1.1\r\nhost: localhost\r\n{many}\r\n"), long] {
        agree(&servers, format!("{HOT}{request}{HOT}").as_bytes(), &[HOT.len() + 500]).await;
    }
    // Bodies of requests, one that is counted past and one that is not.
    for count in [1_000, 2_000] {
        let body = HOT.repeat(count);
        let head =
            format!("POST /count HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", body.len());
        let answered = agree(&servers, format!("{head}{body}{HOT}").as_bytes(), &[100, 30_000]).await;
        assert_eq!(answered, 2);
    }
    for server in servers {
        server.stop().await;
    }
}

#[tokio::test]
async fn what_is_in_memory_waits_for_the_answers_before_it() {
    let [server, ordinary] = start();
    for (before, end) in [("/behave/slow", "slow"), ("/stream", "9\n"), ("/huge", "x")] {
        let mut wire = server.connect().await;
        let slow = format!("GET {before} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        wire.send(format!("{HOT}{slow}{HOT}{HOT}").as_bytes()).await;
        for turn in 0..4 {
            let answer = wire.answer().await.unwrap();
            match turn {
                1 => assert!(answer.text().ends_with(end), "{before} in its turn"),
                _ => assert_eq!(answer.header("x-cache"), "l1; age=0", "{before}: {turn}"),
            }
        }
    }
    server.stop().await;
    ordinary.stop().await;
}

#[tokio::test]
async fn pipelined_mixtures_in_any_pieces_are_answered_in_turn() {
    let servers = start();
    let (mut dice, mut answered) = (Dice(0x9e37_79b9_7f4a_7c15), 0);
    for _ in 0..300 {
        let mut bytes = String::new();
        for _ in 0..=dice.below(6) {
            // Mostly hot: what goes wrong ends the connection.
            let index = if dice.below(2) == 0 { 0 } else { dice.below(REQUESTS.len()) };
            bytes.push_str(REQUESTS[index]);
        }
        let mut ends: Vec<usize> = (0..dice.below(5)).map(|_| dice.below(bytes.len())).collect();
        ends.sort_unstable();
        answered += agree(&servers, bytes.as_bytes(), &ends).await;
    }
    assert!(answered > 500, "only {answered} answers were compared");
    for server in servers {
        server.stop().await;
    }
}

/// Some of the bytes are left out, doubled, or become others.
fn damaged(dice: &mut Dice, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=dice.below(3) {
        let (at, other) = (dice.below(bytes.len()), dice.below(bytes.len()));
        match dice.below(4) {
            0 if bytes.len() > 1 => drop(bytes.remove(at)),
            1 => bytes.insert(at, bytes[at]),
            2 => bytes[at] = b"\r\n\0 :/,;0Zz~\x7f\xff"[dice.below(14)],
            _ => bytes.swap(at, other),
        }
    }
    bytes
}

#[tokio::test]
async fn prove_that_damaged_requests_are_answered_alike() {
    let servers = start();
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let rounds = if std::env::var_os("PANDO_PROVE").is_some() { 100_000 } else { 500 };
    for _ in 0..rounds {
        let request = REQUESTS[dice.below(REQUESTS.len())];
        let request = damaged(&mut dice, request.as_bytes());
        agree(&servers, &[HOT.as_bytes(), &request, HOT.as_bytes()].concat(), &[]).await;
    }
    for server in servers {
        server.stop().await;
    }
}
