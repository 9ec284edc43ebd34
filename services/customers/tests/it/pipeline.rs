//! The archive of customers: everything that was committed is there, whatever fails on the way, and no object ever changes.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt as _;
use pando_customers::messages::CustomerRecord;
use pando_customers::{ArchiveFormat, Given, PIPELINE, Pipeline, PipelineOptions, Shipped, Update};
use pando_database::{Query, params};
use pando_objects::ArchivePath;
use pando_queue::Outbox;
use pando_resilience::Tenant;
use pando_service::{Expected, Fault, Parts};
use prost::Message as _;
use serde_json::{Value, json};

use crate::{House, call, each_house, given};

fn options() -> PipelineOptions {
    PipelineOptions { batch_max: 7, ..PipelineOptions::default() }
}

fn pipeline(house: &House, options: &PipelineOptions) -> Pipeline {
    let parts = &house.parts;
    Pipeline::new(&parts.queue, &parts.objects, &parts.vault, &parts.metrics, options).unwrap()
}

async fn run(house: &House) -> Shipped {
    try_run(house).await.unwrap()
}

async fn try_run(house: &House) -> Result<Shipped, Fault> {
    let mut shipped = Shipped::default();
    pipeline(house, &options()).run(&call(), None, &mut shipped).await?;
    Ok(shipped)
}

/// Every object with its bytes, as they are stored.
async fn objects(house: &House) -> BTreeMap<String, Vec<u8>> {
    let mut objects = BTreeMap::new();
    let listed: Vec<_> = house.parts.objects.list_at(None).try_collect().await.unwrap();
    for path in listed.into_iter().map(|it| it.path) {
        let object = house.parts.objects.get_at(&call(), &path).await.unwrap().unwrap();
        objects.insert(path.to_string(), object.read().await.unwrap().to_vec());
    }
    objects
}

/// The content of an object.
fn inflated(path: &str, bytes: &[u8]) -> Vec<u8> {
    if path.ends_with(".zst") { zstd::decode_all(bytes).unwrap() } else { bytes.to_vec() }
}

/// The records of objects in one format and of one tenant, object by object, as JSON shows them.
fn records(objects: &BTreeMap<String, Vec<u8>>, tenant: &str, format: &str) -> Vec<Value> {
    let folder =
        if tenant.is_empty() { "customers/".to_owned() } else { format!("tenant={tenant}/customers/") };
    let mut records = Vec::new();
    for (path, bytes) in objects {
        if !path.starts_with(&folder) || !path.trim_end_matches(".zst").ends_with(&format!(".{format}")) {
            continue;
        }
        let content = inflated(path, bytes);
        let first = records.len();
        match format {
            "ndjson" => {
                let lines = std::str::from_utf8(&content).unwrap().lines();
                records.extend(lines.map(|line| serde_json::from_str::<Value>(line).unwrap()));
            }
            _ => {
                let mut rest = &content[..];
                while !rest.is_empty() {
                    let record = CustomerRecord::decode_length_delimited(&mut rest).unwrap();
                    let known = record.customer.unwrap().message().unwrap();
                    records.push(json!({
                        "id": known.id, "version": known.version, "deleted": record.deleted, "name": known.name,
                        "email": known.email, "metadata": known.metadata,
                    }));
                }
            }
        }
        let ids: Vec<_> = records[first..].iter().map(|it| it["id"].as_str().unwrap()).collect();
        assert!(ids.is_sorted() && !ids.is_empty(), "{path}: {ids:?}");
    }
    records
}

/// The newest record of each customer.
fn newest(records: Vec<Value>) -> BTreeMap<String, Value> {
    let mut newest: BTreeMap<String, Value> = BTreeMap::new();
    for record in records {
        let known = newest.entry(record["id"].as_str().unwrap().to_owned()).or_insert_with(|| record.clone());
        if record["version"].as_i64() > known["version"].as_i64() {
            *known = record;
        }
    }
    newest
}

async fn sql(house: &House, text: &'static str, id: &str) {
    let mut tx = house.parts.database.transaction(&call()).await.unwrap();
    let changed = tx.execute(&Query::write("test.sql", text), params![id]).await.unwrap();
    assert_eq!(changed, 1);
    tx.commit().await.unwrap();
}

