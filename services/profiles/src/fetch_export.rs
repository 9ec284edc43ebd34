//! Returns an export until it expires.

use bytes::Bytes;
use futures_util::stream::BoxStream;
use pando_clock::Timestamp;
use pando_resilience::Call;
use pando_service::Fault;
use uuid::Uuid;

use crate::store::files::Purpose;
use crate::{Profiles, store};

/// An export on its way out.
pub struct Export {
    /// The media type.
    pub media_type: String,
    /// Its size.
    pub bytes: u64,
    /// BLAKE3 of its content.
    pub content_hash: String,
    /// Until when it can be fetched.
    pub expires_at: Timestamp,
    /// Its content.
    pub content: BoxStream<'static, Result<Bytes, Fault>>,
}

impl Profiles {
    /// The export that a task made.
    pub async fn fetch_export(&self, call: &Call, task: Uuid) -> Result<Export, Fault> {
        let read = self.0.database.read_primary(call);
        let file = store::files::find(&read, call.tenant(), task).await?;
        let file = file.filter(|file| {
            file.purpose == Purpose::Export && file.ready && file.expires_at > self.0.clock.now()
        });
        let file = file.ok_or_else(|| Fault::not_found("export"))?;
        let pieces = store::files::parts(&read, call.tenant(), task).await?;
        let written: i64 = pieces.iter().map(|(_, bytes)| bytes).sum();
        // It was removed between the two reads.
        if written != file.bytes {
            return Err(Fault::not_found("export"));
        }
        Ok(Export {
            media_type: file.media_type,
            bytes: file.bytes.unsigned_abs(),
            content_hash: file.content_hash,
            expires_at: file.expires_at,
            content: self.read_pieces(call, pieces).await?,
        })
    }
}

impl std::fmt::Debug for Export {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Export")
            .field("media_type", &self.media_type)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// Where an export can be fetched.
pub(crate) fn place_of_export(task: Uuid) -> String {
    format!("/api/v1/exports/{task}")
}
