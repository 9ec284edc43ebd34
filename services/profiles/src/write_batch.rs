//! Creates and updates many profiles in one transaction; each item gets its own answer.

use std::collections::{HashMap, HashSet};

use pando_resilience::Call;
use pando_service::{Fault, Violations, Write, Written, patiently};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::domain::events;
use crate::domain::import::{Batch as ImportBatch, Import};
use crate::domain::item::{Item, ItemOutcome, ItemStatus};
use crate::domain::profile::{Profile, ProfileDraft, ProfileId};
use crate::import_task::ImportJob;
use crate::store::StoredProfile;
use crate::{Profiles, store};

/// How many items one batch may have.
pub const BATCH_ITEMS_MAX: usize = 1000;

/// The message about an e-mail address or an id that another profile has.
const TAKEN: &str = "is taken by another profile";

/// The outcome of a batch, as it is kept for repeats.
#[derive(Serialize, Deserialize)]
struct Results {
    results: Vec<ItemOutcome>,
}

impl Profiles {
    /// Writes a batch: an item without an id, or with an unused one, creates a profile; a known id changes that profile.
    pub async fn write_batch(&self, call: &Call, items: &[Item]) -> Result<Written<Vec<ItemOutcome>>, Fault> {
        let write = self.0.writes.once_patiently(call, |turn| async move {
            let mut write = turn.begin().await?;
            let results = self.run_batch(&mut write, items).await?;
            write.done(Results { results })
        });
        Ok(write.await?.map(|kept| kept.results))
    }

    /// Writes a batch of an import together with the progress of the import, or only finds out what would happen.
    pub(crate) async fn write_import_batch(
        &self,
        call: &Call,
        batch: &ImportBatch,
        import: &Import,
        job: Option<&ImportJob<'_>>,
    ) -> Result<Import, Fault> {
        patiently(|| self.try_import_batch(call, batch, import, job)).await
    }

    async fn try_import_batch(
        &self,
        call: &Call,
        batch: &ImportBatch,
        import: &Import,
        job: Option<&ImportJob<'_>>,
    ) -> Result<Import, Fault> {
        let mut write = self.0.writes.begin(call).await?;
        if let Some(job) = job {
            job.fence(&mut write.tx).await?;
        }
        let outcomes = self.run_batch(&mut write, &batch.items).await?;
        let next = import.advanced(batch, &outcomes, self.0.clock.now());
        if import.dry_run {
            write.tx.rollback().await?;
            if let Some(job) = job {
                self.tell_import_job(call, job, &next).await?;
            }
            return Ok(next);
        }
        if !store::imports::advance(&mut write.tx, call.tenant(), &next, import.records_done).await? {
            return Err(import_busy());
        }
        if let Some(job) = job {
            job.save(&mut write.tx, &next).await?;
        }
        write.end().await?;
        Ok(next)
    }

    async fn run_batch(&self, write: &mut Write, items: &[Item]) -> Result<Vec<ItemOutcome>, Fault> {
        let mut batch = Batch::new(self, items);
        batch.plan(write).await?;
        batch.update(write).await?;
        batch.create(write).await?;
        Ok(batch.outcomes())
    }
}

/// Another upload is writing the same import.
fn import_busy() -> Fault {
    Fault::conflict("this import is being written by another upload").with_retry_after(5)
}

/// A batch on its way: each item is planned as a creation or an update, or already has its outcome.
struct Batch<'a> {
    profiles: &'a Profiles,
    items: &'a [Item],
    outcomes: Vec<Option<ItemOutcome>>,
    creations: Vec<(usize, Profile)>,
    updates: Vec<(usize, StoredProfile, ProfileDraft)>,
}

impl<'a> Batch<'a> {
    fn new(profiles: &'a Profiles, items: &'a [Item]) -> Self {
        Self {
            profiles,
            items,
            outcomes: vec![None; items.len()],
            creations: Vec::new(),
            updates: Vec::new(),
        }
    }

    fn refuse(&mut self, index: usize, status: ItemStatus, violations: &Violations) {
        let errors = violations.iter().cloned().collect();
        self.outcomes[index] = Some(ItemOutcome { status, id: None, version: None, errors });
    }

    fn conflict(&mut self, index: usize, field: &str, message: &str) {
        let code = if message == TAKEN { "taken" } else { "conflict" };
        self.refuse(index, ItemStatus::Conflict, &Violations::one(field, code, message));
    }

