//! Storing and deleting objects while other profiles may refer to the same content.
//!
//! To refer to an object, [`Blobs::keep`] writes the present time into the object's row, stores the object, and returns
//! a [`KeptObject`]; the transaction that refers to the object calls [`confirm`]. To delete an object,
//! [`Blobs::remove`] marks the row, deletes the object, and then deletes the row. A marked row can be neither kept nor
//! confirmed. A row that is referred to, or was written a moment ago, cannot be marked. So no reference ever leads
//! nowhere, even if a process dies in between. The sweep deletes objects to which no row came to refer.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pando_clock::Timestamp;
use pando_database::{DatabaseError, Query, Read, Transaction, params};
use pando_objects::{ObjectName, Objects};
use pando_queue::Queue;
use pando_resilience::Call;
use pando_service::Fault;
use uuid::Uuid;

/// How long an upload waits for a deletion of the same content.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// A deletion that was held up for longer between its mark and its end begins again: others may have finished it.
const FRESH: Duration = Duration::from_secs(10);
/// No clock of a process is ahead of another's by as much.
const AHEAD_MICROS: i64 = 365 * 86_400 * 1_000_000;

/// Whether no row refers to the object with this name in a statement: no image, and no part of an export or an upload.
macro_rules! nobody_refers_to {
    ($name:literal) => {
        concat!(
            "not exists (select 1 from profile_image_files where blob = ",
            $name,
            ") and not exists (select 1 from profile_file_parts where blob = ",
            $name,
            ")"
        )
    };
}

static TOUCH: Query = Query::write(
    "profiles.touch_blob",
    "insert into profile_blobs (name, generation, touched_at, leaving) values ($1, $2, $3, false) \
     on conflict (name) do update set touched_at = excluded.touched_at where not profile_blobs.leaving \
     returning generation",
);

static CONFIRM: Query = Query::write(
    "profiles.confirm_blob",
    "update profile_blobs set touched_at = $3 where name = $1 and generation = $2 and not leaving",
);

static MARK: Query = Query::write(
    "profiles.mark_blob",
    concat!(
        "update profile_blobs set leaving = true where name = $1 and (leaving or touched_at < $2) and ",
        nobody_refers_to!("$1"),
        " returning generation"
    ),
);

static MARK_UNKNOWN: Query = Query::write(
    "profiles.mark_unknown_blob",
    "insert into profile_blobs (name, generation, touched_at, leaving) values ($1, $2, $3, true) \
     on conflict (name) do nothing returning generation",
);

static FORGET: Query = Query::write(
    "profiles.forget_blob",
    "delete from profile_blobs where name = $1 and generation = $2 and leaving",
);

static REFERRED_TO: Query = Query::scan(
    "profiles.blobs_referred_to",
    "select blob from profile_image_files where blob = any($1) \
     union select blob from profile_file_parts where blob = any($1)",
);

static YOUNG: Query = Query::point(
    "profiles.young_blob",
    concat!(
        "select name from profile_blobs where name = $1 and touched_at >= $2 and ",
        nobody_refers_to!("$1")
    ),
);

static UNWANTED: Query = Query::scan(
    "profiles.unwanted_blobs",
    concat!(
        "select name from profile_blobs where touched_at < $1 and name > $2 and ",
        nobody_refers_to!("name"),
        " order by name limit 500"
    ),
);

/// The objects of this service, and who may take them away. Cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct Blobs {
    objects: Objects,
    queue: Queue,
    grace_micros: i64,
}

/// Which objects may be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removing {
    /// Objects that no upload is about to refer to.
    Old,
    /// Those, and objects that no row knows of.
    Unknown,
    /// All objects to which no row refers. An upload that is about to refer to one stores it again.
    AtOnce,
}

/// An object that is there, for a transaction to refer to.
#[derive(Clone, Debug)]
pub(crate) struct KeptObject {
    pub(crate) name: ObjectName,
    generation: Uuid,
}

/// The result of an attempt to delete an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removal {
    /// It is gone.
    Gone,
    /// Somebody refers to it.
    Wanted,
    /// Somebody may be about to refer to it.
    TooYoung,
}

