//! Erases a person: a job removes everything that is known of them, and its result is the receipt.

use pando_idempotency::Answer;
use pando_queue::{Job, JobContext, Mentions};
use pando_resilience::Call;
use serde_json::{Value, json};

use crate::accepted::Accepted;
use crate::events::Happened;
use crate::images::forget_images;
use crate::memory::Changes;
use crate::profile::ProfileId;
use crate::{ProfileError, Profiles, Written, store};

/// What the job is called.
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

    /// Does it, once however often it is tried; the receipt.
    pub(crate) async fn erase_profile(
        &self,
        context: &JobContext,
        id: ProfileId,
    ) -> Result<(), ProfileError> {
        let call = context.call();
        let mentions = self.mentions(call, id).await?;
        // Before the profile, so that nothing is left half-known when this is tried again.
        let before = self.remove_files(context, id, &mentions).await?;
        let named = Mentions::of(&mentions);
        let jobs = self.0.queue.forget_mentions(call, &named, context.id()).await?;
        let mut tx = self.0.database.transaction(call).await?;
        context.fence(&mut tx).await?;
        let Some(stored) = store::lock(&mut tx, id).await? else {
            context.complete(&mut tx, json!({"profile_id": id, "erased": false})).await?;
            tx.commit().await?;
            return Ok(());
        };
        // Whoever began an export meanwhile may have them in it; whoever begins one now waits for this commit.
        store::files::pass_gate(&mut tx).await?;
        let exports = before.exports + self.forget_exports(&mut tx, id).await?.0;
        let images = forget_images(&mut tx, &self.0.queue, id).await?;
        let removed = store::erasure::erase(&mut tx, id, &mentions).await?;
        let answers = self.0.idempotency.replace(&mut tx, &id.to_string(), &gone()).await?;
        let receipt = json!({
            "profile_id": id,
            "erased": true,
            "erased_at": self.0.clock.now(),
            "removed": {
                "profiles": 1,
                "images": images,
                "exports": exports,
                "uploads": before.uploads,
                "addresses": removed.addresses,
                "preferences": removed.preferences,
                "changes": removed.changes,
                "import_problems": removed.import_problems,
                "idempotent_answers": answers,
                "jobs": jobs,
            },
            "caches": "invalidated",
        });
        context.complete(&mut tx, receipt).await?;
        let changes = Changes::one(id, stored.profile.version + 1, Happened::Erased);
        self.commit(call, tx, changes).await.map(drop)
    }

    /// What else may name the person: the id, and the addresses that nobody else has by now.
    async fn mentions(&self, call: &Call, id: ProfileId) -> Result<Vec<String>, ProfileError> {
        let read = self.0.database.read_primary(call);
        let mut emails = Vec::new();
        if let Some(stored) = store::find_stored(&read, id).await? {
            emails.push(stored.profile.email.key());
        }
        let mut before = i64::MAX;
        loop {
            let changes = store::changes::page(&read, id, before, PAGE).await?;
            let texts =
                changes.iter().flat_map(|change| [change.before.get("email"), change.after.get("email")]);
            emails.extend(texts.flatten().filter_map(Value::as_str).map(str::to_lowercase));
            match changes.last() {
                Some(last) if changes.len() == PAGE => before = last.version,
                _ => break,
            }
        }
        emails.sort_unstable();
        emails.dedup();
        let others = store::erasure::emails_of_others(&read, id, emails.clone()).await?;
        emails.retain(|email| !others.contains(email));
        emails.push(id.to_string());
        Ok(emails)
    }
}

/// What a repeat of a request about an erased person is answered.
fn gone() -> Answer {
    let detail = "the profile was erased";
    let body = json!({
        "type": "about:blank", "title": "Not found", "status": 404, "detail": detail, "error": detail,
        "code": "not_found", "errors": [],
    });
    let headers = vec![("content-type".to_owned(), "application/problem+json".to_owned())];
    Answer { status: 404, headers, body: body.to_string().into_bytes() }
}
