//! The walk that puts right what is derived from profiles.

use pando_database::{Query, Value as Parameter, params};
use pando_profiles::{Images, ImagesOptions, Profiles, ProfilesOptions};
use pando_queue::{JobState, Registry};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::images::{Gallery, each_gallery, png};
use crate::{call, fields};

impl Gallery {
    /// Writes past the service, as a fault would.
    async fn spoil(&self, query: &'static Query, values: Vec<Parameter>) {
        let mut tx = self.house.queue.database().transaction(&call()).await.unwrap();
        assert_eq!(tx.execute(query, values).await.unwrap(), 1);
        tx.commit().await.unwrap();
    }

    /// Walks; what was found.
    async fn reindex(&self) -> Value {
        let id = self.enqueue("profile_reindex", json!({})).await;
        self.work().await;
        self.job(id).await.result.unwrap()
    }
}

static EMAIL_KEY: Query = Query::write("test.email_key", "update profiles set email_key = $2 where id = $1");
static SEARCH_TEXT: Query =
    Query::write("test.search_text", "update profiles set search_text = $2 where id = $1");

fn counts(found: &Value) -> [i64; 3] {
    ["seen", "repaired", "failed"].map(|of| found[of].as_i64().unwrap())
}

#[tokio::test]
async fn what_is_wrong_is_put_right_once_and_told() {
    each_gallery(async |gallery| {
        let profiles = &gallery.house.profiles;
        let (ada, bo) = (gallery.house.person("Ada").await, gallery.house.person("Bo").await);
        let gone = gallery.house.person("Gone").await;
        profiles.delete_profile(&call(), gone.id, &Default::default()).await.unwrap();
        assert_eq!(counts(&gallery.reindex().await), [3, 0, 0], "what is right stays as it is");

        gallery.spoil(&EMAIL_KEY, params![Uuid::from(ada.id), "nobody@example.org"].into()).await;
        gallery.spoil(&SEARCH_TEXT, params![Uuid::from(bo.id), "nothing"].into()).await;
        gallery.spoil(&EMAIL_KEY, params![Uuid::from(gone.id), "nobody@example.org"].into()).await;
        profiles.read_profile(&call(), ada.id).await.unwrap();
        assert_eq!(counts(&gallery.reindex().await), [3, 3, 0]);
        for (profile, version) in [(&ada, 2), (&bo, 2)] {
            let read = profiles.read_profile(&call(), profile.id).await.unwrap();
            assert_eq!(read.version(), version, "the cache followed");
            let changes = profiles.list_changes(&call(), profile.id, None, 10).await.unwrap();
            assert_eq!(changes[0].changed_by, "profile_reindex");
        }
        let again = fields(json!({"name": "A", "email": "ADA@example.org"}));
        assert!(profiles.create_profile(&call(), &again).await.is_err(), "her address is hers again");
        let restored = profiles.restore_profile(&call(), gone.id, &Default::default()).await.unwrap().value;
        assert_eq!(restored.version, 3, "a deleted one is put right without a new version");
        assert_eq!(counts(&gallery.reindex().await), [3, 0, 0], "and once is enough");
    })
    .await;
}

#[tokio::test]
async fn of_two_with_one_address_the_second_is_left_and_named() {
    each_gallery(async |gallery| {
        static EMAIL: Query = Query::write("test.email", "update profiles set email = $2 where id = $1");
        let (ada, eve) = (gallery.house.person("Ada").await, gallery.house.person("Eve").await);
        gallery.spoil(&EMAIL, params![Uuid::from(eve.id), "Ada@example.org"].into()).await;
        let found = gallery.reindex().await;
        assert_eq!(counts(&found), [2, 0, 1]);
        assert_eq!(found["left"][0]["profile_id"], eve.id.to_string());
        let mine = fields(json!({"email": "ada.lovelace@example.org"}));
        gallery.house.profiles.update_profile(&call(), ada.id, &Default::default(), &mine).await.unwrap();
        assert_eq!(counts(&gallery.reindex().await), [2, 1, 0], "the address is free now");
    })
    .await;
}

