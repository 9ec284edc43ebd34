//! Applies a patch to one profile: a JSON merge-patch or a JSON Patch.

use pando_http::apply_patch;
use pando_resilience::Call;
use pando_service::{Expected, Fault, Violations, Written};
use serde_json::Value;

use crate::domain::attributes::AttributeRules;
use crate::domain::faults::no_profile;
use crate::domain::profile::{Profile, ProfileDraft, ProfileId};
use crate::{Profiles, store};

/// How often a patch is applied to an unlocked profile, which another request may change meanwhile.
const UNLOCKED_ATTEMPTS_MAX: usize = 3;

impl Profiles {
    /// Applies a patch of a media type. Large patches take some time, so each is applied to the profile as it was read, and
    /// written if the profile is still the same then: no other request waits for a lock meanwhile.
    pub async fn patch_profile(
        &self,
        call: &Call,
        id: ProfileId,
        expected: &Expected,
        (media, patch): (Option<&str>, &[u8]),
    ) -> Result<Written<Profile>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let patched = |current: &Profile| patched(current, &self.0.rules, media, patch);
            let mut attempts = 0;
            loop {
                attempts += 1;
                let mut ready = None;
                if attempts <= UNLOCKED_ATTEMPTS_MAX {
                    let current = store::find(&self.0.database.read_primary(call), call.tenant(), id).await?;
                    let current = current.ok_or_else(no_profile)?;
                    expected.check("profile", current.version)?;
                    ready = Some((patched(&current)?, current.version));
                }
                let mut write = turn.begin().await?;
                let ticket = write.before_change(id.into());
                let stored = self.lock_living(&mut write, id, expected).await?;
                let draft = match ready {
                    Some((draft, version)) if version == stored.profile.version => draft,
                    // Dropped, the transaction lets go of the profile.
                    Some(_) => continue,
                    // Many change this profile at once: the lock is held for once.
                    None => patched(&stored.profile)?,
                };
                let profile = self.write_draft(&mut write, &stored, draft, ticket).await?;
                write.about(id);
                return write.done(profile);
            }
        });
        write.await
    }
}

fn patched(
    current: &Profile,
    rules: &AttributeRules,
    media: Option<&str>,
    patch: &[u8],
) -> Result<ProfileDraft, Fault> {
    match apply_patch(media, patch, Value::Object(current.document()))? {
        Value::Object(fields) => Ok(current.draft().patched(fields, rules)?),
        _ => Err(Violations::one("profile", "type", "must stay a JSON object").into()),
    }
}
