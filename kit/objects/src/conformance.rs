//! The promises of every store, as one test suite.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use pando_resilience::Call;

use crate::{ArchivePath, Archived, Listed, ObjectName, Objects, ObjectsError};

/// Runs the suite on an empty store.
///
/// # Panics
/// Where the store breaks a promise.
pub async fn exercise(objects: &Objects) {
    nothing_is_there_at_first(objects).await;
    what_was_put_is_got_whole_and_in_part(objects).await;
    putting_again_changes_nothing_but_the_age(objects).await;
    large_objects_come_back_as_they_were(objects).await;
    lists_hold_every_object_in_order(objects).await;
    many_may_put_the_same_at_once(objects).await;
    what_was_deleted_is_gone_and_may_come_back(objects).await;
    a_store_keeps_its_mark_and_lists_it_nowhere(objects).await;
    the_archive_is_a_place_of_its_own(objects).await;
}

/// A call with enough time for a busy machine.
fn call() -> Call {
    Call::internal("conformance", Duration::from_secs(60))
}

fn named(content: &[u8]) -> ObjectName {
    ObjectName::of(content, "png").expect("png is an ending")
}

async fn put(objects: &Objects, content: &Bytes) -> ObjectName {
    let name = named(content);
    objects.put(&call(), &name, content.clone(), "image/png").await.expect("it is kept");
    name
}

async fn bytes_of(objects: &Objects, name: &ObjectName) -> Option<Bytes> {
    let object = objects.get(&call(), name, None).await.expect("the store answers")?;
    Some(object.read().await.expect("it can be read"))
}

async fn list(objects: &Objects) -> Vec<Listed> {
    objects.list().try_collect().await.expect("it can be listed")
}

async fn a_store_keeps_its_mark_and_lists_it_nowhere(objects: &Objects) {
    assert_eq!(objects.read_mark(&call()).await.expect("the store answers"), None);
    let before = list(objects).await;
    for mark in ["one", "another"] {
        objects.write_mark(&call(), mark).await.expect("it is kept");
        assert_eq!(objects.read_mark(&call()).await.expect("the store answers").as_deref(), Some(mark));
    }
    assert_eq!(list(objects).await, before);
}

async fn the_archive_is_a_place_of_its_own(objects: &Objects) {
    let before = list(objects).await;
    let path = |text: &str| ArchivePath::parse(text).expect("it is a path");
    let listed = async |below: Option<&str>| {
        let listed = objects.list_at(below.map(path).as_ref()).try_collect::<Vec<Archived>>().await;
        let paths =
            listed.expect("it can be listed").into_iter().map(|it| (it.path.to_string(), it.found.bytes));
        paths.collect::<Vec<_>>()
    };
    assert_eq!(listed(None).await, []);
    assert!(objects.get_at(&call(), &path("a/b")).await.expect("the store answers").is_none());
    let paths = ["a-b/one", "a/date=2026-01-01/two.pb.zst", "a/x=1/y/three", "a/x=1/z", "ab/four", "five"];
    for text in paths {
        for _ in 0..2 {
            let put = objects.put_at(&call(), &path(text), Bytes::from(text), "text/plain").await;
            put.expect("it is kept");
        }
        let object = objects.get_at(&call(), &path(text)).await.expect("the store answers");
        assert_eq!(object.expect("it is there").read().await.expect("it can be read"), text);
    }
    let all = |paths: &[&str]| paths.iter().map(|it| ((*it).to_owned(), it.len() as u64)).collect::<Vec<_>>();
    assert_eq!(listed(None).await, all(&paths));
    assert_eq!(listed(Some("a")).await, all(&paths[1..4]), "and not those of a-b");
    assert_eq!(listed(Some("a/x=1")).await, all(&paths[2..4]));
    assert_eq!(listed(Some("b")).await, []);
    assert!(objects.get_at(&call(), &path("a/x=1")).await.expect("the store answers").is_none(), "a folder");
    assert_eq!(list(objects).await, before);
}

async fn nothing_is_there_at_first(objects: &Objects) {
    let name = named(b"never put");
    assert!(objects.get(&call(), &name, None).await.expect("the store answers").is_none());
    assert!(objects.get(&call(), &name, Some(0..5)).await.expect("the store answers").is_none());
    assert!(objects.get(&call(), &name, Some(5..5)).await.expect("the store answers").is_none());
    assert_eq!(objects.head(&call(), &name).await.expect("the store answers"), None);
    objects.delete(&call(), &name).await.expect("what is not there is deleted");
    assert_eq!(list(objects).await, []);
}

