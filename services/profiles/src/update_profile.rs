//! Changes one profile.

use pando_database::Transaction;
use pando_resilience::Call;
use serde_json::{Map, Value};

use crate::events::Happened;
use crate::history::{Operation, difference};
use crate::memory::Changes;
use crate::once::Outcome;
use crate::profile::{AttributeRules, Profile, ProfileDraft, ProfileId};
use crate::store::StoredProfile;
use crate::{ProfileError, Profiles, Written, store};

/// How often a change is worked out without a lock before it takes one.
const UNLOCKED_ATTEMPTS_MAX: usize = 3;

/// Which versions of a profile the caller is ready to change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Expected {
    /// Any version.
    #[default]
    Any,
    /// One of these: anything else was changed behind the caller's back.
    OneOf(Vec<i64>),
}

impl Profiles {
    /// Lays the caller's fields over the profile: absent ones stay, `null` clears.
    pub async fn update_profile(
        &self,
        call: &Call,
        id: ProfileId,
        expected: &Expected,
        fields: &Map<String, Value>,
    ) -> Result<Written<Profile>, ProfileError> {
        self.change_locked(call, id, expected, |current, rules| Ok(current.draft().merged(fields, rules)?))
            .await
    }

    /// Applies a change that may take some time. The change is computed on the profile that was read, and written if the profile is
    /// still the same then, so no other request waits for a lock meanwhile.
    pub async fn change_profile(
        &self,
        call: &Call,
        id: ProfileId,
        expected: &Expected,
        change: impl Fn(&Profile, &AttributeRules) -> Result<ProfileDraft, ProfileError>,
    ) -> Result<Written<Profile>, ProfileError> {
        for _ in 0..UNLOCKED_ATTEMPTS_MAX {
            let read = self.0.database.read_primary(call);
            let current = store::find(&read, id).await?.ok_or(ProfileError::NotFound)?;
            expected.check(&current)?;
            let draft = change(&current, &self.0.rules)?;
            let same = Expected::OneOf(vec![current.version]);
            match self.change_locked(call, id, &same, |_, _| Ok(draft)).await {
                Err(ProfileError::VersionMismatch { .. }) => {}
                done => return done,
            }
        }
        // Many change this profile at once: take a turn.
        self.change_locked(call, id, expected, change).await
    }

    /// Applies a change while the profile is locked; the change must be quick.
    async fn change_locked(
        &self,
        call: &Call,
        id: ProfileId,
        expected: &Expected,
        change: impl FnOnce(&Profile, &AttributeRules) -> Result<ProfileDraft, ProfileError>,
    ) -> Result<Written<Profile>, ProfileError> {
        let ticket = self.0.memory.before_change(id);
        let (mut tx, stored) = self.lock_living(call, id, expected).await?;
        let current = &stored.profile;
        let draft = change(current, &self.0.rules)?;
        let changed = draft != current.draft();
        // A change that changes nothing is no new version: repeating a request is harmless.
        let profile = if changed { current.followed_by(draft, self.0.clock.now()) } else { current.clone() };
        let mut changes = Changes::default();
        if changed {
            store::update(&mut tx, &profile);
            let fields = difference(&current.draft().document(), &profile.draft().document());
            changes = Changes::change(&profile, ticket, Happened::changed(&fields))?;
            store::changes::record(&mut tx, &stored, &profile, Operation::Updated, &call.actor, fields);
        }
        self.keep_answer(&mut tx, Some(id), Outcome::Current(&profile)).await?;
        let token = self.commit(call, tx, changes).await?;
        Ok(Written { value: profile, token })
    }

    /// Opens a transaction that holds a living profile at a version the caller expects.
    pub(crate) async fn lock_living(
        &self,
        call: &Call,
        id: ProfileId,
        expected: &Expected,
    ) -> Result<(Transaction, StoredProfile), ProfileError> {
        let mut tx = self.begin(call).await?;
        match store::lock(&mut tx, id).await? {
            Some(stored) if stored.deleted_at.is_none() => {
                expected.check(&stored.profile)?;
                Ok((tx, stored))
            }
            _ => Err(ProfileError::NotFound),
        }
    }
}

impl Expected {
    /// Whether the profile is at a version the caller expects.
    pub(crate) fn check(&self, current: &Profile) -> Result<(), ProfileError> {
        match self {
            Self::OneOf(versions) if !versions.contains(&current.version) => {
                Err(ProfileError::VersionMismatch { current: current.version })
            }
            _ => Ok(()),
        }
    }
}

impl Profile {
    /// The next version of this profile, with these fields.
    pub(crate) fn followed_by(&self, draft: ProfileDraft, now: pando_clock::Timestamp) -> Self {
        let ProfileDraft { name, email, bio, image_urls, attributes } = draft;
        Self { name, email, bio, image_urls, attributes, ..self.touched(now) }
    }

    /// The next version of this profile, otherwise as it was. Time never runs backwards within a profile.
    pub(crate) fn touched(&self, now: pando_clock::Timestamp) -> Self {
        Self { version: self.version + 1, updated_at: now.max(self.updated_at), ..self.clone() }
    }
}
