//! Two tenants that use the same keys, lanes and names: neither sees, moves or stops a job of the other.

use pando_database::{Database, DatabaseError};
use pando_resilience::{Call, Tenant};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{House, call, defaults, note};
use crate::{
    Enqueued, Job, JobFilter, JobState, Mentions, QueueError, RecurringDraft, SingleQueueOptions, Unique,
};

pub(super) async fn exercise(fresh: &impl AsyncFn() -> Database) {
    jobs_are_found_and_cancelled_by_their_tenant_alone(&House::scripted(fresh().await, defaults()).await)
        .await;
    keys_lanes_and_rates_are_the_tenants_own(fresh().await).await;
    what_follows_a_job_is_its_tenants(&House::scripted(fresh().await, defaults()).await).await;
    recurring_jobs_of_one_name_are_two(&House::scripted(fresh().await, defaults()).await).await;
    who_is_forgotten_is_forgotten_by_one_tenant(&House::scripted(fresh().await, defaults()).await).await;
}

fn tenant(name: &str) -> Tenant {
    Tenant::stored(name)
}

fn of(name: &str) -> Call {
    call().of_tenant(tenant(name))
}

async fn add(house: &House, owner: &str, job: Job) -> Enqueued {
    let mut tx = house.queue.database().transaction(&call()).await.expect("a transaction");
    let added = house.queue.enqueue(&mut tx, job.of_tenant(&tenant(owner))).await.expect("it is enqueued");
    tx.commit().await.expect("it is committed");
    added
}

async fn jobs_are_found_and_cancelled_by_their_tenant_alone(house: &House) {
    let mut ids = Vec::new();
    for owner in ["", "acme", "zoo"] {
        ids.push((owner, add(house, owner, Job::new("note", Value::Null)).await.id));
    }
    for (owner, id) in &ids {
        for asks in ["", "acme", "zoo"] {
            let found = house.queue.find(&of(asks), *id).await.expect("it is read");
            assert_eq!(found.is_some(), asks == *owner, "{asks:?} asks for a job of {owner:?}");
            if asks != *owner {
                let refused = house.queue.cancel(&of(asks), *id).await;
                assert!(matches!(refused, Err(QueueError::NotFound)), "{refused:?}");
            }
        }
        let filter = JobFilter { tenant: Some(tenant(owner)), ..JobFilter::default() };
        let listed = house.queue.list(&call(), &filter, 10).await.expect("they are listed");
        assert_eq!(listed.iter().map(|job| job.id).collect::<Vec<_>>(), [*id]);
        assert!(house.queue.find_of_any(&call(), *id).await.expect("it is read").is_some());
    }
    assert_eq!(house.queue.cancel(&of("acme"), ids[1].1).await.expect("its own"), JobState::Cancelled);
}

async fn keys_lanes_and_rates_are_the_tenants_own(database: Database) {
    let mut options = defaults();
    let slow = SingleQueueOptions { rate_per_second: Some(0.001), ..SingleQueueOptions::default() };
    options.queues.insert("default".to_owned(), slow);
    let house = House::scripted(database, options).await;
    let special = || Job {
        unique: Some(Unique::WhileLive("k".to_owned())),
        lane: Some("one".to_owned()),
        rate_key: Some("r".to_owned()),
        ..Job::new("note", Value::Null)
    };
    let mut ids: Vec<Uuid> = Vec::new();
    for owner in ["", "acme", "zoo"] {
        let first = add(&house, owner, special()).await;
        let again = add(&house, owner, special()).await;
        assert!(first.fresh && !again.fresh, "{owner:?}");
        assert_eq!(first.id, again.id);
        assert_eq!(
            house.queue.find(&of(owner), first.id).await.unwrap().unwrap().lane.as_deref(),
            Some("one")
        );
        ids.push(first.id);
    }
    // A key that is written like one of another tenant.
    let sly = Job { unique: Some(Unique::WhileLive("@acme/k".to_owned())), ..Job::new("note", Value::Null) };
    assert!(add(&house, "", sly).await.fresh);
    let ran = house.queue.run_until_idle(&house.kind("note", note)).await.expect("they run");
    assert_eq!(ran, 4, "no lane and no rate held up another tenant's job");
}