/// Changes the table in a way that has no parameters.
async fn alter(house: &House, text: &'static str) {
    let mut tx = house.parts.database.transaction(&call()).await.unwrap();
    tx.execute(&Query::write("test.alter", text), params![]).await.unwrap();
    tx.commit().await.unwrap();
}

async fn create(house: &House, tenant: &str, id: &str, name: &str) {
    let call = call().of_tenant(Tenant::stored(tenant));
    let given = Given { id: id.into(), metadata: [("k".into(), "ö".repeat(40))].into(), ..given(name) };
    house.customers.create_customer(&call, given).await.unwrap();
}

async fn rename(house: &House, tenant: &str, id: &str, name: &str) {
    let call = call().of_tenant(Tenant::stored(tenant));
    let change = Given { id: id.into(), name: name.into(), ..Given::default() };
    let update = Update::new(change, vec!["name".into()]);
    house.customers.update_customer(&call, &Expected::Any, update).await.unwrap();
}

/// A transaction that publishes and is rolled back: a gap in the places of events.
async fn leave_a_gap(house: &House) {
    let outbox = Outbox::new(&house.parts.queue, "customers");
    let mut tx = house.parts.database.transaction(&call()).await.unwrap();
    outbox
        .publish(&mut tx, &outbox.event("customer_created", house.parts.clock.fresh_id(), 1, json!({})))
        .unwrap();
    // The event is written here.
    tx.row(&Query::scan("test.flush", "select count(*) from outbox_events"), params![]).await.unwrap();
    tx.rollback().await.unwrap();
}

#[tokio::test]
async fn the_archive_holds_the_customers_as_they_were_at_the_place() {
    each_house(async |house| {
        for number in 0..40 {
            let tenant = if number % 3 == 0 { "oak" } else { "" };
            create(&house, tenant, &format!("c{number}"), "Ann").await;
            leave_a_gap(&house).await;
            if number % 5 == 0 {
                rename(&house, tenant, &format!("c{number}"), "Bob").await;
            }
            if number % 7 == 0 {
                let call = call().of_tenant(Tenant::stored(tenant));
                let id = format!("c{number}");
                house.customers.delete_customer(&call, &Expected::Any, &id).await.unwrap();
            }
        }
        let shipped = run(&house).await;
        assert!(shipped.customers >= 40 && shipped.objects > 20 && shipped.dead == 0, "{shipped:?}");
        let objects = objects(&house).await;
        assert_eq!(shipped.objects, objects.len());
        assert_eq!(shipped.bytes, objects.values().map(Vec::len).sum::<usize>());
        for path in objects.keys() {
            let bytes = &objects[path];
            let hash = blake3::hash(bytes).to_hex();
            assert!(path.contains(&format!("-{}.", &hash[..16])), "{path}");
            assert!(path.contains("customers/date=2026-01-01/0000000000"), "{path}");
        }
        for format in ["pb", "ndjson"] {
            for (tenant, is_its) in [("", false), ("oak", true)] {
                let newest = newest(records(&objects, tenant, format));
                let expected: BTreeSet<_> = (0..40)
                    .filter(|number| (number % 3 == 0) == is_its)
                    .map(|number| format!("c{number}"))
                    .collect();
                assert_eq!(newest.keys().cloned().collect::<BTreeSet<_>>(), expected);
                for (id, record) in newest {
                    let number: i64 = id[1..].parse().unwrap();
                    let (changed, deleted) = (number % 5 == 0, number % 7 == 0);
                    assert_eq!(record["deleted"], deleted);
                    assert_eq!(record["version"], 1 + i64::from(changed) + i64::from(deleted));
                    let name = match (deleted, format) {
                        (true, "pb") => json!(""),
                        (true, _) => Value::Null,
                        (false, _) => json!(if changed { "Bob" } else { "Ann" }),
                    };
                    assert_eq!(record["name"], name, "{record}");
                    assert_eq!(record["metadata"]["k"].is_string(), !deleted, "{record}");
                }
            }
        }
        assert_eq!(run(&house).await, Shipped::default(), "nothing is left");
        assert_eq!(self::objects(&house).await, objects);
        rename(&house, "oak", "c3", "Cyd").await;
        assert_eq!(run(&house).await.customers, 1);
        assert_eq!(newest(records(&self::objects(&house).await, "oak", "pb"))["c3"]["name"], "Cyd");
    })
    .await;
}

