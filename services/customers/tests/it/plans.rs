//! A table of which PostgreSQL knows nothing yet, because it was filled a moment ago: reads go by indexes all the same.

use pando_customers::{Customers, CustomersOptions, MIGRATIONS, Question, Update};
use pando_database::testing::TestDatabase;
use pando_database::{Database, Query, params};
use pando_service::{Expected, Parts};

use crate::{call, given};

/// How many rows indexes were asked for, and went through.
const READ_BY_INDEXES: Query = Query::scan(
    "test.indexes",
    "select cast(coalesce(sum(idx_tup_read), 0) as bigint) from pg_stat_user_indexes where relname = 'customers'",
);
/// How many rows were read by going through the table.
const READ_BY_SCANS: Query = Query::scan(
    "test.seq_scans",
    "select cast(coalesce(sum(seq_tup_read), 0) as bigint) from pg_stat_user_tables where relname = 'customers'",
);
const QUIET: Query = Query::write("test.quiet", "alter table customers set (autovacuum_enabled = false)");
const MANY: Query = Query::write(
    "test.many",
    "insert into customers (tenant, id, given_id, email, email_key, name, phone, phone_key, metadata, unknown, version, \
     created_at, updated_at) select '', gen_random_uuid(), n, 'e' || n || '@b.org', 'e' || n || '@b.org', 'n', \
     '', n, '{}', '', 1, now(), now() from generate_series(1, 20000) as n",
);
const FLUSH: Query = Query::write("test.flush", "select pg_stat_force_next_flush()");

async fn count(database: &Database, query: &Query) -> i64 {
    let row = database.read_primary(&call()).row(query, params![]).await.unwrap().unwrap();
    row.get(0).unwrap()
}

#[tokio::test]
async fn reads_go_by_indexes_in_a_table_that_was_never_analysed() {
    let test = TestDatabase::postgres().await;
    let (database, other) = (test.open().await, test.open().await);
    database.migrate(&[MIGRATIONS, pando_queue::MIGRATIONS, pando_idempotency::MIGRATIONS]).await.unwrap();
    let run = async |query: &Query| {
        let mut tx = other.transaction(&call()).await.unwrap();
        tx.execute(query, params![]).await.unwrap();
        tx.commit().await.unwrap();
    };
    run(&QUIET).await;
    run(&MANY).await;
    let folder = tempfile::tempdir().unwrap();
    let parts = Parts::with_defaults(&database, folder.path(), &test.clock).await.unwrap();
    let mut options = CustomersOptions::default();
    (options.cache.l1, options.pages.l1) = (false, false);
    let customers = Customers::new(&parts, &options).unwrap();
    let before = (count(&other, &READ_BY_INDEXES).await, count(&other, &READ_BY_SCANS).await);
    // Six times are enough for a plan that stays.
    for number in 1..=12 {
        let made = customers.create_customer(&call(), given("Ann")).await.unwrap().value;
        customers.get_customer(&call(), &made.id).await.unwrap();
        let changed =
            pando_customers::Given { id: made.id.clone(), name: "Bob".into(), ..Default::default() };
        let change = Update::new(changed, vec!["name".into()]);
        customers.update_customer(&call(), &Expected::Any, change).await.unwrap();
        for (email, phone) in [
            (String::new(), String::new()),
            (format!("E{number}@b.org"), String::new()),
            (String::new(), number.to_string()),
        ] {
            let question = Question { limit: 10, email, phone, ..Question::default() };
            assert!(!customers.list_customers(&call(), question).await.unwrap().bytes().is_empty());
        }
        customers.delete_customer(&call(), &Expected::Any, &made.id).await.unwrap();
    }
    for connection in [&database, &other] {
        let mut tx = connection.transaction(&call()).await.unwrap();
        tx.rows(&FLUSH, params![]).await.unwrap();
        tx.commit().await.unwrap();
    }
    database.close().await;
    let after = (count(&other, &READ_BY_INDEXES).await, count(&other, &READ_BY_SCANS).await);
    assert!(after.0 - before.0 < 2_000, "indexes: {before:?} {after:?}");
    assert!(after.1 - before.1 < 2_000, "scans: {before:?} {after:?}");
}
