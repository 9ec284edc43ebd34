//! Joins simultaneous reads of the same statement with different keys into one statement.
//!
//! While few batches are under way, a read is sent at once. When enough are under way, keys gather until one batch
//! comes back, and are then sent together. So no read waits only to fill a batch, and the busier the database, the more
//! reads share a trip. A key never joins a batch that was already sent, because a read must see every commit before its
//! start.
//!
//! A read that is sent at once runs in the task of its caller, and a caller may stop polling its future for any time.
//! The keys that gather behind such a read do not have to wait for it: a batch that was under way before they came
//! loses its place.

use std::collections::{HashMap, HashSet};
use std::mem::{Discriminant, discriminant};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::join_all;
use pando_resilience::{Deadline, Tenant};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::shared::Shared;
use crate::options::ReadOptions;
use crate::parameters::{check_key, no_key};
use crate::statement::{Place, Statement};
use crate::{DatabaseError, Row, Value};

/// How long a read waits for those that went before it in their callers' tasks.
const PATIENCE: Duration = Duration::from_millis(50);

/// A statement and a kind of key: a key of a wrong kind must not fail its neighbours.
type Kind = (Option<Place>, Discriminant<Key>);
type Found = Result<Option<Row>, DatabaseError>;

/// The gates of all statements that are read by key.
pub(crate) struct Coalescer {
    shared: Arc<Shared>,
    gates: RwLock<HashMap<Kind, Arc<Gate>>>,
    keys_max: usize,
    batches_max: usize,
}

/// Where the reads of one statement meet.
struct Gate {
    shared: Arc<Shared>,
    statement: Arc<Statement>,
    keys_max: usize,
    batches_max: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    under_way: usize,
    /// Those of them that are in the hands of callers, by their numbers.
    held: Vec<u64>,
    /// How many callers have gone at once so far.
    count: u64,
    waiting: Vec<Waiting>,
}

struct Waiting {
    owner: Option<Tenant>,
    key: Key,
    deadline: Deadline,
    answer: oneshot::Sender<Found>,
}

/// A key that can be compared with the first column of a row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Uuid(Uuid),
    Text(String),
    Int(i64),
}

impl Coalescer {
    pub(crate) fn new(shared: Arc<Shared>, options: &ReadOptions) -> Self {
        // Switched off: every read is a batch of its own, and none waits for another.
        let batches_max = if options.coalesce { options.coalesce_batches_max.max(1) } else { usize::MAX };
        Self { shared, gates: RwLock::default(), keys_max: options.coalesce_keys_max.max(1), batches_max }
    }

    /// The row with this key; that of the owner, where the rows have owners.
    pub(crate) async fn read(
        &self,
        statement: &Arc<Statement>,
        (owner, key): (Option<&Tenant>, &Value),
        deadline: Deadline,
    ) -> Found {
        let key = Key::of(statement.name, key)?;
        let gate = self.gate(statement, &key);
        match gate.enter((owner, key), deadline) {
            Ok((key, pass)) => {
                let found = gate.fetch(owner, vec![key.clone()], deadline).await;
                drop(pass);
                found.map(|mut found| found.remove(&key))
            }
            Err((mut receiver, before)) => {
                let soon = deadline.sooner(Deadline::after(PATIENCE));
                let answer = match soon.bound(&mut receiver).await {
                    Ok(answer) => answer,
                    Err(_) => {
                        gate.overtake(before);
                        deadline.bound(receiver).await?
                    }
                };
                answer.map_err(|_| DatabaseError::unavailable("the batch was dropped"))?
            }
        }
    }

    fn gate(&self, statement: &Arc<Statement>, key: &Key) -> Arc<Gate> {
        let place = (statement.place, discriminant(key));
        if let Some(gate) = self.gates.read().unwrap_or_else(PoisonError::into_inner).get(&place) {
            return Arc::clone(gate);
        }
        let mut gates = self.gates.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(gates.entry(place).or_insert_with(|| {
            Arc::new(Gate {
                shared: Arc::clone(&self.shared),
                statement: Arc::clone(statement),
                keys_max: self.keys_max,
                batches_max: self.batches_max,
                state: Mutex::default(),
            })
        }))
    }
}

/// The right to have one batch under way. Dropped, it passes to those who wait, or lapses.
struct Pass {
    gate: Arc<Gate>,
    holder: Holder,
}

#[derive(Clone, Copy)]
enum Holder {
    /// With its number.
    Caller(u64),
    /// A task that does nothing else.
    Task,
    /// The pass lapsed.
    Nobody,
}