    /// Decides for each item whether it creates or changes a profile, with two reading statements for the whole batch.
    async fn plan(&mut self, write: &mut Write) -> Result<(), Fault> {
        let ids: Vec<Option<Result<Uuid, Violations>>> = self.items.iter().map(item_id).collect();
        let mut known: Vec<Uuid> = ids.iter().flatten().flatten().copied().collect();
        known.sort_unstable();
        known.dedup();
        let mut stored: HashMap<ProfileId, StoredProfile> = HashMap::new();
        if !known.is_empty() {
            let locked = store::lock_many(&mut write.tx, write.call.tenant(), known).await?;
            stored.extend(locked.into_iter().map(|one| (one.profile.id, one)));
        }
        let mut ids_seen = HashSet::new();
        let mut emails_seen = HashSet::new();
        for (index, (item, id)) in self.items.iter().zip(ids).enumerate() {
            let fields = match (item, &id) {
                (Err(violations), _) | (_, Some(Err(violations))) => {
                    self.refuse(index, ItemStatus::Invalid, violations);
                    continue;
                }
                (Ok(fields), _) => fields,
            };
            let id = id.and_then(Result::ok).map(ProfileId::from);
            if id.is_some_and(|id| !ids_seen.insert(id)) {
                self.conflict(index, "id", "stands in this batch already");
                continue;
            }
            self.plan_item(index, fields, id, id.and_then(|id| stored.remove(&id)), &mut emails_seen);
        }
        Ok(())
    }

    fn plan_item(
        &mut self,
        index: usize,
        fields: &Map<String, Value>,
        id: Option<ProfileId>,
        stored: Option<StoredProfile>,
        emails_seen: &mut HashSet<String>,
    ) {
        let inner = &self.profiles.0;
        if let Err(refusal) = check_version(fields, stored.as_ref(), inner.options.require_if_match) {
            return match refusal {
                VersionRefusal::Stale(Some(current)) => {
                    self.conflict(index, "version", &format!("is not the current one, which is {current}"))
                }
                VersionRefusal::Stale(None) => {
                    self.conflict(index, "id", "names no profile, and a version was expected of it")
                }
                VersionRefusal::Unreadable(message) => {
                    let violations = Violations::one("version", "value", message);
                    self.refuse(index, ItemStatus::Invalid, &violations)
                }
            };
        }
        let draft = match &stored {
            Some(StoredProfile { deleted_at: Some(_), .. }) => {
                return self.conflict(index, "id", "names a deleted profile: restore it first");
            }
            Some(stored) => stored.profile.draft().merged(fields, &inner.rules),
            None => ProfileDraft::parse(fields, &inner.rules),
        };
        let draft = match draft {
            Ok(draft) => draft,
            Err(violations) => return self.refuse(index, ItemStatus::Invalid, &violations),
        };
        // A profile that keeps its address does not compete for it.
        let keeps = stored.as_ref().is_some_and(|stored| stored.profile.email.key() == draft.email.key());
        if !keeps && !emails_seen.insert(draft.email.key()) {
            return self.conflict(index, "email", "stands in this batch already");
        }
        match stored {
            Some(stored) => self.updates.push((index, stored, draft)),
            None => {
                let id = id.unwrap_or_else(|| inner.clock.fresh_id().into());
                self.creations.push((index, draft.born(id, inner.clock.now())));
            }
        }
    }

    async fn update(&mut self, write: &mut Write) -> Result<(), Fault> {
        // Everybody takes addresses in one order, so that two batches do not wait for each other in a ring.
        let mut updates = std::mem::take(&mut self.updates);
        updates.sort_by_cached_key(|(_, _, draft)| draft.email.key());
        let moved = updates.iter().map(|(_, stored, draft)| (stored.profile.email.key(), draft.email.key()));
        let new_keys: Vec<String> = moved.filter(|(old, new)| old != new).map(|(_, new)| new).collect();
        let taken: HashSet<String> = if new_keys.is_empty() {
            HashSet::new()
        } else {
            let found = store::emails_in_use(&mut write.tx, write.call.tenant(), new_keys);
            found.await?.into_iter().collect()
        };
        for (index, stored, draft) in updates {
            let key = draft.email.key();
            if key != stored.profile.email.key() && taken.contains(&key) {
                self.conflict(index, "email", TAKEN);
                continue;
            }
            let profile = self.profiles.write_draft(write, &stored, draft, None).await?;
            self.outcomes[index] =
                Some(ItemOutcome::written(ItemStatus::Updated, profile.id, profile.version));
        }
        Ok(())
    }

