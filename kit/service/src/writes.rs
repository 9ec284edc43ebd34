//! Writes that happen once for all requests with the same key, and tell everybody who has to know.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use pando_audit::{Audit, Entry, EntryResult};
use pando_database::{Database, DatabaseError, Token, Transaction};
use pando_idempotency::{Admission, Claim, Idempotency, Key, Outcome, Request, Scope, Ticket};
use pando_queue::Outbox;
use pando_resilience::{Call, Repeat};
use pando_vault::Keyring;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::memory::{Memory, News};
use crate::write::{Change, Done, Write};
use crate::{Class, Fault};

/// How often a write is tried if other requests come in between.
const ATTEMPTS_MAX: usize = 10;

/// The result of a write, and the token that makes sure a later read sees it.
#[derive(Clone, Debug)]
pub struct Written<T> {
    /// The written value.
    pub value: T,
    /// Send it back as `Pando-Consistency` to read at least this write.
    pub token: Token,
    /// Whether an earlier request with the same key wrote it.
    pub replayed: bool,
}

impl<T> Written<T> {
    /// The same write, with another form of its value.
    pub fn map<U>(self, form: impl FnOnce(T) -> U) -> Written<U> {
        Written { value: form(self.value), token: self.token, replayed: self.replayed }
    }
}

/// A rule that the database holds, and the fault that whoever breaks it gets: the name of a unique key, or of a statement with
/// `must_change`.
pub type Rule = (&'static str, fn() -> Fault);

/// The parts that writes need.
pub struct WritesParts {
    /// Where things are kept.
    pub database: Database,
    /// Where outcomes are kept for repeats, on the same database.
    pub idempotency: Idempotency,
    /// Where events are published; nowhere when they are off.
    pub outbox: Option<Outbox>,
    /// Where changes are recorded; nowhere when that is off.
    pub audit: Option<Audit>,
    /// The caches that have to learn of writes.
    pub memory: Option<Memory>,
    /// The keys that seal kept outcomes about a person.
    pub vault: Arc<Keyring>,
    /// The rules of the service's tables that a caller can break.
    pub rules: &'static [Rule],
}

/// How a service writes. Cloning shares it.
#[derive(Clone)]
pub struct Writes(Arc<WritesParts>);

/// The turn of one request to write: it was admitted, and nothing is locked yet.
#[derive(Clone)]
pub struct Turn {
    writes: Writes,
    call: Call,
    /// Of a request with a key.
    keyed: Option<Arc<Keyed>>,
}

/// The right to run a request that has a key.
pub(crate) struct Keyed {
    pub(crate) ticket: Ticket,
    /// What another process made of the key, if that was first.
    taken: Mutex<Option<Claim>>,
}

impl Writes {
    /// Writes with these parts.
    pub fn new(parts: WritesParts) -> Self {
        Self(Arc::new(parts))
    }

    pub(crate) fn outbox(&self) -> Option<&Outbox> {
        self.0.outbox.as_ref()
    }

    pub(crate) fn is_audited(&self) -> bool {
        self.0.audit.is_some()
    }

    pub(crate) fn memory(&self) -> Option<&Memory> {
        self.0.memory.as_ref()
    }

    /// Runs a write: once for all requests with the same key, if the request has one. `write` does what needs no lock, begins the
    /// transaction, and ends with [`Write::done`]. The outcome is kept in the transaction of the effect, and so are the events;
    /// then the caches are told. A refusal is kept as well.
    ///
    /// This much is compiled for each write there is. What comes before and after it is not.
    pub async fn once<T, F, R>(&self, call: &Call, write: F) -> Result<Written<T>, Fault>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce(Turn) -> R,
        R: Future<Output = Result<Done<T>, Fault>>,
    {
        self.outcome(call, |turn| async { committed(write(turn).await).await }).await
    }

    /// Like [`once`](Self::once), for a write that is tried again if other requests came in between.
    pub async fn once_patiently<T, F, R>(&self, call: &Call, write: F) -> Result<Written<T>, Fault>
    where
        T: Serialize + DeserializeOwned,
        F: Fn(Turn) -> R,
        R: Future<Output = Result<Done<T>, Fault>>,
    {
        let attempt = move |turn: Turn| {
            let done = write(turn);
            async { committed(done.await).await }
        };
        self.outcome(call, |turn| async move { patiently(|| attempt(turn.clone())).await }).await
    }

    /// The outcome of a request: of its first attempt, or of an earlier request with the same key.
    async fn outcome<T, R>(&self, call: &Call, attempt: impl FnOnce(Turn) -> R) -> Result<Written<T>, Fault>
    where
        T: DeserializeOwned,
        R: Future<Output = Result<(T, Token), Fault>>,
    {
        let turn = match self.admit(call).await? {
            Ok(turn) => turn,
            Err(outcome) => return self.repeated(call, outcome).await,
        };
        match attempt(turn.clone()).await {
            Ok((value, token)) => Ok(Written { value, token, replayed: false }),
            Err(fault) => self.repeated(call, self.refused(turn, fault).await?).await,
        }
    }

    /// Begins a write that no key makes unique: one of a job, which has its own fence. It ends with [`Write::end`].
    pub async fn begin(&self, call: &Call) -> Result<Write, Fault> {
        Turn { writes: self.clone(), call: call.clone(), keyed: None }.begin().await
    }

    /// The turn of a request; or what became of it, if it is a repeat.
    fn admit<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Result<Turn, Outcome>, Fault>> {
        Box::pin(async move {
            let mut keyed = None;
            if let Some(repeat) = &call.repeat {
                match self.0.idempotency.admit(call, request(call, repeat)?).await? {
                    Admission::First(ticket) => {
                        keyed = Some(Arc::new(Keyed { ticket, taken: Mutex::default() }));
                    }
                    Admission::Replay(outcome) => return Ok(Err(outcome)),
                    Admission::InFlight => return Err(in_flight()),
                    Admission::OtherRequest => return Err(other_request()),
                }
            }
            Ok(Ok(Turn { writes: self.clone(), call: call.clone(), keyed }))
        })
    }

    /// The outcome of the first request, as its repeat gets it.
    async fn repeated<T: DeserializeOwned>(
        &self,
        call: &Call,
        outcome: Outcome,
    ) -> Result<Written<T>, Fault> {
        if outcome.is_refusal {
            return Err(Fault::from_kept(&outcome.body));
        }
        let value = serde_json::from_slice(&opened(&self.0.vault, call, outcome.body)?)?;
        // A read that follows must see at least the write of the first request, which is committed.
        Ok(Written { value, token: self.0.database.position(call).await?, replayed: true })
    }

    /// What a request gets that wrote nothing: its fault, of which a repeat gets the same; or the outcome of another process,
    /// if that was first.
    fn refused(&self, turn: Turn, fault: Fault) -> BoxFuture<'_, Result<Outcome, Fault>> {
        Box::pin(async move {
            let fault = self.known(fault);
            let Some(keyed) = turn.keyed else { return Err(fault) };
            let taken = keyed.taken.lock().unwrap_or_else(PoisonError::into_inner).take();
            match taken {
                Some(Claim::Replay(outcome)) => return Ok(outcome),
                Some(Claim::OtherRequest) => return Err(other_request()),
                Some(_) => return Err(in_flight()),
                None => {}
            }
            if fault.is_kept() {
                let kept = fault.to_kept(Some(&turn.call.request_id));
                keyed.ticket.keep_refusal(&turn.call, &Outcome::refusal(kept)).await?;
            }
            Err(fault)
        })
    }

    /// The fault of the service, where a rule of its tables was broken.
    fn known(&self, fault: Fault) -> Fault {
        let Some(violated) = fault.broken_rule() else { return fault };
        let known = self.0.rules.iter().find(|(name, _)| *name == violated);
        known.map_or_else(|| fault.clone(), |(_, make)| make().because_of(&fault))
    }
}

