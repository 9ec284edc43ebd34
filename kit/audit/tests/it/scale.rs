//! A long log is verified as a stream.

use pando_database::params;
use pando_database::testing::{TestDatabase, each_test_database};

use super::*;

const ENTRIES: usize = 100_000;
const BATCH: usize = 1_000;

/// A statement that collects more than a thousand rows fails on this database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_entries_are_never_collected() {
    each_test_database(async |test: &mut TestDatabase| {
        test.options.statements.rows_max = BATCH;
        let house = House::on(test.open().await).await;
        let call = call("acme");
        let entries = vec![entry("7"); BATCH];
        for _ in 0..ENTRIES / BATCH {
            let mut tx = house.database.transaction(&call).await.unwrap();
            house.audit.record_all(&mut tx, &call, &entries).await.unwrap();
            tx.commit().await.unwrap();
        }
        assert_eq!(house.audit.seal_once().await.unwrap(), ENTRIES as u64);
        let verdict = house.verify("acme").await;
        assert!(verdict.is_intact(), "{:?}", verdict.findings);
        assert_eq!(verdict.entries, ENTRIES as u64);

        let middle = house.rows("select hash from audit_entries where number = 50000", params![]).await;
        let hash: Vec<u8> = middle[0].get(0).unwrap();
        let kept = pando_audit::Head { number: 50_000, hash: hash.try_into().unwrap() };
        assert!(house.audit.verify(&call, Some(kept)).await.unwrap().is_intact());

        house
            .run(&[(
                "update audit_entries set actor = 'mallory' where number in (1, 20000, 20001, 77777)",
                vec![],
            )])
            .await;
        let changed = [1, 20_000, 20_001, 77_777].map(|number| (number, Fault::Changed));
        assert_eq!(faults(&house.verify("acme").await), changed);

        house.run(&[("update audit_entries set actor = 'mallory'", vec![])]).await;
        let verdict = house.verify("acme").await;
        assert_eq!((verdict.findings.len(), verdict.findings_total), (100, ENTRIES as u64));
        house.database.close().await;
    })
    .await;
}
