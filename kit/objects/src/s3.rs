//! Objects in a bucket.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{
    Attribute, AttributeValue, Attributes, BackoffConfig, Error as Theirs, GetOptions, GetRange, ObjectMeta,
    ObjectStore as _, ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, RetryConfig,
};
use pando_client::{Client, ClientOptions, Destination};
use pando_clock::Timestamp;
use tokio::sync::oneshot;

use crate::http_client::Connector;
use crate::{ArchivePath, Archived, Found, Listed, Object, ObjectName, ObjectsError, S3Options};

/// A bucket, with what every key in it begins with.
#[derive(Debug)]
pub(crate) struct Bucket {
    store: AmazonS3,
    prefix: String,
    multipart_bytes_min: usize,
    part_bytes: usize,
}

impl Bucket {
    pub(crate) fn open(options: &S3Options) -> Result<Self, ObjectsError> {
        let limits = ClientOptions {
            connect_ms: options.connect_ms,
            answer_ms: options.request_ms,
            ..ClientOptions::default()
        };
        let client = Client::new(&limits, Destination::Trusted, &options.tls);
        let connector = Connector(client.map_err(ObjectsError::refused)?);
        let retry = RetryConfig {
            max_retries: options.retries,
            retry_timeout: Duration::from_millis(options.retry_ms),
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(50),
                max_backoff: Duration::from_secs(2),
                base: 2.0,
            },
        };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(options.bucket.clone().unwrap_or_default())
            .with_region(options.region.clone())
            .with_access_key_id(options.access_key.clone().unwrap_or_default())
            .with_secret_access_key(options.secret_key.as_ref().map_or("", |secret| secret.expose()))
            .with_virtual_hosted_style_request(!options.path_style)
            .with_allow_http(true)
            .with_disable_tagging(true)
            // One request for each object: not every server knows how to delete many.
            .with_disable_bulk_delete(true)
            .with_retry(retry)
            .with_http_connector(connector);
        if let Some(endpoint) = &options.endpoint {
            builder = builder.with_endpoint(endpoint.trim_end_matches('/').to_owned());
        }
        Ok(Self {
            store: builder.build()?,
            prefix: options.prefix.clone(),
            multipart_bytes_min: options.multipart_bytes_min,
            part_bytes: options.part_bytes,
        })
    }

    pub(crate) async fn put(
        &self,
        name: &ObjectName,
        content: Bytes,
        media_type: &'static str,
    ) -> Result<(), ObjectsError> {
        self.put_key(self.key(name), content, media_type).await
    }

    async fn put_key(&self, key: Path, content: Bytes, media_type: &'static str) -> Result<(), ObjectsError> {
        let attributes = Attributes::from_iter([(Attribute::ContentType, AttributeValue::from(media_type))]);
        if content.len() < self.multipart_bytes_min {
            let options = PutOptions { attributes, ..PutOptions::default() };
            self.store.put_opts(&key, PutPayload::from(content), options).await?;
            return Ok(());
        }
        let options = PutMultipartOptions { attributes, ..PutMultipartOptions::default() };
        let (tell, told) = oneshot::channel();
        let upload = in_parts(self.store.clone(), key, options, content, self.part_bytes, tell);
        pando_telemetry::spawn("objects.upload", upload);
        told.await.unwrap_or_else(|gone| Err(ObjectsError::unavailable(gone)))
    }

    pub(crate) async fn get(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
    ) -> Result<Option<Object>, ObjectsError> {
        // What S3 says to a range depends on the size: it is asked for first, and then for what is there.
        let mut options = GetOptions::default();
        if let Some(asked) = range {
            let Some(found) = self.head(name).await? else { return Ok(None) };
            let start = asked.start.min(found.bytes);
            let end = asked.end.clamp(start, found.bytes);
            if start == end {
                let content = futures_util::stream::empty().boxed();
                return Ok(Some(Object { bytes: found.bytes, range: start..end, content }));
            }
            if (start, end) != (0, found.bytes) {
                options.range = Some(GetRange::Bounded(start..end));
            }
        }
        self.get_key(&self.key(name), options).await
    }

    async fn get_key(&self, key: &Path, options: GetOptions) -> Result<Option<Object>, ObjectsError> {
        match self.store.get_opts(key, options).await {
            Ok(got) => {
                let (bytes, range) = (got.meta.size, got.range.clone());
                Ok(Some(Object {
                    bytes,
                    range,
                    content: got.into_stream().map_err(ObjectsError::from).boxed(),
                }))
            }
            Err(Theirs::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) async fn put_at(
        &self,
        path: &ArchivePath,
        content: Bytes,
        media_type: &'static str,
    ) -> Result<(), ObjectsError> {
        let key = Path::from(format!("{}{path}", self.archive()));
        self.put_key(key, content, media_type).await
    }

    pub(crate) async fn get_at(&self, path: &ArchivePath) -> Result<Option<Object>, ObjectsError> {
        self.get_key(&Path::from(format!("{}{path}", self.archive())), GetOptions::default()).await
    }

    pub(crate) fn list_at(
        &self,
        below: Option<&ArchivePath>,
    ) -> BoxStream<'static, Result<Archived, ObjectsError>> {
        let start = self.archive();
        let folder = Path::from(format!("{start}{}", below.map_or("", ArchivePath::as_str)));
        let listed = self.store.list(Some(&folder)).map_err(ObjectsError::from);
        listed
            .try_filter_map(move |meta| {
                let path = meta.location.as_ref().strip_prefix(start.as_str()).and_then(ArchivePath::parse);
                std::future::ready(Ok(path.map(|path| Archived { path, found: found(&meta) })))
            })
            .boxed()
    }

    pub(crate) async fn head(&self, name: &ObjectName) -> Result<Option<Found>, ObjectsError> {
        match self.store.head(&self.key(name)).await {
            Ok(meta) => Ok(Some(found(&meta))),
            Err(Theirs::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) async fn delete(&self, name: &ObjectName) -> Result<(), ObjectsError> {
        match self.store.delete(&self.key(name)).await {
            Ok(()) | Err(Theirs::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn list(&self) -> BoxStream<'static, Result<Listed, ObjectsError>> {
        let folder = self.prefix.rsplit_once('/').map(|(folder, _)| Path::from(folder));
        let start = self.prefix.clone();
        let listed = self.store.list(folder.as_ref()).map_err(ObjectsError::from);
        listed
            .try_filter_map(move |meta| {
                let name = meta.location.as_ref().strip_prefix(start.as_str()).and_then(ObjectName::parse);
                std::future::ready(Ok(name.map(|name| Listed { name, found: found(&meta) })))
            })
            .boxed()
    }

    pub(crate) async fn read_mark(&self) -> Result<Option<String>, ObjectsError> {
        match self.store.get(&self.mark()).await {
            Ok(got) => Ok(Some(String::from_utf8_lossy(&got.bytes().await?).into_owned())),
            Err(Theirs::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) async fn write_mark(&self, content: Bytes) -> Result<(), ObjectsError> {
        self.store.put(&self.mark(), PutPayload::from(content)).await?;
        Ok(())
    }

    /// The key that tells this store from others.
    fn mark(&self) -> Path {
        Path::from(format!("{}store-mark", self.prefix))
    }

    /// The beginning of every key of the archive. No name of another object begins like this.
    fn archive(&self) -> String {
        format!("{}archive/", self.prefix)
    }

    fn key(&self, name: &ObjectName) -> Path {
        Path::from(format!("{}{name}", self.prefix))
    }
}

/// Uploads an object in parts. When that fails, or the caller goes away, the parts are taken back: the bucket would keep
/// them for ever, and its owner would pay. This is a task of its own, because an upload can only be taken back once the
/// server has given it an id.
async fn in_parts(
    store: AmazonS3,
    key: Path,
    options: PutMultipartOptions,
    mut content: Bytes,
    part_bytes: usize,
    mut tell: oneshot::Sender<Result<(), ObjectsError>>,
) {
    let mut upload = match store.put_multipart_opts(&key, options).await {
        Ok(upload) => upload,
        Err(error) => return drop(tell.send(Err(error.into()))),
    };
    let send = async {
        while !content.is_empty() {
            let part = content.split_to(content.len().min(part_bytes));
            upload.put_part(PutPayload::from(part)).await?;
        }
        upload.complete().await
    };
    let sent = tokio::select! {
        sent = send => Some(sent),
        () = tell.closed() => None,
    };
    if !matches!(sent, Some(Ok(_)))
        && let Err(error) = upload.abort().await
    {
        tracing::warn!(%error, "an unfinished upload could not be taken back");
    }
    if let Some(sent) = sent {
        let _ = tell.send(sent.map(drop).map_err(ObjectsError::from));
    }
}

fn found(meta: &ObjectMeta) -> Found {
    Found { bytes: meta.size, modified: Timestamp::from_micros(meta.last_modified.timestamp_micros()) }
}
