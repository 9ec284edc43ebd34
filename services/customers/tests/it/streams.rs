//! Export, import and watch as JSON, and the same import over gRPC's messages.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use futures_util::{StreamExt as _, stream};
use http::{Method, StatusCode};
use pando_customers::{Customers, CustomersOptions, Given, ImportItem, Update, serve};
use pando_database::{Query, params};
use pando_queue::{Outbox, Relay};
use pando_service::testing::{Answer, TestServer};
use pando_service::{Class, Expected, Fault, Parts};
use serde_json::{Value, json};

use crate::{House, call, each_house, given};

const EXPORT: &str = "/api/v1/customers/export";
const IMPORT: &str = "/api/v1/customers/import";
const WATCH: &str = "/api/v1/customers/watch";
/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn lines(body: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(body).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ids(lines: &[Value]) -> Vec<String> {
    lines.iter().map(|line| line["id"].as_str().unwrap().to_owned()).collect()
}

fn line(name: &str) -> String {
    json!({"name": name, "email": format!("{}@example.org", name.to_lowercase())}).to_string()
}

async fn import(house: &House, key: &str, body: impl AsRef<[u8]>) -> Answer {
    let mut headers = vec![("content-type", "application/x-ndjson")];
    headers.extend(Some(("idempotency-key", key)).filter(|_| !key.is_empty()));
    house.server.ask(Method::POST, IMPORT, &headers, body).await
}

async fn count(house: &House) -> usize {
    lines(&house.server.get(EXPORT).await.body).len()
}

#[tokio::test]
async fn an_export_has_everybody_once_and_goes_on_behind_any_customer() {
    each_house(async |house| {
        let empty = house.server.get(EXPORT).await;
        assert_eq!((empty.status, empty.body.len()), (StatusCode::OK, 0));
        assert_eq!(empty.headers["content-type"], "application/x-ndjson");
        let mut made = Vec::new();
        for size in [5_000, 1] {
            let batch = (0..size).map(|number| given(&format!("N{number}"))).collect();
            made.extend(house.customers.batch_create(&call(), batch, false).await.unwrap().value.ids);
            house.parts.clock.advance(Duration::from_secs(1));
        }
        let all = lines(&house.server.get(EXPORT).await.body);
        let (mut sorted, seen) = (ids(&all), ids(&all));
        sorted.sort();
        made.sort();
        assert_eq!(sorted, made);
        let last = house.server.get(&format!("/api/v1/customers/{}", seen[0])).await.json();
        assert_eq!(all[0], last, "a line is a customer as it is read");
        // Behind one that was deleted since, too.
        house.customers.delete_customer(&call(), &Expected::Any, &seen[1_234]).await.unwrap();
        for place in [0, 499, 1_234, 4_999] {
            let rest = house.server.get(&format!("{EXPORT}?after={}", seen[place])).await;
            let expected: Vec<_> = seen[place + 1..].iter().filter(|id| **id != seen[1_234]).cloned().collect();
            assert_eq!(ids(&lines(&rest.body)), expected);
        }
        let page = house.server.get("/api/v1/customers?limit=7").await.json();
        let next = page["next"].as_str().unwrap();
        let rest = house.server.get(&format!("{EXPORT}?cursor={next}")).await;
        assert_eq!(ids(&lines(&rest.body)).first(), Some(&seen[7]));
        for (query, status) in [
            ("after=nobody", 422),
            ("after=a%2Fb", 422),
            ("cursor=x", 400),
            (&format!("cursor={next}&after={}", seen[0]), 400),
            ("cursor=eyJzb3J0IjoiZW1haWwiLCJrZXkiOiIiLCJpZCI6IjAxOTAwMDAwLTAwMDAtNzAwMC04MDAwLTAwMDAwMDAwMDAwMSJ9", 422),
        ] {
            assert_eq!(house.server.get(&format!("{EXPORT}?{query}")).await.status, status, "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_export_that_fails_in_the_middle_breaks_off_and_reads_no_further_than_its_reader() {
    static BREAK: Query = Query::write("test.break", "alter table customers rename to away");
    each_house(async |house| {
        let pairs = |_| (0..60).map(|key| (format!("k{key}"), "x".repeat(999))).collect();
        let batch = (0..600).map(|number| Given { metadata: pairs(number), ..given(&format!("N{number}")) });
        house.customers.batch_create(&call(), batch.collect(), false).await.unwrap();
        let response = house.server.open(Method::GET, EXPORT, &[], "").await;
        assert_eq!(response.status(), StatusCode::OK);
        let mut body = Body::new(response.into_body()).into_data_stream();
        let mut bytes = body.next().await.unwrap().unwrap().len();
        // About 36 MB: no buffer on the way holds them, so pages are left to be read. While these requests are answered, an
        // export that read ahead of its reader would read them all.
        for _ in 0..200 {
            assert_eq!(house.server.get("/api/v1/customers?limit=1").await.status, 200);
        }
        let mut tx = house.parts.database.transaction(&call()).await.unwrap();
        tx.execute(&BREAK, params![]).await.unwrap();
        tx.commit().await.unwrap();
        let broken = loop {
            match tokio::time::timeout(PATIENCE, body.next()).await.unwrap() {
                Some(Ok(piece)) => bytes += piece.len(),
                Some(Err(_)) => break true,
                None => break false,
            }
        };
        assert!(broken && bytes < 30_000_000, "{broken} {bytes}");
        assert_eq!(house.server.get(EXPORT).await.status, 500, "before the first line there is a status");
    })
    .await;
}

#[tokio::test]
async fn an_import_refuses_bad_lines_by_number_and_creates_the_others() {
    each_house(async |house| {
        let long = format!("{{\"name\": \"{}\"}}", "x".repeat(1024 * 1024));
        let text = [
            &line("Ann"),
            "",
            "{\"name\": \"Bob\"",
            "[1]",
            "  ",
            &long,
            "{\"name\": 7, \"email\": \"c\"}",
            "{\"name\": \"Dan\", \"email\": \"d\"}\r",
            "{\"id\": \"export\", \"name\": \"Eve\", \"email\": \"e@example.org\", \"company\": \"ignored\"}",
            &line("Fay"),
            "{\"name\": \"\u{0}\"}",
        ];
        let done = import(&house, "", text.join("\n")).await;
        assert_eq!(done.status, StatusCode::OK, "{done:?}");
        let done = done.json();
        let found: Vec<_> = done["problems"].as_array().unwrap().iter().collect();
        let places: Vec<_> =
            found.iter().map(|it| (it["line"].as_u64().unwrap(), it["field"].as_str().unwrap())).collect();
        let expected = [
            (3, "line"),
            (4, "line"),
            (6, "line"),
            (7, "name"),
            (7, "email"),
            (8, "email"),
            (9, "id"),
            (11, "line"),
        ];
        assert_eq!(places, expected, "{done}");
        assert_eq!((&done["created"], &done["refused"]), (&json!(2), &json!(7)));
        assert_eq!(found[0]["message"], "is not valid JSON: EOF while parsing an object at column 14");
        assert_eq!(count(&house).await, 2);
        // Far more bad lines than are named, and good ones behind them.
        let text = format!("{}{}\n", "x\n".repeat(5_000), line("Guy"));
        let done = import(&house, "", text).await.json();
        assert_eq!((&done["created"], &done["refused"]), (&json!(1), &json!(5_000)));
        assert_eq!(
            (done["problems"].as_array().unwrap().len(), &done["problems"][99]["line"]),
            (100, &json!(100))
        );
        for (media, status) in [("application/json", 415), ("application/jsonl; charset=utf-8", 200)] {
            let done = house.server.ask(Method::POST, IMPORT, &[("content-type", media)], "").await;
            assert_eq!(done.status, status, "{media}");
        }
        assert_eq!(house.server.get(IMPORT).await.status, 405);
    })
    .await;
}

#[tokio::test]
async fn an_import_with_a_key_is_the_same_over_every_transport() {
    each_house(async |house| {
        let text: String = (0..1_234).map(|number| line(&format!("N{number}")) + "\n").collect();
        let first = import(&house, "k-1", &text).await.json();
        assert_eq!((&first["created"], count(&house).await), (&json!(1_234), 1_234));
        // With blank lines in it, and a bad one at its end, it has the same customers.
        let other = text.replace("}\n", "}\n\n") + "bad\n";
        let again = import(&house, "k-1", other).await.json();
        assert_eq!((&again["created"], &again["refused"]), (&json!(1_234), &json!(1)));
        let items = |count: usize| {
            let item = |place| Ok(ImportItem { place, given: Ok(given(&format!("N{place}"))) });
            stream::iter((0..count).map(item))
        };
        // A key belongs to its caller; over HTTP this is nobody yet.
        let call = call().by("anonymous");
        let again = house.customers.import_customers(&call, Some("k-1"), items(1_234)).await.unwrap();
        assert_eq!((again.created, count(&house).await), (1_234, 1_234), "nobody was created twice");
        // One that broke off goes on.
        let begun = house.customers.import_customers(&call, Some("k-2"), items(1_000)).await.unwrap();
        assert_eq!((begun.created, count(&house).await), (1_000, 2_234));
        let whole = import(&house, "k-2", &text).await.json();
        assert_eq!((&whole["created"], count(&house).await), (&json!(1_234), 2_468));
        let changed = import(&house, "k-1", text.replace("N7\"", "M7\"")).await;
        assert_eq!(changed.status, 422, "{changed:?}");
    })
    .await;
}

#[tokio::test]
async fn large_customers_are_created_in_smaller_batches() {
    each_house(async |house| {
        let items = (0..20).map(|place| {
            let metadata = [("k".to_owned(), "x".repeat(1_000_000))].into();
            Ok(ImportItem { place, given: Ok(Given { metadata, ..given(&format!("N{place}")) }) })
        });
        let good = (20..30).map(|place| Ok(ImportItem { place, given: Ok(given(&format!("N{place}"))) }));
        let done =
            house.customers.import_customers(&call(), Some("k"), stream::iter(items.chain(good))).await;
        let done = done.unwrap();
        assert_eq!((done.created, done.refused), (10, 20));
        let places: Vec<_> = done.problems.iter().map(|problem| problem.index).collect();
        assert_eq!(places, (0..20).collect::<Vec<_>>());
        let broken = stream::iter([
            Ok(ImportItem { place: 0, given: Ok(given("Ann")) }),
            Err(Fault::new(Class::RequestTimeout, "the body did not arrive in time")),
        ]);
        let broken = house.customers.import_customers(&call(), None, broken).await.unwrap_err();
        assert_eq!((broken.class(), &*broken.errors()[0].code), (Class::RequestTimeout, "broken_off"));
    })
    .await;
}

/// Reads events until there are so many; the text of each.
async fn events(body: &mut BodyDataStream, count: usize) -> Vec<String> {
    let mut text = String::new();
    while text.matches("\n\n").count() < count {
        let piece = tokio::time::timeout(PATIENCE, body.next()).await.unwrap().unwrap().unwrap();
        text.push_str(std::str::from_utf8(&piece).unwrap());
    }
    text.trim_end().split("\n\n").map(str::to_owned).collect()
}

async fn watch(house: &House, query: &str, headers: &[(&str, &str)]) -> BodyDataStream {
    let response = house.server.open(Method::GET, &format!("{WATCH}{query}"), headers, "").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    Body::new(response.into_body()).into_data_stream()
}

fn id_of(event: &str) -> &str {
    event.lines().next().unwrap().strip_prefix("id: ").unwrap()
}

#[tokio::test]
async fn a_watch_goes_on_from_the_id_of_its_last_event() {
    each_house(async |house| {
        let outbox = Outbox::new(&house.parts.queue, "customers");
        let mut service = serve(&house.customers).unwrap();
        let relay = Relay::start(&outbox, std::mem::take(&mut service.subscribers)).await.unwrap();
        let mut body = watch(&house, "", &[]).await;
        assert_eq!(events(&mut body, 1).await, ["id: 0"]);
        let id = |id: &str| Given { id: id.into(), ..given("Ann") };
        house.customers.batch_create(&call(), vec![id("a"), id("b")], false).await.unwrap();
        let change = Update::new(Given { name: "Bob".into(), ..id("a") }, vec!["name".into()]);
        house.customers.update_customer(&call(), &Expected::Any, change).await.unwrap();
        house.customers.delete_customer(&call(), &Expected::Any, "b").await.unwrap();
        let told = events(&mut body, 4).await;
        let shown: Vec<_> = told.iter().map(|event| event.split_once('\n').unwrap().1.to_owned()).collect();
        let event = |kind: &str, id: &str, version: i64| {
            format!("event: {kind}\ndata: {{\"change\":\"{kind}\",\"id\":\"{id}\",\"version\":{version}}}")
        };
        let expected = [
            event("customer_created", "a", 1),
            event("customer_created", "b", 1),
            event("customer_updated", "a", 2),
            event("customer_deleted", "b", 2),
        ];
        assert_eq!(shown, expected);
        // As a browser does it: the header is younger than the address.
        for place in 0..3 {
            let header = [("last-event-id", id_of(&told[place]))];
            let mut body = watch(&house, "?position=0", &header).await;
            assert_eq!(events(&mut body, 4 - place).await[1..], told[place + 1..]);
        }
        house.parts.clock.advance(Duration::from_secs(60));
        outbox.sweep(house.parts.clock.now()).await.unwrap();
        for (position, code) in [("now", "value"), ("99999", "value"), ("1.0", "lost")] {
            let refused = house.server.get(&format!("{WATCH}?position={position}")).await;
            let error = &refused.json()["errors"][0];
            assert_eq!((refused.status.as_u16(), &error["field"]), (422, &json!("position")), "{position}");
            assert_eq!(error["code"], code);
        }
        // When the server stops, the stream ends as it should, and a browser connects again.
        service.on_drain.unwrap()();
        assert_eq!(events(&mut body, 1).await, [": the server stops: watch on from the last position"]);
        assert!(tokio::time::timeout(PATIENCE, body.next()).await.unwrap().is_none());
        relay.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_process_has_as_many_watches_as_it_allows() {
    each_house(async |house| {
        let options = CustomersOptions { watches_max: 2, ..Default::default() };
        // In a process of their own.
        let (database, place) = (&house.parts.database, house.folder.path().join("objects"));
        let parts = Parts::with_defaults(database, &place, &house.parts.clock).await.unwrap();
        let customers = Customers::new(&parts, &options).unwrap();
        let mut service = serve(&customers).unwrap();
        let outbox = Outbox::new(&parts.queue, "customers");
        let relay = Relay::start(&outbox, std::mem::take(&mut service.subscribers)).await.unwrap();
        let server = TestServer::start(&parts, service);
        let house = House { customers, server, ..house };
        let (first, _second) = (watch(&house, "", &[]).await, watch(&house, "", &[]).await);
        assert_eq!(house.server.get(WATCH).await.status, 429);
        drop(first);
        let again = async {
            while house.server.open(Method::GET, WATCH, &[], "").await.status() != 200 {
                // The server notices that a reader is gone when it sends something.
                house.customers.create_customer(&call(), given("Ann")).await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, again).await.unwrap();
        relay.stop().await;
    })
    .await;
}
