//! The pipeline: customers that have changed go to the object store.
//!
//! A durable place in the log of events says how far it has come. A batch reads on from there, writes the customers as they
//! are now, and moves the place only after their objects are stored. So whatever fails is done again, and nothing is skipped.

mod batch;
mod meters;

use std::sync::Arc;
use std::time::{Duration, Instant};

use pando_objects::Objects;
use pando_queue::{EventReader, JobContext, Outbox, Queue, SubscriberStatus};
use pando_resilience::Deadline;
use pando_service::prelude::*;
use pando_telemetry::Metrics;
use pando_vault::Keyring;
use serde::Serialize;

use crate::domain::events;
use crate::domain::record::DeadLetter;
use crate::options::PipelineOptions;
use crate::store::{Store, pipeline as store};
use batch::{ArchiveObject, Packed, Rows, Span, changes_of, pack};
use meters::Meters;

/// The name of the pipeline among the durable subscribers of events.
pub const PIPELINE: &str = "customers.pipeline";

/// How long reading a batch may take, and storing that it is done.
const DATABASE_BUDGET: Duration = Duration::from_secs(30);
/// How long an upload may take, with everything that the object store tries again.
const UPLOAD_BUDGET: Duration = Duration::from_secs(120);
/// How many dead letters a status names.
const DEAD_MAX: usize = 100;

/// Archives customers. Cloning shares it.
#[derive(Clone)]
pub struct Pipeline(Arc<Inner>);

struct Inner {
    queue: Queue,
    reader: EventReader,
    objects: Objects,
    store: Store,
    meters: Meters,
    options: PipelineOptions,
}

/// The outcome of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Shipped {
    /// How many records were written. A customer that changed between two batches has one in each.
    pub customers: usize,
    /// How many objects were stored.
    pub objects: usize,
    /// How many bytes they have.
    pub bytes: usize,
    /// How many customers became dead letters.
    pub dead: usize,
}

/// How the pipeline stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelineStatus {
    /// Its place in the log of events; none before its first run.
    pub place: Option<SubscriberStatus>,
    /// How many customers are dead letters.
    pub dead_count: u64,
    /// The first hundred of them.
    pub dead: Vec<DeadLetter>,
}

/// Some events that were read, and what is made of them.
struct Batch {
    /// Where the place was when they were read.
    place: i64,
    span: Span,
    /// Whether there may be more.
    is_full: bool,
    packed: Packed,
}

impl Pipeline {
    /// Puts it together.
    pub fn new(
        queue: &Queue,
        objects: &Objects,
        vault: &Arc<Keyring>,
        metrics: &Metrics,
        options: &PipelineOptions,
    ) -> Result<Self, BadSetting> {
        options.check()?;
        Ok(Self(Arc::new(Inner {
            queue: queue.clone(),
            reader: Outbox::new(queue, events::SERVICE).reader(PIPELINE),
            objects: objects.clone(),
            store: Store::new(vault),
            meters: Meters::new(metrics),
            options: options.clone(),
        })))
    }

    /// Whether its job may run.
    pub(crate) fn is_enabled(&self) -> bool {
        self.0.options.enabled
    }

    /// Archives everything that was committed before this call, and counts it in `shipped`, also where it fails later. Several
    /// processes may do so at the same time. With an `attempt` of a job, only the one that holds the job moves the place.
    pub async fn run(
        &self,
        call: &Call,
        attempt: Option<&JobContext>,
        shipped: &mut Shipped,
    ) -> Result<(), Fault> {
        self.measure_depth(call).await;
        while self.ship_batch(call, attempt, shipped).await? {}
        self.0.meters.succeeded(self.0.queue.clock().now());
        self.measure_depth(call).await;
        Ok(())
    }

    /// How it stands.
    pub async fn status(&self, call: &Call) -> Result<PipelineStatus, Fault> {
        let read = self.0.queue.database().read_primary(call);
        Ok(PipelineStatus {
            place: self.0.reader.status(call).await?,
            dead_count: store::count_dead(&read).await?,
            dead: store::dead(&read, DEAD_MAX).await?,
        })
    }

