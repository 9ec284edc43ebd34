//! Accounts and sessions on both engines, with a scripted clock.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use pando_clock::Clock;
use pando_database::testing::TestDatabase;
use pando_database::{Database, Query, params};
use pando_resilience::{Call, Role, Tenant};
use pando_telemetry::Metrics;
use zeroize::Zeroizing;

use super::{Begun, LoginError, LoginWay, NewOperator, Operators};
use crate::{AuthOptions, MIGRATIONS};

const RIGHT: &str = "correct horse battery";
const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const MINUTE: Duration = Duration::from_secs(60);

struct House {
    operators: Operators,
    database: Database,
    clock: Clock,
    metrics: Metrics,
}

fn call() -> Call {
    Call::internal("test", Duration::from_secs(20))
}

fn secret(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
}

/// A house on each engine, in which Ann has an account.
async fn each_house(test: impl AsyncFn(House)) {
    for place in [TestDatabase::sqlite(), TestDatabase::postgres().await] {
        let clock = Clock::scripted("2026-11-27T12:00:00Z".parse().unwrap());
        let metrics = Metrics::new();
        let database = Database::open(&place.options, &metrics, &clock).await.unwrap();
        database.migrate(&[MIGRATIONS]).await.unwrap();
        let fetch: crate::Fetch = Arc::new(|_| Box::pin(async { Err("nothing is there".to_owned()) }));
        let options = AuthOptions { key_recheck_ms: 1, ..AuthOptions::default() };
        let operators = Operators::new(&options, &fetch, (&database, &clock, &metrics)).unwrap();
        operators.add(&call(), ann()).await.unwrap();
        test(House { operators, database: database.clone(), clock, metrics }).await;
        database.close().await;
        drop(place);
    }
}

fn ann() -> NewOperator {
    let way = LoginWay::Password(secret(RIGHT));
    NewOperator { name: "ann".to_owned(), tenant: Tenant::default(), role: Role::Operator, way }
}

impl House {
    async fn log_in(&self, name: &str, password: &str) -> Result<Begun, LoginError> {
        self.operators.log_in(&call(), (name, secret(password)), (HOME, None)).await
    }

    async fn is_refused(&self, name: &str, password: &str) {
        let refused = self.log_in(name, password).await.map(|begun| begun.session);
        assert!(matches!(refused, Err(LoginError::Wrong)), "{name}: {refused:?}");
    }

    async fn counts(&self, begun: &Begun) -> bool {
        self.operators.session(&call(), &begun.token).await.unwrap().is_some()
    }

