//! Months of assessments: partitions are made ahead, and old assessments move into the archive.

use std::time::Duration;

use pando_database::{Query, params};
use pando_queue::Job;
use pando_service::testing::call;
use serde_json::{Value, json};

use crate::{House, business, each_house, path};

const DAY: Duration = Duration::from_secs(86_400);

static LIVE: Query = Query::scan("test.live", "select count(*) from risk_assessments");
static LIVE_FACTORS: Query = Query::scan("test.live_factors", "select count(*) from risk_factors");
static OLD: Query = Query::scan("test.old", "select count(*) from risk_assessments_archive");
static OLD_FACTORS: Query = Query::scan("test.old_factors", "select count(*) from risk_factors_archive");
/// None on SQLite, which has one table.
static STRAYS: Query =
    Query::scan("test.strays", "select count(*) from risk_assessments_default").on_sqlite("select 0");
static PARTITIONS: Query = Query::scan(
    "test.partitions",
    "select count(*) from pg_inherits where inhparent = cast('risk_assessments' as regclass)",
)
.on_sqlite("select 0");

impl House {
    async fn count(&self, query: &Query) -> i64 {
        let row = self.parts.database.read(&call()).row(query, params![]).await.unwrap();
        row.unwrap().get(0).unwrap()
    }

    /// Enqueues a job of upkeep.
    async fn upkeep(&self, kind: &str) {
        let mut tx = self.parts.database.transaction(&call()).await.unwrap();
        self.parts.queue.enqueue(&mut tx, Job::new(kind, json!({}))).await.unwrap();
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn an_assessment_in_the_default_partition_moves_into_that_of_its_month() {
    each_house(async |house| {
        let made = house.assess(&business("Acme")).await;
        house.upkeep("risk_partitions").await;
        house.work().await;
        assert_eq!((house.count(&STRAYS).await, house.count(&LIVE).await), (0, 1));
        assert_eq!(house.get(&path(&made, "")).await.json(), made);
        assert_eq!(house.get("/v1/assess").await.json()["assessments"], json!([made]));
    })
    .await;
}

#[tokio::test]
async fn over_26_months_of_writes_and_archiving_nothing_is_lost_or_doubled() {
    each_house(async |house| {
        let mut made: Vec<Value> = Vec::new();
        for month in 0..26 {
            house.upkeep("risk_partitions").await;
            house.upkeep("risk_archive").await;
            // Assessments are made while the jobs run.
            let names = [format!("Acme {month}"), format!("Bolt {month}")].map(|name| business(&name));
            let ((), one, other) =
                tokio::join!(house.work(), house.assess(&names[0]), house.assess(&names[1]));
            made.extend([one, other]);
            house.parts.clock.advance(31 * DAY);
        }
        house.upkeep("risk_archive").await;
        house.work().await;
        let (live, old) = (house.count(&LIVE).await, house.count(&OLD).await);
        assert_eq!(live + old, 52, "{live} and {old}");
        assert!(old >= 4 && live >= 46, "{live} and {old}");
        assert_eq!(house.count(&STRAYS).await, 0);
        let factors: usize = made.iter().map(|one| one["risk_factors"].as_array().unwrap().len()).sum();
        let kept = house.count(&LIVE_FACTORS).await + house.count(&OLD_FACTORS).await;
        assert_eq!(kept, i64::try_from(factors).unwrap());
        for one in &made {
            assert_eq!(&house.get(&path(one, "")).await.json(), one);
        }
        // Two years, the months ahead, the present one and the default: the first months are dropped.
        assert!(house.count(&PARTITIONS).await <= 24 + 3 + 3);
        assert_eq!(house.get("/v1/assess?limit=1").await.json()["total"], live);
    })
    .await;
}
