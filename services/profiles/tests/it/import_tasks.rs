//! Uploads that wait for a task to import them.

use std::pin::pin;

use bytes::Bytes;
use futures_util::stream;
use pando_database::{Engine, Query, params};
use pando_http::Problem;
use pando_objects::ObjectName;
use pando_profiles::{Accepted, ImportRequest, RecordFormat};
use pando_queue::{JobState, Registry};
use pando_service::{Class, Fault};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::images::{AGES, Gallery, each_gallery};
use crate::{call, fields};

const HOUR: std::time::Duration = std::time::Duration::from_secs(3_600);

fn request(token: &str, format: RecordFormat) -> ImportRequest {
    ImportRequest { token: token.to_owned(), format, dry_run: false }
}

impl Gallery {
    async fn upload(&self, request: ImportRequest, text: &str) -> Accepted {
        self.send(request, text, false).await.unwrap()
    }

    async fn send(&self, request: ImportRequest, text: &str, broken: bool) -> Result<Accepted, Fault> {
        let pieces = text.as_bytes().chunks(1_000_003).map(|piece| Ok(Bytes::copy_from_slice(piece)));
        let mut pieces: Vec<Result<Bytes, Fault>> = pieces.collect();
        if broken {
            pieces.push(Err(Fault::new(Class::Malformed, "the body ended early")));
        }
        let profiles = &self.house.profiles;
        let sent = profiles.accept_import(&call(), request, pin!(stream::iter(pieces))).await?;
        Ok(sent.value)
    }

    async fn result(&self, accepted: &Accepted) -> Value {
        let job = self.job(accepted.id).await;
        assert_eq!(job.state, JobState::Completed, "{job:?}");
        job.result.unwrap()
    }

    /// What the last piece of an upload is called.
    async fn last_piece(&self, upload: Uuid) -> ObjectName {
        static LAST: Query = Query::point(
            "test.last_piece",
            "select blob from profile_file_parts where file_id = $1 order by number desc limit 1",
        );
        let call = call();
        let read = self.house.queue.database().read_primary(&call);
        let name: String = read.row(&LAST, params![upload]).await.unwrap().unwrap().get(0).unwrap();
        ObjectName::parse(&name).unwrap()
    }

    /// Sweeps until whatever nobody wants is gone.
    async fn sweep_thoroughly(&self) {
        self.sweep().await;
        self.house.clock.advance(AGES);
        self.sweep().await;
    }
}

/// The commit of an import job ends its own connection: nobody knows then whether it happened.
static END_AT_COMMIT: Query = Query::write(
    "test.end_at_commit",
    "do $$ begin \
     create function end_connection() returns trigger language plpgsql as \
     'begin perform pg_terminate_backend(pg_backend_pid()); return null; end'; \
     create constraint trigger end_connection after insert on queue_jobs deferrable initially deferred \
     for each row when (new.kind = 'import') execute function end_connection(); end $$",
);
static END_NO_MORE: Query = Query::write("test.end_no_more", "drop trigger end_connection on queue_jobs");
static UPLOADS: Query = Query::scan("test.uploads", "select id from profile_files where purpose = 'upload'");

#[tokio::test]
async fn an_upload_whose_job_may_be_committed_is_kept() {
    each_gallery(async |gallery| {
        let database = gallery.house.queue.database();
        if database.engine() != Engine::Postgres {
            // Nothing comes between SQLite and its commit.
            return;
        }
        let run = async |query: &Query| {
            let mut tx = database.transaction(&call()).await.unwrap();
            tx.execute(query, params![]).await.unwrap();
            tx.commit().await.unwrap();
        };
        run(&END_AT_COMMIT).await;
        let line = json!({"name": "Ada", "email": "ada@example.org"}).to_string();
        let sent = gallery.send(request("lost", RecordFormat::Ndjson), &line, false).await;
        assert!(sent.unwrap_err().is_commit_unknown());
        let call = call();
        let uploads = database.read_primary(&call).rows(&UPLOADS, params![]).await.unwrap();
        let [upload] = &uploads[..] else { panic!("{} uploads", uploads.len()) };
        let piece = gallery.last_piece(upload.get(0).unwrap()).await;
        assert!(gallery.house.objects.head(&call, &piece).await.unwrap().is_some());
        // It was not committed, as it happens. The upload can be sent again, and the sweep takes the first one.
        run(&END_NO_MORE).await;
        let accepted = gallery.upload(request("lost", RecordFormat::Ndjson), &line).await;
        gallery.work().await;
        assert_eq!(counts(&gallery.result(&accepted).await), [1, 1, 0, 0, 0]);
        gallery.sweep_thoroughly().await;
        assert!(database.read_primary(&call).rows(&UPLOADS, params![]).await.unwrap().is_empty());
    })
    .await;
}

