//! Objects in a folder. The folder is opened once, and every path starts at its handle and follows no link, so nothing
//! outside of the folder is ever touched.

mod archive;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use pando_clock::{Clock, Timestamp};
use pando_resilience::Deadline;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::{Found, Listed, Object, ObjectName, ObjectsError};

/// Where objects are while they are written.
const INCOMING: &str = "incoming";
/// The file that tells this store from others.
const MARK: &str = "store-mark";
/// More bytes than a mark has.
const MARK_BYTES_MAX: u64 = 1_024;
/// How much is read at once.
const PIECE: usize = 64 * 1024;
/// A half-written file of this age belongs to no running write any more.
const LEFT_BEHIND_MICROS: i64 = 3_600 * 1_000_000;

/// A folder of objects: below it, a folder for the first two letters of their names.
#[derive(Clone, Debug)]
pub(crate) struct Folder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    /// The folder itself, once it could be opened.
    root: OnceLock<OwnedFd>,
    clock: Clock,
}

impl Folder {
    /// Creates missing folders, and removes half-written files of a crash. If the folder cannot be created, the program still
    /// starts; requests for objects are refused until the folder can be created.
    pub(crate) fn open(path: &Path, clock: &Clock) -> Self {
        let inner = Inner { path: path.to_owned(), root: OnceLock::new(), clock: clock.clone() };
        let folder = Self(Arc::new(inner));
        if let Err(error) = folder.sweep_incoming() {
            tracing::warn!(path = %path.display(), %error, "files cannot be stored, because the folder cannot be used");
        }
        folder
    }

    fn root(&self) -> Result<&OwnedFd, ObjectsError> {
        let Inner { path, root, .. } = &*self.0;
        if let Some(root) = root.get() {
            return Ok(root);
        }
        std::fs::create_dir_all(path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(path, flags, Mode::empty()).map_err(io)?;
        Ok(root.get_or_init(|| opened))
    }

    pub(crate) async fn put(&self, name: &ObjectName, content: Bytes) -> Result<(), ObjectsError> {
        let (folder, name) = (self.clone(), name.clone());
        blocking(move || folder.write(&name, &content)).await
    }

    fn write(&self, name: &ObjectName, content: &[u8]) -> Result<(), ObjectsError> {
        let shelf = self.subfolder(shelf_of(name), true)?.ok_or(Errno::NOENT).map_err(io)?;
        self.write_into(&shelf, name.as_str(), content)
    }

    pub(crate) async fn read_mark(&self) -> Result<Option<String>, ObjectsError> {
        let folder = self.clone();
        blocking(move || {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            match rustix::fs::openat(folder.root()?, MARK, flags, Mode::empty()) {
                Ok(file) => {
                    let mut mark = String::new();
                    File::from(file).take(MARK_BYTES_MAX).read_to_string(&mut mark)?;
                    Ok(Some(mark))
                }
                Err(Errno::NOENT) => Ok(None),
                Err(error) => Err(io(error)),
            }
        })
        .await
    }

    pub(crate) async fn write_mark(&self, content: Bytes) -> Result<(), ObjectsError> {
        let folder = self.clone();
        blocking(move || folder.write_into(folder.root()?, MARK, &content)).await
    }

    /// The file is whole and on the disk before it has its name, and so is its name before this answers.
    fn write_into(&self, shelf: &OwnedFd, name: &str, content: &[u8]) -> Result<(), ObjectsError> {
        let incoming = self.subfolder(INCOMING, true)?.ok_or(Errno::NOENT).map_err(io)?;
        let temporary = self.0.clock.fresh_id().to_string();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&incoming, &temporary, flags, Mode::RUSR | Mode::WUSR).map_err(io)?;
        let mut file = File::from(file);
        let written = file.write_all(content).and_then(|()| file.sync_all()).map_err(ObjectsError::from);
        let named = written.and_then(|()| {
            rustix::fs::renameat(&incoming, &temporary, shelf, name).map_err(io)?;
            rustix::fs::fsync(shelf).map_err(io)
        });
        if named.is_err() {
            // It may have its name already: then there is nothing to remove.
            let _gone = rustix::fs::unlinkat(&incoming, &temporary, AtFlags::empty());
        }
        named
    }

    pub(crate) async fn get(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
    ) -> Result<Option<Object>, ObjectsError> {
        let (folder, name) = (self.clone(), name.clone());
        blocking(move || folder.read(&name, range)).await
    }

    fn read(&self, name: &ObjectName, range: Option<Range<u64>>) -> Result<Option<Object>, ObjectsError> {
        let Some((file, found)) = self.find(name)? else { return Ok(None) };
        object_of(file, found, range).map(Some)
    }

    pub(crate) async fn head(&self, name: &ObjectName) -> Result<Option<Found>, ObjectsError> {
        let (folder, name) = (self.clone(), name.clone());
        blocking(move || Ok(folder.find(&name)?.map(|(_, found)| found))).await
    }

    /// Deletes the object, unless this runs too late: by then the caller has given up and may have stored the object anew.
    pub(crate) async fn delete(&self, name: &ObjectName, deadline: Deadline) -> Result<(), ObjectsError> {
        let (folder, name) = (self.clone(), name.clone());
        blocking(move || {
            let Some(shelf) = folder.subfolder(shelf_of(&name), false)? else { return Ok(()) };
            if deadline.is_past() {
                return Err(ObjectsError::unavailable(pando_resilience::DeadlineExceeded));
            }
            match rustix::fs::unlinkat(&shelf, name.as_str(), AtFlags::empty()) {
                Ok(()) => rustix::fs::fsync(&shelf).map_err(io),
                Err(Errno::NOENT) => Ok(()),
                Err(error) => Err(io(error)),
            }
        })
        .await
    }

