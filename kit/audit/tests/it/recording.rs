//! An entry exists if and only if its change does.

use pando_audit::EntryResult;
use pando_database::testing::each_engine;
use pando_database::{DatabaseError, params};
use serde_json::json;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_shares_the_fate_of_its_change() {
    each_engine(async |database| {
        let house = House::on(database).await;
        for (name, commits) in [("kept", true), ("undone", false), ("dropped", false)] {
            let call = call("acme");
            let mut tx = house.database.transaction(&call).await.unwrap();
            house.audit.record(&mut tx, &call, &entry(name));
            tx.execute(&CHANGE, params![name]).await.unwrap();
            match name {
                "kept" => drop(tx.commit().await.unwrap()),
                "undone" => tx.rollback().await.unwrap(),
                _ => drop(tx),
            }
            let found =
                house.rows("select resource_id from audit_unsealed where resource_id = $1", params![name]);
            assert_eq!(found.await.len(), usize::from(commits), "{name}");
        }
        // The change fails together with its commit, and takes the entry along.
        let call = call("acme");
        let mut tx = house.database.transaction(&call).await.unwrap();
        house.audit.record(&mut tx, &call, &entry("refused by the database"));
        tx.execute_later(&CHANGE, params!["kept"]);
        assert!(matches!(tx.commit().await, Err(DatabaseError::UniqueViolation { .. })));
        assert_eq!(house.count("select count(*) from audit_unsealed").await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_says_who_did_what_and_when() {
    each_engine(async |database| {
        let house = House::on(database).await;
        let refusal = Entry { result: EntryResult::Refused, details: json!({"role": "readonly"}), ..entry("7") };
        house.audit.record_alone(&call("acme"), &refusal).await.unwrap();
        house.audit.seal_once().await.unwrap();
        let rows = house
            .rows(
                "select tenant, at, actor, request_id, action, resource, resource_id, result, details, number, \
                 credential, client from audit_entries",
                params![],
            )
            .await;
        let text = |column: &str| rows[0].get::<String>(column).unwrap();
        for (column, value) in [
            ("tenant", "acme"),
            ("actor", "ann"),
            ("credential", "key:0123456789abcdef"),
            ("client", "192.0.2.1"),
            ("request_id", "request"),
            ("action", "customers.update"),
            ("resource", "customer"),
            ("resource_id", "7"),
            ("result", "refused"),
            ("details", r#"{"role":"readonly"}"#),
        ] {
            assert_eq!(text(column), value, "{column}");
        }
        assert_eq!(rows[0].get::<pando_clock::Timestamp>("at").unwrap(), house.clock.now());
        assert_eq!(rows[0].get::<i64>("number").unwrap(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_is_too_long_does_not_stop_its_change() {
    each_engine(async |database| {
        let house = House::on(database).await;
        let long = "x".repeat(100_000);
        let call = call("acme").by(long.as_str());
        let oversized =
            Entry { action: &long, resource_id: "a\0b", details: json!({ "a": long }), ..entry("") };
        let mut tx = house.database.transaction(&call).await.unwrap();
        house.audit.record(&mut tx, &call, &oversized);
        tx.execute_later(&CHANGE, params!["done"]);
        tx.commit().await.unwrap();
        assert_eq!(house.audit.seal_once().await.unwrap(), 1);
        assert!(house.verify("acme").await.is_intact());
        let rows = house.rows("select details, action from audit_entries", params![]).await;
        let details: serde_json::Value = serde_json::from_str(&rows[0].get::<String>(0).unwrap()).unwrap();
        assert_eq!(details["shortened"]["bytes"], json!(100_008));
        assert_eq!(rows[0].get::<String>(1).unwrap().len(), 200);
        assert!(house.metrics.render().contains("audit_shortened_total 1\n"));
    })
    .await;
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let bad = |change: fn(&mut AuditOptions)| {
        let mut options = AuditOptions::default();
        change(&mut options);
        options.check().unwrap_err().0
    };
    assert_eq!(AuditOptions::default().check(), Ok(()));
    assert_eq!(bad(|options| options.details_bytes_max = 255), "details_bytes_max");
    assert_eq!(bad(|options| options.text_bytes_max = 2), "text_bytes_max");
    assert_eq!(bad(|options| options.seal_ms = 0), "seal_ms");
    assert_eq!(bad(|options| options.seal_batch_max = 0), "seal_batch_max");
    assert_eq!(bad(|options| options.findings_max = 1_001), "findings_max");
}
