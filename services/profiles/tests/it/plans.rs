//! A table of which PostgreSQL knows nothing yet, because it was filled a moment ago. A plan for one profile must not read all
//! profiles of a tenant.

use pando_database::testing::TestDatabase;
use pando_database::{Database, Query, params};
use pando_profiles::{MIGRATIONS, ProfileFilter, Profiles, ProfilesOptions};
use pando_service::Email;
use pando_service::{Expected, Parts};
use serde_json::json;

use crate::{call, fields};

/// How many rows indexes were asked for, and went through.
const READ_BY_INDEXES: Query = Query::scan(
    "test.indexes",
    "select cast(coalesce(sum(idx_tup_read), 0) as bigint) from pg_stat_user_indexes where relname = 'profiles'",
);
/// How many rows were read by going through a table.
const READ_BY_SCANS: Query = Query::scan(
    "test.seq_scans",
    "select cast(coalesce(sum(seq_tup_read), 0) as bigint) from pg_stat_user_tables where relname = 'profiles'",
);
const QUIET: Query = Query::write("test.quiet", "alter table profiles set (autovacuum_enabled = false)");
const MANY: Query = Query::write(
    "test.many",
    "insert into profiles (tenant, id, name, email, email_key, bio, image_urls, attributes, search_text, version, created_at, \
     created_by, updated_at) select '', gen_random_uuid(), 'n', 'e' || n, 'e' || n, '', '[]', '{}', 'e', 1, now(), 't', now() \
     from generate_series(1, 20000) as n",
);
const FLUSH: Query = Query::write("test.flush", "select pg_stat_force_next_flush()");

#[tokio::test]
async fn one_profile_is_found_by_its_key_in_a_table_that_was_never_analysed() {
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
    let profiles = Profiles::new(&parts, ProfilesOptions::default()).unwrap();
    let before = (count(&other, &READ_BY_INDEXES).await, count(&other, &READ_BY_SCANS).await);
    // Six times are enough for a plan that stays.
    use_every_key(&profiles, 12).await;
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

/// Runs each statement that names a profile, by its id or its address.
async fn use_every_key(profiles: &Profiles, times: usize) {
    let (call, any) = (call(), Expected::Any);
    for _ in 0..times {
        let made = profiles.create_random_profile(&call).await.unwrap().value;
        profiles.get_profile(&call, made.id).await.unwrap();
        profiles.find_profiles(&call, &[made.id]).await.unwrap();
        let full = pando_profiles::FetchMode::Joined;
        profiles.get_full_profile(&call, made.id, full).await.unwrap();
        profiles.update_profile(&call, made.id, &any, &fields(json!({"bio": "x"}))).await.unwrap();
        profiles.list_changes(&call, made.id, None, 10).await.unwrap();
        let item =
            Ok(fields(json!({"id": made.id, "name": "y", "email": format!("y{}@example.org", made.id)})));
        profiles.write_batch(&call, &[item]).await.unwrap();
        let email = Some(Email::parse(&format!("y{}@example.org", made.id)).unwrap());
        let filter = ProfileFilter { email, limit: 1, ..ProfileFilter::default() };
        assert_eq!(profiles.list_profiles(&call, &filter).await.unwrap().items.len(), 1);
        profiles.delete_profile(&call, made.id, &any).await.unwrap();
        profiles.restore_profile(&call, made.id, &any).await.unwrap();
    }
}

async fn count(database: &Database, query: &Query) -> i64 {
    database.read_primary(&call()).row(query, []).await.unwrap().unwrap().get(0).unwrap()
}
