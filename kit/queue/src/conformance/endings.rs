//! The ends of jobs: retried, dead, redriven, cancelled; and the jobs that follow from these ends.

use std::time::Duration;

use futures_util::future::{BoxFuture, ready};
use pando_clock::Clock;
use pando_database::Database;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{House, call, defaults, note};
use crate::{
    DeadSelection, Job, JobError, JobState, JobType, Mentions, QueueError, Registry, Settings, Unique, Worker,
};

pub(super) async fn exercise(fresh: &impl AsyncFn() -> Database) {
    let scripted = async || House::scripted(fresh().await, defaults()).await;
    attempts_follow_their_pauses_and_end_in_the_dead_letters(&scripted().await).await;
    authors_choose_how_it_goes_on(&scripted().await).await;
    typed_payloads_reach_their_function(&scripted().await).await;
    dead_letters_come_back_at_a_rate(&scripted().await).await;
    waiting_jobs_are_cancelled_at_once(&scripted().await).await;
    running_jobs_are_cancelled_within_moments(&House::new(fresh().await, Clock::system(), defaults()).await)
        .await;
    batches_call_back_and_chains_go_on(&scripted().await).await;
    old_jobs_are_swept(&scripted().await).await;
    what_mentions_somebody_is_emptied(&scripted().await).await;
    strangers_keep_their_jobs_whatever_the_script(&scripted().await).await;
}

async fn what_mentions_somebody_is_emptied(house: &House) {
    let registry = house.kind("note", note);
    let about = |text: &str| Job::new("note", json!({"to": text}));
    let done = house.add(about("ZOE_1@example.org")).await;
    house.queue.run_until_idle(&registry).await.unwrap();
    let later = house.clock.now().plus_micros(60_000_000);
    let unique = Some(Unique::WhileLive("mail:zoe_1@example.org".to_owned()));
    let waiting = house.add(Job { run_at: Some(later), unique, ..Job::new("note", json!(1)) }).await;
    let spared = house.add(Job { run_at: Some(later), ..about("zoe_1@example.org") }).await;
    // The sign that stands for any other in a pattern is a letter like any other here.
    let other = house.add(Job { run_at: Some(later), ..about("zoex1@example.org") }).await;
    let mentions = Mentions::of(["zoe_1@example.org", ""]);
    let still = || -> BoxFuture<'_, _> { Box::pin(ready(Ok(mentions.clone()))) };
    assert_eq!(house.queue.forget_mentions(&call(), &mentions, spared, &still).await.unwrap(), 2);
    for (id, state) in [(done, JobState::Completed), (waiting, JobState::Cancelled)] {
        let job = house.find(id).await;
        assert_eq!((job.state, job.payload, job.result), (state, Some(json!({})), None));
    }
    for id in [spared, other] {
        assert_eq!(house.find(id).await.state, JobState::Scheduled);
        assert_ne!(house.find(id).await.payload, Some(json!({})));
    }
    assert_eq!(house.queue.forget_mentions(&call(), &mentions, spared, &still).await.unwrap(), 0);
}

