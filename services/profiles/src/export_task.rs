//! Writes an export into the object store, as a job whose result is the receipt.

use std::pin::pin;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use pando_queue::{JobContext, JobType};
use pando_resilience::Call;
use pando_service::{Fault, Written};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::accepted::Accepted;
use crate::domain::faults::file_removed;
use crate::domain::profile::ProfileId;
use crate::domain::records::{FileKind, RecordFormat};
use crate::export_profiles::Piece;
use crate::fetch_export::place_of_export;
use crate::files::{FILE_MS, FileWriter, Step, forget_file};
use crate::store::files::{FileRow, Purpose};
use crate::{Profiles, store};

/// The job that writes an export.
pub(crate) const EXPORT: JobType<Wanted> = JobType::new("export").within_ms(FILE_MS);

const HOUR_MICROS: i64 = 3_600 * 1_000_000;

/// The content of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "ExportPayload", into = "ExportPayload")]
pub(crate) enum Wanted {
    /// All that is known of a person, as one JSON document.
    Person(ProfileId),
    /// All living profiles.
    Everybody(RecordFormat),
}

/// The payload of the job.
#[derive(Serialize, Deserialize)]
struct ExportPayload {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    profile_id: Option<ProfileId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    format: Option<RecordFormat>,
}

/// How far an export has come: what is saved with each piece.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Cursor {
    /// How many pieces there are.
    pieces: usize,
    /// How many records are in them.
    records: u64,
    /// The last id; without hyphens, so that no erasure takes it for data about the person. An erasure removes the file instead,
    /// and then the job begins anew.
    #[serde(with = "uuid::serde::simple")]
    last: Uuid,
}

impl Profiles {
    /// Asks for an export of all that is known of a person, to be fetched later. Asked twice at a time, it is one job.
    pub async fn request_export(&self, call: &Call, id: ProfileId) -> Result<Written<Accepted>, Fault> {
        self.request_about(call, id, EXPORT.job(&Wanted::Person(id))?).await
    }

    /// Writes it; the receipt is stored with the file, once however often this is tried.
    pub(crate) async fn run_export(self, context: JobContext, wanted: Wanted) -> Result<(), Fault> {
        let (context, call) = (&context, context.call());
        let (mut writer, mut cursor) = self.begin_export(context, wanted).await?;
        let mut pieces = pin!(self.pieces(call, wanted, &cursor).await?);
        while let Some(piece) = pieces.try_next().await? {
            cursor.records += piece.records;
            cursor.last = piece.last.map_or(cursor.last, Uuid::from);
            if writer.push(&piece.bytes) {
                self.save(context, &mut writer, &mut cursor).await?;
            }
        }
        self.save(context, &mut writer, &mut cursor).await?;
        self.finish_export(context, wanted, &writer, &cursor).await
    }

    /// Creates the file, or finds the file of an earlier attempt and its progress. From here on, the erasure of a person who may
    /// be in the file deletes it.
    async fn begin_export(
        &self,
        context: &JobContext,
        wanted: Wanted,
    ) -> Result<(FileWriter, Cursor), Fault> {
        let (call, id, kind) = (context.call(), context.id(), wanted.kind());
        let mut pieces = store::files::parts(&self.0.database.read_primary(call), call.tenant(), id).await?;
        let mut cursor: Cursor = context.cursor().unwrap_or_default();
        let mut tx = self.0.database.transaction(call).await?;
        context.fence(&mut tx).await?;
        store::files::pass_gate(&mut tx).await?;
        let there = store::files::lock(&mut tx, call.tenant(), id).await?;
        let goes_on = matches!(wanted, Wanted::Everybody(_)) && !pieces.is_empty();
        if !(goes_on && there.is_some() && cursor.pieces == pieces.len()) {
            forget_file(&mut tx, &self.0.queue, call.tenant(), id).await?;
            store::files::insert(&mut tx, &self.file(context, wanted)).await?;
            (pieces, cursor) = (Vec::new(), Cursor::default());
        }
        tx.commit().await?;
        Ok((self.write_file(call, id, kind, &pieces).await?, cursor))
    }

