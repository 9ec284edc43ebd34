//! Over TLS, to a real PostgreSQL that asks for passwords, and through a real PgBouncer.

use std::path::Path;
use std::time::Duration;

use pando_database::conformance::exercise;
use pando_database::testing::{TestDatabase, TestPooler, TestPostgres};
use pando_database::{Database, DatabaseError, DatabaseOptions, Query, Secret};
use pando_servers::Certificates;
use pando_tls::Tls;

use crate::{call, eventually};

/// How this connection is encrypted.
const ENCRYPTION: Query = Query::scan(
    "encryption",
    "select ssl, coalesce(version, 'none') from pg_stat_ssl where pid = pg_backend_pid()",
);
const SLEEP: Query = Query::scan("sleep", "select pg_sleep(60)::text");
const SLEEPERS: Query = Query::scan(
    "sleepers",
    "select count(*) from pg_stat_activity where query like 'select pg_sleep%' and state = 'active'",
);

/// Opens a database of this server as the changed options say, and asks how the connection is encrypted.
async fn opened(
    server: &TestPostgres,
    change: impl Fn(&mut DatabaseOptions),
) -> Result<(bool, String), DatabaseError> {
    let mut test = TestDatabase::on(server).await;
    change(&mut test.options);
    let database = Database::open(&test.options, &test.metrics, &test.clock).await?;
    let row = database.read(&call()).row(&ENCRYPTION, []).await?.expect("a connection has an entry");
    let found = (row.get(0)?, row.get(1)?);
    database.close().await;
    Ok(found)
}

fn mode(sslmode: &str, authority: Option<&Path>) -> impl Fn(&mut DatabaseOptions) + use<> {
    let (sslmode, tls) = (sslmode.to_owned(), authority.map_or_else(Tls::default, Tls::only));
    move |options| {
        options.sslmode = Some(sslmode.clone());
        options.tls = tls.clone();
    }
}

