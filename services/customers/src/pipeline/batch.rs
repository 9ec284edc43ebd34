//! A batch of events, and the objects that are made of it.

use std::collections::BTreeMap;

use blake3::Hash;
use bytes::Bytes;
use pando_objects::ArchivePath;
use pando_queue::Event;
use pando_service::prelude::*;
use uuid::Uuid;

use crate::domain::events;
use crate::domain::record::{DeadLetter, Record};
use crate::options::{ArchiveFormat, PipelineOptions};

/// How hard objects are compressed.
const ZSTD_LEVEL: i32 = 3;
/// How many digits of the hash of its content a path has.
const HASH_DIGITS: usize = 16;

/// The part of the log that a batch stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// The number of the first event.
    pub(crate) from: i64,
    /// The number of the last event.
    pub(crate) to: i64,
    /// When the last event was published.
    pub(crate) at: Timestamp,
}

/// The changes of one tenant: by the key of the customer, its id as callers write it and the version of its last event.
pub(crate) type Changes = BTreeMap<Uuid, (String, i64)>;

/// The rows of the customers of one tenant that have changed.
pub(crate) struct Rows {
    pub(crate) tenant: Tenant,
    pub(crate) changes: Changes,
    pub(crate) found: Vec<(Uuid, Result<Record, String>)>,
}

/// An object on its way to the archive.
#[derive(Debug)]
pub(crate) struct ArchiveObject {
    pub(crate) path: ArchivePath,
    pub(crate) content: Bytes,
    pub(crate) media_type: &'static str,
}

/// The result of a batch.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    pub(crate) objects: Vec<ArchiveObject>,
    /// The ids of the customers that are in the objects.
    pub(crate) archived: Vec<(Tenant, Vec<String>)>,
    pub(crate) dead: Vec<DeadLetter>,
}

/// The customers that events are about, by tenant.
pub(crate) fn changes_of(events: &[(i64, Event)]) -> BTreeMap<Tenant, Changes> {
    let mut changes: BTreeMap<Tenant, Changes> = BTreeMap::new();
    for (_, event) in events.iter().filter(|(_, event)| event.service == events::SERVICE) {
        // The subjects of this service are the keys of its rows. There is no row of any other, which makes it a dead letter.
        let key = event.subject.parse().unwrap_or_default();
        let id = events::given_id(&event.data).unwrap_or(&event.subject).to_owned();
        changes.entry(event.tenant.clone()).or_default().insert(key, (id, event.version));
    }
    changes
}

/// Makes the objects of a batch. A customer that cannot be archived becomes a dead letter, and the others go on.
pub(crate) fn pack(rows: Vec<Rows>, span: Span, options: &PipelineOptions) -> Result<Packed, Fault> {
    let mut packed = Packed::default();
    for Rows { tenant, mut changes, found } in rows {
        let mut records = Vec::new();
        let mut bury = |(customer_id, version): (String, i64), reason: String| {
            let tenant = tenant.clone();
            packed.dead.push(DeadLetter { tenant, customer_id, version, reason, created_at: span.at });
        };
        for (key, found) in found {
            let Some((id, version)) = changes.remove(&key) else { continue };
            match found.and_then(|record| Ok((encode(&record, options)?, record))) {
                Ok(encoded) => records.push(encoded),
                Err(reason) => bury((id, version), reason),
            }
        }
        for change in changes.into_values() {
            bury(change, "the row is not there any more".to_owned());
        }
        if records.is_empty() {
            continue;
        }
        records.sort_by(|(_, one), (_, other)| one.id().cmp(other.id()));
        for (place, format) in options.formats.iter().enumerate() {
            let pieces: Vec<&[u8]> = records.iter().map(|(encoded, _)| &*encoded[place]).collect();
            let content = pieces.concat();
            packed.objects.push(object((&tenant, span), *format, content, options)?);
        }
        let ids = records.iter().map(|(_, record)| record.id().to_owned()).collect();
        packed.archived.push((tenant, ids));
    }
    Ok(packed)
}

/// A record in each format.
fn encode(record: &Record, options: &PipelineOptions) -> Result<Vec<Vec<u8>>, String> {
    let formats = options.formats.iter();
    formats.map(|format| record.encode(*format, options.record_bytes_max)).collect()
}

/// An object whose path follows from its content, so that a repeat of a batch never changes an object.
fn object(
    (tenant, span): (&Tenant, Span),
    format: ArchiveFormat,
    content: Vec<u8>,
    options: &PipelineOptions,
) -> Result<ArchiveObject, Fault> {
    let (content, zst, media_type) = match content.len() >= options.zstd_bytes_min {
        true => {
            let compressed = zstd::bulk::compress(&content, ZSTD_LEVEL).map_err(Fault::internal)?;
            (compressed, ".zst", "application/zstd")
        }
        false => (content, "", format.media_type()),
    };
    let folder = match (options.prefix.is_empty(), tenant.is_default()) {
        (true, true) => String::new(),
        (false, true) => format!("{}/", options.prefix),
        (true, false) => format!("tenant={tenant}/"),
        (false, false) => format!("{}/tenant={tenant}/", options.prefix),
    };
    let Span { from, to, at } = span;
    let (at, hash) = (at.to_string(), short(blake3::hash(&content)));
    let day = at.split('T').next().unwrap_or_default();
    let path = format!("{folder}customers/date={day}/{from:012}-{to:012}-{hash}.{}{zst}", format.ending());
    let path = ArchivePath::parse(&path).ok_or_else(|| Fault::internal(format!("{path} is no path")))?;
    Ok(ArchiveObject { path, content: content.into(), media_type })
}

fn short(hash: Hash) -> String {
    hash.to_hex().chars().take(HASH_DIGITS).collect()
}