async fn strangers_keep_their_jobs_whatever_the_script(house: &House) {
    let later = house.clock.now().plus_micros(60_000_000);
    let about = |payload: Value| Job { run_at: Some(later), ..Job::new("note", payload) };
    let (mut theirs, mut strangers) = (Vec::new(), Vec::new());
    for text in
        ["al@example.org", "ÅSA@EXAMPLE.ORG", "mailto:al%40example.org", "{\"to\":\"\\u00e5sa@example.org\"}"]
    {
        theirs.push(house.add(about(json!({"deep": [{"to": text}]}))).await);
    }
    // More than one page of them, and one that is bigger than a page may be.
    for number in 0..250 {
        strangers.push(house.add(about(json!({"to": format!("michal@example.org {number}")}))).await);
    }
    strangers.push(house.add(about(json!({"to": "al@example.org.uk", "long": "x".repeat(5_000_000)}))).await);
    strangers.push(house.add(about(json!({"to": "vasa@example.org, kåsa.åsa@example.org"}))).await);
    theirs.push(house.add(about(json!({"al@example.org": true}))).await);
    let mentions = Mentions::of(["al@example.org", "åsa@example.org"]);
    let still = || -> BoxFuture<'_, _> { Box::pin(ready(Ok(mentions.clone()))) };
    let [named, unnamed] = ["al%40example.org", "michal%40example.org"]
        .map(|who| Job::new("note", json!({"url": format!("http://127.0.0.1/?mail={who}")})));
    let (named, unnamed) = (called_back(house, named).await, called_back(house, unnamed).await);
    let forgotten = house.queue.forget_mentions(&call(), &mentions, Uuid::nil(), &still).await.unwrap();
    assert_eq!(forgotten, u64::try_from(theirs.len() + 1).unwrap());
    let mut tx = house.queue.database().transaction(&call()).await.unwrap();
    assert_eq!(house.queue.callback_of(&mut tx, named).await.unwrap(), None);
    assert!(house.queue.callback_of(&mut tx, unnamed).await.unwrap().is_some());
    tx.commit().await.unwrap();
    for id in theirs {
        let job = house.find(id).await;
        assert_eq!((job.state, job.payload), (JobState::Cancelled, Some(json!({}))));
    }
    for id in strangers {
        assert_eq!(house.find(id).await.state, JobState::Scheduled);
    }
}

/// A job that waits, and that is followed by a callback.
async fn called_back(house: &House, callback: Job) -> Uuid {
    let run_at = Some(house.clock.now().plus_micros(60_000_000));
    let mut tx = house.queue.database().transaction(&call()).await.unwrap();
    let job = Job { run_at, ..Job::new("note", json!(1)) };
    let enqueued = house.queue.enqueue_with_callback(&mut tx, job, callback).await.unwrap();
    tx.commit().await.unwrap();
    enqueued.id
}

async fn attempts_follow_their_pauses_and_end_in_the_dead_letters(house: &House) {
    let registry = house.kind("fails", async |context, _, seen| {
        seen.push(json!(context.attempt()));
        Err(JobError::retry(format!("no answer after {} ms", context.attempt() * 7)))
    });
    let settings = Settings { pauses_ms: Some(vec![1_000, 2_000, 4_000]), timeout_ms: None };
    let id = house.add(Job { attempts_max: 4, settings, ..Job::new("fails", Value::Null) }).await;
    for (pause, attempts) in [(0, 1), (999, 1), (1, 2), (2_000, 3), (3_999, 3), (1, 4)] {
        house.clock.advance(Duration::from_millis(pause));
        house.queue.run_until_idle(&registry).await.unwrap();
        assert_eq!(house.seen.len(), attempts, "after {pause} ms");
    }
    let job = house.find(id).await;
    assert_eq!((job.state, job.error.as_deref()), (JobState::Dead, Some("no answer after 28 ms")));
    let groups = house.queue.dead_groups(&call(), 10).await.unwrap();
    assert_eq!((groups.len(), groups[0].count), (1, 1));
    assert_eq!(Some(&groups[0].fingerprint), job.fingerprint.as_ref());
}

async fn authors_choose_how_it_goes_on(house: &House) {
    let registry = house.kind("chooses", async |_, payload, seen| {
        seen.push(Value::Null);
        match payload.as_str() {
            Some("give up") => Err(JobError::give_up("never")),
            Some("later") => Err(JobError::retry_after(Duration::from_secs(90), "busy")),
            Some("panics") => panic!("as it was told to"),
            Some("slow") => std::future::pending().await,
            _ => Ok(json!({"echo": payload})),
        }
    });
    let settings = Settings { timeout_ms: Some(50), pauses_ms: Some(vec![1_000_000]) };
    let add = async |what: &str| {
        house.add(Job { settings: settings.clone(), ..Job::new("chooses", json!(what)) }).await
    };
    let (dead, later) = (add("give up").await, add("later").await);
    let (panics, slow, fine) = (add("panics").await, add("slow").await, add("fine").await);
    house.queue.run_until_idle(&registry).await.unwrap();
    let state = async |id| {
        let job = house.find(id).await;
        (job.state, job.attempts, job.error.unwrap_or_default())
    };
    assert_eq!(state(dead).await, (JobState::Dead, 1, "never".into()));
    assert_eq!(state(later).await, (JobState::Scheduled, 1, "busy".into()));
    assert_eq!(state(panics).await, (JobState::Scheduled, 1, "the handler panicked".into()));
    assert_eq!(state(slow).await, (JobState::Scheduled, 1, "it took longer than 50 ms".into()));
    assert_eq!(house.find(fine).await.result, Some(json!({"echo": "fine"})));
    assert_eq!(house.find(later).await.run_at, house.clock.now().plus_micros(90_000_000));
}

