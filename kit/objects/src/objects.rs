//! The interface of the store, which is the same for a folder and for an S3.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use pando_clock::{Clock, Timestamp};
use pando_resilience::{Call, DeadlineExceeded};
use pando_telemetry::{LATENCY_BUCKETS, Metrics};

use crate::local::Folder;
use crate::s3::Bucket;
use crate::{ArchivePath, ObjectName, ObjectsError, ObjectsOptions};

/// Objects by the hash of their content. Cloning shares the store.
#[derive(Clone, Debug)]
pub struct Objects(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    place: Place,
    metrics: Metrics,
}

#[derive(Debug)]
enum Place {
    Folder(Folder),
    Bucket(Bucket),
}

/// The size and age of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its size.
    pub bytes: u64,
    /// When it was last put.
    pub modified: Timestamp,
}

/// One entry of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: ObjectName,
    /// The size and age of the object.
    pub found: Found,
}

/// One entry of a list of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archived {
    /// Its path.
    pub path: ArchivePath,
    /// The size and age of the object.
    pub found: Found,
}

/// An object, or a part of it, on its way out.
pub struct Object {
    /// The size of the whole object.
    pub bytes: u64,
    /// Which of its bytes come.
    pub range: Range<u64>,
    /// The bytes.
    pub content: BoxStream<'static, Result<Bytes, ObjectsError>>,
}

impl Objects {
    /// Opens the store. A folder is made, and what a crash left half-written in it is removed; where that cannot be, the
    /// log says so. A bucket must be there already, and is asked for with the first object only.
    pub fn open(options: &ObjectsOptions, metrics: &Metrics, clock: &Clock) -> Result<Self, ObjectsError> {
        options.check()?;
        let place = match &options.s3.bucket {
            Some(_) => Place::Bucket(Bucket::open(&options.s3)?),
            None => Place::Folder(Folder::open(&options.path, clock)),
        };
        Ok(Self(Arc::new(Inner { place, metrics: metrics.clone() })))
    }