impl Gate {
    /// Goes at once, or waits for the answer; then also how many callers had gone at once before.
    fn enter(
        self: &Arc<Self>,
        (owner, key): (Option<&Tenant>, Key),
        deadline: Deadline,
    ) -> Result<(Key, Pass), (oneshot::Receiver<Found>, u64)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.under_way < self.batches_max {
            let number = state.count;
            state.under_way += 1;
            state.count += 1;
            state.held.push(number);
            return Ok((key, Pass { gate: Arc::clone(self), holder: Holder::Caller(number) }));
        }
        let (answer, receiver) = oneshot::channel();
        state.waiting.push(Waiting { owner: owner.cloned(), key, deadline, answer });
        Err((receiver, state.count))
    }

    /// Takes their places from the callers who went before number `before`, and gives one to those who wait.
    fn overtake(self: &Arc<Self>, before: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let held = state.held.len();
        state.held.retain(|number| *number >= before);
        let overtaken = held - state.held.len();
        state.under_way -= overtaken;
        if overtaken > 0 {
            state.under_way += 1;
            drop(state);
            drop(Pass { gate: Arc::clone(self), holder: Holder::Task });
        }
    }

    /// Whether a pass still counts; that of a caller may have been overtaken.
    fn give_back(&self, holder: Holder) -> bool {
        match holder {
            Holder::Task => true,
            Holder::Nobody => false,
            Holder::Caller(number) => {
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                let place = state.held.iter().position(|held| *held == number);
                place.map(|place| state.held.swap_remove(place)).is_some()
            }
        }
    }

    /// The next batch, which is of one owner; if no key waits, one batch less is under way.
    fn next(&self) -> Option<Vec<Waiting>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let owner = state.waiting.first().and_then(|waiting| waiting.owner.clone());
        let mut room = self.keys_max;
        let mut takes = |waiting: &mut Waiting| {
            let taken = room > 0 && waiting.owner == owner;
            room -= usize::from(taken);
            taken
        };
        // Those who gave up are passed over.
        let batch: Vec<Waiting> = state
            .waiting
            .extract_if(.., |waiting| takes(waiting))
            .filter(|waiting| !waiting.answer.is_closed())
            .collect();
        if batch.is_empty() && state.waiting.is_empty() {
            state.under_way -= 1;
            return None;
        }
        Some(batch)
    }

    /// The rows with these keys.
    async fn fetch(
        &self,
        owner: Option<&Tenant>,
        keys: Vec<Key>,
        deadline: Deadline,
    ) -> Result<HashMap<Key, Row>, DatabaseError> {
        let Some(first) = keys.first().cloned() else { return Ok(HashMap::new()) };
        let mut values = vec![list(keys)];
        values.extend(owner.map(Value::from));
        let rows = self.shared.rows(&self.statement, &values, deadline).await?;
        rows.into_iter().map(|row| Ok((first.same_kind(&row)?, row))).collect()
    }

    /// Fetches a batch and answers everybody in it.
    async fn serve(&self, batch: Vec<Waiting>) {
        let Some(latest) = batch.iter().map(|waiting| waiting.deadline).max() else { return };
        // The same key twice is asked for once.
        let keys: HashSet<Key> = batch.iter().map(|waiting| waiting.key.clone()).collect();
        let owner = batch.first().and_then(|waiting| waiting.owner.clone());
        let found = self.fetch(owner.as_ref(), keys.into_iter().collect(), latest).await;
        if let Err(DatabaseError::BadParameter { .. }) = found {
            // One key does not fit; the other keys must still be read.
            join_all(batch.into_iter().map(|waiting| self.serve_one(waiting))).await;
            return;
        }
        for Waiting { key, answer, .. } in batch {
            let _ = answer.send(match &found {
                Ok(found) => Ok(found.get(&key).cloned()),
                Err(error) => Err(error.clone()),
            });
        }
    }

    async fn serve_one(&self, Waiting { owner, key, deadline, answer }: Waiting) {
        let found = self.fetch(owner.as_ref(), vec![key.clone()], deadline).await;
        let _ = answer.send(found.map(|mut found| found.remove(&key)));
    }
}

impl Pass {
    /// Serves the waiting keys until there are none. If it is stopped half-way, the next batch gets the pass.
    async fn serve(mut self, mut batch: Vec<Waiting>) {
        loop {
            self.gate.serve(batch).await;
            match self.gate.next() {
                Some(next) => batch = next,
                None => {
                    self.holder = Holder::Nobody;
                    return;
                }
            }
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if !self.gate.give_back(self.holder) {
            return;
        }
        let Some(batch) = self.gate.next() else { return };
        let gate = Arc::clone(&self.gate);
        if tokio::runtime::Handle::try_current().is_err() {
            // The program is ending: those who wait are dropped with it.
            gate.state.lock().unwrap_or_else(PoisonError::into_inner).under_way -= 1;
            return;
        }
        let pass = Self { gate, holder: Holder::Task };
        pando_telemetry::spawn("database.coalesced_reads", pass.serve(batch));
    }
}

impl Key {
    fn of(name: &'static str, value: &Value) -> Result<Self, DatabaseError> {
        check_key(name, value)?;
        match value {
            Value::Uuid(id) => Ok(Self::Uuid(*id)),
            Value::Int(number) => Ok(Self::Int(*number)),
            Value::Text(text) => Ok(Self::Text(text.clone())),
            other => Err(no_key(name, other)),
        }
    }

    /// The key of a row, which is of the same kind as this one.
    fn same_kind(&self, row: &Row) -> Result<Self, DatabaseError> {
        match self {
            Self::Uuid(_) => row.get(0).map(Self::Uuid),
            Self::Text(_) => row.get(0).map(Self::Text),
            Self::Int(_) => row.get(0).map(Self::Int),
        }
    }
}

/// The keys of a batch as one parameter; they are of one kind, see `Kind`.
fn list(keys: Vec<Key>) -> Value {
    let (mut ids, mut texts, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    for key in keys {
        match key {
            Key::Uuid(id) => ids.push(id),
            Key::Text(text) => texts.push(text),
            Key::Int(number) => numbers.push(number),
        }
    }
    match (texts.is_empty(), numbers.is_empty()) {
        (false, _) => Value::TextArray(texts),
        (true, false) => Value::IntArray(numbers),
        (true, true) => Value::UuidArray(ids),
    }
}
