//! The names of a person who is being erased, looked for in everything that is kept.

use std::collections::BTreeSet;

use pando_database::DatabaseError;
use pando_idempotency::Outcome;
use pando_queue::Mentions;
use pando_resilience::Call;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::domain::profile::ProfileId;
use crate::{Profiles, store};

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
    pub(crate) fn new(
        profiles: &'a Profiles,
        call: &'a Call,
        id: ProfileId,
        names: BTreeSet<String>,
    ) -> Self {
        Self { profiles, call, id, mentions: Mentions::of(&names), names }
    }

    /// The names that no other person has now.
    pub(crate) async fn still(&self) -> Result<Mentions, DatabaseError> {
        let read = self.profiles.0.database.read_primary(self.call);
        let names = self.names.iter().cloned().collect();
        let tenant = self.call.tenant();
        let others = store::erasure::emails_of_others_now(&read, tenant, self.id, names).await?;
        Ok(Mentions::of(self.names.iter().filter(|name| !others.contains(name))))
    }

    /// A kept outcome without what names the person; none where nothing does.
    pub(crate) async fn redact(&self, outcome: Outcome) -> Result<Option<Outcome>, DatabaseError> {
        match redacted(&outcome, &self.mentions) {
            Some(_) => Ok(redacted(&outcome, &self.still().await?)),
            None => Ok(None),
        }
    }
}

/// A kept outcome with everything taken out that names the person; none where nothing does.
fn redacted(outcome: &Outcome, mentions: &Mentions) -> Option<Outcome> {
    let body: Value = serde_json::from_slice(&outcome.body).unwrap_or(Value::Null);
    if !mentions.stand_in_json(&body) {
        return None;
    }
    let body = without_mentions(body, mentions).to_string().into_bytes();
    Some(Outcome { body, ..*outcome })
}

fn without_mentions(value: Value, mentions: &Mentions) -> Value {
    match value {
        // An id stays an id, so that the outcome can still be read.
        Value::String(text) if mentions.stand_in(&text) => match Uuid::try_parse(&text) {
            Ok(_) => json!(Uuid::nil()),
            Err(_) => Value::from("erased"),
        },
        Value::Array(items) => items.into_iter().map(|item| without_mentions(item, mentions)).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, without_mentions(value, mentions))).collect()
        }
        other => other,
    }
}
