//! Idempotency on real engines.

use pando_database::testing::each_engine;
use pando_idempotency::conformance::exercise;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_engines_keep_every_promise() {
    each_engine(async |database| exercise(&database).await).await;
}