    /// Archives one batch; whether there may be more.
    async fn ship_batch(
        &self,
        call: &Call,
        attempt: Option<&JobContext>,
        shipped: &mut Shipped,
    ) -> Result<bool, Fault> {
        let (meters, began) = (&self.0.meters, Instant::now());
        let _active = meters.active();
        let Some(mut batch) = meters.counted("read", self.read_batch(call).await)? else { return Ok(false) };
        for object in std::mem::take(&mut batch.packed.objects) {
            let bytes = object.content.len();
            meters.counted("upload", self.upload(call, object).await)?;
            meters.bytes.inc_by(bytes as u64);
            shipped.objects += 1;
            shipped.bytes += bytes;
        }
        if !meters.counted("commit", self.commit(call, attempt, &batch).await)? {
            // Another process has archived the same customers, or an operator moved the place: it is read again.
            return Ok(true);
        }
        let customers: usize = batch.packed.archived.iter().map(|(_, ids)| ids.len()).sum();
        shipped.customers += customers;
        shipped.dead += batch.packed.dead.len();
        meters.customers.inc_by(customers as u64);
        meters.dead(batch.packed.dead.len());
        meters.processing.observe_duration(began.elapsed());
        Ok(batch.is_full)
    }

    /// Reads events from the place on, and the customers that they are about.
    async fn read_batch(&self, call: &Call) -> Result<Option<Batch>, Fault> {
        let Inner { queue, reader, store, options, .. } = &*self.0;
        let call = within(call, DATABASE_BUDGET);
        let place = reader.enter(&call).await?;
        let events = reader.read_after(&call, place, options.batch_max).await?;
        let Some((to, last)) = events.last() else { return Ok(None) };
        let span = Span { from: place + 1, to: *to, at: last.timestamp };
        let read = queue.database().read_primary(&call);
        let mut rows = Vec::new();
        for (tenant, changes) in changes_of(&events) {
            let found = store.records(&read, &tenant, changes.keys().copied().collect()).await?;
            rows.push(Rows { tenant, changes, found });
        }
        let options = options.clone();
        let is_full = events.len() >= options.batch_max;
        let packed = tokio::task::spawn_blocking(move || pack(rows, span, &options)).await;
        Ok(Some(Batch { place, span, is_full, packed: packed.map_err(Fault::internal)?? }))
    }

    async fn upload(&self, call: &Call, object: ArchiveObject) -> Result<(), Fault> {
        let ArchiveObject { path, content, media_type } = object;
        let began = Instant::now();
        let call = within(call, UPLOAD_BUDGET);
        let put = self.0.objects.put_at(&call, &path, content, media_type).await;
        self.0.meters.upload.observe_duration(began.elapsed());
        Ok(put?)
    }

    /// Moves the place behind a batch whose objects are stored; false if it is not where the batch began any more.
    async fn commit(&self, call: &Call, attempt: Option<&JobContext>, batch: &Batch) -> Result<bool, Fault> {
        let Batch { place, span, packed, .. } = batch;
        let call = within(call, DATABASE_BUDGET);
        let mut tx = self.0.queue.database().transaction(&call).await?;
        if let Some(attempt) = attempt {
            attempt.fence(&mut tx).await?;
        }
        if !self.0.reader.advance(&mut tx, *place, span.to).await? {
            return Ok(false);
        }
        for (tenant, ids) in &packed.archived {
            store::clear(&mut tx, tenant, ids.clone()).await?;
        }
        for dead in &packed.dead {
            store::bury(&mut tx, dead).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    async fn measure_depth(&self, call: &Call) {
        // Only a number for people: the run itself meets whatever is wrong.
        if let Ok(status) = self.0.reader.status(&within(call, DATABASE_BUDGET)).await {
            let events = status.map_or(0, |status| status.events);
            self.0.meters.queue_depth.set(i64::try_from(events).unwrap_or(i64::MAX));
        }
    }
}

/// The call, with so much time at most.
fn within(call: &Call, budget: Duration) -> Call {
    call.with_deadline(call.deadline.sooner(Deadline::after(budget)))
}
