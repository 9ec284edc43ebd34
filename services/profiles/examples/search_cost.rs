//! What a search costs among a million profiles, sixteen at once, on both engines: `cargo run --release -p pando-profiles
//! --example search_cost [profiles]`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that cannot go on has failed")]

use std::time::{Duration, Instant};

use pando_clock::Clock;
use pando_database::testing::each_engine;
use pando_database::{Database, Query, params};
use pando_profiles::{MIGRATIONS, ProfileFilter, Profiles, ProfilesOptions};
use pando_resilience::Call;
use pando_service::Parts;

const AT_ONCE: usize = 16;
const SEARCHES: usize = 200;

/// Two words of a hundred each and a number; one name in a thousand is 255 times the letter a.
static FILL: Query = Query::write(
    "example.fill",
    "insert into profiles (id, name, email, email_key, bio, image_urls, attributes, search_text, version, created_at, \
     created_by, updated_at) select gen_random_uuid(), text, 'p' || n || '@example.org', 'p' || n || '@example.org', '', \
     '[]', '{}', '  ' || text || '  p' || n || '  BKG  example  BIU  org', 1, now() + n * interval '1 second', 'x', now() \
     from (select n, case when n % 1000 = 0 then repeat('a', 255) else \
     'f' || chr(97 + (n % 10)) || chr(97 + (n / 10 % 10)) || 'na  g' || chr(97 + (n / 100 % 10)) || \
     chr(97 + (n / 1000 % 10)) || 'son' end as text from generate_series(1, $1) as n) as made",
)
.on_sqlite(
    "insert into profiles (id, name, email, email_key, bio, image_urls, attributes, search_text, version, created_at, \
     created_by, updated_at) with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < $1) \
     select randomblob(16), text, 'p' || n || '@example.org', 'p' || n || '@example.org', '', '[]', '{}', \
     '  ' || text || '  p' || n || '  BKG  example  BIU  org', 1, 1767225600000000 + n * 1000000, 'x', 1767225600000000 \
     from (select n, case when n % 1000 = 0 then replace(hex(zeroblob(128)), '0', 'a') else \
     'f' || char(97 + (n % 10)) || char(97 + (n / 10 % 10)) || 'na  g' || char(97 + (n / 100 % 10)) || \
     char(97 + (n / 1000 % 10)) || 'son' end as text from numbers)",
);

static ANALYZE: Query = Query::write("example.analyze", "analyze profiles");

/// What PostgreSQL does by itself within a minute or two.
static VACUUM: Query = Query::point("example.vacuum", "vacuum profiles").on_sqlite("select 1");

#[tokio::main]
async fn main() {
    let count: i64 = std::env::args().nth(1).map_or(1_000_000, |text| text.parse().unwrap());
    each_engine(async |database: Database| {
        let profiles = profiles(&database).await;
        let began = Instant::now();
        let call = Call::internal("fill", Duration::from_secs(3_600));
        let mut tx = database.transaction(&call).await.unwrap();
        tx.execute(&FILL, params![count]).await.unwrap();
        tx.execute(&ANALYZE, params![]).await.unwrap();
        tx.commit().await.unwrap();
        database.read_primary(&call).rows(&VACUUM, params![]).await.unwrap();
        println!("{:?}: {count} profiles in {:.0?}", database.engine(), began.elapsed());
        let worst = format!("{}b", "a".repeat(50));
        let deep = "a".repeat(50);
        for text in [
            "example",
            "fabna",
            "fabna gcdson",
            "p777777",
            "bna gc",
            "f",
            "fa",
            "gc",
            "zq",
            "@",
            "nothing at all",
            &worst,
            &deep,
            "李",
            "#",
        ] {
            measure(&profiles, text).await;
        }
    })
    .await;
}

async fn measure(profiles: &Profiles, text: &str) {
    let filter = ProfileFilter { search: Some(text.to_owned()), limit: 100, ..ProfileFilter::default() };
    let search = async || {
        let mut took = Vec::new();
        for _ in 0..SEARCHES / AT_ONCE {
            let began = Instant::now();
            let call = Call::internal("search", Duration::from_secs(60));
            let found = profiles.list_profiles(&call, &filter).await.unwrap().items.len();
            took.push((began.elapsed(), found));
        }
        took
    };
    search().await;
    let mut alone: Vec<Duration> = search().await.into_iter().map(|(took, _)| took).collect();
    alone.sort_unstable();
    let alone = alone[alone.len() / 2];
    let all = futures_util::future::join_all((0..AT_ONCE).map(|_| search())).await;
    let mut took: Vec<(Duration, usize)> = all.into_iter().flatten().collect();
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100].0;
    let short: String = text.chars().take(14).collect();
    println!(
        "{short:>16}: {:>4} found, alone {alone:>9.1?}, {AT_ONCE} at once p50 {:>9.1?}, p99 {:>9.1?}",
        took[0].1,
        at(50),
        at(99)
    );
}

async fn profiles(database: &Database) -> Profiles {
    let (clock, folder) = (Clock::system(), std::env::temp_dir().join("search_cost"));
    database.migrate(&[MIGRATIONS, pando_queue::MIGRATIONS, pando_idempotency::MIGRATIONS]).await.unwrap();
    let parts = Parts::with_defaults(database, &folder, &clock).await.unwrap();
    Profiles::new(&parts, ProfilesOptions::default()).unwrap()
}
