//! One write on its way: its transaction, and all that has to be said of it when it is committed.

use std::sync::Arc;

use pando_cache::{Loaded, Ticket as Remembering};
use pando_database::Transaction;
use pando_queue::Event;
use pando_resilience::Call;
use serde_json::Value;
use uuid::Uuid;

use crate::Fault;
use crate::memory::News;
use crate::writes::{Keyed, Writes};

/// A write that has begun. Dropped, it is rolled back.
pub struct Write {
    /// Its transaction.
    pub tx: Transaction,
    pub(crate) writes: Writes,
    /// The request.
    pub call: Call,
    /// The key of the request, if it has one.
    pub(crate) keyed: Option<Arc<Keyed>>,
    pub(crate) about: Option<String>,
    pub(crate) news: News,
    pub(crate) events: Vec<Event>,
    /// The changes for the audit log.
    pub(crate) recorded: Vec<Change>,
}

/// A write whose effect is in its transaction, and its outcome.
pub struct Done<T> {
    pub(crate) write: Write,
    pub(crate) value: T,
}

/// One change of one thing: its event, and what the caches have to learn.
#[derive(Clone, Debug)]
pub struct Change {
    /// The type of the event, such as `profile_updated`.
    pub event: &'static str,
    /// The thing.
    pub id: Uuid,
    /// The version it has since.
    pub version: i64,
    /// The data of the event. It says nothing about a person, because erased data must not live on in a log.
    pub data: Value,
}

impl Write {
    /// A thing was changed that somebody may have read before: publishes the event and makes older values invalid. The
    /// transaction must hold the row of the thing.
    pub fn changed(&mut self, change: Change) {
        self.news.changed.push((change.id, change.version));
        self.publish(change);
    }

    /// A thing was created under a fresh id, which no cache can know: publishes the event. A thing whose id the caller chose was
    /// [changed](Self::changed), because somebody may have learned that it did not exist.
    pub fn created(&mut self, change: Change) {
        self.news.created = true;
        self.publish(change);
    }

    /// Something was done to a thing that changes no version of it, such as sending it anew: only the audit log learns of it.
    pub fn acted(&mut self, act: Change) {
        if self.writes.is_audited() {
            self.recorded.push(act);
        }
    }

    fn publish(&mut self, change: Change) {
        self.acted(change.clone());
        let Change { event, id, version, data } = change;
        if let Some(outbox) = self.writes.outbox() {
            let mut event = outbox.event(event, id, version, data);
            event.tenant = self.call.tenant().clone();
            event.trace = Some(self.call.request_id.as_ref().to_owned());
            self.events.push(event);
        }
    }

    /// Remembers a new thing in the cache as soon as it is committed, if the service does so.
    pub fn remember_new(
        &mut self,
        id: Uuid,
        value: impl FnOnce() -> Result<Loaded, Fault>,
    ) -> Result<(), Fault> {
        let ticket = self.writes.memory().and_then(|memory| memory.before_creation(self.call.tenant(), id));
        self.remember(ticket, id, value)
    }

    /// Taken before a thing is read that is to be changed; none if the service does not remember changed things.
    pub fn before_change(&self, id: Uuid) -> Option<Remembering> {
        self.writes.memory()?.before_change(self.call.tenant(), id)
    }

    /// Remembers a thing in the cache as soon as it is committed, if there is a ticket.
    pub fn remember(
        &mut self,
        ticket: Option<Remembering>,
        id: Uuid,
        value: impl FnOnce() -> Result<Loaded, Fault>,
    ) -> Result<(), Fault> {
        if let Some(ticket) = ticket {
            self.news.fill = Some((ticket, id, value()?));
        }
        Ok(())
    }

    /// Names the person whom the outcome of this write is about. If the person is erased, the kept outcome is replaced.
    pub fn about(&mut self, subject: impl ToString) {
        self.about = Some(subject.to_string());
    }

    /// Ends the write with its outcome: what is kept for repeats, and what the caller gets after the commit.
    pub fn done<T>(self, value: T) -> Result<Done<T>, Fault> {
        Ok(Done { write: self, value })
    }
}
