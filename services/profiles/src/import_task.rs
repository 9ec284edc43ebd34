//! Imports an upload from the object store, as a job whose result is the answer of the import.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use pando_database::Transaction;
use pando_queue::{Job, JobContext, JobType, QueueError, Unique};
use pando_resilience::{Call, Deadline};
use pando_service::{Fault, Written, share_of};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::accepted::Accepted;
use crate::domain::faults::{file_removed, uploads_full};
use crate::domain::import::{Import, ImportRequest, ImportState};
use crate::files::{FILE_MS, forget_file};
use crate::store::files::{FileRow, Purpose};
use crate::{Profiles, store};

/// The job that imports an upload.
pub(crate) const IMPORT: JobType<WaitingImport> = JobType::new("import").within_ms(FILE_MS);

/// How long one of the transactions around an upload may take, however long the upload takes.
const STEP_BUDGET: Duration = Duration::from_secs(10);

/// The payload of the job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct WaitingImport {
    upload: Uuid,
    #[serde(flatten)]
    request: ImportRequest,
}

/// The job that an import is written by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImportJob<'a> {
    context: &'a JobContext,
    upload: Uuid,
}

impl Profiles {
    /// Keeps an upload, to be imported by a job. While one waits or runs for the token, that one is answered.
    pub async fn accept_import(
        &self,
        call: &Call,
        request: ImportRequest,
        upload: impl Stream<Item = Result<Bytes, Fault>> + Unpin,
    ) -> Result<Written<Accepted>, Fault> {
        let id = self.0.clock.fresh_id();
        match self.keep_upload(call, id, request, upload).await {
            Ok(done) => Ok(done),
            // The job may be there, and then it needs the upload; if it is not, the sweep takes the upload.
            Err(fault) if fault.is_commit_unknown() => Err(fault),
            Err(error) => {
                // Where this does not happen either, the sweep finds it.
                let call = step(call);
                let mut tx = self.0.database.transaction(&call).await?;
                forget_file(&mut tx, &self.0.queue, call.tenant(), id).await?;
                tx.commit().await?;
                Err(error)
            }
        }
    }

    async fn keep_upload(
        &self,
        call: &Call,
        id: Uuid,
        request: ImportRequest,
        mut upload: impl Stream<Item = Result<Bytes, Fault>> + Unpin,
    ) -> Result<Written<Accepted>, Fault> {
        let kind = request.format.file_kind();
        let mut tx = self.0.database.transaction(&step(call)).await?;
        let file = FileRow {
            tenant: call.tenant().clone(),
            id,
            purpose: Purpose::Upload,
            ready: false,
            profile: None,
            media_type: kind.media_type.to_owned(),
            bytes: 0,
            content_hash: String::new(),
            made_at: self.0.clock.now(),
            made_by: call.actor().to_owned(),
            expires_at: self.unfinished_expiry(Purpose::Upload),
        };
        store::files::insert(&mut tx, &file).await?;
        tx.commit().await?;
        let mut writer = self.write_file(call, id, kind, &[]).await?;
        while let Some(piece) = upload.next().await.transpose()? {
            if writer.push(&piece) {
                self.check_room_for_uploads(call).await?;
                writer.save(call, None).await?;
            }
        }
        self.check_room_for_uploads(call).await?;
        writer.save(call, None).await?;
        let mut tx = self.0.database.transaction(&step(call)).await?;
        let size = i64::try_from(writer.bytes()).unwrap_or(i64::MAX);
        let now = self.0.clock.now();
        if !store::files::finish(&mut tx, call.tenant(), id, (size, &writer.hash()), now, now).await? {
            return Err(file_removed());
        }
        let job = WaitingImport { upload: id, request }.job()?;
        let details = json!({"kind": job.kind});
        let accepted = self.accept(&mut tx, call, job, details).await?;
        if accepted.id != id {
            forget_file(&mut tx, &self.0.queue, call.tenant(), id).await?;
        }
        Ok(Written { value: accepted, token: tx.commit().await?, replayed: false })
    }