impl Turn {
    /// Opens the transaction of the write. A request with a key takes it first. If this turn began a write before and dropped
    /// it, it begins anew.
    pub fn begin(&self) -> BoxFuture<'_, Result<Write, Fault>> {
        Box::pin(async move {
            let mut tx = self.writes.0.database.transaction(&self.call).await?;
            if let Some(keyed) = &self.keyed {
                match keyed.ticket.claim(&mut tx).await? {
                    Claim::First => {}
                    taken => {
                        *keyed.taken.lock().unwrap_or_else(PoisonError::into_inner) = Some(taken);
                        return Err(in_flight());
                    }
                }
            }
            Ok(Write {
                tx,
                writes: self.writes.clone(),
                call: self.call.clone(),
                keyed: self.keyed.clone(),
                about: None,
                news: News::default(),
                events: Vec::new(),
                recorded: Vec::new(),
            })
        })
    }
}

impl Write {
    /// Publishes the events, commits, and tells the caches: the end of a write without an outcome to keep.
    pub async fn end(self) -> Result<Token, Fault> {
        self.commit(None).await
    }

    /// The same, with the outcome. Every write ends here.
    fn commit(self, outcome: Option<Outcome>) -> BoxFuture<'static, Result<Token, Fault>> {
        Box::pin(async move {
            let Self { call, mut tx, writes, keyed, about, news, events, recorded } = self;
            if let (Some(keyed), Some(mut outcome)) = (&keyed, outcome) {
                if about.is_some() {
                    outcome.body = sealed(&writes.0.vault, &call, outcome.body)?;
                }
                keyed.ticket.store_about(&mut tx, &outcome, about.as_deref()).await?;
            }
            if let Some(outbox) = writes.outbox() {
                outbox.publish_all(&mut tx, &events)?;
            }
            if let Some(audit) = &writes.0.audit {
                record(audit, &mut tx, &call, &recorded).await?;
            }
            let Some(memory) = writes.memory() else { return Ok(tx.commit().await?) };
            let unsettled = memory.unsettled(call.tenant(), news);
            match tx.commit().await {
                Ok(token) => {
                    unsettled.settle(token.position()).await;
                    Ok(token)
                }
                Err(error @ DatabaseError::CommitUnknown { .. }) => Err(error.into()),
                Err(error) => {
                    unsettled.dismiss();
                    Err(error.into())
                }
            }
        })
    }
}

