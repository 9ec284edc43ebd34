//! Two tenants with the same ids, titles and keys see nothing of each other.

use pando_cache::{RedisOptions, Secret, Source};
use pando_database::params;
use pando_queue::Outbox;
use pando_resilience::{Call, Tenant};
use pando_servers::Redis;
use pando_service::{CacheWrites, Class, KeyKind, List, Order};
use serde_json::Value;

use crate::{House, call, each_house, keyed};

fn of(tenant: &str) -> Call {
    call().of_tenant(Tenant::stored(tenant))
}

#[tokio::test]
async fn the_same_id_and_title_are_two_things() {
    each_house(async |house| {
        let id = house.clock.fresh_id();
        for tenant in ["", "acme", "zoo"] {
            house.create_as(&of(tenant), id, "oak").await.unwrap();
        }
        let taken = house.create(&of("acme"), "oak").await.unwrap_err();
        assert_eq!(taken.name(), "title_taken");
        house.rename(&of("acme"), id, "elm").await.unwrap();
        for (tenant, title, source) in
            [("acme", "elm", Source::Origin), ("", "oak", Source::L1), ("zoo", "oak", Source::L1)]
        {
            let read = house.read(&of(tenant), id).await.unwrap();
            let answer: Value = serde_json::from_slice(read.value_named("note")).unwrap();
            assert_eq!((answer["title"].as_str(), read.source()), (Some(title), source), "{tenant:?}");
            let held = house.memory.recall(of(tenant).tenant(), &id.to_string(), None).unwrap();
            assert_eq!(held.bytes(), read.bytes(), "{tenant:?}");
        }
        assert_eq!(house.read(&of("nobody"), id).await.unwrap_err().class(), Class::NotFound);
        let foreign = format!("@acme/{id}");
        assert!(house.memory.recall(&Tenant::default(), &foreign, None).is_none());
    })
    .await;
}

#[tokio::test]
async fn a_filter_stays_within_its_tenant_whatever_it_says() {
    const TITLES: List =
        List { name: "notes.titles", select: "select title from notes", rows: "true or version = 0" };
    const BY_TITLE: Order = Order { name: "title", column: "title", kind: KeyKind::Text, descending: false };
    each_house(async |house| {
        for (tenant, title) in [("acme", "oak"), ("zoo", "oak"), ("zoo", "elm"), ("", "ash")] {
            house.create(&of(tenant), title).await.unwrap();
        }
        for (tenant, titles) in [("acme", vec!["oak"]), ("zoo", vec!["elm", "oak"]), ("", vec!["ash"])] {
            let call = of(tenant);
            let found = TITLES.of(call.tenant()).filter("title = $1 or title <> $1", params!["oak"]);
            let rows = found.rows(&house.database.read(&call), &BY_TITLE, None, 10).await.unwrap();
            let found: Vec<String> = rows.iter().map(|row| row.get("title").unwrap()).collect();
            assert_eq!(found, titles, "{tenant:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_same_key_is_two_requests() {
    each_house(async |house| {
        let key = |tenant: &str| keyed("r", "k", 1).of_tenant(Tenant::stored(tenant));
        let mut ids = Vec::new();
        for tenant in ["", "acme"] {
            let first = house.create(&key(tenant), "oak").await.unwrap();
            let again = house.create(&key(tenant), "oak").await.unwrap();
            assert_eq!((first.replayed, again.replayed), (false, true));
            assert_eq!(first.value, again.value);
            ids.push(first.value.id);
        }
        assert_ne!(ids[0], ids[1]);
    })
    .await;
}

#[tokio::test]
async fn a_write_outdates_the_lists_of_its_tenant_alone() {
    each_house(async |house| {
        let list = async |tenant: &str, text: &'static str| {
            let load = move |_| std::future::ready(Ok(text.as_bytes().to_vec()));
            house.memory.read_list(&of(tenant), "all", load).await.unwrap().bytes().clone()
        };
        for tenant in ["", "acme"] {
            assert_eq!(list(tenant, "old").await, "old");
        }
        house.create(&of("acme"), "oak").await.unwrap();
        assert_eq!(list("acme", "new").await, "new");
        assert_eq!(list("", "new").await, "old");
    })
    .await;
}

#[tokio::test]
async fn an_event_says_whose_it_is_where_there_are_tenants() {
    each_house(async |house: House| {
        for tenant in ["", "acme"] {
            house.create(&of(tenant), "oak").await.unwrap();
        }
        let outbox = Outbox::new(&house.queue, "notes");
        let relay = pando_queue::Relay::start(&outbox, vec![house.memory.subscriber()]);
        let relay = relay.await.unwrap();
        let seen = async {
            loop {
                let events = outbox.read_after(&call(), 0, 10).await.unwrap();
                if events.len() == 2 {
                    return events;
                }
                tokio::task::yield_now().await;
            }
        };
        let events = tokio::time::timeout(std::time::Duration::from_secs(30), seen).await.unwrap();
        relay.stop().await;
        let written: Vec<Value> =
            events.iter().map(|(_, event)| serde_json::to_value(event).unwrap()["tenant"].take()).collect();
        assert_eq!(written, [Value::Null, Value::from("acme")]);
    })
    .await;
}

#[tokio::test]
async fn every_key_in_redis_says_whose_it_is() {
    each_house(async |house| {
        let redis = Redis::start(&[]);
        let options = RedisOptions {
            url: Some(Secret::new(redis.url())),
            soft_timeout_ms: 5_000,
            hard_timeout_ms: 10_000,
            ..RedisOptions::default()
        };
        let house = House::open_with(&house.database, CacheWrites::Through, &options).await;
        let keys = || -> Vec<String> {
            let answer = redis.ask("KEYS *").unwrap_or_default();
            let is_kept = |line: &&str| line.contains("note") && !line.ends_with("{:}");
            // Those that end so say how a whole cache stands.
            answer.lines().filter(is_kept).map(str::to_owned).collect()
        };
        let mut round = 0;
        let filled = async {
            // Nothing is kept there before the process is connected, and filling goes on behind its caller: at last a thing, a
            // list and the tag of lists for each tenant.
            while keys().len() < 6 {
                round += 1;
                for tenant in ["acme", "zoo"] {
                    let id = house.clock.fresh_id();
                    house.create_as(&of(tenant), id, &format!("oak {round}")).await.unwrap();
                    house.rename(&of(tenant), id, &format!("elm {round}")).await.unwrap();
                    house.read(&of(tenant), id).await.unwrap();
                    let load = |_| std::future::ready(Ok(b"all".to_vec()));
                    house.memory.read_list(&of(tenant), "all", load).await.unwrap();
                }
            }
        };
        let filled = tokio::time::timeout(std::time::Duration::from_secs(30), filled).await;
        assert!(filled.is_ok(), "Redis has {:?}", redis.ask("KEYS *"));
        let of_nobody: Vec<String> =
            keys().into_iter().filter(|key| !key.contains("@acme/") && !key.contains("@zoo/")).collect();
        assert!(of_nobody.is_empty(), "{of_nobody:?}");
    })
    .await;
}
