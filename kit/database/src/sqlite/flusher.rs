//! The flusher: puts SQLite's log on the disk, once for all commits that wait for it.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::options::{SqliteOptions, Synchronous};
use crate::{DatabaseError, Token};

/// A commit in the log that is not answered yet.
pub(crate) struct Commit {
    pub(crate) token: Token,
    pub(crate) answer: oneshot::Sender<Result<Token, DatabaseError>>,
}

/// The thread, and the way to it.
pub(crate) struct Flusher {
    /// None when SQLite flushes by itself, or nobody asks for it.
    pub(crate) due: Option<SyncSender<Commit>>,
    thread: Option<JoinHandle<()>>,
    failed: Arc<AtomicBool>,
}

impl Flusher {
    pub(crate) fn start(options: &SqliteOptions) -> Result<Self, DatabaseError> {
        let failed = Arc::new(AtomicBool::new(false));
        if options.synchronous == Synchronous::Normal || options.group_commit_max <= 1 {
            return Ok(Self { due: None, thread: None, failed });
        }
        let mut name = options.path.clone().into_os_string();
        name.push("-wal");
        let (path, max) = (PathBuf::from(name), options.group_commit_max);
        // The bound is the largest group: a writer that is further ahead waits for the disk.
        let (due, commits) = sync_channel(max);
        let mark = Arc::clone(&failed);
        let thread = std::thread::Builder::new()
            .name("sqlite-flusher".into())
            .spawn(move || flush_all(&path, &commits, max, &mark))
            .map_err(|error| DatabaseError::unavailable(format!("no thread for the flusher: {error}")))?;
        Ok(Self { due: Some(due), thread: Some(thread), failed })
    }

    /// After a failed flush nobody knows what the disk holds: the kernel forgets the pages it could not write, and
    /// a second flush would report success. Nothing is written any more until the file was opened afresh.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
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

fn flush_all(path: &PathBuf, commits: &Receiver<Commit>, max: usize, failed: &AtomicBool) {
    // The same file as long as this process has the database open: only the last to leave may remove it.
    let mut log: Option<File> = None;
    while let Ok(first) = commits.recv() {
        let mut group = vec![first];
        while group.len() < max
            && let Ok(next) = commits.try_recv()
        {
            group.push(next);
        }
        let result = flush(path, &mut log);
        if let Err(error) = &result {
            failed.store(true, Ordering::Release);
            tracing::error!(%error, "the SQLite log could not be flushed: no further write is taken");
        }
        for Commit { token, answer } in group {
            let _ = answer.send(match &result {
                Ok(()) => Ok(token),
                Err(error) => {
                    Err(DatabaseError::CommitUnknown { reason: format!("flushing failed: {error}") })
                }
            });
        }
    }
}

fn flush(path: &PathBuf, log: &mut Option<File>) -> io::Result<()> {
    let file = match log {
        Some(file) => file,
        None => log.insert(File::open(path)?),
    };
    file.sync_data()
}
