//! Writes a long stream of records, batch by batch. Each batch commits together with the progress of the import, so an
//! import that broke off continues where it stopped and repeats nothing.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use pando_resilience::{Call, Deadline};
use pando_service::Fault;

use crate::domain::import::{Batch, Import, ImportRequest, ImportState, another_file};
use crate::domain::records::RecordReader;
use crate::import_task::ImportJob;
use crate::{Profiles, store};

/// After so many records, other tasks get a turn on the thread.
const RECORDS_AT_ONCE: i64 = 64;

/// How long one batch may take.
const BATCH_BUDGET: Duration = Duration::from_secs(30);

impl Profiles {
    /// Reads the records of an upload and writes them. The answer counts the whole import, earlier uploads included.
    pub async fn import_profiles(
        &self,
        call: &Call,
        request: ImportRequest,
        upload: impl Stream<Item = Result<Bytes, Fault>> + Unpin,
    ) -> Result<Import, Fault> {
        // On the heap: its state is large, and would stand in that of every caller.
        Box::pin(self.import_stream(call, request, upload, None)).await
    }

    /// The same for a job: each batch commits together with the progress of the job, and the last batch with its end.
    pub(crate) async fn import_stream(
        &self,
        call: &Call,
        request: ImportRequest,
        mut upload: impl Stream<Item = Result<Bytes, Fault>> + Unpin,
        job: Option<&ImportJob<'_>>,
    ) -> Result<Import, Fault> {
        let mut import = self.begin_import(call, &request).await?;
        let mut reader = RecordReader::new(request.format, self.0.options.import_record_bytes_max);
        let (mut batch, mut read) = (Batch::default(), 0);
        loop {
            let piece = upload.next().await.transpose().map_err(|error| import.broken_off(error))?;
            let ended = piece.is_none();
            reader.feed(piece);
            while let Some(record) = reader.next().map_err(|refused| import.broken_off(refused))? {
                read += 1;
                if read % RECORDS_AT_ONCE == 0 {
                    tokio::task::yield_now().await;
                }
                if read < import.records_done {
                    continue;
                }
                if read == import.records_done {
                    if import.state == ImportState::Running {
                        import.check_same_file(&reader)?;
                    }
                    continue;
                }
                batch.push(record);
                if batch.items.len() == self.0.options.import_batch_records_max {
                    self.write_records(call, &mut import, (&mut batch, &reader), job).await?;
                }
            }
            if ended {
                break;
            }
        }
        if import.state == ImportState::Completed {
            return self.answer_completed(call, import, (read, &batch, &reader), job).await;
        }
        import.state = ImportState::Completed;
        self.write_records(call, &mut import, (&mut batch, &reader), job).await?;
        Ok(import)
    }

    /// Returns an import that was completed before, if it had the same file.
    async fn answer_completed(
        &self,
        call: &Call,
        import: Import,
        (read, rest, reader): (i64, &Batch, &RecordReader),
        job: Option<&ImportJob<'_>>,
    ) -> Result<Import, Fault> {
        if read != import.records_done || !rest.items.is_empty() {
            return Err(another_file());
        }
        import.check_same_file(reader)?;
        if let Some(job) = job {
            self.end_import_job(call, job, &import).await?;
        }
        Ok(import)
    }

    /// The progress of the import with this token.
    pub async fn get_import(&self, call: &Call, token: &str) -> Result<Import, Fault> {
        store::imports::find(&self.0.database.read_primary(call), call.tenant(), token)
            .await?
            .ok_or_else(|| Fault::not_found("import"))
    }

    async fn begin_import(&self, call: &Call, request: &ImportRequest) -> Result<Import, Fault> {
        let fresh = Import::begun(request, self.0.clock.now());
        if request.dry_run {
            return Ok(fresh);
        }
        let mut tx = self.0.database.transaction(call).await?;
        store::imports::insert(&mut tx, call.tenant(), &fresh).await?;
        let stored = store::imports::find_in(&mut tx, call.tenant(), &request.token).await?;
        tx.commit().await?;
        Ok(stored.unwrap_or(fresh))
    }

    async fn write_records(
        &self,
        call: &Call,
        import: &mut Import,
        (batch, reader): (&mut Batch, &RecordReader),
        job: Option<&ImportJob<'_>>,
    ) -> Result<(), Fault> {
        let call = call.with_deadline(Deadline::after(BATCH_BUDGET).sooner(call.deadline));
        batch.content_hash = reader.hash();
        *import = self.write_import_batch(&call, batch, import, job).await?;
        *batch = Batch::default();
        Ok(())
    }
}