    /// Uploads that wait, or are being sent, have so much room together.
    async fn check_room_for_uploads(&self, call: &Call) -> Result<(), Fault> {
        let call = step(call);
        let (all, own) =
            store::files::upload_bytes(&self.0.database.read_primary(&call), call.tenant()).await?;
        let bytes_max = self.0.options.uploads_bytes_max;
        let full =
            all.unsigned_abs() >= bytes_max || own.unsigned_abs() >= share_of(call.tenant(), bytes_max);
        if full { Err(uploads_full()) } else { Ok(()) }
    }

    /// Imports what waits; the end of the job commits with the last batch.
    pub(crate) async fn run_import(self, context: JobContext, waiting: WaitingImport) -> Result<(), Fault> {
        let WaitingImport { upload, request } = waiting;
        let read = self.0.database.read_primary(context.call());
        let file = store::files::find(&read, context.tenant(), upload).await?;
        let file = file.filter(|file| file.purpose == Purpose::Upload && file.ready);
        let file = file.ok_or_else(|| Fault::not_found("upload"))?;
        // The history names who sent it.
        let call = context.call().by(file.made_by);
        let pieces = store::files::parts(&read, context.tenant(), upload).await?;
        let content = self.read_pieces(&call, pieces).await?;
        let job = ImportJob { context: &context, upload };
        // On the heap: its state is large, and would stand in that of every caller.
        let imported = Box::pin(self.import_stream(&call, request, content, Some(&job))).await;
        if imported.as_ref().is_err_and(Fault::is_of_input) {
            // No attempt will read it otherwise.
            let mut tx = self.0.database.transaction(&call).await?;
            job.fence(&mut tx).await?;
            forget_file(&mut tx, &self.0.queue, call.tenant(), upload).await?;
            tx.commit().await?;
        }
        imported.map(drop)
    }

    /// Ends the job of an import that is completed.
    pub(crate) async fn end_import_job(
        &self,
        call: &Call,
        job: &ImportJob<'_>,
        import: &Import,
    ) -> Result<(), Fault> {
        let mut tx = self.0.database.transaction(call).await?;
        job.fence(&mut tx).await?;
        job.save(&mut tx, import).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Says how far a dry run has come, of which nothing else is written.
    pub(crate) async fn tell_import_job(
        &self,
        call: &Call,
        job: &ImportJob<'_>,
        import: &Import,
    ) -> Result<(), Fault> {
        match import.state {
            ImportState::Completed => self.end_import_job(call, job, import).await,
            ImportState::Running => Ok(job.context.progress(progress(import)).await?),
        }
    }
}

impl ImportJob<'_> {
    /// Lets the transaction be committed only by the living attempt, and only while the upload is wanted.
    pub(crate) async fn fence(&self, tx: &mut Transaction) -> Result<(), Fault> {
        self.context.fence(tx).await?;
        let upload = store::files::lock(tx, self.context.tenant(), self.upload).await?;
        upload.map(drop).ok_or_else(|| Fault::not_found("upload"))
    }

    /// Saves how far the import has come; when it is completed, the job is, and the upload goes.
    pub(crate) async fn save(&self, tx: &mut Transaction, import: &Import) -> Result<(), Fault> {
        if import.state == ImportState::Completed {
            self.context.complete(tx, json!(import)).await?;
            forget_file(tx, self.context.queue(), self.context.tenant(), self.upload).await?;
            return Ok(());
        }
        let progress = progress(import);
        Ok(self.context.save(tx, progress.clone(), Some(progress)).await?)
    }
}

impl WaitingImport {
    fn job(&self) -> Result<Job, QueueError> {
        let ImportRequest { token, dry_run, .. } = &self.request;
        let kind = if *dry_run { "import-dry" } else { "import" };
        let unique = Some(Unique::WhileLive(format!("{kind}:{token}")));
        Ok(Job { id: Some(self.upload), unique, ..IMPORT.job(self)? })
    }
}

fn progress(import: &Import) -> Value {
    json!({"records_done": import.records_done})
}

fn step(call: &Call) -> Call {
    call.with_deadline(Deadline::after(STEP_BUDGET))
}