async fn typed_payloads_reach_their_function(house: &House) {
    #[derive(Serialize, Deserialize)]
    struct Parcel {
        weight: u64,
    }
    const WEIGH: JobType<Parcel> = JobType::new("weigh").within_ms(5_000);
    let mut registry = Registry::default();
    let kind = WEIGH.run_by(&house.clock, async |_clock, _context, parcel: Parcel| {
        if parcel.weight > 9 { Err(JobError::give_up("too heavy")) } else { Ok(parcel.weight * 2) }
    });
    assert_eq!(kind.settings.timeout_ms, Some(5_000));
    registry.add(kind).unwrap();
    let (light, heavy) =
        (WEIGH.job(&Parcel { weight: 4 }).unwrap(), WEIGH.job(&Parcel { weight: 10 }).unwrap());
    assert_eq!(light.settings.timeout_ms, Some(5_000));
    let (light, heavy) = (house.add(light).await, house.add(heavy).await);
    // An older version wrote it, or somebody else.
    let other = house.add(Job::new("weigh", json!({"weight": "four"}))).await;
    house.queue.run_until_idle(&registry).await.unwrap();
    assert_eq!(house.find(light).await.result, Some(json!(8)));
    assert_eq!(house.find(heavy).await.error.as_deref(), Some("too heavy"));
    let other = house.find(other).await;
    let told = "the payload is not valid: invalid type: string \"four\", expected u64";
    assert_eq!((other.state, other.attempts, other.error.as_deref()), (JobState::Dead, 1, Some(told)));
}

async fn dead_letters_come_back_at_a_rate(house: &House) {
    let fails = house.kind("work", async |_, _, _| Err(JobError::give_up("broken")));
    for _ in 0..20 {
        house.add(Job::new("work", Value::Null)).await;
    }
    assert_eq!(house.queue.run_until_idle(&fails).await.unwrap(), 20);
    let all = DeadSelection { kind: Some("work".into()), ..DeadSelection::default() };
    let dry = house.queue.redrive(&call(), &all, Some(10.0), true).await.unwrap();
    assert_eq!((dry.selected, dry.redriven), (20, 0));
    let none = DeadSelection { fingerprint: Some("other".into()), ..all.clone() };
    assert_eq!(house.queue.redrive(&call(), &none, None, false).await.unwrap().selected, 0);
    let done = house.queue.redrive(&call(), &all, Some(10.0), false).await.unwrap();
    assert_eq!((done.selected, done.redriven), (20, 20));
    let works = house.kind("work", note);
    assert_eq!(house.queue.run_until_idle(&works).await.unwrap(), 1, "ten in a second, the first at once");
    house.clock.advance(Duration::from_millis(950));
    assert_eq!(house.queue.run_until_idle(&works).await.unwrap(), 9);
    house.clock.advance(Duration::from_secs(1));
    assert_eq!(house.queue.run_until_idle(&works).await.unwrap(), 10);
}

