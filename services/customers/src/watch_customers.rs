//! Tells what happens to customers, as it happens.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use futures_util::stream::{Stream, try_unfold};
use pando_queue::{Event, Outbox, Subscriber};
use pando_resilience::Deadline;
use pando_service::prelude::*;
use pando_service::{Class, Share, Violations};
use serde::Serialize;
use tokio::sync::watch;
use utoipa::ToSchema;

use crate::Customers;
use crate::domain::events;
use crate::domain::position::Position;

/// How many events are read at once.
const BATCH: usize = 500;
/// How long that may take, whatever time the request had for its first answer.
const READ_BUDGET: Duration = Duration::from_secs(10);
/// How often the log is looked at where nobody says that there is something new.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often a reader is given a position in whose tenant nothing happens.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Something that happened to a customer; or only how far the stream has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// From here the stream goes on, without a gap and without a repeat.
    pub position: Position,
    /// What happened.
    pub change: Option<WatchedChange>,
}

/// A change of a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CustomerEvent)]
pub struct WatchedChange {
    /// `customer_created`, `customer_updated` or `customer_deleted`.
    #[serde(rename = "change")]
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

    /// Ends all watches: the server stops.
    pub(crate) fn end(&self) {
        self.0.send_modify(|ring| ring.is_over = true);
    }
}

/// A stream on its way.
struct Walk {
    outbox: Outbox,
    call: Call,
    /// Where the stream began: nothing up to there is sent.
    begin: Position,
    /// The last row of the log that was read. Rows come whole.
    row: i64,
    pending: VecDeque<Watched>,
    bell: watch::Receiver<Ring>,
    /// When the reader was last given a position; at first it was given none.
    told: Option<Instant>,
    _place: Share,
}

impl Customers {
    /// What happens to the customers of the caller's tenant, each change once and in the order of the log: from now on, or
    /// after a position. Now and then an answer has only a position, so that a reader in whose tenant nothing happens does
    /// not fall behind the log.
    pub async fn watch_customers(
        &self,
        call: &Call,
        after: Option<Position>,
    ) -> Result<impl Stream<Item = Result<Watched, Fault>> + Send + 'static, Fault> {
        let full = || Fault::new(Class::TooMany, "this server has as many watches as it allows");
        let place = self.0.watches.take(call.tenant()).ok_or_else(full)?;
        let (outbox, bell) = (Outbox::new(&self.0.parts.queue, "customers"), self.0.bell.0.subscribe());
        let end = outbox.end(call).await?;
        let begin = after.unwrap_or_else(|| Position::at(end));
        if begin.number > end {
            return Err(Violations::one("position", "value", "was not returned by this server").into());
        }
        let row = begin.row_before();
        if row < end {
            check_kept(row, outbox.read_after(call, row, 1).await?.first())?;
        }
        let (call, pending) = (call.clone(), VecDeque::new());
        let walk = Walk { outbox, call, begin, row, pending, bell, told: None, _place: place };
        Ok(try_unfold(walk, |mut walk| async move { Ok(walk.next().await?.map(|next| (next, walk))) }))
    }

    /// The position that a caller names; none if the text is empty.
    pub(crate) fn asked_position(&self, text: &str) -> Result<Option<Position>, Fault> {
        let shown = match &self.0.parts.cover {
            Some(cover) if !text.is_empty() => (cover.show)(text).unwrap_or_else(|| "hidden".to_owned()),
            _ => text.to_owned(),
        };
        Position::asked(&shown)
    }

    /// A position as its caller gets it. Its number would tell how much other tenants write.
    pub(crate) fn shown_position(&self, position: Position) -> Result<String, Fault> {
        let text = position.to_string();
        match &self.0.parts.cover {
            Some(cover) => (cover.hide)(&text).ok_or_else(|| Fault::internal("a position was not hidden")),
            None => Ok(text),
        }
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
        let next = match self.told {
            None => Watched { position: self.begin, change: None },
            Some(_) => self.wait().await?,
        };
        self.told = Some(Instant::now());
        Ok(Some(next))
    }

    async fn wait(&mut self) -> Result<Watched, Fault> {
        loop {
            if let Some(next) = self.pending.pop_front() {
                return Ok(next);
            }
            if self.bell.borrow_and_update().is_over || self.bell.has_changed().is_err() {
                return Err(Fault::new(
                    Class::Unavailable,
                    "the server stops: watch on from the last position",
                ));
            }
            if self.read().await? {
                continue;
            }
            // Also where nothing was written: otherwise a reader would see that something was.
            if self.told.is_some_and(|told| told.elapsed() > TELL_EVERY) {
                self.begin = Position::at(self.row);
                return Ok(Watched { position: self.begin, change: None });
            }
            // Also where nobody rings: events may come by another process.
            let _rung = tokio::time::timeout(LOOK_EVERY, self.bell.changed()).await;
        }
    }

    /// Reads on in the log; whether there was anything.
    async fn read(&mut self) -> Result<bool, Fault> {
        let call = self.call.with_deadline(Deadline::after(READ_BUDGET));
        let events = self.outbox.read_after(&call, self.row, BATCH).await?;
        if events.is_empty() {
            return Ok(false);
        }
        check_kept(self.row, events.first())?;
        let mut place = Position::at(self.row);
        for (number, event) in events {
            place = place.next_of(number);
            let is_ours = event.service == "customers" && event.tenant == *self.call.tenant();
            if is_ours && place > self.begin {
                self.pending.push_back(Watched { position: place, change: Some(change(event)) });
            }
            self.row = number;
        }
        Ok(true)
    }
}

/// Whether the event after a row is still there: numbers have no gaps.
fn check_kept(row: i64, next: Option<&(i64, Event)>) -> Result<(), Fault> {
    if next.is_some_and(|(number, _)| *number == row + 1) {
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
