//! A job that goes through all profiles, repairs their derived values, and reports what it found.

use std::collections::HashSet;
use std::time::Duration;

use pando_queue::{JobContext, JobType, NoPayload};
use pando_resilience::{Call, Deadline};
use pando_service::history::difference;
use pando_service::{Fault, Write, patiently};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::domain::history::Operation;
use crate::domain::profile::{IMAGE_URLS_BYTES_MAX, Profile, ProfileId};
use crate::files::FILE_MS;
use crate::images::Addresses;
use crate::store::StoredProfile;
use crate::store::derived::Derived;
use crate::{Profiles, store};

/// The job that looks at every profile.
pub(crate) const REINDEX: JobType<NoPayload> = JobType::new("profile_reindex").within_ms(FILE_MS);

/// How many profiles are looked at in one transaction.
const BATCH: usize = 500;
/// How long one batch may take.
const BATCH_BUDGET: Duration = Duration::from_secs(30);
/// How many of those that could not be put right are named; the rest are counted.
const LEFT_MAX: usize = 100;

/// How far the walk has come: saved with each batch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Walk {
    /// The last profile that was looked at; without hyphens, so that no erasure takes it for data about the person.
    #[serde(with = "uuid::serde::simple")]
    after: Uuid,
    seen: u64,
    repaired: u64,
    failed: u64,
    left: Vec<Left>,
    #[serde(skip)]
    done: bool,
}

/// A profile that could not be put right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Left {
    profile_id: Uuid,
    reason: String,
}

impl Profiles {
    /// Looks at every profile of the tenant; each batch commits with how far this has come, the last one with the result.
    pub(crate) async fn reindex(&self, context: &JobContext) -> Result<(), Fault> {
        let call = context.call().by(REINDEX.name());
        let mut walk: Walk = context.cursor().unwrap_or_default();
        while !walk.done {
            walk = patiently(|| self.reindex_batch(&call, context, &walk)).await?;
        }
        Ok(())
    }

    async fn reindex_batch(&self, call: &Call, context: &JobContext, walk: &Walk) -> Result<Walk, Fault> {
        let call = call.with_deadline(Deadline::after(BATCH_BUDGET).sooner(call.deadline));
        let mut write = self.0.writes.begin(&call).await?;
        context.fence(&mut write.tx).await?;
        let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
        let page = store::derived::page(&mut write.tx, call.tenant(), walk.after, limit).await?;
        let last = page.last().map_or(walk.after, |last| last.stored.profile.id.into());
        let mut next = Walk { after: last, seen: walk.seen + page.len() as u64, ..walk.clone() };
        let wrong = self.wrong(&mut write, &page).await?;
        if !wrong.is_empty() {
            // Locked only now: most pages need no repair, and a mere look should make no request wait.
            let locked = store::derived::lock(&mut write.tx, call.tenant(), wrong).await?;
            self.repair(&mut write, &locked, &mut next).await?;
        }
        let counts = json!({"seen": next.seen, "repaired": next.repaired, "failed": next.failed});
        if page.len() < BATCH {
            next.done = true;
            let mut result = counts;
            result["left"] = json!(next.left);
            context.complete(&mut write.tx, result).await?;
        } else {
            context.save(&mut write.tx, json!(next), Some(counts)).await?;
        }
        write.end().await?;
        Ok(next)
    }

    /// Those of a page that are not as they ought to be.
    async fn wrong(&self, write: &mut Write, page: &[Derived]) -> Result<Vec<Uuid>, Fault> {
        let addresses = self.addresses(write, page).await?;
        let wrong = page.iter().filter(|row| !row.is_right(&addresses));
        Ok(wrong.map(|row| row.stored.profile.id.into()).collect())
    }

    async fn addresses(&self, write: &mut Write, rows: &[Derived]) -> Result<Addresses, Fault> {
        let profiles: Vec<&Profile> = rows.iter().map(|row| &row.stored.profile).collect();
        let tenant = write.call.tenant();
        Ok(Addresses::of(&mut write.tx, tenant, &self.0.options.images, &profiles).await?)
    }

    /// Writes what is wrong of locked profiles: of living ones as any change of them is written.
    async fn repair(&self, write: &mut Write, locked: &[Derived], walk: &mut Walk) -> Result<(), Fault> {
        let addresses = self.addresses(write, locked).await?;
        let moved = locked.iter().filter(|row| row.is_living() && row.email_key != row.right_key());
        let mut taken: HashSet<String> = HashSet::new();
        let keys: Vec<String> = moved.map(Derived::right_key).collect();
        if !keys.is_empty() {
            taken.extend(store::emails_in_use(&mut write.tx, write.call.tenant(), keys).await?);
        }
        for row in locked.iter().filter(|row| !row.is_right(&addresses)) {
            let StoredProfile { profile, .. } = &row.stored;
            let image_urls = addresses.right(profile);
            let moves = row.is_living() && row.email_key != row.right_key();
            // Of two that would have the same address, the first one gets it.
            if moves && !taken.insert(row.right_key()) {
                walk.leave(profile.id, "another profile has its e-mail address");
                continue;
            }
            if image_urls.iter().map(String::len).sum::<usize>() > IMAGE_URLS_BYTES_MAX {
                walk.leave(profile.id, "the addresses of its images would be too long");
                continue;
            }
            addresses.write(&mut write.tx, profile.id).await?;
            let draft = crate::ProfileDraft { image_urls, ..profile.draft() };
            if row.is_living() {
                let next = profile.followed_by(draft, self.0.clock.now());
                let fields = difference(&profile.draft().document(), &next.draft().document());
                store::update(&mut write.tx, write.call.tenant(), &next);
                self.record(write, &row.stored, &next, Operation::Updated, fields).await?;
            } else {
                let right = Profile { image_urls: draft.image_urls, ..profile.clone() };
                store::derived::repair(&mut write.tx, write.call.tenant(), &right).await?;
            }
            walk.repaired += 1;
        }
        Ok(())
    }
}

impl Derived {
    fn is_living(&self) -> bool {
        self.stored.deleted_at.is_none()
    }

    fn right_key(&self) -> String {
        self.stored.profile.email.key()
    }

    fn is_right(&self, addresses: &Addresses) -> bool {
        let profile = &self.stored.profile;
        self.email_key == self.right_key()
            && self.search_text == profile.search_text()
            && addresses.right(profile) == profile.image_urls
            && !addresses.moved(profile.id)
    }
}

impl Walk {
    fn leave(&mut self, id: ProfileId, reason: &str) {
        self.failed += 1;
        if self.left.len() < LEFT_MAX {
            self.left.push(Left { profile_id: id.into(), reason: reason.to_owned() });
        }
    }
}
