//! Removes the files that somebody who is erased is in: exports, and uploads that wait for their import.

use futures_util::TryStreamExt as _;
use pando_database::Transaction;
use pando_objects::ObjectName;
use pando_queue::{JobContext, QueueError};
use pando_resilience::Call;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::blobs::Removing;
use crate::files::forget_file;
use crate::profile::ProfileId;
use crate::records::{RecordFormat, RecordReader};
use crate::store::files::FileRow;
use crate::{ProfileError, Profiles, store};

/// What was removed before the person was: saved, so that the receipt tells of it however often this is tried.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Before {
    pub(crate) exports: usize,
    pub(crate) uploads: usize,
}

impl Profiles {
    /// Removes every export that the person is or may be in, and every upload that names them, their bytes too: the
    /// receipt comes after them.
    pub(crate) async fn remove_files(
        &self,
        context: &JobContext,
        id: ProfileId,
        mentions: &[String],
    ) -> Result<Before, ProfileError> {
        let mut before: Before = context.cursor().unwrap_or_default();
        for upload in self.uploads_naming(context.call(), mentions).await? {
            self.remove_upload(context, upload, &mut before).await?;
        }
        let mut tx = self.0.database.transaction(context.call()).await?;
        context.fence(&mut tx).await?;
        let (count, names) = self.forget_exports(&mut tx, id).await?;
        before.exports += count;
        context.save(&mut tx, json!(before), None).await?;
        tx.commit().await?;
        self.remove_bytes(context, &names).await?;
        Ok(before)
    }

    /// Calls an import off and removes its upload. What it wrote before that, the erasure finds; later it writes nothing.
    async fn remove_upload(
        &self,
        context: &JobContext,
        upload: Uuid,
        before: &mut Before,
    ) -> Result<(), ProfileError> {
        match self.0.queue.cancel(context.call(), upload).await {
            Ok(_) | Err(QueueError::Ended { .. } | QueueError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
        let mut tx = self.0.database.transaction(context.call()).await?;
        let names = forget_file(&mut tx, &self.0.queue, upload).await?;
        // One that was imported a moment ago has gone by itself.
        before.uploads += usize::from(!names.is_empty());
        context.save(&mut tx, json!(before), None).await?;
        tx.commit().await?;
        self.remove_bytes(context, &names).await
    }

    async fn remove_bytes(&self, context: &JobContext, names: &[String]) -> Result<(), ProfileError> {
        for name in names.iter().filter_map(|name| ObjectName::parse(name)) {
            self.0.blobs.remove(context.call(), &name, Removing::AtOnce).await?;
        }
        Ok(())
    }

    /// The uploads that name the person, and those that cannot be read to their end.
    async fn uploads_naming(&self, call: &Call, mentions: &[String]) -> Result<Vec<Uuid>, ProfileError> {
        let (mut last, mut naming) = (Uuid::nil(), Vec::new());
        loop {
            let uploads = store::files::uploads(&self.0.database.read_primary(call), last).await?;
            let Some(end) = uploads.last() else { return Ok(naming) };
            last = end.id;
            for upload in uploads {
                if self.names_one(call, &upload, mentions).await? {
                    naming.push(upload.id);
                }
            }
        }
    }

    async fn names_one(
        &self,
        call: &Call,
        upload: &FileRow,
        mentions: &[String],
    ) -> Result<bool, ProfileError> {
        let pieces = store::files::parts(&self.0.database.read_primary(call), upload.id).await?;
        // One that was imported a moment ago has none.
        if pieces.is_empty() {
            return Ok(false);
        }
        let format = RecordFormat::of_media_type(&upload.media_type).unwrap_or(RecordFormat::Ndjson);
        let mut reader = RecordReader::new(format, self.0.options.import_record_bytes_max);
        let mut content = self.read_pieces(call, pieces).await?;
        loop {
            let piece = content.try_next().await?;
            let ended = piece.is_none();
            let Ok(records) = reader.push(piece) else { return Ok(true) };
            // As the importer will read them: an address is found in whatever way it was written.
            let mut texts = records.into_iter().flatten().map(|fields| Value::Object(fields).to_string());
            let names = |text: String| {
                let text = text.to_lowercase();
                mentions.iter().any(|mention| text.contains(mention.as_str()))
            };
            if texts.any(names) {
                return Ok(true);
            }
            if ended {
                return Ok(false);
            }
        }
    }

    /// Removes the exports that the person is or may be in: how many there were, and what they were made of.
    pub(crate) async fn forget_exports(
        &self,
        tx: &mut Transaction,
        id: ProfileId,
    ) -> Result<(usize, Vec<String>), ProfileError> {
        let exports = store::files::exports_with(tx, id).await?;
        let mut names = Vec::new();
        for export in &exports {
            names.extend(forget_file(tx, &self.0.queue, *export).await?);
        }
        Ok((exports.len(), names))
    }
}
