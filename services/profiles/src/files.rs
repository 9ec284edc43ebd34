//! Files that are too large to be held in memory. They are written and read in pieces, and each piece is an object of
//! its own.
//!
//! The transaction that saves the progress of a writer also refers to the piece. So if a writer dies, the sweep finds
//! all its pieces: they belong to a file that expires.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use pando_clock::Timestamp;
use pando_database::Transaction;
use pando_objects::{Object, ObjectName};
use pando_queue::{JobContext, Queue};
use pando_resilience::{Call, Deadline, Tenant};
use pando_service::Fault;
use serde_json::Value;
use uuid::Uuid;

use crate::blobs::{self, KeptObject};
use crate::domain::faults::{file_removed, object_missing};
use crate::domain::records::FileKind;
use crate::store::files::Purpose;
use crate::{Profiles, images, store};

/// A piece is written when it has so many bytes.
pub(crate) const PIECE_BYTES: usize = 4 * 1024 * 1024;
/// How long writing one piece, or beginning to read it, may take.
const PIECE_BUDGET: Duration = Duration::from_secs(60);
/// How long one attempt of a job may take that goes through a file or a table of any size.
pub(crate) const FILE_MS: u64 = 6 * 3_600_000;
/// An export of which no piece was written for so long will not become whole: its job is tried again for hours.
const UNFINISHED_EXPORT_MICROS: i64 = 6 * 3_600 * 1_000_000;
/// An upload of which no piece came for so long was given up by its client.
const UNFINISHED_UPLOAD_MICROS: i64 = 10 * 60 * 1_000_000;
/// How often a piece is put again because the same content began to leave in between.
const ATTEMPTS_MAX: usize = 3;

/// Writes a file; bytes that are not written yet are in memory.
pub(crate) struct FileWriter {
    profiles: Profiles,
    id: Uuid,
    kind: FileKind,
    number: i64,
    pending: BytesMut,
    hasher: blake3::Hasher,
    bytes: u64,
}

/// How far the job that writes a file has come, saved with each piece.
pub(crate) struct Step<'a> {
    pub(crate) context: &'a JobContext,
    pub(crate) cursor: Value,
    pub(crate) progress: Value,
}

impl Profiles {
    /// When a file that gets no further is given up.
    pub(crate) fn unfinished_expiry(&self, purpose: Purpose) -> Timestamp {
        self.0.clock.now().plus_micros(match purpose {
            Purpose::Export => UNFINISHED_EXPORT_MICROS,
            Purpose::Upload => UNFINISHED_UPLOAD_MICROS,
        })
    }

    /// Continues a file after its pieces, or begins with the first one. Existing pieces are read for the hash.
    pub(crate) async fn write_file(
        &self,
        call: &Call,
        id: Uuid,
        kind: FileKind,
        pieces: &[(String, i64)],
    ) -> Result<FileWriter, Fault> {
        let number = i64::try_from(pieces.len()).unwrap_or(i64::MAX);
        let (pending, hasher) = (BytesMut::new(), blake3::Hasher::new());
        let mut writer = FileWriter { profiles: self.clone(), id, kind, number, pending, hasher, bytes: 0 };
        let mut content = self.read_pieces(call, pieces.to_vec()).await?;
        while let Some(bytes) = content.try_next().await? {
            writer.hasher.update(&bytes);
            writer.bytes += bytes.len() as u64;
        }
        Ok(writer)
    }

    /// The content of a file. Its beginning is there when this answers; what breaks later breaks the stream off.
    pub(crate) async fn read_pieces(
        &self,
        call: &Call,
        pieces: Vec<(String, i64)>,
    ) -> Result<BoxStream<'static, Result<Bytes, Fault>>, Fault> {
        let mut pieces = pieces.into_iter();
        let Some((first, _)) = pieces.next() else { return Ok(stream::empty().boxed()) };
        let first = self.open_piece(call, &first).await?;
        let (profiles, call) = (self.clone(), call.clone());
        let rest = stream::iter(pieces).then(move |(name, _)| {
            let (profiles, call) = (profiles.clone(), call.clone());
            async move { profiles.open_piece(&call, &name).await }
        });
        let objects = stream::iter([Ok(first)]).chain(rest);
        Ok(objects.map_ok(|object| object.content.map_err(Fault::from)).try_flatten().boxed())
    }

    async fn open_piece(&self, call: &Call, name: &str) -> Result<Object, Fault> {
        let call = call.with_deadline(Deadline::after(PIECE_BUDGET));
        let named = ObjectName::parse(name).ok_or_else(|| object_missing(name))?;
        self.0.blobs.objects().get(&call, &named, None).await?.ok_or_else(|| object_missing(name))
    }
}

/// Deletes a file in this transaction; a job deletes its pieces once it is committed. Their names.
pub(crate) async fn forget_file(
    tx: &mut Transaction,
    queue: &Queue,
    tenant: &Tenant,
    id: Uuid,
) -> Result<Vec<String>, Fault> {
    let names = store::files::delete(tx, tenant, id).await?;
    images::enqueue_removal(tx, queue, tenant, names.clone()).await?;
    Ok(names)
}

impl FileWriter {
    /// How many bytes it was given.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The hash of all that it was given.
    pub(crate) fn hash(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }

    /// Takes bytes; true when there is enough for a piece.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> bool {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        self.pending.extend_from_slice(bytes);
        self.pending.len() >= PIECE_BYTES
    }

    /// Writes what it holds as a piece, together with how far its job has come.
    pub(crate) async fn save(&mut self, call: &Call, step: Option<Step<'_>>) -> Result<(), Fault> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let content = self.pending.split().freeze();
        let named = (self.kind.ending, self.kind.media_type);
        for _ in 0..ATTEMPTS_MAX {
            let call = call.with_deadline(Deadline::after(PIECE_BUDGET));
            let kept = self.profiles.0.blobs.keep(&call, content.clone(), named).await?;
            if self.refer_to(&call, &kept, content.len(), step.as_ref()).await? {
                self.number += 1;
                return Ok(());
            }
        }
        Err(Fault::busy("the same content is being deleted at this moment"))
    }

    /// Refers to an object that is there; false when it began to leave.
    async fn refer_to(
        &self,
        call: &Call,
        kept: &KeptObject,
        bytes: usize,
        step: Option<&Step<'_>>,
    ) -> Result<bool, Fault> {
        let profiles = &self.profiles;
        let mut tx = profiles.0.database.transaction(call).await?;
        if let Some(Step { context, cursor, progress }) = step {
            context.save(&mut tx, cursor.clone(), Some(progress.clone())).await?;
        }
        if !blobs::confirm(&mut tx, kept, profiles.0.clock.now()).await? {
            return Ok(false);
        }
        // Only the writer of an export has a job.
        let purpose = if step.is_some() { Purpose::Export } else { Purpose::Upload };
        let part = (self.number, kept.name.as_str(), i64::try_from(bytes).unwrap_or(i64::MAX));
        let expires_at = profiles.unfinished_expiry(purpose);
        if !store::files::add_part(&mut tx, call.tenant(), self.id, part, expires_at).await? {
            return Err(file_removed());
        }
        tx.commit().await?;
        Ok(true)
    }
}
