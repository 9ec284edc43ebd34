//! Erases a person: a job removes everything that is known of them, and its result is the receipt.

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;
use pando_database::Transaction;
use pando_idempotency::Outcome;
use pando_queue::{JobContext, JobType};
use pando_resilience::{Call, Tenant};
use pando_service::{Class, Fault, Written, folded};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::accepted::Accepted;
use crate::domain::events;
use crate::domain::profile::ProfileId;
use crate::erase_files::Before;
use crate::images::has_images;
use crate::sought::Sought;
use crate::store::StoredProfile;
use crate::store::changes::HISTORY;
use crate::{Change, Profiles, store};

/// The job that erases a person. One attempt may take long: it looks at every job there is.
pub(crate) const ERASE: JobType<AboutProfile> = JobType::new("erase").within_ms(600_000);

/// How many changes are read at once.
const PAGE: usize = 500;

/// The payload of a job about a profile.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct AboutProfile {
    pub(crate) profile_id: ProfileId,
}

impl Profiles {
    /// Asks for everything known of a person to be removed. Asked twice, it is one job.
    pub async fn request_erasure(&self, call: &Call, id: ProfileId) -> Result<Written<Accepted>, Fault> {
        self.request_about(call, id, ERASE.job(&AboutProfile { profile_id: id })?).await
    }

    /// Erases the person, once however often the job runs; the receipt is the result of the job.
    ///
    /// Mentions of the person elsewhere are removed first, and the profile last. Before that, the names of the profile are read
    /// under a lock: if there is a name that was not searched for, the search begins again.
    pub(crate) async fn erase_profile(&self, context: &JobContext, id: ProfileId) -> Result<(), Fault> {
        let mut before: Before = context.cursor().unwrap_or_default();
        let mut searched = BTreeSet::new();
        while let Some(names) = self.remove_profile(context, id, &searched, &before).await? {
            searched.extend(names.iter().cloned());
            let sought = Sought::new(self, context.call(), id, names);
            self.remove_elsewhere(context, id, &sought, &mut before).await?;
        }
        Ok(())
    }

    /// Removes everything that names the person, except for the profile and what hangs on it.
    async fn remove_elsewhere(
        &self,
        context: &JobContext,
        id: ProfileId,
        sought: &Sought<'_>,
        before: &mut Before,
    ) -> Result<(), Fault> {
        let call = context.call();
        self.remove_uploads(context, sought, before).await?;
        self.remove_exports(context, id, before).await?;
        self.remove_images(context, id, before).await?;
        let still = || -> BoxFuture<'_, _> { Box::pin(sought.still()) };
        let queue = &self.0.queue;
        before.jobs += queue.forget_mentions(call, &sought.mentions, context.id(), &still).await?;
        before.import_problems += self.forget_import_problems(call, sought).await?;
        let redact = |answer| -> BoxFuture<'_, _> { Box::pin(sought.redact(answer)) };
        before.answers += self.0.idempotency.rewrite(call, &redact).await?;
        let mut tx = self.0.database.transaction(call).await?;
        context.save(&mut tx, json!(before), None).await?;
        Ok(tx.commit().await.map(drop)?)
    }

