//! Exports that a task writes: what is in them, how long they are there, and who takes them away.

use futures_util::TryStreamExt as _;
use pando_database::{Query, params};
use pando_profiles::{Export, Profile, ProfileId};
use pando_queue::{JobRecord, JobState};
use pando_service::{Class, Fault};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::images::{AGES, Gallery, each_gallery};
use crate::{call, fields, is};

const HOUR: std::time::Duration = std::time::Duration::from_secs(3_600);

impl Gallery {
    pub(crate) async fn enqueue(&self, kind: &str, payload: Value) -> Uuid {
        let mut tx = self.house.queue.database().transaction(&call()).await.unwrap();
        let job = self.registry.job(kind, payload).unwrap();
        let id = self.house.queue.enqueue(&mut tx, job).await.unwrap().id;
        tx.commit().await.unwrap();
        id
    }

    pub(crate) async fn job(&self, id: Uuid) -> JobRecord {
        self.house.queue.find(&call(), id).await.unwrap().unwrap()
    }

    /// Runs an export to its end; its receipt.
    async fn export(&self, payload: Value) -> (Uuid, Value) {
        let id = self.enqueue("export", payload).await;
        self.work().await;
        (id, self.job(id).await.result.unwrap())
    }

    async fn fetch(&self, id: Uuid) -> Result<Export, Fault> {
        self.house.profiles.fetch_export(&call(), id).await
    }

    async fn is_there(&self, id: Uuid) -> bool {
        match self.fetch(id).await {
            Ok(_) => true,
            Err(fault) if fault.class() == Class::NotFound => false,
            Err(fault) => panic!("{fault}"),
        }
    }

    /// Has the last piece of an export look as if the process that deletes it had died long ago, or lets it stay.
    async fn hold_up(&self, export: Uuid, leaving: bool) {
        static HOLD_UP: Query = Query::write(
            "test.hold_up",
            "update profile_blobs set leaving = $2, touched_at = $3 where name in \
             (select blob from profile_file_parts where file_id = $1 and number = 2)",
        );
        let mut tx = self.house.queue.database().transaction(&call()).await.unwrap();
        let long_ago = self.house.clock.now().plus_micros(-60_000_000);
        assert_eq!(tx.execute(&HOLD_UP, params![export, leaving, long_ago]).await.unwrap(), 1);
        tx.commit().await.unwrap();
    }

    /// Erases a person; the receipt.
    pub(crate) async fn erase(&self, person: &Profile) -> Value {
        let accepted = self.house.profiles.request_erasure(&call(), person.id).await.unwrap().value;
        self.work().await;
        let job = self.job(accepted.id).await;
        assert_eq!(job.state, JobState::Completed, "{job:?}");
        job.result.unwrap()
    }
}

async fn text_of(export: Export) -> String {
    let pieces: Vec<_> = export.content.try_collect().await.unwrap();
    String::from_utf8(pieces.concat()).unwrap()
}

#[tokio::test]
async fn the_receipt_tells_what_can_be_fetched() {
    each_gallery(async |gallery| {
        let profiles = &gallery.house.profiles;
        let ada = gallery.house.person("Ada").await;
        gallery.house.person("Grace").await;
        let bio = fields(json!({"bio": "counts"}));
        profiles.update_profile(&call(), ada.id, &Default::default(), &bio).await.unwrap();

        let (id, receipt) = gallery.export(json!({"format": "csv"})).await;
        let export = gallery.fetch(id).await.unwrap();
        assert_eq!((export.media_type.as_str(), export.expires_at), ("text/csv; charset=utf-8", gallery.house.clock.now().plus_micros(24 * 3_600_000_000)));
        let (size, hash, until) = (export.bytes, export.content_hash.clone(), export.expires_at);
        let text = text_of(export).await;
        let streamed = profiles.export_profiles(&call(), pando_profiles::RecordFormat::Csv, None);
        let streamed: Vec<_> = streamed.try_collect().await.unwrap();
        assert_eq!(text.as_bytes(), streamed.concat());
        assert_eq!(
            receipt,
            json!({
                "exported": "profiles", "profiles": 2, "media_type": "text/csv; charset=utf-8", "bytes": size, "blake3": hash,
                "exported_at": gallery.house.clock.now(), "expires_at": until, "path": format!("/api/v1/exports/{id}")
            })
        );
        assert_eq!((size, hash), (text.len() as u64, blake3::hash(text.as_bytes()).to_hex().to_string()));

        let asked = profiles.request_export(&call(), ada.id).await.unwrap().value;
        let again = profiles.request_export(&call(), ada.id).await.unwrap().value;
        assert_eq!(asked, again, "asked twice at a time, it is one task");
        gallery.work().await;
        let receipt = gallery.job(asked.id).await.result.unwrap();
        assert_eq!((&receipt["exported"], &receipt["changes"]), (&json!("person"), &json!(2)));
        let export = gallery.fetch(asked.id).await.unwrap();
        assert_eq!(export.media_type, "application/json");
        let document: Value = serde_json::from_str(&text_of(export).await).unwrap();
        assert_eq!((&document["profile"]["bio"], &document["history"][0]["version"]), (&json!("counts"), &json!(2)));

        let nobody = gallery.enqueue("export", json!({"profile_id": Uuid::nil()})).await;
        gallery.work().await;
        assert_eq!(gallery.job(nobody).await.state, JobState::Dead);
        assert!(!gallery.is_there(nobody).await && !gallery.is_there(Uuid::nil()).await);
        let nobody = profiles.request_export(&call(), Uuid::nil().into()).await;
        assert!(is(&nobody, Class::NotFound));
    })
    .await;
}

