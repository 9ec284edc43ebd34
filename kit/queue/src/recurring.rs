//! Jobs that clients want again and again. They are kept in the database. The process that moves such a job to its next
//! moment also enqueues it, so each moment gives one job, however many processes there are.

use pando_clock::Timestamp;
use pando_database::{Read, Transaction};
use pando_resilience::{Call, Tenant};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cron::Cron;
use crate::settle::BUDGET;
use crate::store::recurring as store;
use crate::{Job, Mentions, Queue, QueueError, StillNames, Unique};

/// How many are enqueued in one look.
const DUE_MAX: usize = 100;
/// How many are read at once when all are looked at.
const PAGE: usize = 200;

/// A job that is enqueued again and again, as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Recurring {
    /// The tenant that owns it.
    pub tenant: Tenant,
    /// The name of the recurring job.
    pub name: String,
    /// When: as [`Schedule::expression`](crate::Schedule).
    pub expression: String,
    /// What: a [`Job`] as JSON.
    pub job: Value,
    /// The job that is enqueued when one of its jobs has ended, as JSON.
    pub callback: Option<Value>,
    /// Nothing is enqueued.
    pub paused: bool,
    /// Whether a job is enqueued while the one before has not ended.
    pub overlap: bool,
    /// Rises with each change.
    pub version: i64,
    /// When the next job is due, unless it is paused.
    pub next_at: Timestamp,
    /// When a job was last enqueued, or would have been.
    pub last_at: Option<Timestamp>,
    /// The job of that moment.
    pub last_job: Option<Uuid>,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A recurring job as a client wants it.
#[derive(Clone, Debug, PartialEq)]
pub struct RecurringDraft {
    /// When: as [`Schedule::expression`](crate::Schedule).
    pub expression: String,
    /// What.
    pub job: Job,
    /// The job that is enqueued when one of its jobs has ended.
    pub callback: Option<Job>,
    /// Nothing is enqueued.
    pub paused: bool,
    /// Whether a job is enqueued while the one before has not ended.
    pub overlap: bool,
}

impl Recurring {
    /// The next moments after one, at most `count`; none while it is paused.
    pub fn next_times(&self, count: usize) -> Vec<Timestamp> {
        let Ok(cron) = Cron::parse(&self.expression) else { return Vec::new() };
        let first = Some(self.next_at).filter(|_| !self.paused);
        std::iter::successors(first, |last| cron.next_after(*last)).take(count).collect()
    }
}

/// Why an expression says no moments; nothing when it does.
pub fn bad_expression(expression: &str) -> Option<String> {
    match Cron::parse(expression) {
        Ok(cron) if cron.next_after(Timestamp::from_micros(0)).is_none() => {
            Some(format!("{expression} never comes"))
        }
        Ok(_) => None,
        Err(reason) => Some(reason),
    }
}

impl Queue {
    /// Keeps a recurring job of a tenant under a name: a new one, or a change of the one that is there. `expected` may refuse, given
    /// the version that is there.
    pub async fn put_recurring<E: From<QueueError>>(
        &self,
        tx: &mut Transaction,
        (tenant, name): (&Tenant, &str),
        draft: &RecurringDraft,
        expected: impl FnOnce(Option<i64>) -> Result<(), E>,
    ) -> Result<Recurring, E> {
        let failed = |error: pando_database::DatabaseError| E::from(QueueError::from(error));
        draft.job.check().map_err(E::from)?;
        let cron = Cron::parse(&draft.expression)
            .map_err(|reason| E::from(QueueError::bad_job("expression", reason)))?;
        let now = self.clock().now();
        let known = store::lock(tx, tenant, name).await.map_err(failed)?;
        expected(known.as_ref().map(|known| known.version))?;
        let document = |job: &Job| {
            let job = job.clone().of_tenant(tenant);
            serde_json::to_value(job).map_err(|error| E::from(QueueError::bad_job("job", error.to_string())))
        };
        // One that is paused has no next moment; any far one will do until it goes on.
        let next_at = cron.next_after(now).unwrap_or(Timestamp::MAX);
        let kept = known.as_ref().filter(|known| known.expression == draft.expression && !known.paused);
        let next = Recurring {
            tenant: tenant.clone(),
            name: name.to_owned(),
            expression: draft.expression.clone(),
            job: document(&draft.job)?,
            callback: draft.callback.as_ref().map(document).transpose()?,
            paused: draft.paused,
            overlap: draft.overlap,
            version: known.as_ref().map_or(1, |known| known.version + 1),
            // A change of something else does not put the moment off.
            next_at: kept.map_or(next_at, |known| known.next_at),
            last_at: known.as_ref().and_then(|known| known.last_at),
            last_job: known.as_ref().and_then(|known| known.last_job),
            created_at: known.as_ref().map_or(now, |known| known.created_at),
            updated_at: now,
        };
        if known.is_some() {
            store::update(tx, &next).await.map_err(failed)?;
        } else if !store::insert(tx, &next).await.map_err(failed)? {
            let name = "queue.recurring_insert";
            return Err(failed(pando_database::DatabaseError::Contention { name }));
        }
        Ok(next)
    }

