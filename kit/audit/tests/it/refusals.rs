//! Refused requests: entries within a budget, and a count of the others.

use pando_audit::Refused;
use pando_database::params;
use pando_database::testing::each_engine;
use pando_resilience::Identity;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);
const FOUND: &str =
    "select tenant, actor, client, resource_id, details, result from audit_unsealed order by id";

fn refused(caller: Option<&Identity>) -> Refused<'_> {
    let client = "192.0.2.1".parse().unwrap();
    Refused { operation: "GET /x", code: "forbidden", reason: "no scope", request_id: "r", client, caller }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_minute_names_some_refused_requests_and_counts_the_others() {
    each_engine(async |database| {
        let house = House::on(database).await;
        let caller = call("acme").identity;
        for _ in 0..100 {
            house.audit.note_refused(&refused(None));
        }
        for _ in 0..31 {
            house.audit.note_refused(&refused(Some(&caller)));
        }
        house.audit.write_refused(false).await.unwrap();
        let rows = house.rows(FOUND, params![]).await;
        let texts: Vec<[String; 6]> =
            rows.iter().map(|row| std::array::from_fn(|column| row.get(column).unwrap())).collect();
        let details = r#"{"code":"forbidden","reason":"no scope"}"#;
        let of = |tenant, actor| [tenant, actor, "192.0.2.1", "GET /x", details, "refused"].map(str::to_owned);
        assert_eq!(texts.iter().filter(|texts| **texts == of("", "")).count(), 30);
        assert_eq!(texts.iter().filter(|texts| **texts == of("acme", "ann")).count(), 30);
        assert_eq!(texts.len(), 60, "the others are counted when the minute is over");

        house.clock.advance(MINUTE);
        house.audit.note_refused(&refused(None));
        house.audit.write_refused(false).await.unwrap();
        house.audit.write_refused(false).await.unwrap();
        assert_eq!(house.count("select count(*) from audit_unsealed").await, 62);
        let more = "select count(*) from audit_unsealed where action = 'requests_refused' and details = '{\"more\":71}'";
        assert_eq!(house.count(more).await, 1);
        assert!(house.metrics.render().contains("audit_refused_requests_total{outcome=\"counted\"} 71"));
        house.audit.seal_once().await.unwrap();
        assert!(house.verify("").await.is_intact() && house.verify("acme").await.is_intact());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_requests_that_cannot_be_written_are_counted_later() {
    each_engine(async |database| {
        let house = House::on(database).await;
        house.audit.note_refused(&refused(None));
        house.run(&[("alter table audit_unsealed rename to away", vec![])]).await;
        house.audit.write_refused(true).await.unwrap_err();
        house.run(&[("alter table away rename to audit_unsealed", vec![])]).await;
        house.audit.write_refused(true).await.unwrap();
        let rows = house.rows("select details from audit_unsealed", params![]).await;
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].get::<String>(0).unwrap(), r#"{"more":1}"#);
    })
    .await;
}