    /// Folder by folder, so that only one of 256 parts is in memory at a time.
    pub(crate) fn list(&self) -> BoxStream<'static, Result<Listed, ObjectsError>> {
        let folder = self.clone();
        let shelves: VecDeque<String> = (0..=u8::MAX).map(|shelf| format!("{shelf:02x}")).collect();
        let lists = stream::try_unfold((folder, shelves), |(folder, mut shelves)| async move {
            let Some(shelf) = shelves.pop_front() else { return Ok::<_, ObjectsError>(None) };
            let reader = folder.clone();
            let listed = blocking(move || reader.list_shelf(&shelf)).await?;
            Ok(Some((stream::iter(listed.into_iter().map(Ok)), (folder, shelves))))
        });
        lists.try_flatten().boxed()
    }

    fn list_shelf(&self, shelf: &str) -> Result<Vec<Listed>, ObjectsError> {
        let Some(folder) = self.subfolder(shelf, false)? else { return Ok(Vec::new()) };
        let mut listed = Vec::new();
        for entry in Dir::read_from(&folder).map_err(io)? {
            let entry = entry.map_err(io)?;
            let name = entry.file_name().to_str().ok().and_then(ObjectName::parse);
            // Somebody else's file, or one that was deleted a moment ago.
            let Some(name) = name.filter(|name| shelf_of(name) == shelf) else { continue };
            let Some((_, found)) = self.find(&name)? else { continue };
            listed.push(Listed { name, found });
        }
        listed.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(listed)
    }

    /// The file of an object.
    fn find(&self, name: &ObjectName) -> Result<Option<(File, Found)>, ObjectsError> {
        let Some(shelf) = self.subfolder(shelf_of(name), false)? else { return Ok(None) };
        open_file(&shelf, name.as_str())
    }

    /// A folder directly below; none when it is not there and not to be made.
    fn subfolder(&self, name: &str, make: bool) -> Result<Option<OwnedFd>, ObjectsError> {
        folder_in(self.root()?, name, make)
    }

    fn sweep_incoming(&self) -> Result<(), ObjectsError> {
        let Some(incoming) = self.subfolder(INCOMING, false)? else { return Ok(()) };
        let before = self.0.clock.now().plus_micros(-LEFT_BEHIND_MICROS);
        for entry in Dir::read_from(&incoming).map_err(io)? {
            let entry = entry.map_err(io)?;
            let stat = rustix::fs::statat(&incoming, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW);
            let old = stat.is_ok_and(|stat| {
                modified(&stat) < before && FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
            });
            if old {
                rustix::fs::unlinkat(&incoming, entry.file_name(), AtFlags::empty()).map_err(io)?;
            }
        }
        Ok(())
    }
}

fn shelf_of(name: &ObjectName) -> &str {
    &name.as_str()[..2]
}

/// A folder in another one; none when it is not there and not to be made.
fn folder_in(parent: &OwnedFd, name: &str, make: bool) -> Result<Option<OwnedFd>, ObjectsError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::openat(parent, name, flags, Mode::empty()) {
        Ok(folder) => return Ok(Some(folder)),
        Err(Errno::NOENT) if make => {}
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(io(error)),
    }
    match rustix::fs::mkdirat(parent, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(io(error)),
    }
    rustix::fs::fsync(parent).map_err(io)?;
    rustix::fs::openat(parent, name, flags, Mode::empty()).map(Some).map_err(io)
}

/// A file in a folder. Anything that is not a plain file (a link, a folder) is not an object.
fn open_file(folder: &OwnedFd, name: &str) -> Result<Option<(File, Found)>, ObjectsError> {
    // Without NONBLOCK, a pipe of this name would keep us waiting.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(folder, name, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    let stat = rustix::fs::fstat(&file).map_err(io)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Ok(None);
    }
    let found = Found { bytes: stat.st_size.unsigned_abs(), modified: modified(&stat) };
    Ok(Some((File::from(file), found)))
}

/// An open file as an object, or those of its bytes that lie in the range.
fn object_of(mut file: File, found: Found, range: Option<Range<u64>>) -> Result<Object, ObjectsError> {
    let asked = range.unwrap_or(0..found.bytes);
    let start = asked.start.min(found.bytes);
    let range = start..asked.end.clamp(start, found.bytes);
    file.seek(SeekFrom::Start(range.start))?;
    let rest = range.end - range.start;
    let content = stream::try_unfold((file, rest), |(file, rest)| async move {
        if rest == 0 {
            return Ok(None);
        }
        let (file, piece) = blocking(move || read_piece(file, rest)).await?;
        let rest = rest - piece.len() as u64;
        Ok(Some((piece, (file, rest))))
    });
    Ok(Object { bytes: found.bytes, range, content: content.boxed() })
}

fn modified(stat: &rustix::fs::Stat) -> Timestamp {
    let nanos = i64::try_from(stat.st_mtime_nsec).unwrap_or(0);
    Timestamp::from_micros(stat.st_mtime.saturating_mul(1_000_000).saturating_add(nanos / 1_000))
}

fn read_piece(mut file: File, rest: u64) -> Result<(File, Bytes), ObjectsError> {
    let length = usize::try_from(rest).map_or(PIECE, |rest| rest.min(PIECE));
    let mut piece = vec![0; length];
    // A file that is shorter than it was is damaged: an error, so that the answer breaks off visibly.
    file.read_exact(&mut piece)?;
    Ok((file, piece.into()))
}

fn io(error: Errno) -> ObjectsError {
    std::io::Error::from(error).into()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ObjectsError> + Send + 'static,
) -> Result<T, ObjectsError> {
    tokio::task::spawn_blocking(work).await.map_err(ObjectsError::unavailable)?
}
