//! What is told of profiles: everything that was committed, once, in order, and nothing about the person.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::join_all;
use pando_cache::{Caches, RedisOptions, Source};
use pando_database::{Query, Read};
use pando_profiles::{ProfileFilter, Profiles, ProfilesOptions};
use pando_queue::{Event, Outbox, Relay, Subscriber};
use pando_resilience::Call;
use pando_service::Expected;
use pando_service::Parts;
use pando_telemetry::Metrics;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{House, call, each_house, each_house_with, fields, idempotency, queue};

const COUNT: Query = Query::scan("test.count_events", "select count(*) from outbox_events");

/// Follows the events of a house.
struct Follower {
    events: mpsc::UnboundedReceiver<Event>,
    relay: Relay,
}

impl Follower {
    async fn of(house: &House) -> Self {
        let (given, events) = mpsc::unbounded_channel();
        let subscriber = Subscriber::every_process("follower", move |events: Vec<Event>| {
            events.into_iter().for_each(|event| given.send(event).unwrap());
            std::future::ready(Ok(()))
        });
        let relay = Relay::start(&Outbox::new(&house.queue, "profiles"), vec![subscriber]).await.unwrap();
        Self { events, relay }
    }

    async fn next(&mut self) -> Event {
        let next = tokio::time::timeout(Duration::from_secs(30), self.events.recv());
        next.await.expect("an event comes").expect("the relay runs")
    }

    async fn take(&mut self, count: usize) -> Vec<Event> {
        let mut taken = Vec::new();
        for _ in 0..count {
            taken.push(self.next().await);
        }
        taken
    }
}

async fn count(house: &House) -> i64 {
    let call = call();
    let read: Read<'_> = house.queue.database().read_primary(&call);
    read.row(&COUNT, []).await.unwrap().unwrap().get(0).unwrap()
}