    async fn create(&mut self, write: &mut Write) -> Result<(), Fault> {
        let mut creations = std::mem::take(&mut self.creations);
        creations.sort_by_cached_key(|(_, profile)| profile.email.key());
        let (indexes, profiles): (Vec<usize>, Vec<Profile>) = creations.into_iter().unzip();
        if profiles.is_empty() {
            return Ok(());
        }
        let (tenant, actor) = (write.call.tenant(), write.call.actor());
        let made = store::insert_many(&mut write.tx, tenant, &profiles, actor).await?;
        let made: HashSet<ProfileId> = made.into_iter().collect();
        let mut unmade = Vec::new();
        for (index, profile) in indexes.into_iter().zip(profiles) {
            if made.contains(&profile.id) {
                self.outcomes[index] = Some(ItemOutcome::written(ItemStatus::Created, profile.id, 1));
                // The client that named the id may have read it before and learned that it does not exist.
                match self.items[index].as_ref().is_ok_and(|fields| fields.contains_key("id")) {
                    true => write.changed(events::created(&profile)),
                    false => write.created(events::created(&profile)),
                }
            } else {
                unmade.push((index, profile));
            }
        }
        self.refuse_unmade(write, unmade).await
    }

    /// Says what was taken: the e-mail address, or the id.
    async fn refuse_unmade(&mut self, write: &mut Write, unmade: Vec<(usize, Profile)>) -> Result<(), Fault> {
        if unmade.is_empty() {
            return Ok(());
        }
        let keys = unmade.iter().map(|(_, profile)| profile.email.key()).collect();
        let taken: HashSet<String> =
            store::emails_in_use(&mut write.tx, write.call.tenant(), keys).await?.into_iter().collect();
        for (index, profile) in unmade {
            let field = if taken.contains(&profile.email.key()) { "email" } else { "id" };
            self.conflict(index, field, TAKEN);
        }
        Ok(())
    }

    fn outcomes(self) -> Vec<ItemOutcome> {
        self.outcomes.into_iter().map(|outcome| outcome.expect("every item was refused or written")).collect()
    }
}

impl ItemOutcome {
    fn written(status: ItemStatus, id: ProfileId, version: i64) -> Self {
        Self { status, id: Some(id), version: Some(version), errors: Vec::new() }
    }
}

/// The id an item names, if it names one.
fn item_id(item: &Item) -> Option<Result<Uuid, Violations>> {
    match item.as_ref().ok()?.get("id")? {
        Value::Null => None,
        Value::String(text) => match ProfileId::parse(text).map(Uuid::from).filter(|id| !id.is_nil()) {
            Some(id) => Some(Ok(id)),
            None => Some(Err(Violations::one("id", "value", "must be a UUID"))),
        },
        _ => Some(Err(Violations::one("id", "type", "must be a string"))),
    }
}

enum VersionRefusal {
    /// The profile has another version, or does not exist.
    Stale(Option<i64>),
    Unreadable(&'static str),
}

/// An item with a version changes only that version of that profile, as `If-Match` does, and never creates one, so importing
/// an old export never brings an erased person back. A number in a CSV cell is a text.
fn check_version(
    fields: &Map<String, Value>,
    stored: Option<&StoredProfile>,
    required: bool,
) -> Result<(), VersionRefusal> {
    let named = match fields.get("version") {
        None | Some(Value::Null) if required && stored.is_some() => {
            return Err(VersionRefusal::Unreadable("is required"));
        }
        None | Some(Value::Null) => return Ok(()),
        // Without an id nothing is expected to be there: a profile is made, whose version is ours to give.
        Some(_) if fields.get("id").is_none_or(Value::is_null) => return Ok(()),
        Some(Value::String(text)) => text.parse().ok(),
        Some(other) => other.as_i64(),
    };
    match named {
        None => Err(VersionRefusal::Unreadable("must be a whole number")),
        Some(version) => match stored.map(|stored| stored.profile.version) {
            Some(current) if current == version => Ok(()),
            current => Err(VersionRefusal::Stale(current)),
        },
    }
}