#[tokio::test]
async fn an_export_is_there_for_its_time_and_then_its_bytes_go() {
    each_gallery(async |gallery| {
        gallery.house.person("Ada").await;
        let (id, _) = gallery.export(json!({})).await;
        let stored = gallery.stored().await;
        assert_eq!(stored.len(), 1);
        // Older than the grace of what nobody refers to.
        gallery.house.clock.advance(23 * HOUR);
        gallery.sweep().await;
        assert_eq!(gallery.stored().await, stored, "the sweep leaves what can be fetched");
        assert!(gallery.is_there(id).await);
        gallery.house.clock.advance(HOUR);
        assert!(!gallery.is_there(id).await, "its time is over, swept or not");
        gallery.sweep().await;
        gallery.house.clock.advance(AGES);
        gallery.sweep().await;
        assert!(gallery.stored().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn who_is_erased_goes_from_every_export_before_the_receipt() {
    each_gallery(async |gallery| {
        let (ada, grace) = (gallery.house.person("Ada").await, gallery.house.person("Grace").await);
        let (everybody, _) = gallery.export(json!({})).await;
        let (hers, _) = gallery.export(json!({"profile_id": ada.id})).await;
        let (other, _) = gallery.export(json!({"profile_id": grace.id})).await;
        assert_eq!(gallery.stored().await.len(), 3);
        let receipt = gallery.erase(&ada).await;
        assert_eq!(receipt["removed"]["exports"], 2, "{receipt}");
        assert!(!gallery.is_there(everybody).await && !gallery.is_there(hers).await);
        assert!(gallery.is_there(other).await, "hers is not in it");
        // No clock was moved: nothing waits for a grace.
        assert_eq!(gallery.stored().await.len(), 1);
        let (everybody, receipt) = gallery.export(json!({})).await;
        assert_eq!(receipt["profiles"], 1);
        assert!(!text_of(gallery.fetch(everybody).await.unwrap()).await.contains("ada@example.org"));
    })
    .await;
}

#[tokio::test]
async fn an_export_of_many_is_in_pieces_and_goes_on_where_it_stopped() {
    each_gallery(async |gallery| {
        let biography = "b".repeat(4_090);
        let made = async |from: u32| {
            let people = from..from + 1_000;
            let items: Vec<_> = people
                .map(|n| Ok(fields(json!({"name": "N", "email": format!("{n}@e.org"), "bio": biography}))))
                .collect();
            gallery.house.profiles.write_batch(&call(), &items).await.unwrap();
        };
        made(0).await;
        made(1_000).await;
        made(2_000).await;
        let (whole, first) = gallery.export(json!({})).await;
        assert_eq!(first["profiles"], 3_000);
        assert_eq!(gallery.stored().await.len(), 3, "pages of four megabytes");
        let expected = text_of(gallery.fetch(whole).await.unwrap()).await;

        // The third piece cannot be kept: what was written stays, and the next attempt adds the rest.
        gallery.hold_up(whole, true).await;
        let id = gallery.enqueue("export", json!({})).await;
        gallery.work().await;
        let interrupted = gallery.job(id).await;
        assert_eq!(interrupted.state, JobState::Scheduled, "{interrupted:?}");
        assert_eq!(interrupted.progress.unwrap()["records"], 2_000);
        assert!(!gallery.is_there(id).await, "half an export is none");
        gallery.hold_up(whole, false).await;
        gallery.house.clock.advance(HOUR);
        gallery.work().await;
        let receipt = gallery.job(id).await.result.unwrap();
        assert_eq!((&receipt["profiles"], &receipt["blake3"]), (&json!(3_000), &first["blake3"]));
        assert!(text_of(gallery.fetch(id).await.unwrap()).await == expected);

        // Somebody who is in it is erased while another one is half-way: it begins anew, without them.
        gallery.hold_up(whole, true).await;
        let id = gallery.enqueue("export", json!({})).await;
        gallery.work().await;
        let first = serde_json::from_str::<Value>(expected.lines().next().unwrap()).unwrap();
        let first = ProfileId::parse(first["id"].as_str().unwrap()).unwrap();
        let erased = gallery.house.profiles.get_profile(&call(), first).await.unwrap();
        let receipt = gallery.erase(&erased).await;
        assert_eq!(receipt["removed"]["exports"], 3, "{receipt}");
        assert!(gallery.stored().await.is_empty());
        gallery.house.clock.advance(HOUR);
        gallery.work().await;
        assert_eq!(gallery.job(id).await.result.unwrap()["profiles"], 2_999);
        assert!(!text_of(gallery.fetch(id).await.unwrap()).await.contains(&first.to_string()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_and_an_erasure_at_once_leave_nobody_in_a_file() {
    each_gallery(async |gallery| {
        let mut exports = Vec::new();
        for round in 0..10 {
            let erased = gallery.house.person(&format!("Erased{round}")).await;
            exports.push(gallery.enqueue("export", json!({})).await);
            let asked = gallery.house.profiles.request_erasure(&call(), erased.id).await.unwrap().value;
            exports.push(gallery.enqueue("export", json!({})).await);
            gallery.work().await;
            // What was held up by the other comes again.
            while gallery.job(asked.id).await.state != JobState::Completed {
                gallery.house.clock.advance(HOUR);
                gallery.work().await;
            }
            for export in &exports {
                if gallery.is_there(*export).await {
                    let text = text_of(gallery.fetch(*export).await.unwrap()).await;
                    assert!(!text.contains(&erased.id.to_string()), "in round {round}");
                }
            }
        }
        gallery.house.clock.advance(HOUR);
        gallery.work().await;
        for export in exports {
            assert_eq!(gallery.job(export).await.state, JobState::Completed, "none is given up");
        }
    })
    .await;
}
