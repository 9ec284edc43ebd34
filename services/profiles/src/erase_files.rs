//! Removes the files that mention a person who is being erased: exports, images, and uploads that wait for their
//! import.

use futures_util::TryStreamExt as _;
use pando_database::Transaction;
use pando_objects::ObjectName;
use pando_queue::{JobContext, Mentions, QueueError};
use pando_resilience::{Call, Tenant};
use pando_service::Fault;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::domain::profile::ProfileId;
use crate::files::forget_file;
use crate::images::forget_images;
use crate::sought::Sought;
use crate::store::files::FileRow;
use crate::{Profiles, store};

/// A line that is longer is cut where no address can be.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Counts of data that was removed before the profile. They are saved, so that the receipt is right however often the job runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Before {
    pub(crate) exports: usize,
    pub(crate) uploads: usize,
    pub(crate) images: u64,
    pub(crate) jobs: u64,
    pub(crate) answers: u64,
    pub(crate) import_problems: u64,
    /// The files of images whose rows are removed.
    files: Vec<String>,
}

impl Profiles {
    /// Cancels every import whose upload names the person, and removes the upload with its bytes.
    pub(crate) async fn remove_uploads(
        &self,
        context: &JobContext,
        sought: &Sought<'_>,
        before: &mut Before,
    ) -> Result<(), Fault> {
        for upload in self.uploads_naming(context.call(), sought).await? {
            self.remove_upload(context, upload, before).await?;
        }
        Ok(())
    }

    /// Removes every export that the person is or may be in, with its bytes.
    pub(crate) async fn remove_exports(
        &self,
        context: &JobContext,
        id: ProfileId,
        before: &mut Before,
    ) -> Result<(), Fault> {
        let mut tx = self.0.database.transaction(context.call()).await?;
        context.fence(&mut tx).await?;
        let (count, names) = self.forget_exports(&mut tx, context.tenant(), id).await?;
        before.exports += count;
        context.save(&mut tx, json!(before), None).await?;
        tx.commit().await?;
        self.remove_bytes(context, &names).await
    }

    /// Removes the images of the person. Their files go at once, unless somebody else has the same picture: the receipt
    /// comes after that.
    pub(crate) async fn remove_images(
        &self,
        context: &JobContext,
        id: ProfileId,
        before: &mut Before,
    ) -> Result<(), Fault> {
        let mut tx = self.0.database.transaction(context.call()).await?;
        context.fence(&mut tx).await?;
        if store::lock(&mut tx, context.tenant(), id).await?.is_some() {
            let (count, names) = forget_images(&mut tx, &self.0.queue, context.tenant(), id).await?;
            before.images += count;
            before.files.extend(names);
            context.save(&mut tx, json!(before), None).await?;
        }
        tx.commit().await?;
        self.remove_bytes(context, &before.files).await?;
        before.files.clear();
        Ok(())
    }

    /// Cancels an import and removes its upload. The erasure finds everything that the import wrote before; later it writes
    /// nothing.
    async fn remove_upload(
        &self,
        context: &JobContext,
        upload: Uuid,
        before: &mut Before,
    ) -> Result<(), Fault> {
        match self.0.queue.cancel(context.call(), upload).await {
            Ok(_) | Err(QueueError::Ended { .. } | QueueError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
        let mut tx = self.0.database.transaction(context.call()).await?;
        let names = forget_file(&mut tx, &self.0.queue, context.tenant(), upload).await?;
        // One that was imported a moment ago has gone by itself.
        before.uploads += usize::from(!names.is_empty());
        context.save(&mut tx, json!(before), None).await?;
        tx.commit().await?;
        self.remove_bytes(context, &names).await
    }

    async fn remove_bytes(&self, context: &JobContext, names: &[String]) -> Result<(), Fault> {
        for name in names.iter().filter_map(|name| ObjectName::parse(name)) {
            self.0.blobs.remove_at_once(context.call(), &name).await?;
        }
        Ok(())
    }

    /// The uploads that name the person.
    async fn uploads_naming(&self, call: &Call, sought: &Sought<'_>) -> Result<Vec<Uuid>, Fault> {
        let (mut last, mut naming) = (Uuid::nil(), Vec::new());
        loop {
            let read = self.0.database.read_primary(call);
            let uploads = store::files::uploads(&read, call.tenant(), last).await?;
            let Some(end) = uploads.last() else { return Ok(naming) };
            last = end.id;
            for upload in uploads {
                if self.names_one(call, &upload, &sought.mentions).await?
                    && self.names_one(call, &upload, &sought.still().await?).await?
                {
                    naming.push(upload.id);
                }
            }
        }
    }

    /// Reads an upload as text, whether or not it can be imported.
    async fn names_one(&self, call: &Call, upload: &FileRow, mentions: &Mentions) -> Result<bool, Fault> {
        let read = self.0.database.read_primary(call);
        let pieces = store::files::parts(&read, call.tenant(), upload.id).await?;
        let mut content = self.read_pieces(call, pieces).await?;
        let mut text = Vec::new();
        while let Some(piece) = content.try_next().await? {
            text.extend_from_slice(&piece);
            let whole = end_of_lines(&text);
            if mentions.stand_in(&String::from_utf8_lossy(&text[..whole])) {
                return Ok(true);
            }
            text.drain(..whole);
        }
        Ok(mentions.stand_in(&String::from_utf8_lossy(&text)))
    }

    /// Removes the exports that the person is or may be in: how many there were, and what they were made of.
    pub(crate) async fn forget_exports(
        &self,
        tx: &mut Transaction,
        tenant: &Tenant,
        id: ProfileId,
    ) -> Result<(usize, Vec<String>), Fault> {
        let exports = store::files::exports_with(tx, tenant, id).await?;
        let mut names = Vec::new();
        for export in &exports {
            names.extend(forget_file(tx, &self.0.queue, tenant, *export).await?);
        }
        Ok((exports.len(), names))
    }
}

/// How much of a text can be looked at without cutting an address in two.
fn end_of_lines(text: &[u8]) -> usize {
    let after_last = |ends: fn(&u8) -> bool| text.iter().rposition(ends).map(|at| at + 1);
    match after_last(|byte| *byte == b'\n') {
        Some(end) => end,
        None if text.len() < LINE_BYTES_MAX => 0,
        None => after_last(|byte| b" \t,;\"<>{}".contains(byte)).unwrap_or(text.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_lines_and_a_long_line_between_words() {
        assert_eq!(end_of_lines(b"al@example.org"), 0);
        assert_eq!(end_of_lines(b"al@example.org\nmich"), 15);
        let long = [&[b'x'; LINE_BYTES_MAX][..], b",mich"].concat();
        assert_eq!(end_of_lines(&long), LINE_BYTES_MAX + 1);
        assert_eq!(end_of_lines(&long[..LINE_BYTES_MAX]), LINE_BYTES_MAX);
    }
}
