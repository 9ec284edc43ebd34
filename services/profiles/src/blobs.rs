//! Storing and deleting objects while other profiles may refer to the same content.
//!
//! To refer to an object, [`Blobs::keep`] writes the present time into the object's row, stores the object, and returns
//! a [`KeptObject`]; the transaction that refers to the object calls [`confirm`]. To delete an object,
//! [`Blobs::remove`] marks the row, deletes the object, and then deletes the row. A marked row can be neither kept nor
//! confirmed. A row that is referred to, or was written a moment ago, cannot be marked. A mark belongs to one deletion:
//! a second one that deleted the same object could do so after the first had ended and an upload had stored the object
//! again. So no reference ever leads nowhere, even if a process dies in between. The sweep deletes objects to which no
//! row came to refer, and continues deletions that a dead process began.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pando_clock::Timestamp;
use pando_database::{DatabaseError, Query, Read, Transaction, params};
use pando_objects::{ObjectName, Objects};
use pando_queue::Queue;
use pando_resilience::{Call, Deadline};
use pando_service::Fault;
use uuid::Uuid;

/// How long an upload waits for a deletion of the same content.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// How long after its mark a deletion may delete the object.
const DELETES_WITHIN: Duration = Duration::from_secs(5);
/// A mark of this age belongs to no running deletion any more, though clocks differ by some seconds: another may begin.
const ABANDONED_AFTER: Duration = Duration::from_secs(30);
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

// Before a mark: a deletion that waited for a confirmation must see the new reference, and a statement sees only what was
// committed before it began.
static LOCK: Query =
    Query::point("profiles.lock_blob", "select leaving from profile_blobs where name = $1 for update");

static MARK: Query = Query::write(
    "profiles.mark_blob",
    concat!(
        "update profile_blobs set leaving = true, generation = $3, touched_at = $4 \
         where name = $1 and touched_at < $2 and ",
        nobody_refers_to!("$1")
    ),
);

static MARK_UNKNOWN: Query = Query::write(
    "profiles.mark_unknown_blob",
    "insert into profile_blobs (name, generation, touched_at, leaving) values ($1, $2, $3, true) \
     on conflict (name) do nothing",
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

static UNREFERRED: Query = Query::point(
    "profiles.unreferred_blob",
    concat!("select name from profile_blobs where name = $1 and ", nobody_refers_to!("$1")),
);

static UNWANTED: Query = Query::scan(
    "profiles.unwanted_blobs",
    concat!(
        "select name from profile_blobs where (touched_at < $1 or leaving) and name > $2 and ",
        nobody_refers_to!("name"),
        " order by name limit 500"
    ),
);

/// The objects of this service, and who may take them away. Cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct Blobs {
    objects: Objects,
    queue: Queue,
    grace: Duration,
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
    /// Somebody may be about to refer to it, or another deletion of it has begun. In so long it can be asked again.
    NotYet(Duration),
}

impl Blobs {
    /// Objects to which no row refers are left alone for this time.
    pub(crate) fn new(objects: Objects, queue: Queue, grace_seconds: u64) -> Self {
        Self { objects, queue, grace: Duration::from_secs(grace_seconds) }
    }

    /// Where they are.
    pub(crate) fn objects(&self) -> &Objects {
        &self.objects
    }

    /// Objects that were last touched before this moment belong to no upload.
    pub(crate) fn old(&self) -> Timestamp {
        self.queue.clock().now().plus_micros(-micros(self.grace))
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
        let (generation, now) = (clock.fresh_id(), clock.now());
        // From before the mark: if the mark takes long, less is left for the deletion.
        let deadline = Deadline::after(DELETES_WITHIN);
        let mut tx = self.queue.database().transaction(call).await?;
        let known = tx.row(&LOCK, params![name.as_str()]).await?.map(|row| row.get::<bool>(0)).transpose()?;
        let marked = match known {
            None if removing == Removing::Unknown => {
                tx.execute(&MARK_UNKNOWN, params![name.as_str(), generation, now]).await?
            }
            None => return Ok(Removal::Wanted),
            Some(leaving) => {
                let before = self.free_before(now, leaving, removing);
                tx.execute(&MARK, params![name.as_str(), before, generation, now]).await?
            }
        };
        if marked == 0 {
            let wanted = tx.row(&UNREFERRED, params![name.as_str()]).await?.is_none();
            return Ok(if wanted { Removal::Wanted } else { Removal::NotYet(self.pause(known)) });
        }
        tx.commit().await?;
        let call = &call.with_deadline(call.deadline.sooner(deadline));
        self.objects.delete(call, name).await?;
        let mut tx = self.queue.database().transaction(call).await?;
        tx.execute(&FORGET, params![name.as_str(), generation]).await?;
        tx.commit().await?;
        Ok(Removal::Gone)
    }

    /// Deletes an object to which no row refers, also if it is young. If another deletion of it has begun, waits for that.
    pub(crate) async fn remove_at_once(&self, call: &Call, name: &ObjectName) -> Result<(), Fault> {
        while let Removal::NotYet(_) = self.remove(call, name, Removing::AtOnce).await? {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// A row that was touched before this moment can be marked, if no row refers to its object.
    fn free_before(&self, now: Timestamp, leaving: bool, removing: Removing) -> Timestamp {
        match removing {
            _ if leaving => now.plus_micros(-micros(ABANDONED_AFTER)),
            Removing::AtOnce => now.plus_micros(AHEAD_MICROS),
            Removing::Old | Removing::Unknown => self.old(),
        }
    }

    /// When an object that could not be marked can be, at the latest.
    fn pause(&self, leaving: Option<bool>) -> Duration {
        let free_after = if leaving == Some(true) { ABANDONED_AFTER } else { self.grace };
        free_after.saturating_add(Duration::from_secs(1))
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
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
