//! Callbacks of the sandbox: jobs that are enqueued with the charge or the refund. They may come late, twice and in any order.

use bytes::Bytes;
use http::HeaderMap;
use pando_queue::{Job, JobContext, JobError, JobKind, JobType};
use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Sandbox;
use super::chance::Chances;
use super::store;
use crate::payments::provider::domain::outcome::Outcome;
use crate::payments::provider::domain::{callback, wire};

/// The job that hands over one copy of a callback.
const CALLBACK: JobType<CallbackJob> = JobType::new("sandbox_callback").within_ms(30_000);

/// A charge or a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum About {
    Charge,
    Refund,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CallbackJob {
    about: About,
    key: Uuid,
}

/// The result of the job.
#[derive(Debug, Serialize)]
pub(crate) struct Told {
    event_id: String,
}

impl Sandbox {
    /// The kind of the jobs that hand callbacks to `take`, as the route for callbacks would.
    pub(in crate::payments::provider) fn callback_kind<T, R>(&self, take: T) -> JobKind
    where
        T: Fn(Call, HeaderMap, Bytes) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Result<(), Fault>> + Send + 'static,
    {
        let tell = CALLBACK.run_by(&(self.clone(), take), |(sandbox, take), context, job| async move {
            sandbox.tell(&context, job, take).await
        });
        JobKind { summary: "Tells how a charge or a refund in the sandbox ended".to_owned(), ..tell }
    }

    /// Enqueues the copies of a callback in the transaction of the sandbox.
    pub(super) async fn tell_later(
        &self,
        tx: &mut Transaction,
        call: &Call,
        (about, key): (About, Uuid),
    ) -> Result<(), Fault> {
        let (parts, options) = (&self.0.parts, &self.0.options);
        let chances = Chances::new(options, key);
        for copy in 0..options.callbacks {
            let delay = i64::try_from(chances.delay(copy).as_micros()).unwrap_or_default();
            let job = CALLBACK.job(&CallbackJob { about, key })?;
            let run_at = (delay > 0).then(|| parts.clock.now().plus_micros(delay));
            parts.queue.enqueue(tx, Job { run_at, ..job }.of_tenant(call.tenant())).await?;
        }
        Ok(())
    }

    async fn tell<T, R>(&self, context: &JobContext, job: CallbackJob, take: T) -> Result<Told, JobError>
    where
        T: Fn(Call, HeaderMap, Bytes) -> R,
        R: Future<Output = Result<(), Fault>>,
    {
        let CallbackJob { about, key } = job;
        let call = context.call();
        let read = context.database().read_primary(call);
        let gone = || JobError::give_up("the ledger of the sandbox has no such entry");
        let (kind, object) = match about {
            About::Charge => {
                let charge = store::find_charge(&read, call.tenant(), key).await?.ok_or_else(gone)?;
                let succeeded = matches!(charge.outcome, Outcome::Captured { .. });
                let kind =
                    if succeeded { "payment_intent.succeeded" } else { "payment_intent.payment_failed" };
                (kind, wire::charge(&charge.order, &charge.outcome))
            }
            About::Refund => {
                let refund = store::find_refund(&read, call.tenant(), key).await?.ok_or_else(gone)?;
                ("refund.succeeded", wire::refund(refund.key, refund.amount, &refund.reference))
            }
        };
        // All copies have the same id, which no other callback has.
        let event_id = format!("evt_{}", key.simple());
        let event = (event_id.as_str(), kind, &object);
        let (headers, body) = callback::signed(&self.0.callback_secret, event, context.clock().now())?;
        take(call.clone(), headers, body).await?;
        Ok(Told { event_id })
    }
}
