//! The archive in a folder: objects at paths, below a folder of their own.

use std::os::fd::OwnedFd;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use rustix::fs::{AtFlags, Dir, FileType};
use rustix::io::Errno;

use super::{Folder, blocking, folder_in, io, modified, object_of, open_file};
use crate::{ArchivePath, Archived, Found, Object, ObjectsError};

/// The folder of the archive. No shelf of the other objects has this name.
const ARCHIVE: &str = "archive";

/// Something that a list comes to.
enum Entry {
    /// A folder, by its path in the archive; the archive itself has an empty one.
    Folder(String),
    Object(Archived),
}

impl Folder {
    pub(crate) async fn put_at(&self, path: &ArchivePath, content: Bytes) -> Result<(), ObjectsError> {
        let (folder, path) = (self.clone(), path.clone());
        blocking(move || {
            let (parents, name) = path.split();
            let place = folder.archive_folder(parents, true)?.ok_or(Errno::NOENT).map_err(io)?;
            folder.write_into(&place, name, &content)
        })
        .await
    }

    pub(crate) async fn get_at(&self, path: &ArchivePath) -> Result<Option<Object>, ObjectsError> {
        let (folder, path) = (self.clone(), path.clone());
        blocking(move || {
            let (parents, name) = path.split();
            let Some(place) = folder.archive_folder(parents, false)? else { return Ok(None) };
            let Some((file, found)) = open_file(&place, name)? else { return Ok(None) };
            object_of(file, found, None).map(Some)
        })
        .await
    }

    /// Folder by folder, so that only the entries of those on the way are in memory.
    pub(crate) fn list_at(
        &self,
        below: Option<&ArchivePath>,
    ) -> BoxStream<'static, Result<Archived, ObjectsError>> {
        let first = Entry::Folder(below.map(ArchivePath::to_string).unwrap_or_default());
        let listed = stream::try_unfold((self.clone(), vec![first]), |(folder, mut entries)| async move {
            while let Some(entry) = entries.pop() {
                match entry {
                    Entry::Object(archived) => return Ok(Some((archived, (folder, entries)))),
                    Entry::Folder(path) => {
                        let reader = folder.clone();
                        entries.append(&mut blocking(move || reader.entries_of(&path)).await?);
                    }
                }
            }
            Ok(None)
        });
        listed.boxed()
    }

    /// The objects in a folder of the archive, the last one first.
    fn entries_of(&self, path: &str) -> Result<Vec<Entry>, ObjectsError> {
        let Some(place) = self.archive_folder(path, false)? else { return Ok(Vec::new()) };
        let mut entries = Vec::new();
        for entry in Dir::read_from(&place).map_err(io)? {
            let entry = entry.map_err(io)?;
            // Somebody else's file, or one that was deleted a moment ago.
            let Some(name) = entry.file_name().to_str().ok().filter(|name| ArchivePath::is_part(name)) else {
                continue;
            };
            let Ok(stat) = rustix::fs::statat(&place, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            let inside = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => entries.push((format!("{name}/"), Entry::Folder(inside))),
                FileType::RegularFile => {
                    let Some(path) = ArchivePath::parse(&inside) else { continue };
                    let found = Found { bytes: stat.st_size.unsigned_abs(), modified: modified(&stat) };
                    entries.push((name.to_owned(), Entry::Object(Archived { path, found })));
                }
                _ => {}
            }
        }
        entries.sort_by(|(one, _), (other, _)| other.cmp(one));
        Ok(entries.into_iter().map(|(_, entry)| entry).collect())
    }

    /// A folder of the archive; none when it is not there and not to be made.
    fn archive_folder(&self, path: &str, make: bool) -> Result<Option<OwnedFd>, ObjectsError> {
        let mut place = self.subfolder(ARCHIVE, make)?;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let Some(parent) = &place else { return Ok(None) };
            place = folder_in(parent, part, make)?;
        }
        Ok(place)
    }
}
