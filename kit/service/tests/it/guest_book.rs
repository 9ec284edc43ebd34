//! The guest book of the guide, behind a real server.

#[path = "../../examples/guest_book/guest_book.rs"]
mod book;

use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use pando_database::Database;
use pando_database::testing::each_engine;
use pando_http::{App, HttpOptions, Server};
use pando_queue::Registry;
use pando_service::Parts;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

struct Served {
    address: SocketAddr,
    parts: Parts,
    _folder: tempfile::TempDir,
    stop: oneshot::Sender<()>,
}

struct Answer {
    status: u16,
    headers: http::HeaderMap,
    body: Value,
}

async fn each_book(test: impl AsyncFn(&Served)) {
    each_engine(async |database: Database| {
        let tables = [pando_queue::MIGRATIONS, pando_idempotency::MIGRATIONS];
        let tables: Vec<_> = book::BLUEPRINT.migrations.into_iter().chain(tables).collect();
        database.migrate(&tables).await.unwrap();
        let (clock, folder) = (pando_clock::Clock::system(), tempfile::tempdir().unwrap());
        let parts = Parts::with_defaults(&database, folder.path(), &clock).await.unwrap();
        let service = book::open(&parts, &mut Registry::default()).unwrap();
        let app = service.routes.into_iter().fold(App::new("Guest book", "1"), App::serve);
        let mut options = HttpOptions { drain_delay_ms: 0, ..HttpOptions::default() };
        options.listen.set_port(0);
        let server = Server::bind(&options, app, &parts.metrics, &clock).unwrap();
        let (stop, stopped) = oneshot::channel();
        let served = Served { address: server.local_addr(), parts, _folder: folder, stop };
        let running = pando_telemetry::spawn("test.server", server.run(async { drop(stopped.await) }));
        test(&served).await;
        served.stop.send(()).unwrap();
        running.await.unwrap();
    })
    .await;
}

impl Served {
    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        pando_telemetry::spawn("test.client", async move { drop(connection.await) });
        let request = http::Request::builder().method(method).uri(path).header("host", "test");
        let request = request.header("content-type", "application/json");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = sender.send_request(request.body(Full::new(bytes::Bytes::from(body))).unwrap());
        let (head, body) = answer.await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], &Value::Null).await
    }
}

#[tokio::test]
async fn it_does_what_the_guide_says() {
    each_book(async |served| {
        let ada = json!({"guest": "Ada", "words": "Lovely"});
        let keyed = [("idempotency-key", "visit-1")];
        let signed = served.ask("POST", "/api/v1/entries", &keyed, &ada).await;
        assert_eq!((signed.status, &signed.body["guest"]), (201, &json!("Ada")));
        let again = served.ask("POST", "/api/v1/entries", &keyed, &ada).await;
        assert_eq!((again.status, &again.body), (201, &signed.body), "a repeat signs once");
        assert_eq!(again.headers["idempotent-replayed"], "true");
        let place = signed.headers["location"].to_str().unwrap().to_owned();

        assert_eq!(served.get(&place).await.body["source"], "database");
        let read = served.get(&place).await;
        assert_eq!(
            (read.status, &read.body["source"], &read.headers["etag"]),
            (200, &json!("cache"), &"\"1\"".parse().unwrap())
        );
        assert_eq!(served.ask("GET", &place, &[("if-none-match", "\"1\"")], &Value::Null).await.status, 304);

        let listed = async || served.get("/api/v1/entries").await.body["entries"].as_array().unwrap().len();
        assert_eq!(listed().await, 1);
        let fenced = [("if-match", "\"1\"")];
        let corrected = served.ask("PUT", &place, &fenced, &json!({"words": "Wonderful"})).await;
        assert_eq!((corrected.status, &corrected.body["version"]), (200, &json!(2)));
        assert_eq!(served.get(&place).await.body["words"], "Wonderful", "nothing old is served");
        assert_eq!(served.ask("PUT", &place, &fenced, &json!({"words": "x"})).await.status, 412);
        assert_eq!(served.get(&place).await.body["words"], "Wonderful");

        served.ask("POST", "/api/v1/entries", &[], &json!({"guest": "Bob"})).await;
        assert_eq!(listed().await, 2, "a list knows of every write");
        let page = served.get("/api/v1/entries?limit=1").await.body;
        assert_eq!(page["entries"][0]["guest"], "Bob");
        let next = page["next"].as_str().unwrap();
        let page = served.get(&format!("/api/v1/entries?limit=1&cursor={next}")).await.body;
        assert_eq!((&page["entries"][0]["guest"], &page["next"]), (&json!("Ada"), &Value::Null));

        let refused = served.ask("POST", "/api/v1/entries", &[], &json!({"words": 7})).await;
        assert_eq!((refused.status, refused.body["errors"].as_array().unwrap().len()), (422, 2));
        assert_eq!(served.get("/api/v1/entries/nobody").await.status, 404);

        let events = pando_database::Query::scan("test.events", "select count(*) from outbox_events");
        let call = crate::call();
        let row = served.parts.database.read_primary(&call).row(&events, []).await.unwrap().unwrap();
        assert_eq!(row.get::<i64>(0).unwrap(), 3, "an event for each change");
    })
    .await;
}

/// Every quote of the guide stands in the program, which is compiled and tested.
#[test]
fn the_guide_quotes_the_program() {
    let (guide, program) = (
        include_str!("../../../../docs/guides/service.md"),
        include_str!("../../examples/guest_book/guest_book.rs"),
    );
    let quotes: Vec<&str> =
        guide.split("```rust\n").skip(1).filter_map(|it| it.split("```").next()).collect();
    assert!(quotes.len() > 4, "it quotes");
    for quote in quotes {
        assert!(program.contains(quote.trim_end()), "not in the program:\n{quote}");
    }
}