    async fn change(&self, query: &'static Query) {
        let mut tx = self.database.transaction(&call()).await.unwrap();
        tx.execute(query, params![]).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn number(&self, query: &'static Query) -> i64 {
        let call = call();
        let found = self.database.read_primary(&call).row(query, params![]).await.unwrap();
        found.unwrap().get(0).unwrap()
    }

    fn hashes(&self) -> u64 {
        self.metrics.counter("auth_password_hashes_total", "Runs of Argon2id.", &[]).get()
    }
}

#[tokio::test]
async fn every_refusal_costs_the_same_work_and_has_the_same_words() {
    each_house(async |house| {
        let other = NewOperator {
            name: "zoe".to_owned(),
            way: LoginWay::Provider { issuer: "i".to_owned(), subject: "zoe".to_owned() },
            ..ann()
        };
        house.operators.add(&call(), other).await.unwrap();
        for (name, password) in
            [("ann", "wrong"), ("nobody", RIGHT), ("", RIGHT), ("zoe", RIGHT), ("ann", &"a".repeat(9_999))]
        {
            let before = house.hashes();
            house.is_refused(name, password).await;
            assert_eq!(house.hashes() - before, 1, "{name}");
        }
        house.operators.disable(&call(), "ann").await.unwrap();
        let before = house.hashes();
        house.is_refused("ann", RIGHT).await;
        assert_eq!(house.hashes() - before, 1);
        house.operators.enable(&call(), "ann").await.unwrap();
        let begun = house.log_in("ann", RIGHT).await.unwrap();
        assert_eq!((begun.session.operator.as_str(), begun.session.role), ("ann", Role::Operator));
        let listed = house.operators.list(&call(), None).await.unwrap();
        assert_eq!(listed.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["ann", "zoe"]);
        let twice = house.operators.add(&call(), ann()).await.unwrap_err().to_string();
        assert!(twice.contains("already"), "{twice}");
    })
    .await;
}

#[tokio::test]
async fn wrong_passwords_lock_an_account_for_longer_and_longer() {
    each_house(async |house| {
        for _ in 0..4 {
            house.is_refused("ann", "wrong password").await;
        }
        house.log_in("ann", RIGHT).await.unwrap();
        for _ in 0..5 {
            house.is_refused("ann", "wrong password").await;
        }
        // Not even the right password says that the account is locked, and attempts do not prolong it.
        house.is_refused("ann", RIGHT).await;
        house.is_refused("ann", "wrong password").await;
        house.clock.advance(MINUTE - Duration::from_secs(1));
        house.is_refused("ann", RIGHT).await;
        house.clock.advance(Duration::from_secs(1));
        house.is_refused("ann", "wrong password").await;
        house.clock.advance(MINUTE);
        house.is_refused("ann", RIGHT).await;
        house.clock.advance(MINUTE);
        house.log_in("ann", RIGHT).await.unwrap();
        // The count begins anew.
        house.is_refused("ann", "wrong password").await;
        house.log_in("ann", RIGHT).await.unwrap();
        let elsewhere = "192.0.2.7".parse().unwrap();
        for _ in 0..5 {
            house.is_refused("nobody", "wrong password").await;
        }
        let flooded = house.log_in("ann", RIGHT).await.map(|begun| begun.session);
        assert!(matches!(flooded, Err(LoginError::TooMany { .. })), "{flooded:?}");
        house.operators.log_in(&call(), ("ann", secret(RIGHT)), (elsewhere, None)).await.unwrap();
        house.clock.advance(15 * MINUTE);
        house.log_in("ann", RIGHT).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn guesses_at_the_same_moment_lock_an_account_as_well() {
    each_house(async |house| {
        let guesses = (0..12).map(|_| house.is_refused("ann", "wrong password"));
        join_all(guesses).await;
        let listed = house.operators.list(&call(), None).await.unwrap();
        assert_eq!((listed[0].failures, listed[0].is_locked(house.clock.now())), (5, true));
        house.is_refused("ann", RIGHT).await;
        // Names that nobody has are counted in a row that nobody sees, from the first one on.
        join_all((0..5).map(|_| house.is_refused("nobody", RIGHT))).await;
        assert_eq!(house.operators.list(&call(), None).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_outdated_hash_is_replaced_at_login() {
    // Another program made it: cryptography 50.0 for Python.
    static OLD: Query = Query::write(
        "test.old_hash",
        "update operators set hash = '$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$QOKF1iG70GOhZX71bkTGoINw9zqSjKFirULQQtMxBVI' where name = 'ann'",
    );
    static COUNT: Query = Query::point(
        "test.new_hashes",
        "select count(*) from operators where hash like '$argon2id$v=19$m=19456,t=2,p=1$%'",
    );
    each_house(async |house| {
        house.change(&OLD).await;
        assert_eq!(house.number(&COUNT).await, 0);
        house.is_refused("ann", "wrong password").await;
        assert_eq!(house.number(&COUNT).await, 0);
        house.log_in("ann", RIGHT).await.unwrap();
        assert_eq!(house.number(&COUNT).await, 1);
        house.log_in("ann", RIGHT).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn sessions_end_when_they_are_idle_and_when_they_are_old() {
    static SESSIONS: Query = Query::point("test.sessions", "select count(*) from operator_sessions");
    each_house(async |house| {
        let (used, idle) =
            (house.log_in("ann", RIGHT).await.unwrap(), house.log_in("ann", RIGHT).await.unwrap());
        for _ in 0..2 {
            house.clock.advance(20 * MINUTE);
            assert!(house.counts(&used).await, "its use is noted");
        }
        assert!(!house.counts(&idle).await);
        assert_eq!(house.operators.sweep().await.unwrap(), 1);
        for _ in 0..33 {
            house.clock.advance(20 * MINUTE);
            assert!(house.counts(&used).await);
        }
        house.clock.advance(20 * MINUTE);
        assert!(!house.counts(&used).await, "twelve hours have passed");
        assert_eq!(house.operators.sweep().await.unwrap(), 1);
        // The oldest give way.
        let first = house.log_in("ann", RIGHT).await.unwrap();
        house.clock.advance(Duration::from_secs(1));
        let mut last = house.log_in("ann", RIGHT).await.unwrap();
        for _ in 0..49 {
            last = house.log_in("ann", RIGHT).await.unwrap();
        }
        assert!(!house.counts(&first).await && house.counts(&last).await);
        assert_eq!(house.number(&SESSIONS).await, 50);
    })
    .await;
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    each_house(async |house| {
        let (mine, other) =
            (house.log_in("ann", RIGHT).await.unwrap(), house.log_in("ann", RIGHT).await.unwrap());
        for token in [&mine.token, &other.token] {
            house.operators.verify(token).await.unwrap();
        }
        let change = async |token: &str, current: &str, new: &str| {
            house.operators.change_password(&call(), token, (secret(current), secret(new)), HOME).await
        };
        let new = "a better horse battery";
        assert!(matches!(change(&mine.token, "wrong password", new).await, Err(LoginError::WrongCurrent)));
        assert!(matches!(change(&mine.token, RIGHT, "short").await, Err(LoginError::PasswordLength { .. })));
        assert!(matches!(change("no session", RIGHT, new).await, Err(LoginError::NoSession)));
        assert!(house.counts(&other).await);
        change(&mine.token, RIGHT, new).await.unwrap();
        assert!(house.counts(&mine).await && !house.counts(&other).await);
        assert!(house.operators.recall(&other.token).is_none(), "this process has forgotten it, too");
        house.is_refused("ann", RIGHT).await;
        let begun = house.log_in("ann", new).await.unwrap();
        house.operators.reset(&call(), "ann", secret(RIGHT)).await.unwrap();
        assert!(!house.counts(&begun).await && !house.counts(&mine).await);
        house.log_in("ann", RIGHT).await.unwrap();
    })
    .await;
}
