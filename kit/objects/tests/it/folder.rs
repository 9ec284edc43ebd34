//! What only a folder can get wrong.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use pando_objects::{ArchivePath, Archived, Listed, ObjectName, ObjectsError, conformance};

use crate::{call, in_folder};

#[tokio::test]
async fn a_folder_keeps_every_promise() {
    let folder = tempfile::tempdir().unwrap();
    conformance::exercise(&in_folder(folder.path())).await;
}

#[tokio::test]
async fn links_out_of_the_folder_are_followed_by_nobody() {
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let objects = in_folder(folder.path());
    let name = ObjectName::of(b"x", "png").unwrap();
    let shelf = folder.path().join(&name.as_str()[..2]);

    // A link in the place of an object.
    let secret = outside.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    fs::create_dir(&shelf).unwrap();
    symlink(&secret, shelf.join(name.as_str())).unwrap();
    assert!(objects.get(&call(), &name, None).await.unwrap().is_none());
    assert_eq!(objects.list().try_collect::<Vec<Listed>>().await.unwrap(), []);
    objects.put(&call(), &name, Bytes::from_static(b"x"), "image/png").await.unwrap();
    assert_eq!(fs::read(&secret).unwrap(), b"secret", "the link was replaced, not followed");

    // A link in the place of a shelf.
    fs::remove_dir_all(&shelf).unwrap();
    fs::write(outside.path().join(name.as_str()), "secret").unwrap();
    symlink(outside.path(), &shelf).unwrap();
    let refused = |done: Result<(), ObjectsError>| matches!(done, Err(ObjectsError::Refused { .. }));
    assert!(refused(objects.get(&call(), &name, None).await.map(drop)));
    assert!(refused(objects.put(&call(), &name, Bytes::new(), "image/png").await));
    assert!(refused(objects.delete(&call(), &name).await));
    assert_eq!(fs::read(outside.path().join(name.as_str())).unwrap(), b"secret");
}

#[tokio::test]
async fn links_out_of_the_archive_are_followed_by_nobody() {
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let objects = in_folder(folder.path());
    let path = |text: &str| ArchivePath::parse(text).unwrap();
    objects.put_at(&call(), &path("a/b"), Bytes::from_static(b"x"), "text/plain").await.unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    symlink(outside.path(), folder.path().join("archive/a/link")).unwrap();
    symlink(outside.path().join("secret"), folder.path().join("archive/a/file")).unwrap();
    let put = objects.put_at(&call(), &path("a/link/secret"), Bytes::new(), "text/plain").await;
    assert!(matches!(put, Err(ObjectsError::Refused { .. })), "{put:?}");
    assert!(objects.get_at(&call(), &path("a/link/secret")).await.is_err());
    assert!(objects.get_at(&call(), &path("a/file")).await.unwrap().is_none());
    let listed: Vec<Archived> = objects.list_at(None).try_collect().await.unwrap();
    assert_eq!(listed.iter().map(|it| it.path.as_str()).collect::<Vec<_>>(), ["a/b"]);
    assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"secret");
}

#[tokio::test]
async fn strangers_in_the_folder_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let objects = in_folder(folder.path());
    let name = ObjectName::of(b"x", "png").unwrap();
    let shelf = folder.path().join(&name.as_str()[..2]);
    fs::create_dir_all(shelf.join(name.as_str())).unwrap();
    fs::write(folder.path().join("readme.txt"), "mine").unwrap();
    fs::write(shelf.join("notes.txt"), "mine").unwrap();
    assert!(objects.head(&call(), &name).await.unwrap().is_none(), "a folder is no object");
    assert_eq!(objects.list().try_collect::<Vec<Listed>>().await.unwrap(), []);
    assert!(shelf.join("notes.txt").exists());
}

#[tokio::test]
async fn what_a_crash_left_half_written_is_removed_when_nobody_can_be_writing_it() {
    let folder = tempfile::tempdir().unwrap();
    let incoming = folder.path().join("incoming");
    fs::create_dir(&incoming).unwrap();
    let (old, young) = (incoming.join("old"), incoming.join("young"));
    fs::write(&young, "half").unwrap();
    fs::write(&old, "half").unwrap();
    #[expect(clippy::disallowed_methods, reason = "the age of a file is told by the machine's clock")]
    let long_ago = SystemTime::now() - Duration::from_secs(2 * 3_600);
    fs::File::open(&old).unwrap().set_modified(long_ago).unwrap();
    let objects = in_folder(folder.path());
    assert!(!old.exists() && young.exists());
    assert_eq!(objects.list().try_collect::<Vec<Listed>>().await.unwrap(), []);
}

#[tokio::test]
async fn where_there_can_be_no_folder_nothing_is_kept_until_there_can() {
    let folder = tempfile::tempdir().unwrap();
    let in_the_way = folder.path().join("file");
    fs::write(&in_the_way, "").unwrap();
    let objects = in_folder(&in_the_way.join("objects"));
    assert!(matches!(objects.ping(&call()).await, Err(ObjectsError::Refused { .. })));
    fs::remove_file(&in_the_way).unwrap();
    assert!(objects.ping(&call()).await.is_ok());
    let name = ObjectName::of(b"x", "png").unwrap();
    objects.put(&call(), &name, Bytes::from_static(b"x"), "image/png").await.unwrap();
    assert_eq!(objects.head(&call(), &name).await.unwrap().unwrap().bytes, 1);
}