/// An outcome about a person, as it is kept.
fn sealed(vault: &Keyring, call: &Call, body: Vec<u8>) -> Result<Vec<u8>, Fault> {
    let Some(repeat) = call.repeat.as_deref().filter(|_| vault.has_keys()) else { return Ok(body) };
    let plain = str::from_utf8(&body).map_err(Fault::internal)?;
    Ok(vault.seal(&place_of_outcome(call, repeat), plain).map_err(Fault::internal)?.into())
}

/// An outcome that was kept like that.
fn opened(vault: &Keyring, call: &Call, body: Vec<u8>) -> Result<Vec<u8>, Fault> {
    let Some(repeat) = call.repeat.as_deref() else { return Ok(body) };
    let kept = str::from_utf8(&body).map_err(Fault::internal)?;
    Ok(vault.open(&place_of_outcome(call, repeat), kept).map_err(Fault::internal)?.into())
}

fn place_of_outcome<'a>(call: &'a Call, repeat: &'a Repeat) -> [&'a str; 4] {
    [call.tenant().as_str(), "outcomes", &repeat.operation, &repeat.key]
}

/// Records changes in the audit log: what was done to which thing, and its version since.
async fn record(audit: &Audit, tx: &mut Transaction, call: &Call, changes: &[Change]) -> Result<(), Fault> {
    if changes.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = changes.iter().map(|change| change.id.to_string()).collect();
    let entries: Vec<Entry<'_>> = changes.iter().zip(&ids).map(|(change, id)| entry(change, id)).collect();
    match entries.as_slice() {
        [one] => audit.record(tx, call, one),
        all => audit.record_all(tx, call, all).await.map_err(Fault::internal)?,
    }
    Ok(())
}

fn entry<'a>(change: &Change, id: &'a str) -> Entry<'a> {
    let mut details = change.data.clone();
    if let Value::Object(details) = &mut details {
        details.insert("version".to_owned(), change.version.into());
    }
    // The event of a thing begins with the name of the thing.
    let resource = change.event.split_once(['_', '.']).map_or(change.event, |(resource, _)| resource);
    Entry { action: change.event, resource, resource_id: id, result: EntryResult::Ok, details }
}

/// Commits a write that is done.
async fn committed<T: Serialize>(done: Result<Done<T>, Fault>) -> Result<(T, Token), Fault> {
    let Done { write, value } = done?;
    let outcome = write.keyed.as_ref().map(|_| serde_json::to_vec(&value)).transpose()?;
    let token = write.commit(outcome.map(Outcome::success)).await?;
    Ok((value, token))
}

/// Tries again what failed because other requests came in between.
pub async fn patiently<T, R>(attempt: impl Fn() -> R) -> Result<T, Fault>
where
    R: Future<Output = Result<T, Fault>>,
{
    for _ in 0..ATTEMPTS_MAX {
        match attempt().await {
            Err(fault) if fault.is_contention() => {}
            done => return done,
        }
    }
    Err(Fault::busy("other requests are changing the same data at this moment: try again"))
}

fn request(call: &Call, repeat: &Repeat) -> Result<Request, Fault> {
    let key = Key::parse(&repeat.key).map_err(|error| Fault::new(Class::Malformed, error.to_string()))?;
    let (tenant, actor) = (call.tenant().to_string(), call.actor().to_owned());
    let scope = Scope { tenant, actor, operation: repeat.operation.clone() };
    Ok(Request { scope, key, hash: repeat.hash })
}

fn in_flight() -> Fault {
    Fault::conflict("another request with this key is still being processed").with_retry_after(1)
}

fn other_request() -> Fault {
    Fault::new(Class::Invalid, "this key was used for another request").with_field(
        "Idempotency-Key",
        "reused",
        "was used for another request",
    )
}