    /// Removes the profile and ends the job, if all its names were searched for and it has no images. Otherwise
    /// nothing is changed, and the names are answered.
    async fn remove_profile(
        &self,
        context: &JobContext,
        id: ProfileId,
        searched: &BTreeSet<String>,
        before: &Before,
    ) -> Result<Option<BTreeSet<String>>, Fault> {
        let mut write = self.0.writes.begin(context.call()).await?;
        let tx = &mut write.tx;
        context.fence(tx).await?;
        let Some(stored) = store::lock(tx, context.tenant(), id).await? else {
            context.complete(tx, json!({"profile_id": id, "erased": false})).await?;
            write.end().await?;
            return Ok(None);
        };
        let names = names_of(tx, context.tenant(), &stored).await?;
        if !names.is_subset(searched) || has_images(tx, context.tenant(), id).await? {
            write.tx.rollback().await?;
            return Ok(Some(names));
        }
        // An export that was begun meanwhile may hold the person; one that begins now waits for this commit.
        store::files::pass_gate(tx).await?;
        let exports = before.exports + self.forget_exports(tx, context.tenant(), id).await?.0;
        let removed = store::erasure::erase(tx, context.tenant(), id).await?;
        let answers = self.0.idempotency.replace(tx, (context.tenant(), &id.to_string()), &gone()).await?;
        let receipt = json!({
            "profile_id": id,
            "erased": true,
            "erased_at": self.0.clock.now(),
            "removed": {
                "profiles": 1,
                "images": before.images,
                "exports": exports,
                "uploads": before.uploads,
                "addresses": removed.addresses,
                "preferences": removed.preferences,
                "changes": removed.changes,
                "import_problems": before.import_problems,
                "idempotent_answers": before.answers + answers,
                "jobs": before.jobs,
            },
            "caches": "invalidated",
        });
        context.complete(tx, receipt).await?;
        write.changed(events::erased(id, stored.profile.version + 1));
        write.end().await?;
        Ok(None)
    }

    /// Empties the problems of every import that names the person; how many.
    async fn forget_import_problems(&self, call: &Call, sought: &Sought<'_>) -> Result<u64, Fault> {
        let (mut last, mut emptied) = (String::new(), 0);
        loop {
            let page =
                store::imports::problems(&self.0.database.read_primary(call), call.tenant(), &last).await?;
            let Some((end, _)) = page.last() else { return Ok(emptied) };
            last.clone_from(end);
            for (token, problems) in page.iter().filter(|(_, it)| sought.mentions.stand_in_json(it)) {
                if !sought.still().await?.stand_in_json(problems) {
                    continue;
                }
                let mut tx = self.0.database.transaction(call).await?;
                emptied += store::imports::empty_problems(&mut tx, call.tenant(), token).await?;
                tx.commit().await?;
            }
        }
    }
}

/// The names of the person of a locked profile: the id, and the present and past e-mail addresses, except for those that now
/// belong to another profile.
async fn names_of(
    tx: &mut Transaction,
    tenant: &Tenant,
    stored: &StoredProfile,
) -> Result<BTreeSet<String>, Fault> {
    let id = stored.profile.id;
    let mut emails = BTreeSet::from([stored.profile.email.key()]);
    let mut before = i64::MAX;
    loop {
        let changes: Vec<Change> = HISTORY.page_in(tx, (tenant, id.into()), before, PAGE).await?;
        let texts = changes.iter().flat_map(|change| [change.before.get("email"), change.after.get("email")]);
        emails.extend(texts.flatten().filter_map(Value::as_str).map(folded));
        match changes.last() {
            Some(last) if changes.len() == PAGE => before = last.version,
            _ => break,
        }
    }
    let mut emails: BTreeSet<String> = emails.iter().flat_map(|email| with_both_domains(email)).collect();
    let keys = emails.iter().cloned().collect();
    for other in store::erasure::emails_of_others(tx, tenant, id, keys).await? {
        emails.remove(&other);
    }
    emails.insert(id.to_string());
    Ok(emails)
}

/// An address with its domain as it is read, and as the domain name system knows it: `xn--bcher-kva.example` is
/// `bücher.example`.
fn with_both_domains(email: &str) -> Vec<String> {
    let mut all = vec![email.to_owned()];
    if let Some((local, domain)) = email.rsplit_once('@') {
        let (read, whole) = idna::domain_to_unicode(domain);
        let domains = [whole.is_ok().then_some(read), idna::domain_to_ascii(domain).ok()];
        all.extend(domains.into_iter().flatten().map(|domain| folded(&format!("{local}@{domain}"))));
    }
    all
}

/// The outcome of a repeated request about an erased person.
fn gone() -> Outcome {
    Outcome::refusal(Fault::new(Class::NotFound, "the profile was erased").to_kept(None))
}