#[tokio::test]
async fn a_batch_that_is_done_again_changes_no_object() {
    each_house(async |house| {
        create(&house, "", "a", "Ann").await;
        create(&house, "", "b", "Bob").await;
        // The objects are stored, and then the place cannot be moved.
        alter(&house, "alter table customer_pipeline_dead rename to away").await;
        try_run(&house).await.unwrap_err();
        let first = objects(&house).await;
        assert_eq!(first.len(), 2);
        let place = async || pipeline(&house, &options()).status(&call()).await.unwrap().place.unwrap();
        alter(&house, "alter table away rename to customer_pipeline_dead").await;
        assert_eq!(place().await.position, 0);
        // Once as it was, and once with a row that has changed since.
        assert_eq!(run(&house).await.objects, 2);
        assert_eq!(objects(&house).await, first, "the same keys with the same bytes");
        let outbox = Outbox::new(&house.parts.queue, "customers");
        outbox.replay_after(&call(), PIPELINE, 0).await.unwrap();
        rename(&house, "", "b", "Cyd").await;
        run(&house).await;
        let second = objects(&house).await;
        assert!(second.len() > first.len());
        assert!(first.iter().all(|(path, bytes)| second.get(path) == Some(bytes)), "objects never change");
        let newest = newest(records(&second, "", "ndjson"));
        assert_eq!((&newest["a"]["name"], &newest["b"]["name"]), (&json!("Ann"), &json!("Cyd")));
        assert_eq!(place().await.events, 0);
    })
    .await;
}

#[tokio::test]
async fn a_row_that_cannot_be_archived_keeps_none_of_the_others_back() {
    each_house(async |house| {
        for (id, name) in [("bad", "Ann"), ("good", "Bob"), ("large", "Cyd"), ("gone", "Dan")] {
            create(&house, "oak", id, name).await;
        }
        let large =
            Given { id: "huge".into(), metadata: [("k".into(), "x".repeat(999))].into(), ..given("Eve") };
        let oak = call().of_tenant(Tenant::stored("oak"));
        let pairs = (0..20).map(|number| (format!("k{number}"), "x".repeat(999))).collect();
        house.customers.create_customer(&oak, Given { metadata: pairs, ..large }).await.unwrap();
        sql(&house, "update customers set metadata = '[7]' where given_id = $1", "bad").await;
        sql(&house, "delete from customers where given_id = $1", "gone").await;
        let small = PipelineOptions { record_bytes_max: 4_096, ..options() };
        let mut shipped = Shipped::default();
        pipeline(&house, &small).run(&call(), None, &mut shipped).await.unwrap();
        assert_eq!((shipped.customers, shipped.dead), (2, 3), "{shipped:?}");
        let archived = newest(records(&objects(&house).await, "oak", "pb"));
        assert_eq!(archived.into_keys().collect::<Vec<_>>(), ["good", "large"]);
        let status = pipeline(&house, &small).status(&call()).await.unwrap();
        let dead: Vec<_> = status.dead.iter().map(|it| (it.customer_id.as_str(), it.version)).collect();
        assert_eq!((status.dead_count, dead), (3, vec![("bad", 1), ("gone", 1), ("huge", 1)]));
        assert!(status.dead.iter().all(|it| it.tenant.as_str() == "oak"));
        for (letter, word) in status.dead.iter().zip(["metadata", "row is not there", "more than 4096"]) {
            assert!(letter.reason.contains(word) && !letter.reason.contains('7'), "{letter:?}");
        }
        let metrics = house.parts.metrics.render();
        assert!(metrics.contains("pipeline_errors_total{reason=\"row\"} 3"), "{metrics}");
        assert!(metrics.contains("pipeline_customers_processed_total 2"), "{metrics}");
        // Repaired and changed, it is archived, and no dead letter any more.
        sql(&house, "update customers set metadata = '{}' where given_id = $1", "bad").await;
        rename(&house, "oak", "bad", "Fay").await;
        run(&house).await;
        let status = pipeline(&house, &small).status(&call()).await.unwrap();
        assert_eq!(status.dead.iter().map(|it| &*it.customer_id).collect::<Vec<_>>(), ["gone", "huge"]);
        assert_eq!(newest(records(&objects(&house).await, "oak", "ndjson"))["bad"]["name"], "Fay");
    })
    .await;
}

