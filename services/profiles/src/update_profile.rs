//! Changes one profile.

use pando_cache::Ticket;
use pando_resilience::Call;
use pando_service::history::difference;
use pando_service::{Expected, Fault, Write, Written};
use serde_json::{Map, Value};

use crate::domain::events;
use crate::domain::faults::no_profile;
use crate::domain::history::{Change, Operation};
use crate::domain::profile::{Profile, ProfileDraft, ProfileId};
use crate::read_profile::kept;
use crate::store::StoredProfile;
use crate::store::changes::{HISTORY, creation};
use crate::{Profiles, store};

impl Profiles {
    /// Lays the caller's fields over the profile: absent ones stay, `null` clears.
    pub async fn update_profile(
        &self,
        call: &Call,
        id: ProfileId,
        expected: &Expected,
        fields: &Map<String, Value>,
    ) -> Result<Written<Profile>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let mut write = turn.begin().await?;
            let ticket = write.before_change(id.into());
            let stored = self.lock_living(&mut write, id, expected).await?;
            let draft = stored.profile.draft().merged(fields, &self.0.rules)?;
            let profile = self.write_draft(&mut write, &stored, draft, ticket).await?;
            write.about(id);
            write.done(profile)
        });
        write.await
    }

    /// Locks a living profile at a version the caller expects.
    pub(crate) async fn lock_living(
        &self,
        write: &mut Write,
        id: ProfileId,
        expected: &Expected,
    ) -> Result<StoredProfile, Fault> {
        let stored = store::lock(&mut write.tx, write.call.tenant(), id).await?;
        let stored = stored.filter(|stored| stored.deleted_at.is_none()).ok_or_else(no_profile)?;
        expected.check("profile", stored.profile.version)?;
        Ok(stored)
    }

    /// Writes other fields into a locked profile. A draft that changes nothing is no new version: repeating a request is
    /// harmless.
    pub(crate) async fn write_draft(
        &self,
        write: &mut Write,
        stored: &StoredProfile,
        draft: ProfileDraft,
        ticket: Option<Ticket>,
    ) -> Result<Profile, Fault> {
        let current = &stored.profile;
        if draft == current.draft() {
            return Ok(current.clone());
        }
        let next = current.followed_by(draft, self.0.clock.now());
        store::update(&mut write.tx, write.call.tenant(), &next);
        let fields = difference(&current.draft().document(), &next.draft().document());
        self.record(write, stored, &next, Operation::Updated, fields).await?;
        write.remember(ticket, next.id.into(), || kept(&next))?;
        Ok(next)
    }

    /// Records a change of a locked profile, from `stored` to `next`: in its history, as an event, and for the caches.
    pub(crate) async fn record(
        &self,
        write: &mut Write,
        stored: &StoredProfile,
        next: &Profile,
        operation: Operation,
        fields: (Map<String, Value>, Map<String, Value>),
    ) -> Result<(), Fault> {
        write.changed(events::of(next, operation, &fields.0));
        let (tenant, actor) = (write.call.tenant(), write.call.actor());
        let (version, changed_at, changed_by) = (next.version, next.updated_at, actor.to_owned());
        let (before, after) = fields;
        let change = Change { version, operation, changed_at, changed_by, before, after };
        let profile = (tenant, next.id.into());
        let created = (stored.profile.version == 1).then(|| creation(stored));
        HISTORY.record(&mut write.tx, profile, created, change);
        HISTORY.bound(&mut write.tx, profile, version, self.0.options.history_bytes_max);
        Ok(write.tx.make_room().await?)
    }
}