impl Blobs {
    /// Objects to which no row refers are left alone for this time.
    pub(crate) fn new(objects: Objects, queue: Queue, grace_seconds: u64) -> Self {
        let grace_micros = i64::try_from(grace_seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        Self { objects, queue, grace_micros }
    }

    /// Where they are.
    pub(crate) fn objects(&self) -> &Objects {
        &self.objects
    }

    /// Objects that were last touched before this moment belong to no upload.
    pub(crate) fn old(&self) -> Timestamp {
        self.queue.clock().now().plus_micros(-self.grace_micros)
    }

    /// Puts an object that a transaction is going to refer to.
    pub(crate) async fn keep(
        &self,
        call: &Call,
        content: Bytes,
        (ending, media_type): (&str, &'static str),
    ) -> Result<KeptObject, Fault> {
        let name = ObjectName::of_tenant(call.tenant(), &content, ending);
        let name = name.expect("the endings of formats are endings of names");
        let began = Instant::now();
        let generation = loop {
            let mut tx = self.queue.database().transaction(call).await?;
            let clock = self.queue.clock();
            let row = tx.row(&TOUCH, params![name.as_str(), clock.fresh_id(), clock.now()]).await?;
            let generation = row.map(|row| row.get::<Uuid>(0)).transpose()?;
            tx.commit().await?;
            match generation {
                Some(generation) => break generation,
                None if began.elapsed() > PATIENCE => {
                    return Err(Fault::busy("the same content is being deleted at this moment"));
                }
                None => tokio::time::sleep(LOOK_EVERY).await,
            }
        };
        self.objects.put(call, &name, content, media_type).await?;
        Ok(KeptObject { name, generation })
    }

    /// Deletes an object, unless somebody refers to it or may be about to.
    pub(crate) async fn remove(
        &self,
        call: &Call,
        name: &ObjectName,
        removing: Removing,
    ) -> Result<Removal, Fault> {
        let clock = self.queue.clock();
        let now = clock.now();
        let marked = Instant::now();
        let mut tx = self.queue.database().transaction(call).await?;
        let old = match removing {
            Removing::AtOnce => now.plus_micros(AHEAD_MICROS),
            Removing::Old | Removing::Unknown => self.old(),
        };
        let mut row = tx.row(&MARK, params![name.as_str(), old]).await?;
        if row.is_none() && removing == Removing::Unknown {
            row = tx.row(&MARK_UNKNOWN, params![name.as_str(), clock.fresh_id(), now]).await?;
        }
        let Some(row) = row else {
            let young = tx.row(&YOUNG, params![name.as_str(), old]).await?.is_some();
            return Ok(if young { Removal::TooYoung } else { Removal::Wanted });
        };
        let generation: Uuid = row.get(0)?;
        tx.commit().await?;
        if marked.elapsed() > FRESH {
            return Err(Fault::busy("the deletion of an object was held up"));
        }
        self.objects.delete(call, name).await?;
        let mut tx = self.queue.database().transaction(call).await?;
        tx.execute(&FORGET, params![name.as_str(), generation]).await?;
        tx.commit().await?;
        Ok(Removal::Gone)
    }
}

/// Makes sure, in the transaction that refers to an object, that it has not begun to leave since it was kept. Where it has,
/// the transaction must not be committed.
pub(crate) async fn confirm(
    tx: &mut Transaction,
    kept: &KeptObject,
    now: Timestamp,
) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&CONFIRM, params![kept.name.as_str(), kept.generation, now]).await? == 1)
}

/// Which of these objects somebody refers to.
pub(crate) async fn referred_to(
    read: &Read<'_>,
    names: Vec<String>,
) -> Result<HashSet<String>, DatabaseError> {
    let rows = read.rows(&REFERRED_TO, params![names]).await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Some objects that were kept before a moment and to which no row refers, after `last` in the order of names.
pub(crate) async fn unwanted(
    read: &Read<'_>,
    before: Timestamp,
    last: &str,
) -> Result<Vec<String>, DatabaseError> {
    let rows = read.rows(&UNWANTED, params![before, last]).await?;
    rows.iter().map(|row| row.get(0)).collect()
}