    /// The caller's recurring job with this name, if there is one.
    pub async fn find_recurring(&self, call: &Call, name: &str) -> Result<Option<Recurring>, QueueError> {
        Ok(store::find(&self.database().read_primary(call), call.tenant(), name).await?)
    }

    /// Recurring jobs of the caller's tenant in the order of their names, from after one on.
    pub async fn list_recurring(
        &self,
        call: &Call,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Recurring>, QueueError> {
        Ok(store::list(&self.database().read_primary(call), call.tenant(), after, limit).await?)
    }

    /// Deletes a recurring job; its jobs that are enqueued already run. False when there was none.
    pub async fn delete_recurring(
        &self,
        tx: &mut Transaction,
        tenant: &Tenant,
        name: &str,
    ) -> Result<bool, QueueError> {
        Ok(store::delete(tx, tenant, name).await?)
    }

    /// Enqueues the jobs whose moments have come; how many there were. Moments that passed while no process ran bring
    /// one job together.
    pub async fn fire_recurring(&self) -> Result<usize, QueueError> {
        let (call, now) = (Call::internal("queue.recurring", BUDGET), self.clock().now());
        let read: Read<'_> = self.database().read_primary(&call);
        let mut fired = 0;
        for due in store::due(&read, now, DUE_MAX).await? {
            match self.fire_one(&call, &due, now).await {
                Ok(done) => fired += usize::from(done),
                // The others are due as well.
                Err(error) => {
                    tracing::warn!(name = due.name, %error, "a recurring job could not be enqueued")
                }
            }
        }
        Ok(fired)
    }

    async fn fire_one(&self, call: &Call, due: &Recurring, now: Timestamp) -> Result<bool, QueueError> {
        let cron =
            Cron::parse(&due.expression).map_err(|reason| QueueError::bad_job("expression", reason))?;
        let next = cron.next_after(now).unwrap_or(Timestamp::MAX);
        let mut tx = self.database().transaction(call).await?;
        if !store::advance(&mut tx, (&due.tenant, &due.name), (due.next_at, next), now).await? {
            return Ok(false);
        }
        let job: Job = parsed(&due.job)?;
        let unique = (!due.overlap).then(|| Unique::WhileLive(format!("recurring:{}", due.name)));
        let job = Job { id: Some(self.clock().fresh_id()), unique, ..job };
        let enqueued = match &due.callback {
            Some(callback) => self.enqueue_with_callback(&mut tx, job, parsed(callback)?).await?,
            None => self.enqueue(&mut tx, job).await?,
        };
        store::set_last(&mut tx, (&due.tenant, &due.name), enqueued.id).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Deletes every recurring job of the caller's tenant that mentions somebody; how many there were.
    pub(crate) async fn forget_recurring(
        &self,
        call: &Call,
        mentions: &Mentions,
        still: &StillNames<'_>,
    ) -> Result<u64, QueueError> {
        let (mut forgotten, mut after) = (0, String::new());
        loop {
            let page = self.list_recurring(call, &after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(forgotten) };
            after.clone_from(&last.name);
            let about = |it: &Recurring, mentions: &Mentions| {
                mentions.stand_in_json(&json!([it.name, it.job, it.callback]))
            };
            for recurring in page.iter().filter(|it| about(it, mentions)) {
                if !about(recurring, &still().await?) {
                    continue;
                }
                let mut tx = self.database().transaction(call).await?;
                forgotten += u64::from(store::delete(&mut tx, &recurring.tenant, &recurring.name).await?);
                tx.commit().await?;
            }
        }
    }
}

fn parsed(document: &Value) -> Result<Job, QueueError> {
    serde_json::from_value(document.clone()).map_err(|error| QueueError::bad_job("job", error.to_string()))
}
