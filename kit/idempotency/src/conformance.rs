//! The promises of this crate on every engine, as one test suite.
#![expect(clippy::unwrap_used, reason = "a suite that cannot go on has failed")]

use std::time::Duration;

use futures_util::future::join_all;
use pando_clock::{Clock, Timestamp};
use pando_database::{Database, DatabaseError, Migration, MigrationSet, Query, params};
use pando_resilience::{Call, Tenant};
use pando_telemetry::Metrics;

use crate::{
    Admission, Claim, Idempotency, IdempotencyError, IdempotencyOptions, Key, MIGRATIONS, Outcome, Request,
    Scope, hash_of,
};

const EFFECTS: MigrationSet = MigrationSet {
    service: "idempotency_conformance",
    migrations: &[Migration {
        version: 1,
        name: "effects",
        sql: "create table once_effects (id uuid primary key, name text not null)",
    }],
};

const WRITE: Query = Query::write("effects.write", "insert into once_effects (id, name) values ($1, $2)");
const COUNT: Query = Query::scan("effects.count", "select count(*) from once_effects where name = $1");

struct House {
    database: Database,
    clock: Clock,
    idempotency: Idempotency,
}

/// Runs the whole suite on an empty database.
///
/// # Panics
/// Where a promise is broken.
pub async fn exercise(database: &Database) {
    database.migrate(&[MIGRATIONS, EFFECTS]).await.unwrap();
    let clock = Clock::scripted("2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap());
    let house = House { database: database.clone(), idempotency: open(database, &clock), clock };
    the_first_answer_is_repeated(&house).await;
    what_failed_may_be_tried_again(&house).await;
    keys_count_in_their_scope(&house).await;
    a_hundred_at_once_have_one_effect(&house).await;
    a_process_does_not_wait_for_itself(&house).await;
    a_step_that_is_the_last_leaves_all_or_nothing(&house).await;
    what_is_said_of_a_subject_can_be_taken_back(&house).await;
    a_refusal_that_is_kept_counts_once(&house).await;
    answers_expire_and_are_swept(&house).await;
}

async fn a_refusal_that_is_kept_counts_once(house: &House) {
    let metrics = Metrics::new();
    let options = IdempotencyOptions::default();
    let counted = Idempotency::new(&house.database, &house.clock, &metrics, options).unwrap();
    for again in [false, true] {
        let planted =
            house.plant(&counted, request("refused-once", "oak"), Ok(refusal("refused"))).await.unwrap();
        assert_eq!(matches!(planted, Planted::Replayed(_)), again, "{planted:?}");
    }
    let text = metrics.render();
    for outcome in ["first", "replayed"] {
        let line = format!("idempotency_requests_total{{outcome=\"{outcome}\"}} 1\n");
        assert!(text.contains(&line), "{line} is not in\n{text}");
    }
}

fn open(database: &Database, clock: &Clock) -> Idempotency {
    Idempotency::new(database, clock, &Metrics::new(), IdempotencyOptions::default()).unwrap()
}

fn call() -> Call {
    Call::internal("conformance", Duration::from_secs(30))
}

fn request(key: &str, body: &str) -> Request {
    let scope = Scope { tenant: "t".into(), actor: "ann".into(), operation: "POST /trees".into() };
    Request { scope, key: Key::parse(key).unwrap(), hash: hash_of(&[b"/trees", body.as_bytes()]) }
}

fn value(body: &str) -> Outcome {
    Outcome::success(format!("\"{body}\""))
}

fn refusal(body: &str) -> Outcome {
    Outcome::refusal(format!("\"{body}\""))
}

/// The result of a request.
#[derive(Debug, PartialEq, Eq)]
enum Planted {
    First(Outcome),
    Replayed(Outcome),
    InFlight,
    OtherRequest,
}

impl House {
    /// Takes all steps of a request, as a service does.
    async fn plant(
        &self,
        idempotency: &Idempotency,
        request: Request,
        given: Result<Outcome, DatabaseError>,
    ) -> Result<Planted, IdempotencyError> {
        let name = request.key.as_str().to_owned();
        let ticket = match idempotency.admit(&call(), request).await? {
            Admission::First(ticket) => ticket,
            Admission::Replay(outcome) => return Ok(Planted::Replayed(outcome)),
            Admission::InFlight => return Ok(Planted::InFlight),
            Admission::OtherRequest => return Ok(Planted::OtherRequest),
        };
        let mut tx = self.database.transaction(&call()).await?;
        match ticket.claim(&mut tx).await? {
            Claim::First => {}
            Claim::Replay(outcome) => return Ok(Planted::Replayed(outcome)),
            Claim::OtherRequest => return Ok(Planted::OtherRequest),
            Claim::InFlight => return Ok(Planted::InFlight),
        }
        tx.execute(&WRITE, params![self.clock.fresh_id(), name]).await?;
        let outcome = given?;
        if outcome.is_refusal {
            tx.rollback().await?;
            ticket.keep_refusal(&call(), &outcome).await?;
        } else {
            ticket.store(&mut tx, &outcome).await?;
            tx.commit().await?;
        }
        Ok(Planted::First(outcome))
    }

    async fn effects(&self, name: &str) -> i64 {
        let call = call();
        let row = self.database.read_primary(&call).row(&COUNT, params![name]).await.unwrap();
        row.unwrap().get(0).unwrap()
    }
}

async fn the_first_answer_is_repeated(house: &House) {
    let first = house.plant(&house.idempotency, request("first", "a"), Ok(value("one"))).await.unwrap();
    assert_eq!(first, Planted::First(value("one")));
    // Another process, as it were, and another outcome had it been run.
    let other = open(&house.database, &house.clock);
    for idempotency in [&house.idempotency, &other] {
        let again = house.plant(idempotency, request("first", "a"), Ok(value("two"))).await.unwrap();
        assert_eq!(again, Planted::Replayed(value("one")));
        let different = house.plant(idempotency, request("first", "b"), Ok(value("x"))).await.unwrap();
        assert_eq!(different, Planted::OtherRequest);
    }
    assert_eq!(house.effects("first").await, 1);
}

async fn what_failed_may_be_tried_again(house: &House) {
    let plant = async |given| house.plant(&house.idempotency, request("again", "a"), given).await;
    let failed = plant(Err(DatabaseError::StorageFull)).await;
    assert!(matches!(failed, Err(IdempotencyError::Database(DatabaseError::StorageFull))), "{failed:?}");
    assert_eq!(house.effects("again").await, 0, "rolled back");
    // A final refusal is repeated without another attempt.
    assert_eq!(plant(Ok(refusal("taken"))).await.unwrap(), Planted::First(refusal("taken")));
    assert_eq!(plant(Ok(value("late"))).await.unwrap(), Planted::Replayed(refusal("taken")));
    assert_eq!(house.effects("again").await, 0);
}

async fn keys_count_in_their_scope(house: &House) {
    let base = request("scoped", "a");
    let with = |change: fn(&mut Scope)| {
        let mut request = base.clone();
        change(&mut request.scope);
        request
    };
    let scopes = [
        base.clone(),
        with(|scope| scope.tenant = "u".into()),
        with(|scope| scope.actor = "bob".into()),
        with(|scope| scope.operation = "POST /shrubs".into()),
    ];
    for (index, request) in scopes.into_iter().enumerate() {
        let body = index.to_string();
        let given = house.plant(&house.idempotency, request, Ok(value(&body))).await.unwrap();
        assert!(matches!(given, Planted::First(_)), "{given:?}");
    }
    assert_eq!(house.effects("scoped").await, 4);
}

/// As if from two processes; some requests hear that the first one is in flight, and ask again.
async fn a_hundred_at_once_have_one_effect(house: &House) {
    let processes = [open(&house.database, &house.clock), open(&house.database, &house.clock)];
    let all = (0..100_usize).map(async |number| {
        loop {
            let given = Ok(value(&number.to_string()));
            match house.plant(&processes[number % 2], request("crowd", "a"), given).await {
                Ok(Planted::First(outcome) | Planted::Replayed(outcome)) => return outcome,
                Ok(Planted::InFlight) => tokio::task::yield_now().await,
                other => panic!("{other:?}"),
            }
        }
    });
    let answers = join_all(all).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(house.effects("crowd").await, 1);
}

async fn a_process_does_not_wait_for_itself(house: &House) {
    let plant =
        async |body| house.plant(&house.idempotency, request("busy", "a"), Ok(value(body))).await.unwrap();
    let Admission::First(held) = house.idempotency.admit(&call(), request("busy", "a")).await.unwrap() else {
        panic!("nobody was first");
    };
    assert_eq!(plant("second").await, Planted::InFlight);
    drop(held);
    assert!(matches!(plant("third").await, Planted::First(_)), "what was let go may be tried again");
}

/// A process that is killed after any step leaves what its transaction leaves: everything, or nothing.
async fn a_step_that_is_the_last_leaves_all_or_nothing(house: &House) {
    for last in 0..5 {
        let name = format!("killed-{last}");
        let doomed = open(&house.database, &house.clock);
        let Admission::First(ticket) = doomed.admit(&call(), request(&name, "a")).await.unwrap() else {
            panic!("nobody was first");
        };
        let mut tx = house.database.transaction(&call()).await.unwrap();
        if last >= 1 {
            assert!(matches!(ticket.claim(&mut tx).await.unwrap(), Claim::First));
        }
        if last >= 2 {
            tx.execute(&WRITE, params![house.clock.fresh_id(), name.as_str()]).await.unwrap();
        }
        if last >= 3 {
            ticket.store(&mut tx, &value("first")).await.unwrap();
        }
        // A killed process takes its tickets and its open transactions with it.
        if last >= 4 {
            tx.commit().await.unwrap();
        } else {
            drop(tx);
        }
        drop(ticket);
        let given = house.plant(&house.idempotency, request(&name, "a"), Ok(value("next"))).await.unwrap();
        match last {
            4 => assert_eq!(given, Planted::Replayed(value("first"))),
            _ => assert!(matches!(given, Planted::First(_)), "{last}: {given:?}"),
        }
        assert_eq!(house.effects(&name).await, 1, "{last}");
    }
    let unclaimed = house.idempotency.admit(&call(), request("unclaimed", "a")).await.unwrap();
    let Admission::First(ticket) = unclaimed else { panic!("nobody was first") };
    let mut tx = house.database.transaction(&call()).await.unwrap();
    let refused = ticket.store(&mut tx, &value("x")).await;
    assert!(matches!(refused, Err(IdempotencyError::NotClaimed)), "{refused:?}");
}

async fn what_is_said_of_a_subject_can_be_taken_back(house: &House) {
    let tell = async |key: &str, subject| {
        let Admission::First(ticket) = house.idempotency.admit(&call(), request(key, "a")).await.unwrap()
        else {
            panic!("{key} is new");
        };
        let mut tx = house.database.transaction(&call()).await.unwrap();
        assert!(matches!(ticket.claim(&mut tx).await.unwrap(), Claim::First));
        ticket.store_about(&mut tx, &value(key), subject).await.unwrap();
        tx.commit().await.unwrap();
    };
    for (key, subject) in [("of-zoe", Some("zoe")), ("of-ann", Some("ann")), ("of-nobody", None)] {
        tell(key, subject).await;
    }
    let mut tx = house.database.transaction(&call()).await.unwrap();
    let gone = refusal("gone");
    let (own, other) = (Tenant::stored("t"), Tenant::stored("u"));
    assert_eq!(house.idempotency.replace(&mut tx, (&other, "zoe"), &gone).await.unwrap(), 0);
    assert_eq!(house.idempotency.replace(&mut tx, (&own, "zoe"), &gone).await.unwrap(), 1);
    tx.commit().await.unwrap();
    for (key, given) in
        [("of-zoe", gone.clone()), ("of-ann", value("of-ann")), ("of-nobody", value("of-nobody"))]
    {
        let again = house.plant(&house.idempotency, request(key, "a"), Ok(value("x"))).await.unwrap();
        assert_eq!(again, Planted::Replayed(given), "{key}");
        assert_eq!(house.effects(key).await, 0);
    }
}

async fn answers_expire_and_are_swept(house: &House) {
    house.plant(&house.idempotency, request("expires", "a"), Ok(value("one"))).await.unwrap();
    house.clock.advance(Duration::from_secs(24 * 3_600 - 1));
    let again = house.plant(&house.idempotency, request("expires", "a"), Ok(value("two"))).await.unwrap();
    assert_eq!(again, Planted::Replayed(value("one")));
    house.clock.advance(Duration::from_secs(1));
    // Not swept yet, and yet over: the key is free for anything.
    let anew = house.plant(&house.idempotency, request("expires", "b"), Ok(value("three"))).await.unwrap();
    assert!(matches!(anew, Planted::First(_)), "{anew:?}");
    assert!(house.idempotency.sweep().await.unwrap() > 5);
    assert_eq!(house.idempotency.sweep().await.unwrap(), 0);
    let kept = house.plant(&house.idempotency, request("expires", "b"), Ok(value("x"))).await.unwrap();
    assert_eq!(kept, Planted::Replayed(value("three")));
}
