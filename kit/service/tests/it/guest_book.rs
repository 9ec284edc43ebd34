//! The guest book of the guide, behind a real server.

#[path = "../../examples/guest_book/guest_book.rs"]
mod book;

use http::Method;
use pando_clock::Clock;
use pando_database::Database;
use pando_queue::Registry;
use pando_service::testing::{TestServer, each_house};
use serde_json::json;

async fn each_book(test: impl AsyncFn(&TestServer, &Database)) {
    let tables: Vec<_> = book::BLUEPRINT.migrations.into_iter().collect();
    each_house(&tables, Clock::system, async |house| {
        let service = book::open(&house.parts, &mut Registry::default()).unwrap();
        test(&TestServer::start(&house.parts, service), &house.parts.database).await;
    })
    .await;
}

#[tokio::test]
async fn it_does_what_the_guide_says() {
    each_book(async |served, database| {
        let ada = json!({"guest": "Ada", "words": "Lovely"});
        let keyed = [("idempotency-key", "visit-1")];
        let signed = served.ask(Method::POST, "/api/v1/entries", &keyed, ada.to_string()).await;
        assert_eq!((signed.status.as_u16(), &signed.json()["guest"]), (201, &json!("Ada")));
        let again = served.ask(Method::POST, "/api/v1/entries", &keyed, ada.to_string()).await;
        assert_eq!((again.status.as_u16(), &again.body), (201, &signed.body), "a repeat signs once");
        assert_eq!(again.headers["idempotent-replayed"], "true");
        let place = signed.headers["location"].to_str().unwrap().to_owned();

        assert_eq!(served.get(&place).await.json()["source"], "database");
        let read = served.get(&place).await;
        assert_eq!(
            (read.status.as_u16(), &read.json()["source"], &read.headers["etag"]),
            (200, &json!("cache"), &"\"1\"".parse().unwrap())
        );
        assert_eq!(served.ask(Method::GET, &place, &[("if-none-match", "\"1\"")], "").await.status, 304);

        let listed = async || served.get("/api/v1/entries").await.json()["entries"].as_array().unwrap().len();
        assert_eq!(listed().await, 1);
        let fenced = [("if-match", "\"1\"")];
        let corrected =
            served.ask(Method::PUT, &place, &fenced, json!({"words": "Wonderful"}).to_string()).await;
        assert_eq!((corrected.status.as_u16(), &corrected.json()["version"]), (200, &json!(2)));
        assert_eq!(served.get(&place).await.json()["words"], "Wonderful", "nothing old is served");
        assert_eq!(
            served.ask(Method::PUT, &place, &fenced, json!({"words": "x"}).to_string()).await.status,
            412
        );
        assert_eq!(served.get(&place).await.json()["words"], "Wonderful");

        served.ask(Method::POST, "/api/v1/entries", &[], json!({"guest": "Bob"}).to_string()).await;
        assert_eq!(listed().await, 2, "a list knows of every write");
        let page = served.get("/api/v1/entries?limit=1").await.json();
        assert_eq!(page["entries"][0]["guest"], "Bob");
        let next = page["next"].as_str().unwrap();
        let page = served.get(&format!("/api/v1/entries?limit=1&cursor={next}")).await.json();
        assert_eq!((&page["entries"][0]["guest"], &page["next"]), (&json!("Ada"), &serde_json::Value::Null));

        let refused = served.ask(Method::POST, "/api/v1/entries", &[], json!({"words": 7}).to_string()).await;
        assert_eq!((refused.status.as_u16(), refused.json()["errors"].as_array().unwrap().len()), (422, 2));
        assert_eq!(served.get("/api/v1/entries/nobody").await.status, 404);

        let events = pando_database::Query::scan("test.events", "select count(*) from outbox_events");
        let call = crate::call();
        let row = database.read_primary(&call).row(&events, []).await.unwrap().unwrap();
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