    fn file(&self, context: &JobContext, wanted: Wanted) -> FileRow {
        FileRow {
            tenant: context.tenant().clone(),
            id: context.id(),
            purpose: Purpose::Export,
            ready: false,
            profile: wanted.profile(),
            media_type: wanted.kind().media_type.to_owned(),
            bytes: 0,
            content_hash: String::new(),
            made_at: self.0.clock.now(),
            made_by: context.call().actor().to_owned(),
            expires_at: self.unfinished_expiry(Purpose::Export),
        }
    }

    /// The part that is still to be written.
    async fn pieces(
        &self,
        call: &Call,
        wanted: Wanted,
        cursor: &Cursor,
    ) -> Result<BoxStream<'static, Result<Piece, Fault>>, Fault> {
        Ok(match wanted {
            Wanted::Person(id) => self.person_pieces(call, id).await?.boxed(),
            Wanted::Everybody(format) => {
                let after = (!cursor.last.is_nil()).then(|| cursor.last.into());
                let pieces = self.profile_pieces(call, format, after);
                // The first is the header, which is there already.
                pieces.skip(usize::from(cursor.pieces > 0)).boxed()
            }
        })
    }

    async fn save(
        &self,
        context: &JobContext,
        writer: &mut FileWriter,
        cursor: &mut Cursor,
    ) -> Result<(), Fault> {
        cursor.pieces += 1;
        let progress = json!({"records": cursor.records, "bytes": writer.bytes()});
        let step = Step { context, cursor: json!(cursor), progress };
        writer.save(context.call(), Some(step)).await
    }

    async fn finish_export(
        &self,
        context: &JobContext,
        wanted: Wanted,
        writer: &FileWriter,
        cursor: &Cursor,
    ) -> Result<(), Fault> {
        let (id, hash, now) = (context.id(), writer.hash(), self.0.clock.now());
        let expires_at = now.plus_micros(HOUR_MICROS.saturating_mul(i64::from(self.0.options.export_hours)));
        let mut receipt = wanted.receipt(cursor.records);
        for (name, value) in [
            ("media_type", json!(wanted.kind().media_type)),
            ("bytes", json!(writer.bytes())),
            ("blake3", json!(hash)),
            ("exported_at", json!(now)),
            ("expires_at", json!(expires_at)),
            ("path", json!(place_of_export(id))),
        ] {
            receipt[name] = value;
        }
        let mut tx = self.0.database.transaction(context.call()).await?;
        context.complete(&mut tx, receipt).await?;
        let size = i64::try_from(writer.bytes()).unwrap_or(i64::MAX);
        if !store::files::finish(&mut tx, context.tenant(), id, (size, &hash), now, expires_at).await? {
            return Err(file_removed());
        }
        tx.commit().await?;
        Ok(())
    }
}

impl From<ExportPayload> for Wanted {
    fn from(payload: ExportPayload) -> Self {
        payload.profile_id.map_or_else(|| Self::Everybody(payload.format.unwrap_or_default()), Self::Person)
    }
}

impl From<Wanted> for ExportPayload {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Person(id) => Self { profile_id: Some(id), format: None },
            Wanted::Everybody(format) => Self { profile_id: None, format: Some(format) },
        }
    }
}

impl Wanted {
    fn profile(self) -> Option<ProfileId> {
        match self {
            Self::Person(id) => Some(id),
            Self::Everybody(_) => None,
        }
    }

    fn kind(self) -> FileKind {
        match self {
            Self::Person(_) => FileKind { ending: "json", media_type: "application/json" },
            Self::Everybody(format) => format.file_kind(),
        }
    }

    fn receipt(self, records: u64) -> Value {
        match self {
            Self::Person(id) => {
                json!({"exported": "person", "profile_id": id, "profiles": 1, "changes": records})
            }
            Self::Everybody(_) => json!({"exported": "profiles", "profiles": records}),
        }
    }
}