async fn what_was_put_is_got_whole_and_in_part(objects: &Objects) {
    let content = Bytes::from_static(b"0123456789");
    let name = put(objects, &content).await;
    assert_eq!(bytes_of(objects, &name).await, Some(content.clone()));
    assert_eq!(
        objects.head(&call(), &name).await.expect("the store answers").map(|found| found.bytes),
        Some(10)
    );
    for (asked, given) in [
        (0..10, 0..10),
        (0..1, 0..1),
        (3..7, 3..7),
        (9..10, 9..10),
        (7..100, 7..10),
        (4..4, 4..4),
        (10..12, 10..10),
        (50..60, 10..10),
    ] {
        let object = objects.get(&call(), &name, Some(asked.clone())).await.expect("the store answers");
        let object = object.expect("it is there");
        assert_eq!((object.bytes, object.range.clone()), (10, given.clone()), "{asked:?}");
        let expected = content.slice(usize_of(given.start)..usize_of(given.end));
        assert_eq!(object.read().await.expect("it can be read"), expected, "{asked:?}");
    }
    let empty = put(objects, &Bytes::new()).await;
    assert_eq!(bytes_of(objects, &empty).await, Some(Bytes::new()));
    // The ending is part of the name.
    let other = ObjectName::of(&content, "gif").expect("gif is an ending");
    assert!(objects.get(&call(), &other, None).await.expect("the store answers").is_none());
}

async fn putting_again_changes_nothing_but_the_age(objects: &Objects) {
    let content = Bytes::from_static(b"again");
    let name = put(objects, &content).await;
    let first = objects.head(&call(), &name).await.expect("the store answers").expect("it is there");
    put(objects, &content).await;
    let second = objects.head(&call(), &name).await.expect("the store answers").expect("it is there");
    assert_eq!(bytes_of(objects, &name).await, Some(content));
    assert!(second.modified >= first.modified);
}

/// Larger than what is sent at once, and than what is read at once.
async fn large_objects_come_back_as_they_were(objects: &Objects) {
    let content: Bytes =
        (0..17_000_001_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let name = put(objects, &content).await;
    assert_eq!(bytes_of(objects, &name).await, Some(content.clone()));
    let part = objects.get(&call(), &name, Some(16_999_990..17_000_001)).await.expect("the store answers");
    assert_eq!(part.expect("it is there").read().await.expect("it can be read"), content.slice(16_999_990..));
    objects.delete(&call(), &name).await.expect("it is deleted");
}

async fn lists_hold_every_object_in_order(objects: &Objects) {
    let mut expected = BTreeMap::new();
    for listed in list(objects).await {
        expected.insert(listed.name, listed.found.bytes);
    }
    for number in 0..40_u64 {
        let content = Bytes::from(format!("object {number}"));
        expected.insert(put(objects, &content).await, content.len() as u64);
    }
    let listed: Vec<_> = list(objects).await.into_iter().map(|it| (it.name, it.found.bytes)).collect();
    assert_eq!(listed, expected.into_iter().collect::<Vec<_>>());
}

async fn many_may_put_the_same_at_once(objects: &Objects) {
    let content = Bytes::from_static(b"wanted by many");
    let puts = (0..4).map(|_| put(objects, &content));
    let names = futures_util::future::join_all(puts).await;
    assert_eq!(bytes_of(objects, &names[0]).await, Some(content));
}

async fn what_was_deleted_is_gone_and_may_come_back(objects: &Objects) {
    let content = Bytes::from_static(b"gone");
    let name = put(objects, &content).await;
    for _ in 0..2 {
        objects.delete(&call(), &name).await.expect("it is deleted");
        assert_eq!(bytes_of(objects, &name).await, None);
    }
    assert!(!list(objects).await.iter().any(|listed| listed.name == name));
    put(objects, &content).await;
    assert_eq!(bytes_of(objects, &name).await, Some(content));
    let late = Call::internal("late", Duration::ZERO);
    assert!(matches!(objects.head(&late, &name).await, Err(ObjectsError::Unavailable { .. })));
}

fn usize_of(number: u64) -> usize {
    usize::try_from(number).expect("small numbers")
}
