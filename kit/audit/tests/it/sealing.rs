//! Sealers share their work, and writers do not wait for them.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use futures_util::poll;
use pando_audit::AuditError;
use pando_database::testing::each_engine;
use pando_database::{DatabaseError, params};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_writers_and_two_sealers_leave_no_gap() {
    each_engine(async |database| {
        let house = House::on(database).await;
        let writing = AtomicBool::new(true);
        let write = async |writer: usize| {
            let mut committed = 0;
            for number in 0..40 {
                let (name, call) = (format!("{writer}-{number}"), call("acme"));
                let mut tx = house.database.transaction(&call).await.unwrap();
                house.audit.record(&mut tx, &call, &entry(&name));
                tx.execute(&CHANGE, params![name.as_str()]).await.unwrap();
                if number % 3 == 0 {
                    tx.rollback().await.unwrap();
                } else {
                    tx.commit().await.unwrap();
                    committed += 1;
                }
            }
            committed
        };
        let seal = async |audit: Audit| {
            let mut sealed = 0;
            while writing.load(Ordering::SeqCst) {
                sealed += audit.seal_once().await.unwrap();
                tokio::task::yield_now().await;
            }
            sealed
        };
        let writers = async {
            let committed: u64 = join_all((0..8).map(write)).await.into_iter().sum();
            writing.store(false, Ordering::SeqCst);
            committed
        };
        let sealers = join_all([seal(house.other_audit()), seal(house.other_audit())]);
        let (committed, sealed) = futures_util::join!(writers, sealers);
        let last = house.audit.seal_once().await.unwrap();
        assert_eq!(committed, 8 * 26);
        assert_eq!(sealed.iter().sum::<u64>() + last, committed, "each entry was sealed once");
        let verdict = house.verify("acme").await;
        assert!(verdict.is_intact(), "{:?}", verdict.findings);
        assert_eq!((verdict.entries, verdict.unsealed), (committed, 0));
        assert_eq!(verdict.head.unwrap().number, i64::try_from(committed).unwrap());
        let unmatched = "select count(*) from changes where not exists (select 1 from audit_entries as entry \
                         where entry.resource_id = changes.name)";
        assert_eq!(house.count(unmatched).await, 0);
        assert_eq!(house.count("select count(*) from changes").await, i64::try_from(committed).unwrap());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sealer_that_is_killed_leaves_whole_batches() {
    each_engine(async |database| {
        let house = House::on(database).await;
        let (mut recorded, mut killed) = (0, 0);
        for polls in (0..24).map(|power| 1_usize << power) {
            house.audit.record_alone(&call("acme"), &entry("7")).await.unwrap();
            recorded += 1;
            let doomed = house.other_audit();
            let mut sealing = pin!(doomed.seal_once());
            let mut left = polls;
            let ended = loop {
                if poll!(&mut sealing).is_ready() {
                    break true;
                }
                left -= 1;
                if left == 0 {
                    break false;
                }
                tokio::task::yield_now().await;
            };
            if ended {
                break;
            }
            killed += 1;
        }
        assert!(killed > 0, "no sealer was killed");
        // The database may still be undoing the work of the last one.
        while house.count("select count(*) from audit_unsealed").await > 0 {
            house.audit.seal_once().await.unwrap();
        }
        let verdict = house.verify("acme").await;
        assert!(verdict.is_intact(), "{:?}", verdict.findings);
        assert_eq!(verdict.entries, recorded);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_is_committed_late_is_sealed_late() {
    each_engine(async |database| {
        let house = House::on(database).await;
        let call = call("acme");
        let mut late = house.database.transaction(&call).await.unwrap();
        house.audit.record(&mut late, &call, &entry("late"));
        house.clock.advance(Duration::from_secs(1));
        house.write("acme", 1).await;
        late.commit().await.unwrap();
        house.audit.seal_once().await.unwrap();
        let rows = house.rows("select resource_id from audit_entries order by number", params![]).await;
        let order: Vec<String> = rows.iter().map(|row| row.get(0).unwrap()).collect();
        assert_eq!(order, ["1", "late"]);
        assert!(house.verify("acme").await.is_intact());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_tenant_has_a_chain_of_its_own() {
    each_engine(async |database| {
        let house = House::on(database).await;
        for round in 0..3 {
            for tenant in ["", "acme", "birch"] {
                let names = [format!("{round}-a"), format!("{round}-b")];
                let entries: Vec<Entry<'_>> = names.iter().map(|name| entry(name)).collect();
                let call = call(tenant);
                let mut tx = house.database.transaction(&call).await.unwrap();
                house.audit.record_all(&mut tx, &call, &entries).await.unwrap();
                tx.commit().await.unwrap();
            }
            assert_eq!(house.audit.seal_once().await.unwrap(), 6);
        }
        house.audit.record_alone(&call("cedar"), &entry("7")).await.unwrap();
        let verdicts = house.audit.verify_all(&call(""), &BTreeMap::new()).await.unwrap();
        let told: Vec<_> = verdicts
            .iter()
            .map(|it| (it.tenant.as_str(), it.entries, it.unsealed, it.head.map(|head| head.number)))
            .collect();
        let whole = |name| (name, 6, 0, Some(6));
        assert_eq!(told, [whole(""), whole("acme"), whole("birch"), ("cedar", 0, 1, None)]);
        assert!(verdicts.iter().all(Verdict::is_intact));
        assert_ne!(verdicts[1].head, verdicts[2].head);
        // Tampering with one log leaves the others intact.
        house.run(&[("delete from audit_entries where tenant = 'acme' and number = 2", vec![])]).await;
        let verdicts = house.audit.verify_all(&call(""), &BTreeMap::new()).await.unwrap();
        let intact: Vec<bool> = verdicts.iter().map(Verdict::is_intact).collect();
        assert_eq!(intact, [true, false, true, true]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_entries_are_sealed_in_small_batches() {
    each_engine(async |database| {
        let house = House::on(database).await;
        let options = AuditOptions { seal_batch_max: 3, ..AuditOptions::default() };
        let audit = Audit::new(&house.database, &house.clock, &Metrics::new(), options).unwrap();
        for tenant in ["acme", "birch"] {
            for _ in 0..5 {
                audit.record_alone(&call(tenant), &entry("7")).await.unwrap();
            }
        }
        assert_eq!(audit.seal_once().await.unwrap(), 10);
        for tenant in ["acme", "birch"] {
            let verdict = house.verify(tenant).await;
            assert!(verdict.is_intact(), "{:?}", verdict.findings);
            assert_eq!(verdict.entries, 5);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_show_what_waits_to_be_sealed() {
    each_engine(async |database| {
        let house = House::on(database).await;
        for tenant in ["acme", "birch"] {
            house.audit.record_alone(&call(tenant), &entry("7")).await.unwrap();
            house.clock.advance(Duration::from_secs(5));
        }
        for lines in [
            ["audit_unsealed 2\n", "audit_unsealed_age_seconds 10\n", "audit_sealed_total 2\n"],
            ["audit_unsealed 0\n", "audit_unsealed_age_seconds 0\n", "audit_sealed_total 2\n"],
        ] {
            house.audit.seal_once().await.unwrap();
            let text = house.metrics.render();
            assert!(lines.iter().all(|line| text.contains(line)), "{lines:?} are not in\n{text}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_loop_seals_until_the_log_is_dropped() {
    each_engine(async |database| {
        let house = House::on(database).await;
        let options = AuditOptions { seal_ms: 10, ..AuditOptions::default() };
        let audit = Audit::new(&house.database, &house.clock, &Metrics::new(), options).unwrap();
        audit.keep_sealed();
        audit.record_alone(&call("acme"), &entry("7")).await.unwrap();
        while house.verify("acme").await.entries == 0 {
            tokio::task::yield_now().await;
        }
        drop(audit);
        while pando_telemetry::live_tasks("audit.sealer") > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_added_to_a_chain_that_has_lost_its_head() {
    each_engine(async |database| {
        let house = House::on(database).await;
        house.write("acme", 3).await;
        house.run(&[("delete from audit_heads where tenant = 'acme'", vec![])]).await;
        for tenant in ["", "acme", "birch"] {
            house.audit.record_alone(&call(tenant), &entry("7")).await.unwrap();
        }
        let refused = house.audit.seal_once().await;
        let taken = matches!(refused, Err(AuditError::Database(DatabaseError::UniqueViolation { .. })));
        assert!(taken, "{refused:?}");
        let verdict = house.verify("acme").await;
        assert_eq!((faults(&verdict), verdict.unsealed), (vec![(3, Fault::HeadDisagrees)], 1));
        for tenant in ["", "birch"] {
            let verdict = house.verify(tenant).await;
            assert_eq!((verdict.is_intact(), verdict.entries), (true, 1), "others are not held up");
        }
    })
    .await;
}