async fn waiting_jobs_are_cancelled_at_once(house: &House) {
    let registry = house.kind("note", note);
    let later = house.clock.now().plus_micros(5_000_000);
    let jobs = [Job::new("note", Value::Null), Job { run_at: Some(later), ..Job::new("note", Value::Null) }];
    for job in jobs {
        let id = house.add(job).await;
        assert_eq!(house.queue.cancel(&call(), id).await.unwrap(), JobState::Cancelled);
        let again = house.queue.cancel(&call(), id).await;
        assert!(matches!(again, Err(QueueError::Ended { state: JobState::Cancelled })), "{again:?}");
    }
    house.clock.advance(Duration::from_secs(6));
    assert_eq!(house.queue.run_until_idle(&registry).await.unwrap(), 0);
    let unknown = house.queue.cancel(&call(), house.clock.fresh_id()).await;
    assert!(matches!(unknown, Err(QueueError::NotFound)), "{unknown:?}");
}

async fn running_jobs_are_cancelled_within_moments(house: &House) {
    let registry = house.kind("endless", async |_, _, seen| {
        seen.push(Value::Null);
        std::future::pending().await
    });
    let worker = Worker::start(&house.queue, registry);
    let id = house.add(Job::new("endless", Value::Null)).await;
    house.reaches(id, JobState::Running).await;
    assert_eq!(house.queue.cancel(&call(), id).await.unwrap(), JobState::Running);
    assert_eq!(house.reaches(id, JobState::Cancelled).await.attempts, 1);
    worker.stop(Duration::from_secs(5)).await;
}

async fn batches_call_back_and_chains_go_on(house: &House) {
    let mut registry = Registry::default();
    house.add_kind(&mut registry, "part", async |_, payload, _| match payload.as_i64() {
        Some(2) => Err(JobError::give_up("the second always fails")),
        _ => Ok(json!("done")),
    });
    house.add_kind(&mut registry, "after", note);
    let jobs = (0..5).map(|number| Job::new("part", json!(number))).collect();
    let mut tx = house.queue.database().transaction(&call()).await.unwrap();
    let callback = Job::new("after", json!({"what": "batch"}));
    let batch = house.queue.enqueue_batch(&mut tx, jobs, Some(callback)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(house.queue.batch(&call(), batch.id).await.unwrap().unwrap().unfinished, 5);
    assert_eq!(house.queue.run_until_idle(&registry).await.unwrap(), 6);
    let status = house.queue.batch(&call(), batch.id).await.unwrap().unwrap();
    assert_eq!((status.total, status.unfinished, status.failed), (5, 0, 1));
    let mut told = house.seen.all();
    let last = told[0]["batch"]["last_job"].take();
    let ended = json!({"id": batch.id, "total": 5, "failed": 1, "last": "completed", "last_job": null});
    assert_eq!(told, [json!({"what": "batch", "batch": ended})]);
    assert!(batch.jobs.iter().any(|job| json!(job) == last), "{last}");

    let links = vec![Job::new("after", json!({"n": 1})), Job::new("after", json!({"n": 2}))];
    house.add(Job { then: links, ..Job::new("part", json!(0)) }).await;
    assert_eq!(house.queue.run_until_idle(&registry).await.unwrap(), 3);
    let seen = house.seen.all();
    assert_eq!(seen[1..], [json!({"n": 1, "previous": "done"}), json!({"n": 2, "previous": null})]);
}

async fn old_jobs_are_swept(house: &House) {
    let registry = house.kind("note", async |_, payload, _| match payload.as_i64() {
        Some(0) => Err(JobError::give_up("dead")),
        _ => Ok(Value::Null),
    });
    let (dead, done) =
        (house.add(Job::new("note", json!(0))).await, house.add(Job::new("note", json!(1))).await);
    house.queue.run_until_idle(&registry).await.unwrap();
    let there = async |id| house.queue.find(&call(), id).await.unwrap().is_some();
    assert_eq!(house.queue.sweep().await.unwrap(), 0);
    house.clock.advance(Duration::from_secs(25 * 3_600));
    assert_eq!(house.queue.sweep().await.unwrap(), 1);
    assert_eq!((there(dead).await, there(done).await), (true, false));
    house.clock.advance(Duration::from_secs(30 * 86_400));
    assert_eq!(house.queue.sweep().await.unwrap(), 1);
    assert!(!there(dead).await);
}
