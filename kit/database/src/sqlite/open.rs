//! Opens the file: creates it, checks it, and sets the connection up.

use std::fs::{DirBuilder, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::session::Session;
use crate::DatabaseError;
use crate::options::{SqliteOptions, Synchronous};

/// The use of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Write,
    Read,
}

/// The log is cut back to this many bytes after it grew larger under a long read.
const LOG_KEPT: u64 = 64 << 20;

/// Makes the folder and the file, readable by their owner alone, unless they are there. Where the file really is,
/// links followed: SQLite keeps its log there.
pub(crate) fn make_file(path: &Path) -> Result<PathBuf, DatabaseError> {
    let failed = |error: std::io::Error| DatabaseError::BadFile {
        path: path.to_owned(),
        reason: format!("it cannot be created or found: {error}"),
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(failed)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => {}
        // A file that exists is not even opened here: closing it would drop SQLite's locks on it.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
    }
    path.canonicalize().map_err(failed)
}

/// One connection, ready for its purpose.
pub(crate) fn connect(options: &SqliteOptions, purpose: Purpose) -> Result<Session, DatabaseError> {
    let failed = |error: rusqlite::Error| bad_file(&options.path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&options.path, flags).map_err(failed)?;
    // Where somebody has run `analyze`, SQLite would plan a statement anew for each set of parameters.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(failed)?;
    let busy = Duration::from_millis(options.busy_timeout_ms);
    connection.busy_timeout(busy).map_err(failed)?;
    let mode = become_wal(&connection, busy).map_err(failed)?;
    if mode != "wal" {
        let reason = format!("it cannot keep a log beside it (its journal mode stays {mode})");
        return Err(DatabaseError::BadFile { path: options.path.clone(), reason });
    }
    // With group commit the writer flushes the log itself, once for many: see `writer.rs`.
    let flush_each = options.synchronous == Synchronous::Full && options.group_commit_max <= 1;
    let synchronous = if flush_each { "full" } else { "normal" };
    let query_only = if purpose == Purpose::Read { "on" } else { "off" };
    connection
        .execute_batch(&format!(
            "pragma synchronous = {synchronous}; pragma foreign_keys = on; pragma temp_store = memory; \
             pragma cache_size = -8192; pragma trusted_schema = off; pragma journal_size_limit = {LOG_KEPT}; \
             pragma query_only = {query_only}"
        ))
        .map_err(failed)?;
    // Reads the header and the schema, which fails for a file that is not a database.
    connection.query_row("select count(*) from sqlite_schema", [], |_| Ok(())).map_err(failed)?;
    Session::new(connection).map_err(failed)
}

/// Turning a new file to WAL needs it alone, and SQLite does not wait for that: processes that start at once retry.
/// Which mode it has now: where WAL is impossible SQLite reports another without an error.
fn become_wal(connection: &Connection, patience: Duration) -> rusqlite::Result<String> {
    let started = Instant::now();
    loop {
        let result = connection.query_row("pragma journal_mode = wal", [], |row| row.get::<_, String>(0));
        match result {
            Ok(mode) => return Ok(mode),
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && started.elapsed() < patience =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) => return Err(error),
        }
    }
}

fn bad_file(path: &Path, error: &rusqlite::Error) -> DatabaseError {
    let reason = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => "it is a file of another kind, or encrypted".to_owned(),
        Some(ErrorCode::DatabaseCorrupt) => "it is damaged".to_owned(),
        Some(ErrorCode::DatabaseBusy) => "another process keeps it locked".to_owned(),
        Some(ErrorCode::CannotOpen) => "it cannot be opened".to_owned(),
        _ => error.to_string(),
    };
    DatabaseError::BadFile { path: path.to_owned(), reason }
}
