//! Tells what happens to customers, as it happens.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::stream::{Stream, try_unfold};
use pando_queue::{Event, Outbox, Subscriber};
use pando_resilience::Deadline;
use pando_service::prelude::*;
use pando_service::{Class, Violations};
use tokio::sync::watch;

use crate::Customers;
use crate::domain::events;
use crate::domain::position::Position;

/// How many events are read at once.
const BATCH: usize = 500;
/// How long that may take.
const READ_BUDGET: Duration = Duration::from_secs(10);
/// How often the log is looked at where nobody says that there is something new.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Something that happened to a customer; or only where a stream begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// From here the stream goes on, without a gap and without a repeat.
    pub position: Position,
    /// What happened.
    pub change: Option<WatchedChange>,
}

/// What happened to a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedChange {
    /// `customer_created`, `customer_updated` or `customer_deleted`.
    pub kind: String,
    /// The customer.
    pub id: String,
    /// The version that the customer has since.
    pub version: i64,
}

/// Wakes those who watch, and ends their streams.
#[derive(Debug)]
pub(crate) struct Bell(watch::Sender<Ring>);

#[derive(Clone, Copy, Debug, Default)]
struct Ring {
    count: u64,
    is_over: bool,
}

impl Bell {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Ring::default()))
    }

    fn ring(&self) {
        self.0.send_modify(|ring| ring.count += 1);
    }

    /// Lets go of all who watch: the server stops.
    pub(crate) fn end(&self) {
        self.0.send_modify(|ring| ring.is_over = true);
    }
}

/// A stream on its way.
struct Walk {
    outbox: Outbox,
    call: Call,
    position: Position,
    pending: VecDeque<Watched>,
    bell: watch::Receiver<Ring>,
    has_begun: bool,
}

impl Customers {
    /// What happens to the customers of the caller's tenant, each change once and in the order of the log: from now on, or
    /// after a position.
    pub async fn watch_customers(
        &self,
        call: &Call,
        after: Option<Position>,
    ) -> Result<impl Stream<Item = Result<Watched, Fault>> + Send + 'static, Fault> {
        let (outbox, bell) = (Outbox::new(&self.0.parts.queue, "customers"), self.0.bell.0.subscribe());
        let end = outbox.end(call).await?;
        let position = after.unwrap_or_else(|| Position::at(end));
        if position.number > end {
            return Err(Violations::one("position", "value", "was not returned by this server").into());
        }
        if position.row_before() < end {
            let next = outbox.read_after(call, position.row_before(), 1).await?;
            check_kept(position, next.first())?;
        }
        let walk =
            Walk { outbox, call: call.clone(), position, pending: VecDeque::new(), bell, has_begun: false };
        Ok(try_unfold(walk, |mut walk| async move { Ok(walk.next().await?.map(|next| (next, walk))) }))
    }

    /// Wakes those who watch in this process.
    pub(crate) fn watch_subscriber(&self) -> Subscriber {
        let customers = self.clone();
        Subscriber::every_process("customers.watch", move |_| {
            customers.0.bell.ring();
            std::future::ready(Ok(()))
        })
    }
}

impl Walk {
    async fn next(&mut self) -> Result<Option<Watched>, Fault> {
        if !std::mem::replace(&mut self.has_begun, true) {
            return Ok(Some(Watched { position: self.position, change: None }));
        }
        loop {
            if let Some(next) = self.pending.pop_front() {
                return Ok(Some(next));
            }
            if self.bell.borrow_and_update().is_over || self.bell.has_changed().is_err() {
                return Err(Fault::new(
                    Class::Unavailable,
                    "the server stops: watch on from the last position",
                ));
            }
            if !self.read().await? {
                // Also where nobody rings: events may come by another process.
                let _rung = tokio::time::timeout(LOOK_EVERY, self.bell.changed()).await;
            }
        }
    }

    /// Reads on in the log; whether there was anything.
    async fn read(&mut self) -> Result<bool, Fault> {
        let call = self.call.with_deadline(self.call.deadline.sooner(Deadline::after(READ_BUDGET)));
        // A row of the log may hold many events, and the last one of a stream may be in its middle.
        let events = self.outbox.read_after(&call, self.position.row_before(), BATCH).await?;
        if !events.is_empty() {
            check_kept(self.position, events.first())?;
        }
        let (mut place, mut is_new) = (Position::at(0), false);
        for (number, event) in events {
            place = place.next_of(number);
            if place <= self.position {
                continue;
            }
            is_new = true;
            if event.service == "customers" && event.tenant == *self.call.tenant() {
                self.pending.push_back(Watched { position: place, change: Some(change(event)) });
            }
            self.position = place;
        }
        Ok(is_new)
    }
}

/// Whether the event after a position is still there: numbers have no gaps.
fn check_kept(position: Position, next: Option<&(i64, Event)>) -> Result<(), Fault> {
    if next.is_some_and(|(number, _)| *number == position.row_before() + 1) {
        return Ok(());
    }
    let message =
        "is so old that what came after it is not kept any more: read the customers, and watch from now";
    Err(Fault::from(Violations::one("position", "lost", message)).named("position_lost"))
}

fn change(event: Event) -> WatchedChange {
    let id = events::given_id(&event.data).map_or(event.subject, str::to_owned);
    WatchedChange { kind: event.kind, id, version: event.version }
}