#[tokio::test]
async fn every_change_is_told_once_and_says_nothing_of_the_person() {
    each_house(async |house| {
        let mut follower = Follower::of(&house).await;
        let (profiles, any) = (&house.profiles, &Expected::Any);
        let ada = house.person("Ada").await;
        let changes = fields(json!({"bio": "counts", "name": "Augusta"}));
        for _ in 0..2 {
            // The second time nothing changes.
            profiles.update_profile(&call(), ada.id, any, &changes).await.unwrap();
        }
        profiles.put_address(&call(), ada.id, any, &fields(json!({"city": "London"}))).await.unwrap();
        profiles.put_preferences(&call(), ada.id, any, &fields(json!({"theme": "dark"}))).await.unwrap();
        let taken = fields(json!({"name": "Other", "email": "ADA@example.org"}));
        profiles.create_profile(&call(), &taken).await.unwrap_err();
        profiles.delete_profile(&call(), ada.id, any).await.unwrap();
        for _ in 0..2 {
            profiles.restore_profile(&call(), ada.id, &Default::default()).await.unwrap();
        }
        let events = follower.take(6).await;
        let told: Vec<(&str, i64, Value)> =
            events.iter().map(|event| (event.kind.as_str(), event.version, event.data.clone())).collect();
        let expected = vec![
            ("profile_created", 1, json!({})),
            ("profile_updated", 2, json!({"changed": ["bio", "name"]})),
            ("profile_updated", 3, json!({"changed": ["address"]})),
            ("profile_updated", 4, json!({"changed": ["preferences"]})),
            ("profile_deleted", 5, json!({})),
            ("profile_updated", 6, json!({"changed": [], "restored": true})),
        ];
        assert_eq!(told, expected);
        for event in &events {
            assert_eq!((&event.service, &event.subject), (&"profiles".to_owned(), &ada.id.to_string()));
            assert_eq!(event.trace.as_deref(), Some("test"), "the request that caused it");
            let text = serde_json::to_string(event).unwrap();
            assert!(
                !["Ada", "Augusta", "counts", "London", "example.org"].iter().any(|it| text.contains(it))
            );
        }
        assert_eq!(count(&house).await, 6);
        follower.relay.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_batch_tells_of_each_profile_it_wrote() {
    each_house(async |house| {
        let mut follower = Follower::of(&house).await;
        let ada = house.person("Ada").await;
        let own_id = house.clock.fresh_id();
        let items: Vec<_> = [
            json!({"name": "New", "email": "new@example.org"}),
            json!({"name": "", "email": "bad"}),
            json!({"id": ada.id, "bio": "changed"}),
            json!({"id": own_id, "name": "Own id", "email": "own@example.org"}),
        ]
        .into_iter()
        .map(|item| Ok(fields(item)))
        .collect();
        let done = house.profiles.write_batch(&call(), &items).await.unwrap().value;
        let mut told: Vec<(String, String, i64)> = (follower.take(4).await.into_iter())
            .map(|event| (event.subject, event.kind, event.version))
            .collect();
        told.sort();
        let (created, updated) = ("profile_created".to_owned(), "profile_updated".to_owned());
        let mut expected = vec![
            (ada.id.to_string(), created.clone(), 1),
            (done[0].id.unwrap().to_string(), created.clone(), 1),
            (ada.id.to_string(), updated, 2),
            (own_id.to_string(), created, 1),
        ];
        expected.sort();
        assert_eq!(told, expected);
        assert_eq!(count(&house).await, 2, "those of one batch share a row");
        follower.relay.stop().await;
    })
    .await;
}

#[tokio::test]
async fn where_events_are_off_nothing_is_published() {
    each_house_with(ProfilesOptions { events: false, ..ProfilesOptions::default() }, async |house| {
        house.person("Ada").await;
        assert_eq!(count(&house).await, 0);
    })
    .await;
}

#[tokio::test]
async fn however_many_write_at_once_each_profiles_versions_come_without_a_gap() {
    const WRITERS: usize = 6;
    const ROUNDS: usize = 20;
    each_house(async |house| {
        let mut follower = Follower::of(&house).await;
        let mut ids = Vec::new();
        for name in ["Ada", "Bo", "Cy"] {
            ids.push(house.person(name).await.id);
        }
        join_all((0..WRITERS).map(async |writer| {
            for round in 0..ROUNDS {
                let id = ids[(writer + round) % ids.len()];
                let bio = fields(json!({"bio": format!("{writer} {round}")}));
                house.profiles.update_profile(&call(), id, &Expected::Any, &bio).await.unwrap();
            }
        }))
        .await;
        let mut versions: HashMap<String, Vec<i64>> = HashMap::new();
        for event in follower.take(ids.len() + WRITERS * ROUNDS).await {
            versions.entry(event.subject).or_default().push(event.version);
        }
        for versions in versions.values() {
            assert_eq!(*versions, (1..).take(versions.len()).collect::<Vec<i64>>());
        }
        assert_eq!(versions.len(), ids.len());
        follower.relay.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_process_that_hears_nothing_else_is_brought_up_to_date_by_events() {
    each_house(async |house| {
        let mut follower = Follower::of(&house).await;
        let caches = Caches::open(&RedisOptions::default(), &Metrics::new(), &house.clock).await.unwrap();
        let queue = queue(house.queue.database(), &house.clock);
        let parts = Parts { caches, idempotency: idempotency(&queue), queue, ..house.parts.clone() };
        let other = Profiles::new(&parts, ProfilesOptions::default()).unwrap();
        let read = async |profiles: &Profiles, id| {
            let known = profiles.read_profile(&call(), id).await.unwrap();
            (known.source(), known.version())
        };
        let listed =
            async || other.read_page(&call(), &ProfileFilter::default()).await.unwrap().kept.source();
        let ada = house.person("Ada").await;
        let made = follower.take(1).await;
        // The writer remembers what it made, whatever comes behind.
        house.profiles.memory().catch_up(&made).await;
        assert_eq!(read(&house.profiles, ada.id).await, (Source::L1, 1));
        assert_eq!((read(&other, ada.id).await, listed().await), ((Source::Origin, 1), Source::Origin));
        let bio = fields(json!({"bio": "new"}));
        house.profiles.update_profile(&call(), ada.id, &Expected::Any, &bio).await.unwrap();
        let changed = follower.take(1).await;
        assert_eq!(
            (read(&other, ada.id).await, listed().await),
            ((Source::L1, 1), Source::L1),
            "nobody told it"
        );
        other.memory().catch_up(&changed).await;
        assert_eq!((read(&other, ada.id).await, listed().await), ((Source::Origin, 2), Source::Origin));
        // The same again, or late: what is as new stays.
        other.memory().catch_up(&made).await;
        other.memory().catch_up(&changed).await;
        assert_eq!(read(&other, ada.id).await, (Source::L1, 2));
        follower.relay.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_caller_that_leaves_during_the_commit_leaves_nothing_old_behind() {
    each_house(async |house| {
        let mut follower = Follower::of(&house).await;
        let ada = house.person("Ada").await;
        let made = follower.take(1).await;
        let listed = async || {
            house.profiles.read_page(&call(), &ProfileFilter::default()).await.unwrap().kept.source()
        };
        listed().await;
        // Each time the caller stays one step longer: at some step it leaves while the commit is under way.
        let mut version = 1;
        for steps in 1.. {
            let bio = fields(json!({"bio": format!("{steps}")}));
            let call: Call = call();
            let mut writing = Box::pin(house.profiles.update_profile(&call, ada.id, &Expected::Any, &bio));
            let mut left = steps;
            let done = std::future::poll_fn(|context| {
                left -= 1;
                match writing.as_mut().poll(context) {
                    std::task::Poll::Ready(done) => std::task::Poll::Ready(Some(done)),
                    std::task::Poll::Pending if left == 0 => std::task::Poll::Ready(None),
                    std::task::Poll::Pending => std::task::Poll::Pending,
                }
            })
            .await;
            drop(writing);
            if let Some(done) = done {
                version = done.unwrap().value.version;
                break;
            }
        }
        let events = loop {
            let event = follower.next().await;
            house.profiles.memory().catch_up(std::slice::from_ref(&event)).await;
            if event.version == version {
                break event;
            }
        };
        assert_eq!(events.version, version);
        house.profiles.memory().catch_up(&made).await;
        let read = house.profiles.read_profile(&call(), ada.id).await.unwrap();
        assert_eq!(read.version(), version);
        follower.relay.stop().await;
    })
    .await;
}
