//! Erases a person: a job removes everything that is known of them, and its result is the receipt.

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;
use pando_database::{DatabaseError, Transaction};
use pando_idempotency::Answer;
use pando_queue::{Job, JobContext, Mentions};
use pando_resilience::Call;
use serde_json::{Value, json};

use crate::accepted::Accepted;
use crate::erase_files::Before;
use crate::events::Happened;
use crate::images::has_images;
use crate::memory::Changes;
use crate::profile::{ProfileId, folded};
use crate::store::StoredProfile;
use crate::{ProfileError, Profiles, Written, store};

/// The kind of the job.
pub(crate) const KIND: &str = "erase";

/// How many changes are read at once.
const PAGE: usize = 500;

impl Profiles {
    /// Asks for everything known of a person to be removed. Asked twice, it is one job.
    pub async fn request_erasure(
        &self,
        call: &Call,
        id: ProfileId,
    ) -> Result<Written<Accepted>, ProfileError> {
        self.request_about(call, id, Job::new(KIND, json!({"profile_id": id}))).await
    }

    /// Erases the person, once however often the job runs; the receipt is the result of the job.
    ///
    /// Mentions of the person elsewhere are removed first, and the profile last. Before that, the names of the profile are read
    /// under a lock: if there is a name that was not searched for, the search begins again.
    pub(crate) async fn erase_profile(
        &self,
        context: &JobContext,
        id: ProfileId,
    ) -> Result<(), ProfileError> {
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
    ) -> Result<(), ProfileError> {
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
    ) -> Result<Option<BTreeSet<String>>, ProfileError> {
        let mut tx = self.0.database.transaction(context.call()).await?;
        context.fence(&mut tx).await?;
        let Some(stored) = store::lock(&mut tx, id).await? else {
            context.complete(&mut tx, json!({"profile_id": id, "erased": false})).await?;
            tx.commit().await?;
            return Ok(None);
        };
        let names = names_of(&mut tx, &stored).await?;
        if !names.is_subset(searched) || has_images(&mut tx, id).await? {
            tx.rollback().await?;
            return Ok(Some(names));
        }
        // An export that was begun meanwhile may hold the person; one that begins now waits for this commit.
        store::files::pass_gate(&mut tx).await?;
        let exports = before.exports + self.forget_exports(&mut tx, id).await?.0;
        let removed = store::erasure::erase(&mut tx, id).await?;
        let answers = self.0.idempotency.replace(&mut tx, &id.to_string(), &gone()).await?;
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
        context.complete(&mut tx, receipt).await?;
        let changes = Changes::one(id, stored.profile.version + 1, Happened::Erased);
        self.commit(context.call(), tx, changes).await?;
        Ok(None)
    }

    /// Empties the problems of every import that names the person; how many.
    async fn forget_import_problems(&self, call: &Call, sought: &Sought<'_>) -> Result<u64, ProfileError> {
        let (mut last, mut emptied) = (String::new(), 0);
        loop {
            let page = store::imports::problems(&self.0.database.read_primary(call), &last).await?;
            let Some((end, _)) = page.last() else { return Ok(emptied) };
            last.clone_from(end);
            for (token, problems) in page.iter().filter(|(_, it)| sought.mentions.stand_in_json(it)) {
                if !sought.still().await?.stand_in_json(problems) {
                    continue;
                }
                let mut tx = self.0.database.transaction(call).await?;
                emptied += store::imports::empty_problems(&mut tx, token).await?;
                tx.commit().await?;
            }
        }
    }
}

/// The names that an erasure searches for. The search takes minutes, and another person may take over an address before it ends. So the
/// owners of the addresses are looked up after each finding was read, and nothing of a new owner is removed.
pub(crate) struct Sought<'a> {
    profiles: &'a Profiles,
    call: &'a Call,
    id: ProfileId,
    names: BTreeSet<String>,
    /// The names of the person when the search began.
    pub(crate) mentions: Mentions,
}

impl<'a> Sought<'a> {
    fn new(profiles: &'a Profiles, call: &'a Call, id: ProfileId, names: BTreeSet<String>) -> Self {
        Self { profiles, call, id, mentions: Mentions::of(&names), names }
    }

    /// The names that no other person has now.
    pub(crate) async fn still(&self) -> Result<Mentions, DatabaseError> {
        let read = self.profiles.0.database.read_primary(self.call);
        let names = self.names.iter().cloned().collect();
        let others = store::erasure::emails_of_others_now(&read, self.id, names).await?;
        Ok(Mentions::of(self.names.iter().filter(|name| !others.contains(name))))
    }

    async fn redact(&self, answer: Answer) -> Result<Option<Answer>, DatabaseError> {
        match redacted(&answer, &self.mentions) {
            Some(_) => Ok(redacted(&answer, &self.still().await?)),
            None => Ok(None),
        }
    }
}

/// The names of the person of a locked profile: the id, and the present and past e-mail addresses, except for those that now
/// belong to another profile.
async fn names_of(tx: &mut Transaction, stored: &StoredProfile) -> Result<BTreeSet<String>, ProfileError> {
    let id = stored.profile.id;
    let mut emails = BTreeSet::from([stored.profile.email.key()]);
    let mut before = i64::MAX;
    loop {
        let changes = store::changes::page_in(tx, id, before, PAGE).await?;
        let texts = changes.iter().flat_map(|change| [change.before.get("email"), change.after.get("email")]);
        emails.extend(texts.flatten().filter_map(Value::as_str).map(folded));
        match changes.last() {
            Some(last) if changes.len() == PAGE => before = last.version,
            _ => break,
        }
    }
    let mut emails: BTreeSet<String> = emails.iter().flat_map(|email| with_both_domains(email)).collect();
    for other in store::erasure::emails_of_others(tx, id, emails.iter().cloned().collect()).await? {
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

/// A kept answer with everything taken out that names the person; none where nothing does.
fn redacted(answer: &Answer, mentions: &Mentions) -> Option<Answer> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    let names = |header: &(String, String)| mentions.stand_in(&header.1);
    if !mentions.stand_in_json(&body) && !answer.headers.iter().any(names) {
        return None;
    }
    let headers = answer.headers.iter().filter(|header| !names(header)).cloned().collect();
    let body = without_mentions(body, mentions).to_string().into_bytes();
    Some(Answer { status: answer.status, headers, body })
}

fn without_mentions(value: Value, mentions: &Mentions) -> Value {
    match value {
        Value::String(text) if mentions.stand_in(&text) => Value::from("erased"),
        Value::Array(items) => items.into_iter().map(|item| without_mentions(item, mentions)).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, without_mentions(value, mentions))).collect()
        }
        other => other,
    }
}

/// The answer to a repeated request about an erased person.
fn gone() -> Answer {
    let detail = "the profile was erased";
    let body = json!({
        "type": "about:blank", "title": "Not found", "status": 404, "detail": detail, "error": detail,
        "code": "not_found", "errors": [],
    });
    let headers = vec![("content-type".to_owned(), "application/problem+json".to_owned())];
    Answer { status: 404, headers, body: body.to_string().into_bytes() }
}
