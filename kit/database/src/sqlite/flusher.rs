//! The flusher: flushes SQLite's log to the disk once for all commits that wait for it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::options::{SqliteOptions, Synchronous};
use crate::{DatabaseError, Row, Token};

/// A commit in the log that is not answered yet.
pub(crate) struct Commit {
    pub(crate) done: Committed,
    pub(crate) answer: oneshot::Sender<Result<Committed, DatabaseError>>,
}

/// The result of a commit: the rows of its last statement, and its token.
pub(crate) type Committed = (Vec<Row>, Token);

/// The thread, and the way to it.
pub(crate) struct Flusher {
    /// None if SQLite flushes by itself, or if the settings do not ask for flushes.
    pub(crate) due: Option<SyncSender<Commit>>,
    /// How many commits wait for a flush, or for the end of one.
    pub(crate) waiting: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
    failed: Arc<AtomicBool>,
}

impl Flusher {
    /// `path` is the database itself, resolved: SQLite puts the log beside it. The log must be there.
    pub(crate) fn start(options: &SqliteOptions, path: &Path) -> Result<Self, DatabaseError> {
        if options.synchronous == Synchronous::Normal || options.group_commit_max <= 1 {
            return Ok(Self { due: None, waiting: Arc::default(), thread: None, failed: Arc::default() });
        }
        let mut name = path.as_os_str().to_owned();
        name.push("-wal");
        // The same file as long as this process has the database open: only the last to leave may remove it.
        // Opened before the first write, it hears of every page that the kernel could not keep since then.
        let log = File::open(&name).map_err(|error| DatabaseError::BadFile {
            path: PathBuf::from(name),
            reason: format!("the log cannot be opened: {error}"),
        })?;
        Self::flushing(log, options.group_commit_max)
    }

    fn flushing(log: File, max: usize) -> Result<Self, DatabaseError> {
        // The bound is the largest group: a writer that is further ahead waits for the disk.
        let (due, commits) = sync_channel(max);
        let failed = Arc::new(AtomicBool::new(false));
        let waiting = Arc::new(AtomicUsize::new(0));
        let (mark, left) = (Arc::clone(&failed), Arc::clone(&waiting));
        let thread = std::thread::Builder::new()
            .name("sqlite-flusher".into())
            .spawn(move || flush_all(&log, &commits, max, &mark, &left))
            .map_err(|error| DatabaseError::unavailable(format!("no thread for the flusher: {error}")))?;
        Ok(Self { due: Some(due), waiting, thread: Some(thread), failed })
    }

    /// Set when the disk refused to keep a write. After that the content of the disk is unknown: the kernel forgets the pages
    /// that it could not write, and a second flush would report success. Nothing is written any more until the file has been
    /// opened again.
    pub(crate) fn failed(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.failed)
    }

    /// Answers what is due and ends.
    pub(crate) fn finish(self) {
        drop(self.due);
        if let Some(thread) = self.thread
            && thread.join().is_err()
        {
            tracing::error!("the flusher of the SQLite log panicked");
        }
    }
}

fn flush_all(log: &File, commits: &Receiver<Commit>, max: usize, failed: &AtomicBool, waiting: &AtomicUsize) {
    while let Ok(first) = commits.recv() {
        let mut group = vec![first];
        while group.len() < max
            && let Ok(next) = commits.try_recv()
        {
            group.push(next);
        }
        let result = flush(log, failed);
        if result.is_ok() {
            waiting.fetch_sub(group.len(), Ordering::AcqRel);
        }
        for Commit { done, answer } in group {
            let _ = answer.send(match &result {
                Ok(()) => Ok(done),
                Err(reason) => Err(DatabaseError::CommitUnknown { reason: reason.clone() }),
            });
        }
    }
}

/// Flushes the log, unless that failed once: a later success would say nothing about the pages lost then.
fn flush(log: &File, failed: &AtomicBool) -> Result<(), String> {
    if failed.load(Ordering::Acquire) {
        return Err("flushing failed before".to_owned());
    }
    log.sync_data().map_err(|error| {
        failed.store(true, Ordering::Release);
        tracing::error!(%error, "the SQLite log could not be flushed: no further write is accepted");
        format!("flushing failed: {error}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(flusher: &Flusher) -> Result<Committed, DatabaseError> {
        let (answer, answered) = oneshot::channel();
        let due = flusher.due.as_ref().expect("it flushes");
        flusher.waiting.fetch_add(1, Ordering::AcqRel);
        due.send(Commit { done: (Vec::new(), Token::sqlite(1)), answer }).expect("it listens");
        answered.blocking_recv().expect("it answers")
    }

    #[test]
    fn what_cannot_be_flushed_is_not_acknowledged_and_is_remembered() {
        // A device that has nothing to flush refuses to.
        let flusher = Flusher::flushing(File::open("/dev/null").expect("it is there"), 4).expect("it starts");
        let refused = commit(&flusher);
        assert!(matches!(refused, Err(DatabaseError::CommitUnknown { .. })), "{refused:?}");
        assert!(flusher.failed().load(Ordering::Acquire));
        flusher.finish();
    }

    #[test]
    fn after_one_failed_flush_none_is_taken_for_a_success() {
        let log = tempfile::tempfile().expect("a temporary file can be made");
        let flusher = Flusher::flushing(log, 4).expect("it starts");
        assert!(commit(&flusher).is_ok());
        flusher.failed().store(true, Ordering::Release);
        for _ in 0..2 {
            let refused = commit(&flusher);
            assert!(matches!(refused, Err(DatabaseError::CommitUnknown { .. })), "{refused:?}");
        }
        flusher.finish();
    }
}