    /// Stores an object. When this returns, the object survives a power cut. An existing object is written again, so that its age
    /// begins anew.
    pub fn put<'a>(
        &'a self,
        call: &'a Call,
        name: &'a ObjectName,
        content: Bytes,
        media_type: &'static str,
    ) -> BoxFuture<'a, Result<(), ObjectsError>> {
        self.measured("put", async move {
            match &self.0.place {
                Place::Folder(folder) => bounded(call, folder.put(name, content)).await,
                Place::Bucket(bucket) => bounded(call, bucket.put(name, content, media_type)).await,
            }
        })
    }

    /// An object, or those of its bytes that lie in the range; `None` if it does not exist.
    pub fn get<'a>(
        &'a self,
        call: &'a Call,
        name: &'a ObjectName,
        range: Option<Range<u64>>,
    ) -> BoxFuture<'a, Result<Option<Object>, ObjectsError>> {
        self.measured("get", async move {
            match &self.0.place {
                Place::Folder(folder) => bounded(call, folder.get(name, range)).await,
                Place::Bucket(bucket) => bounded(call, bucket.get(name, range)).await,
            }
        })
    }

    /// The size and age of an object; `None` if it does not exist.
    pub fn head<'a>(
        &'a self,
        call: &'a Call,
        name: &'a ObjectName,
    ) -> BoxFuture<'a, Result<Option<Found>, ObjectsError>> {
        self.measured("head", async move {
            match &self.0.place {
                Place::Folder(folder) => bounded(call, folder.head(name)).await,
                Place::Bucket(bucket) => bounded(call, bucket.head(name)).await,
            }
        })
    }

    /// Deletes an object; one that is not there is deleted.
    pub fn delete<'a>(
        &'a self,
        call: &'a Call,
        name: &'a ObjectName,
    ) -> BoxFuture<'a, Result<(), ObjectsError>> {
        self.measured("delete", async move {
            match &self.0.place {
                Place::Folder(folder) => bounded(call, folder.delete(name, call.deadline)).await,
                Place::Bucket(bucket) => bounded(call, bucket.delete(name)).await,
            }
        })
    }

    /// What [`Self::write_mark`] wrote last; nothing in a store that has no mark.
    pub fn read_mark<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Option<String>, ObjectsError>> {
        self.measured("read_mark", async move {
            match &self.0.place {
                Place::Folder(folder) => bounded(call, folder.read_mark()).await,
                Place::Bucket(bucket) => bounded(call, bucket.read_mark()).await,
            }
        })
    }

    /// Marks the store, so that its users can tell it from another one. The mark is no object: it is in no list.
    pub fn write_mark<'a>(&'a self, call: &'a Call, mark: &str) -> BoxFuture<'a, Result<(), ObjectsError>> {
        let content = Bytes::copy_from_slice(mark.as_bytes());
        self.measured("write_mark", async move {
            match &self.0.place {
                Place::Folder(folder) => bounded(call, folder.write_mark(content)).await,
                Place::Bucket(bucket) => bounded(call, bucket.write_mark(content)).await,
            }
        })
    }

    /// Whether the store answers.
    pub async fn ping(&self, call: &Call) -> Result<(), ObjectsError> {
        let nothing = ObjectName::of(b"is anybody there?", "ping").expect("ping is an ending");
        self.head(call, &nothing).await.map(drop)
    }

    /// Every object, in the order of their names. Objects that are stored or deleted meanwhile may be included or not. Files that do
    /// not belong to this store are skipped.
    pub fn list(&self) -> BoxStream<'static, Result<Listed, ObjectsError>> {
        match &self.0.place {
            Place::Folder(folder) => folder.list(),
            Place::Bucket(bucket) => bucket.list(),
        }
    }

    /// Stores an object in the archive, at a path that its writer chooses. When this returns, the object survives a power cut. An
    /// object that is there already is replaced: writers see to it that a path never gets other bytes, for example by a hash
    /// in the path. [`Self::list`] does not return the archive, and nothing in this crate deletes from it.
    pub fn put_at<'a>(
        &'a self,
        call: &'a Call,
        path: &'a ArchivePath,
        content: Bytes,
        media_type: &'static str,
    ) -> BoxFuture<'a, Result<(), ObjectsError>> {
        self.measured("put_at", async move {
            match &self.0.place {
                Place::Folder(folder) => bounded(call, folder.put_at(path, content)).await,
                Place::Bucket(bucket) => bounded(call, bucket.put_at(path, content, media_type)).await,
            }
        })
    }

    /// An object of the archive; `None` if it does not exist.
    pub fn get_at<'a>(
        &'a self,
        call: &'a Call,
        path: &'a ArchivePath,
    ) -> BoxFuture<'a, Result<Option<Object>, ObjectsError>> {
        self.measured("get_at", async move {
            match &self.0.place {
                Place::Folder(folder) => bounded(call, folder.get_at(path)).await,
                Place::Bucket(bucket) => bounded(call, bucket.get_at(path)).await,
            }
        })
    }

    /// The objects of the archive in the order of their paths: all of them, or those in a folder and below it.
    pub fn list_at(&self, below: Option<&ArchivePath>) -> BoxStream<'static, Result<Archived, ObjectsError>> {
        match &self.0.place {
            Place::Folder(folder) => folder.list_at(below),
            Place::Bucket(bucket) => bucket.list_at(below),
        }
    }

    /// Runs and counts an operation. It is boxed here: the body of an `async fn` is compiled in every crate that awaits
    /// it, with all that it awaits itself.
    fn measured<'a, T>(
        &'a self,
        operation: &'static str,
        work: impl Future<Output = Result<T, ObjectsError>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, ObjectsError>> {
        Box::pin(async move {
            let began = Instant::now();
            let done = work.await;
            let status = done.as_ref().map_or_else(ObjectsError::word, |_| "ok");
            self.count(operation, status, began.elapsed());
            done
        })
    }

    fn count(&self, operation: &str, status: &str, took: Duration) {
        let metrics = &self.0.metrics;
        let labels = [("operation", operation), ("status", status)];
        metrics.counter("object_operations_total", "Operations on stored objects.", &labels).inc();
        let help = "Time of operations on stored objects.";
        let labels = [("operation", operation)];
        metrics
            .histogram("object_operation_duration_seconds", help, &labels, LATENCY_BUCKETS)
            .observe_duration(took);
    }
}

async fn bounded<T>(
    call: &Call,
    work: impl Future<Output = Result<T, ObjectsError>>,
) -> Result<T, ObjectsError> {
    match call.deadline.bound(work).await {
        Ok(done) => done,
        Err(late @ DeadlineExceeded) => Err(ObjectsError::unavailable(late)),
    }
}

impl Object {
    /// All of it, in memory: for objects whose size is known to be bearable.
    pub async fn read(mut self) -> Result<Bytes, ObjectsError> {
        let expected = usize::try_from(self.range.end.saturating_sub(self.range.start)).unwrap_or(0);
        let mut whole = BytesMut::with_capacity(expected);
        while let Some(piece) = self.content.next().await {
            whole.extend_from_slice(&piece?);
        }
        Ok(whole.freeze())
    }
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Object")
            .field("bytes", &self.bytes)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}