fn counts(import: &Value) -> [i64; 5] {
    ["records_done", "created", "updated", "conflicts", "invalid"].map(|of| import[of].as_i64().unwrap())
}

#[tokio::test]
async fn what_waits_is_imported_and_its_upload_goes() {
    each_gallery(async |gallery| {
        let text = "name,email\nAda,ada@example.org\n,nobody\nAda,ADA@example.org\n";
        let dry = ImportRequest { dry_run: true, ..request("t", RecordFormat::Csv) };
        let tried = gallery.upload(dry, text).await;
        let sent = gallery.upload(request("t", RecordFormat::Csv), text).await;
        let again =
            gallery.upload(request("t", RecordFormat::Csv), "name,email\nEve,eve@example.org\n").await;
        assert_eq!(again, sent, "one token, one task at a time");
        assert_ne!(tried.id, sent.id);
        gallery.sweep().await;
        assert_eq!(gallery.result(&tried).await["dry_run"], true);
        let result = gallery.result(&sent).await;
        assert_eq!((counts(&result), &result["state"]), ([3, 1, 0, 1, 1], &json!("completed")));
        let told = gallery.house.profiles.get_import(&call(), "t").await.unwrap();
        assert_eq!(json!(told), result, "the same can be asked of the token");
        let found = gallery.house.profiles.export_profiles(&call(), RecordFormat::Ndjson, None);
        let found: Vec<Bytes> = futures_util::TryStreamExt::try_collect(found).await.unwrap();
        assert!(!String::from_utf8(found.concat()).unwrap().contains("eve@"));
        // A completed import answers its token with its counts, whatever is sent.
        let late = gallery.upload(request("t", RecordFormat::Csv), text).await;
        gallery.work().await;
        assert_eq!(gallery.result(&late).await, result);
        let empty = gallery.upload(request("empty", RecordFormat::Ndjson), "").await;
        gallery.work().await;
        assert_eq!(counts(&gallery.result(&empty).await), [0; 5]);
        gallery.sweep_thoroughly().await;
        assert!(gallery.stored().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_import_goes_on_where_its_worker_stopped() {
    each_gallery(async |gallery| {
        let bio = "b".repeat(4_000);
        let people = (0..2_500)
            .map(|n| json!({"name": "N", "email": format!("{n}@e.org"), "bio": bio}).to_string() + "\n");
        let text: String = people.collect();
        let sent = gallery.upload(request("t", RecordFormat::Ndjson), &text).await;
        // The last piece is away for a while.
        let pieces = gallery.stored().await;
        assert_eq!(pieces.len(), 3);
        let away = gallery.last_piece(sent.id).await;
        let content = gallery.objects.get(&call(), &away, None).await.unwrap().unwrap().read().await.unwrap();
        gallery.objects.delete(&call(), &away).await.unwrap();
        gallery.work().await;
        let job = gallery.job(sent.id).await;
        assert_eq!(job.state, JobState::Scheduled, "{:?}", job.error);
        let done = job.progress.unwrap()["records_done"].as_i64().unwrap();
        assert_eq!(done, 2_000);
        gallery.objects.put(&call(), &away, content, "application/x-ndjson").await.unwrap();
        gallery.house.clock.advance(HOUR);
        gallery.work().await;
        assert_eq!(counts(&gallery.result(&sent).await), [2_500, 2_500, 0, 0, 0]);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_read_fails_at_once_and_leaves_nothing() {
    each_gallery(async |gallery| {
        let bad = gallery.upload(request("bad", RecordFormat::Csv), "Ada,ada@example.org\n").await;
        gallery.work().await;
        let job = gallery.job(bad.id).await;
        assert_eq!((job.state, job.attempts), (JobState::Dead, 1));
        assert!(job.error.unwrap().contains("must name its columns"));
        let broken = gallery.send(request("broken", RecordFormat::Csv), "name,email\n", true).await;
        assert!(broken.as_ref().is_err_and(Fault::is_of_input), "{broken:?}");
        let called_off = gallery.upload(request("off", RecordFormat::Csv), "name,email\n").await;
        gallery.house.queue.cancel(&call(), called_off.id).await.unwrap();
        let nothing = json!({"upload": Uuid::nil(), "token": "t", "format": "csv"});
        let nothing = gallery.enqueue("import", nothing).await;
        gallery.work().await;
        assert_eq!(gallery.job(nothing).await.error.as_deref(), Some("no such upload"));
        gallery.sweep_thoroughly().await;
        assert!(gallery.stored().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn uploads_that_wait_have_so_much_room_together() {
    let options = pando_profiles::ProfilesOptions { uploads_bytes_max: 100, ..Default::default() };
    crate::images::each_gallery_of(options, async |gallery| {
        let text = "{\"name\": \"A\", \"email\": \"a@example.org\", \"bio\": \"more than a hundred bytes of one upload, which is let in as the first\"}\n";
        let first = gallery.upload(request("first", RecordFormat::Ndjson), text).await;
        let refused = gallery.send(request("second", RecordFormat::Ndjson), text, false).await.unwrap_err();
        assert!(refused.class() == Class::StorageFull, "{refused:?}");
        assert_eq!(Problem::from(refused).status().as_u16(), 507);
        gallery.work().await;
        assert_eq!(counts(&gallery.result(&first).await), [1, 1, 0, 0, 0]);
        gallery.upload(request("second", RecordFormat::Ndjson), text).await;
        // One that its client gave up goes within minutes.
        let broken = gallery.send(request("third", RecordFormat::Ndjson), text, true).await;
        assert!(broken.is_err());
    })
    .await;
}

#[tokio::test]
async fn who_is_erased_goes_from_what_waits() {
    each_gallery(async |gallery| {
        let ada = gallery.house.person("Ada").await;
        let changed = fields(json!({"email": "Zoë@example.org"}));
        gallery.house.profiles.update_profile(&call(), ada.id, &Default::default(), &changed).await.unwrap();
        let mut naming = Vec::new();
        for (token, text) in [
            ("escaped", r#"{"name": "A", "email": "ADA\u0040example.org"}"#.to_owned()),
            ("other", r#"{"name": "B", "email": "b@e.org", "bio": "knows ZO\u00cb@EXAMPLE.org"}"#.to_owned()),
            ("id", format!("{{\"id\": \"{}\", \"name\": \"C\"}}", ada.id)),
        ] {
            naming.push(gallery.upload(request(token, RecordFormat::Ndjson), &text).await);
        }
        let spared = gallery.upload(request("spared", RecordFormat::Csv), "name,email\nBo,bo@e.org\n").await;
        let erasure = gallery.house.profiles.request_erasure(&call(), ada.id).await.unwrap().value;
        // Only the erasure runs: what waits would otherwise be imported beside it.
        let mut erasing = Registry::default();
        erasing.add(gallery.registry.get("erase").unwrap().clone()).unwrap();
        gallery.house.queue.run_until_idle(&erasing).await.unwrap();
        let receipt = gallery.job(erasure.id).await.result.unwrap();
        assert_eq!(receipt["removed"]["uploads"], 3, "{receipt}");
        for upload in naming {
            assert_eq!(gallery.job(upload.id).await.state, JobState::Cancelled);
        }
        assert_eq!(gallery.stored().await.len(), 1);
        gallery.work().await;
        assert_eq!(counts(&gallery.result(&spared).await), [1, 1, 0, 0, 0]);
    })
    .await;
}
