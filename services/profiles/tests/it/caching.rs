//! Where a read comes from, after every kind of write and with every policy.

use pando_cache::{CacheOptions, Policy, Source};
use pando_clock::Clock;
use pando_database::testing::each_engine;
use pando_database::{Database, Engine};
use pando_profiles::{MIGRATIONS, ProfileFilter, ProfileId, Profiles, ProfilesOptions};
use pando_resilience::Call;
use pando_service::Parts;
use pando_service::{CacheWrites, Class, Expected};
use serde_json::{Value, json};

use crate::{House, call, each_house, each_house_with, fields, is};

impl House {
    async fn source(&self, id: ProfileId) -> Source {
        self.profiles.read_profile(&call(), id).await.unwrap().source()
    }
}

fn writes(cache_writes: CacheWrites) -> ProfilesOptions {
    ProfilesOptions { cache_writes, ..ProfilesOptions::default() }
}

#[tokio::test]
async fn the_write_policy_says_where_the_next_read_comes_from() {
    for (policy, after_creation, after_change) in [
        (CacheWrites::Through, Source::L1, Source::Origin),
        (CacheWrites::Around, Source::Origin, Source::Origin),
        (CacheWrites::Refresh, Source::L1, Source::L1),
    ] {
        each_house_with(writes(policy), async |house| {
            let ada = house.person("Ada").await;
            assert_eq!(house.source(ada.id).await, after_creation, "{policy:?}");
            assert_eq!(house.source(ada.id).await, Source::L1, "{policy:?}");
            let bio = fields(json!({"bio": "counts"}));
            house.profiles.update_profile(&call(), ada.id, &Expected::Any, &bio).await.unwrap();
            let read = house.profiles.read_profile(&call(), ada.id).await.unwrap();
            assert_eq!((read.source(), read.version()), (after_change, 2), "{policy:?}");
            house.profiles.delete_profile(&call(), ada.id, &Expected::Any).await.unwrap();
            let gone = house.profiles.read_profile(&call(), ada.id).await;
            assert!(is(&gone, Class::NotFound), "{policy:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn an_answer_says_where_it_came_from_and_is_otherwise_the_same() {
    each_house_with(writes(CacheWrites::Around), async |house| {
        let ada = house.person("Ada").await;
        let first = house.profiles.read_profile(&call(), ada.id).await.unwrap().answer();
        let second = house.profiles.read_profile(&call(), ada.id).await.unwrap().answer();
        let first: Value = serde_json::from_slice(&first).unwrap();
        let second: Value = serde_json::from_slice(&second).unwrap();
        assert_eq!((&first["source"], &second["source"]), (&json!("database"), &json!("cache")));
        assert_eq!(first["profile"], second["profile"]);
        assert_eq!(first["profile"], serde_json::to_value(&ada).unwrap());
    })
    .await;
}

#[tokio::test]
async fn every_write_makes_the_old_answer_unreadable() {
    each_house(async |house| {
        let ada = house.person("Ada").await;
        let profiles = &house.profiles;
        let any = &Expected::Any;
        let version = async || {
            let alone = profiles.read_profile(&call(), ada.id).await.unwrap().version();
            let full = profiles.read_full_profile(&call(), ada.id).await.unwrap().version();
            let listed = profiles.read_profiles(&call(), &[ada.id]).await.unwrap()[0].version();
            assert!(alone == full && full == listed, "{alone} {full} {listed}");
            alone
        };
        assert_eq!(version().await, 1);
        profiles.update_profile(&call(), ada.id, any, &fields(json!({"bio": "2"}))).await.unwrap();
        assert_eq!(version().await, 2);
        let address = fields(json!({"street": "1 Long Lane", "city": "York", "country": "GB"}));
        profiles.put_address(&call(), ada.id, any, &address).await.unwrap();
        assert_eq!(version().await, 3);
        profiles.put_preferences(&call(), ada.id, any, &fields(json!({"language": "en"}))).await.unwrap();
        assert_eq!(version().await, 4);
        let item = Ok(fields(json!({"id": ada.id, "bio": "5"})));
        profiles.write_batch(&call(), &[item]).await.unwrap();
        assert_eq!(version().await, 5);
        profiles.delete_profile(&call(), ada.id, any).await.unwrap();
        assert!(profiles.read_full_profile(&call(), ada.id).await.is_err());
        assert!(profiles.read_profiles(&call(), &[ada.id]).await.unwrap().is_empty());
        profiles.restore_profile(&call(), ada.id, &Default::default()).await.unwrap();
        assert_eq!(version().await, 7);
    })
    .await;
}

#[tokio::test]
async fn an_id_that_was_unknown_is_found_once_it_is_made() {
    each_house(async |house| {
        let id = ProfileId::from(house.clock.fresh_id());
        for _ in 0..2 {
            let unknown = house.profiles.read_profile(&call(), id).await;
            assert!(is(&unknown, Class::NotFound));
        }
        let item = Ok(fields(json!({"id": id, "name": "Ada", "email": "ada@example.org"})));
        house.profiles.write_batch(&call(), &[item]).await.unwrap();
        assert_eq!(house.profiles.read_profile(&call(), id).await.unwrap().version(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_page_is_remembered_until_anything_is_written() {
    each_house(async |house| {
        let page = async || {
            let filter = ProfileFilter { limit: 10, ..ProfileFilter::default() };
            let page = house.profiles.read_page(&call(), &filter).await.unwrap();
            let profiles: Vec<Value> = serde_json::from_slice(&page.json).unwrap();
            (page.kept.source(), profiles.len())
        };
        assert_eq!(page().await, (Source::Origin, 0));
        assert_eq!(page().await, (Source::L1, 0));
        house.person("Ada").await;
        assert_eq!(page().await, (Source::Origin, 1));
        assert_eq!(page().await, (Source::L1, 1));
        let items: Vec<_> = ["Bo", "Cy"]
            .map(|name| Ok(fields(json!({"name": name, "email": format!("{name}@example.org")}))))
            .into();
        house.profiles.write_batch(&call(), &items).await.unwrap();
        assert_eq!(page().await, (Source::Origin, 3));
    })
    .await;
}

#[tokio::test]
async fn many_are_read_from_memory_and_the_database_together_in_order() {
    each_house_with(writes(CacheWrites::Around), async |house| {
        let (ada, bo, cy) = (house.person("Ada").await, house.person("Bo").await, house.person("Cy").await);
        house.source(bo.id).await;
        let stranger = ProfileId::from(house.clock.fresh_id());
        let ids = [cy.id, stranger, bo.id, ada.id, cy.id];
        for _ in 0..2 {
            let read = house.profiles.read_profiles(&call(), &ids).await.unwrap();
            let answers = read.iter().map(|known| serde_json::from_slice::<Value>(&known.answer()).unwrap());
            let names: Vec<_> = answers.map(|answer| answer["profile"]["name"].clone()).collect();
            assert_eq!(names, ["Cy", "Bo", "Ada"]);
        }
        assert_eq!(house.source(cy.id).await, Source::L1);
    })
    .await;
}

#[tokio::test]
async fn a_token_no_write_answered_is_refused_or_reads_afresh() {
    each_house(async |house| {
        let ada = house.person("Ada").await;
        let bio = fields(json!({"bio": "2"}));
        let written = house.profiles.update_profile(&call(), ada.id, &Expected::Any, &bio).await.unwrap();
        let with = |token: &str| Call { consistency: Some(token.into()), ..call() };
        let own = with(&written.token.to_string());
        for source in [Source::Origin, Source::L1] {
            let read = house.profiles.read_profile(&own, ada.id).await.unwrap();
            assert_eq!((read.version(), read.source()), (2, source));
        }
        // A position the log has not reached raises nothing: what is kept stays good for honest tokens.
        for engine in ["s1", "p1"] {
            let future = with(&format!("{engine}-ffffffffffffff"));
            assert_eq!(house.profiles.read_profile(&future, ada.id).await.unwrap().version(), 2);
        }
        assert_eq!(house.profiles.read_profile(&own, ada.id).await.unwrap().version(), 2);
        let garbage = house.profiles.read_profile(&with("yesterday"), ada.id).await;
        assert!(is(&garbage, Class::Malformed));
    })
    .await;
}

#[tokio::test]
async fn what_was_read_while_a_commit_was_under_way_is_no_answer_to_its_token() {
    each_engine(async |database: Database| {
        database.migrate(&[MIGRATIONS, pando_queue::MIGRATIONS]).await.unwrap();
        let clock = Clock::system();
        let folder = tempfile::tempdir().unwrap();
        let process = async || {
            let parts =
                Parts::with_defaults(&database, &folder.path().join("objects"), &clock).await.unwrap();
            Profiles::new(&parts, ProfilesOptions::default()).unwrap()
        };
        let (one, two) = (process().await, process().await);
        let ada = fields(json!({"name": "Ada", "email": "ada@example.org"}));
        let written = one.create_profile(&call(), &ada).await.unwrap();
        let read = async |token: &str| {
            let call = Call { consistency: Some(token.into()), ..call() };
            two.read_profile(&call, written.value.id).await.unwrap().source()
        };
        // The log stands where the commit put it; a reader who finds it there may still have read what was before.
        let token = written.token.to_string();
        assert_eq!(read(&format!("{}-1", &token[..2])).await, Source::Origin);
        let again = read(&token).await;
        // The log of PostgreSQL moves on by itself: then what was read behind it is new enough.
        assert!(again == Source::Origin || database.engine() == Engine::Postgres, "{again:?}");
        assert_eq!(read(&token).await, Source::L1);
    })
    .await;
}

#[tokio::test]
async fn ten_entries_first_in_first_out_stay_ten_under_a_hundred_creations() {
    let cache = CacheOptions { policy: Policy::Fifo, entries_max: 10, ..CacheOptions::default() };
    each_house_with(ProfilesOptions { cache, ..ProfilesOptions::default() }, async |house| {
        let size = || house.gauge("cache_size{cache=\"profiles\",tier=\"l1\"}");
        let people = (0..100).map(async |number| {
            let ada = house.person(&format!("Person{number}")).await;
            assert!(size() <= 10, "{}", size());
            ada
        });
        futures_util::future::join_all(people).await;
        assert_eq!(size(), 10);
        let mut last = Vec::new();
        for number in 0..15 {
            last.push(house.person(&format!("Later{number}")).await.id);
        }
        // Looking does not keep an entry: the first in is the first out.
        for id in &last[5..] {
            assert_eq!(house.source(*id).await, Source::L1);
        }
        let newest = house.person("Newest").await;
        assert_eq!(house.source(newest.id).await, Source::L1);
        assert_eq!(house.source(last[6]).await, Source::L1);
        assert_eq!(house.source(last[5]).await, Source::Origin);
        assert_eq!(size(), 10);
    })
    .await;
}

#[tokio::test]
async fn with_both_tiers_off_every_read_is_the_databases() {
    let off = || CacheOptions { l1: false, l2: false, ..CacheOptions::default() };
    let options = ProfilesOptions { cache: off(), pages: off(), ..ProfilesOptions::default() };
    each_house_with(options, async |house| {
        let ada = house.person("Ada").await;
        assert_eq!(house.source(ada.id).await, Source::Origin);
        assert_eq!(house.source(ada.id).await, Source::Origin);
    })
    .await;
}

#[tokio::test]
async fn a_new_process_can_begin_warm() {
    each_house_with(writes(CacheWrites::Around), async |house| {
        let (ada, bo) = (house.person("Ada").await, house.person("Bo").await);
        house.clock.advance(std::time::Duration::from_secs(1));
        let newest = house.person("Cy").await;
        assert_eq!(house.profiles.warm_cache(&call(), 3).await.unwrap(), 3);
        for id in [ada.id, bo.id, newest.id] {
            assert_eq!(house.source(id).await, Source::L1);
        }
    })
    .await;
}