async fn what_follows_a_job_is_its_tenants(house: &House) {
    let job = Job { then: vec![Job::new("next", json!({}))], ..Job::new("note", Value::Null) };
    let mut tx = house.queue.database().transaction(&call()).await.expect("a transaction");
    let callback = Job::new("last", json!({}));
    let job = job.of_tenant(&tenant("acme"));
    house.queue.enqueue_with_callback(&mut tx, job, callback).await.expect("it is enqueued");
    tx.commit().await.expect("it is committed");
    let mut registry = house.kind("note", whose);
    for kind in ["next", "last"] {
        house.add_kind(&mut registry, kind, whose);
    }
    house.queue.run_until_idle(&registry).await.expect("they run");
    assert_eq!(house.seen.all(), ["acme", "acme", "acme"]);
}

async fn whose(context: crate::JobContext, _: Value, seen: super::Seen) -> crate::JobResult {
    seen.push(json!(context.tenant()));
    Ok(Value::Null)
}

async fn recurring_jobs_of_one_name_are_two(house: &House) {
    let draft = |text: &str| RecurringDraft {
        expression: "@every 60s".to_owned(),
        job: Job::new("note", json!(text)),
        callback: None,
        paused: false,
        overlap: false,
    };
    for owner in ["acme", "zoo"] {
        let mut tx = house.queue.database().transaction(&call()).await.expect("a transaction");
        let (owner, draft) = (tenant(owner), draft(owner));
        let kept = house.queue.put_recurring(&mut tx, (&owner, "nightly"), &draft, |known| {
            assert_eq!(known, None);
            Ok::<(), QueueError>(())
        });
        kept.await.expect("it is kept");
        tx.commit().await.expect("it is committed");
    }
    assert!(house.queue.find_recurring(&call(), "nightly").await.expect("it is read").is_none());
    assert!(house.queue.list_recurring(&call(), "", 10).await.expect("they are read").is_empty());
    house.clock.advance(std::time::Duration::from_secs(61));
    assert_eq!(house.queue.fire_recurring().await.expect("they are enqueued"), 2);
    house.queue.run_until_idle(&house.kind("note", note)).await.expect("they run");
    let mut seen = house.seen.all();
    seen.sort_by_key(ToString::to_string);
    assert_eq!(seen, ["acme", "zoo"]);
    let mut tx = house.queue.database().transaction(&call()).await.expect("a transaction");
    assert!(house.queue.delete_recurring(&mut tx, &tenant("acme"), "nightly").await.expect("deleted"));
    tx.commit().await.expect("it is committed");
    assert_eq!(house.queue.list_recurring(&of("zoo"), "", 10).await.expect("they are read").len(), 1);
}

async fn who_is_forgotten_is_forgotten_by_one_tenant(house: &House) {
    let job = || Job::new("note", json!({"to": "al@example.org"}));
    let theirs = add(house, "acme", job()).await.id;
    let others = add(house, "zoo", job()).await.id;
    let mentions = Mentions::of(["al@example.org"]);
    let still = || -> futures_util::future::BoxFuture<'_, Result<Mentions, DatabaseError>> {
        Box::pin(async { Ok(Mentions::of(["al@example.org"])) })
    };
    let forgotten = house.queue.forget_mentions(&of("acme"), &mentions, Uuid::nil(), &still).await;
    assert_eq!(forgotten.expect("it looks at all"), 1);
    let payload =
        async |owner: &str, id| house.queue.find(&of(owner), id).await.unwrap().unwrap().payload.unwrap();
    assert_eq!(payload("acme", theirs).await, json!({}));
    assert_eq!(payload("zoo", others).await, json!({"to": "al@example.org"}));
}