#[tokio::test]
async fn runs_beside_each_other_and_beside_writers_skip_nobody() {
    each_house(async |house| {
        let write = async {
            for number in 0..30 {
                create(&house, "", &format!("c{number}"), "Ann").await;
                rename(&house, "", &format!("c{}", number / 2), &format!("Ann{number}")).await;
            }
        };
        let runs = async || {
            for _ in 0..20 {
                run(&house).await;
                tokio::task::yield_now().await;
            }
        };
        tokio::join!(write, runs(), runs());
        run(&house).await;
        let objects = objects(&house).await;
        let newest = newest(records(&objects, "", "pb"));
        for number in 0..30 {
            let read = house.server.get(&format!("/api/v1/customers/c{number}")).await.json();
            let record = &newest[&format!("c{number}")];
            assert_eq!((&record["version"], &record["name"]), (&read["version"], &read["name"]));
        }
    })
    .await;
}

#[tokio::test]
async fn its_job_runs_by_its_schedule_and_only_where_it_is_enabled() {
    each_house(async |house| {
        create(&house, "", "a", "Ann").await;
        let count = async |enabled: bool| {
            let mut options = pando_customers::CustomersOptions::default();
            options.pipeline = PipelineOptions { enabled, prefix: "a/b".into(), ..options.pipeline };
            options.pipeline.formats = vec![ArchiveFormat::Ndjson];
            let mut registry = pando_queue::Registry::default();
            let (database, clock) = (&house.parts.database, &house.parts.clock);
            let place = house.folder.path().join("objects");
            let parts = Parts::with_defaults(database, &place, clock).await.unwrap();
            let service = pando_customers::open(&parts, &options, &mut registry).unwrap();
            for _ in 0..2 {
                parts.queue.fire_schedules(service.schedules.clone()).await.unwrap();
                clock.advance(std::time::Duration::from_secs(60));
            }
            parts.queue.run_until_idle(&registry).await.unwrap();
            (objects(&house).await.len(), parts.metrics.render())
        };
        assert_eq!(count(false).await.0, 0);
        let (count, metrics) = count(true).await;
        assert_eq!(count, 1);
        let folder = ArchivePath::parse("a/b/customers/date=2026-01-01").unwrap();
        let found: Vec<_> = house.parts.objects.list_at(Some(&folder)).try_collect().await.unwrap();
        assert_eq!(found.len(), 1);
        for sample in
            ["pipeline_active_batches 0", "pipeline_queue_depth 0", "pipeline_last_success_timestamp 17"]
        {
            assert!(metrics.contains(sample), "{sample}: {metrics}");
        }
    })
    .await;
}

#[test]
fn settings_that_cannot_work_are_named() {
    let default = PipelineOptions::default;
    assert!(default().check().is_ok());
    for (bad, name) in [
        (PipelineOptions { schedule: "now and then".into(), ..default() }, "schedule"),
        (PipelineOptions { formats: Vec::new(), ..default() }, "formats"),
        (PipelineOptions { formats: vec![ArchiveFormat::Pb, ArchiveFormat::Pb], ..default() }, "formats"),
        (PipelineOptions { prefix: "../x".into(), ..default() }, "prefix"),
        (PipelineOptions { batch_max: 0, ..default() }, "batch_max"),
        (PipelineOptions { record_bytes_max: 7, ..default() }, "record_bytes_max"),
    ] {
        assert!(bad.check().is_err_and(|error| error.to_string().contains(name)), "{name}");
    }
}