#[tokio::test]
async fn addresses_of_images_follow_the_base_and_lead_somewhere() {
    each_gallery(async |gallery| {
        let profiles = &gallery.house.profiles;
        let ada = gallery.house.person("Ada").await;
        let kept = gallery.add(&ada, &png(9, 9, 1)).await.unwrap().image.url;
        let taken_out = gallery.add(&ada, &png(9, 9, 2)).await.unwrap().image.url;
        let nowhere = format!("/media/{}.png", "0".repeat(64));
        let urls = json!({"image_urls": ["https://e.org/a.png", kept, nowhere, "/media/mine"]});
        profiles.update_profile(&call(), ada.id, &Default::default(), &fields(urls)).await.unwrap();
        assert_eq!(counts(&gallery.reindex().await), [1, 1, 0]);
        assert_eq!(gallery.urls(&ada).await, ["https://e.org/a.png", &kept, "/media/mine"]);

        let elsewhere =
            ImagesOptions { base_url: "https://cdn.example.org/i/".into(), ..ImagesOptions::default() };
        let moved = gallery.with(&ProfilesOptions { images: elsewhere, ..ProfilesOptions::default() }).await;
        let id = gallery.enqueue("profile_reindex", json!({})).await;
        gallery.house.queue.run_until_idle(&moved).await.unwrap();
        assert_eq!(counts(&gallery.job(id).await.result.unwrap()), [1, 1, 0]);
        let there = kept.replace("/media", "https://cdn.example.org/i");
        assert_eq!(gallery.urls(&ada).await, ["https://e.org/a.png", &there, "/media/mine"]);
        let listed = gallery.images.list_images(&call(), ada.id).await.unwrap();
        let listed: Vec<&str> = listed.iter().map(|image| image.url.as_str()).collect();
        assert_eq!(listed, [&there, &taken_out.replace("/media", "https://cdn.example.org/i")]);
        let id = gallery.enqueue("profile_reindex", json!({})).await;
        gallery.house.queue.run_until_idle(&moved).await.unwrap();
        assert_eq!(counts(&gallery.job(id).await.result.unwrap()), [1, 0, 0]);
        // Deleting takes the address away wherever it moved.
        gallery.images.delete_image(&call(), ada.id, &Default::default(), 1).await.unwrap();
        assert_eq!(gallery.urls(&ada).await, ["https://e.org/a.png", "/media/mine"]);
    })
    .await;
}

#[tokio::test]
async fn a_walk_over_many_goes_on_where_it_stopped() {
    each_gallery(async |gallery| {
        let items = |from: u32| {
            let people = (from..from + 1_000).map(|n| json!({"name": "N", "email": format!("{n}@e.org")}));
            people.map(|one| Ok(fields(one))).collect::<Vec<_>>()
        };
        gallery.house.profiles.write_batch(&call(), &items(0)).await.unwrap();
        gallery.house.profiles.write_batch(&call(), &items(1_000)).await.unwrap();
        static ALL: Query = Query::write("test.all", "update profiles set search_text = 'x'");
        let mut tx = gallery.house.queue.database().transaction(&call()).await.unwrap();
        assert_eq!(tx.execute(&ALL, params![]).await.unwrap(), 2_000);
        tx.commit().await.unwrap();
        // The last profile cannot be read for a while.
        static ATTRIBUTES: Query =
            Query::write("test.attributes", "update profiles set attributes = $1 where email = '1999@e.org'");
        gallery.spoil(&ATTRIBUTES, params![json!([])].into()).await;
        let id = gallery.enqueue("profile_reindex", json!({})).await;
        gallery.work().await;
        let half_way = gallery.job(id).await;
        assert_eq!(half_way.state, JobState::Scheduled, "{half_way:?}");
        assert_eq!(half_way.progress.unwrap(), json!({"seen": 1_500, "repaired": 1_500, "failed": 0}));
        gallery.spoil(&ATTRIBUTES, params![json!({})].into()).await;
        gallery.house.clock.advance(std::time::Duration::from_secs(3_600));
        gallery.work().await;
        let found = gallery.job(id).await.result.unwrap();
        assert_eq!(counts(&found), [2_000, 2_000, 0], "each was put right once, and counted once");
    })
    .await;
}

impl Gallery {
    /// The jobs of a process that has other options.
    async fn with(&self, options: &ProfilesOptions) -> Registry {
        let house = &self.house;
        let mut registry = Registry::default();
        let profiles: Profiles = house.again(options).await;
        profiles.add_kinds(&mut registry).unwrap();
        Images::new(&profiles, &house.parts, options).unwrap().add_kinds(&mut registry).unwrap();
        registry
    }
}