/// The same server by another address.
fn at(server: &TestPostgres, host: &str, query: &str) -> Secret {
    let port = server.port();
    let password = server.url().split_once("//").and_then(|(_, rest)| rest.split_once('@')).unwrap().0;
    Secret::new(format!("postgres://{password}@{host}:{port}/postgres?{query}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_promise_is_kept_over_tls_with_a_password() {
    let certificates = Certificates::new();
    let server = TestPostgres::encrypted(&certificates.server("server"));
    let mut test = TestDatabase::on(&server).await;
    mode("verify-full", Some(&certificates.authority()))(&mut test.options);
    let database = test.open().await;
    exercise(&database).await.unwrap();
    a_statement_whose_caller_is_gone_is_stopped(&database).await;
    database.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_promise_is_kept_through_a_pooler_over_tls() {
    let certificates = Certificates::new();
    let server = TestPostgres::shared();
    let pooler = TestPooler::encrypted(server, &certificates.server("pooler"));
    let mut test = TestDatabase::behind(&pooler, server).await;
    mode("verify-full", Some(&certificates.authority()))(&mut test.options);
    let database = test.open().await;
    exercise(&database).await.unwrap();
    a_statement_whose_caller_is_gone_is_stopped(&database).await;
    database.close().await;
    // It takes no others.
    test.options.sslmode = Some("disable".to_owned());
    let refused = Database::open(&test.options, &test.metrics, &test.clock).await.unwrap_err();
    assert!(matches!(refused, DatabaseError::Unavailable { .. }), "{refused:?}");
}

/// The request to stop it goes over a connection of its own, which is encrypted, too.
async fn a_statement_whose_caller_is_gone_is_stopped(database: &Database) {
    let asking = call();
    let asking = database.read(&asking);
    let gone = tokio::time::timeout(Duration::from_millis(300), asking.row(&SLEEP, [])).await;
    assert!(gone.is_err(), "nothing answers so soon");
    eventually("the statement is stopped", async || {
        let row = database.read(&call()).row(&SLEEPERS, []).await.unwrap().unwrap();
        row.get::<i64>(0).unwrap() == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_mode_encrypts_as_it_says() {
    let certificates = Certificates::new();
    let server = TestPostgres::encrypted(&certificates.server("server"));
    let encrypted = (true, "TLSv1.3".to_owned());
    assert_eq!(opened(&server, mode("disable", None)).await.unwrap(), (false, "none".to_owned()));
    assert_eq!(opened(&server, |_| ()).await.unwrap(), encrypted, "prefer, if nothing is said");
    assert_eq!(opened(&server, mode("require", None)).await.unwrap(), encrypted);
    for strict in ["verify-ca", "verify-full"] {
        let trusting = mode(strict, Some(&certificates.authority()));
        assert_eq!(opened(&server, trusting).await.unwrap(), encrypted, "{strict}");
    }
    // The address may say it all.
    let file = certificates.authority().display().to_string().replace('/', "%2F");
    let url = at(&server, "localhost", &format!("sslmode=verify-full&sslrootcert={file}"));
    assert_eq!(opened(&server, |options| options.url = Some(url.clone())).await.unwrap(), encrypted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_is_not_right_is_refused_and_the_error_says_why() {
    let (ours, strangers) = (Certificates::new(), Certificates::new());
    let server = TestPostgres::encrypted(&ours.server("server"));
    let expired = TestPostgres::encrypted(&ours.expired_server("expired"));
    let elsewhere = at(&server, "db.example.org", "hostaddr=127.0.0.1");
    let named = |sslmode: &'static str| {
        let (mode, url) = (mode(sslmode, Some(&ours.authority())), elsewhere.clone());
        move |options: &mut DatabaseOptions| {
            mode(options);
            options.url = Some(url.clone());
        }
    };
    let says = |error: DatabaseError, reason: &str| {
        assert!(matches!(error, DatabaseError::Unavailable { .. }), "{error:?}");
        let said = error.to_string();
        assert!(said.contains("no encrypted connection") && said.contains(reason), "{said}");
        assert!(!said.contains("opensesame"), "{said}");
    };
    for strict in ["verify-ca", "verify-full"] {
        let foreign = opened(&server, mode(strict, Some(&strangers.authority()))).await.unwrap_err();
        says(foreign, "no trusted authority has signed it");
        let system = opened(&server, mode(strict, None)).await.unwrap_err();
        says(system, "no trusted authority has signed it");
        let late = opened(&expired, mode(strict, Some(&ours.authority()))).await.unwrap_err();
        says(late, "certificate expired");
    }
    says(opened(&server, named("verify-full")).await.unwrap_err(), "not valid for name \"db.example.org\"");
    assert!(opened(&server, named("verify-ca")).await.unwrap().0, "the name is not checked");
    assert!(opened(&expired, mode("require", None)).await.unwrap().0, "nothing is checked");
    // As libpq does: a file of authorities is there to be used.
    let file = strangers.authority().display().to_string();
    let url = at(&server, "localhost", &format!("sslmode=require&sslrootcert={file}"));
    let refused = opened(&server, |options| options.url = Some(url.clone())).await.unwrap_err();
    says(refused, "no trusted authority has signed it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_tls_is_refused_unless_the_mode_allows_it() {
    let server = TestPostgres::shared();
    for allowed in ["disable", "prefer"] {
        assert!(!opened(server, mode(allowed, None)).await.unwrap().0, "{allowed}");
    }
    for strict in ["require", "verify-full"] {
        let refused = opened(server, mode(strict, None)).await.unwrap_err();
        let DatabaseError::Unavailable { reason } = refused else { panic!("{refused:?}") };
        assert!(reason.contains("server does not support TLS"), "{strict}: {reason}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_refused_and_shown_to_nobody() {
    let server = TestPostgres::encrypted(&Certificates::new().server("server"));
    let refused = opened(&server, |options| options.password = Some(Secret::new("openbarley"))).await;
    let said = refused.unwrap_err().to_string();
    assert!(said.contains("28P01") && !said.contains("openbarley") && !said.contains("opensesame"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_password_is_proved_over_this_connection_only() {
    let certificates = Certificates::new();
    let server = TestPostgres::encrypted(&certificates.server("server"));
    let bound = at(&server, "localhost", "sslmode=require&channel_binding=require");
    assert!(opened(&server, |options| options.url = Some(bound.clone())).await.unwrap().0);
}
