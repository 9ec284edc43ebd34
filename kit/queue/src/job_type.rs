//! Kinds of jobs whose payloads have a Rust type.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Job, JobContext, JobError, JobKind, QueueError, Settings};

/// The name of a kind of job, with the type of its payloads. A constant of this type makes the jobs and their kind, so
/// that whoever enqueues a job and the function that runs it agree.
///
/// `P` is read without regard to fields that it does not have: a job may get the result of another as `previous`.
#[derive(Clone, Copy, Debug)]
pub struct JobType<P> {
    name: &'static str,
    timeout_ms: Option<u64>,
    payload: PhantomData<fn(P) -> P>,
}

/// The payload of jobs that need none: an empty object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoPayload {}

impl<P> JobType<P> {
    /// Jobs of this kind.
    pub const fn new(name: &'static str) -> Self {
        Self { name, timeout_ms: None, payload: PhantomData }
    }

    /// Each attempt may take this long.
    #[must_use]
    pub const fn within_ms(self, timeout_ms: u64) -> Self {
        Self { timeout_ms: Some(timeout_ms), ..self }
    }

    /// The name of the kind.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    fn settings(&self) -> Settings {
        Settings { timeout_ms: self.timeout_ms, pauses_ms: None }
    }
}

impl<P: Serialize> JobType<P> {
    /// A job with this payload.
    pub fn job(&self, payload: &P) -> Result<Job, QueueError> {
        let payload = serde_json::to_value(payload)
            .map_err(|error| QueueError::bad_job("payload", format!("cannot be written as JSON: {error}")))?;
        Ok(Job { settings: self.settings(), ..Job::new(self.name, payload) })
    }
}

impl<P: DeserializeOwned + Send> JobType<P> {
    /// The kind, run by a function of a service. Its value is the result of the job. A payload that is no `P` ends the
    /// job at once.
    pub fn run_by<S, R, E, F>(
        &self,
        service: &S,
        run: impl Fn(S, JobContext, P) -> F + Copy + Send + Sync + 'static,
    ) -> JobKind
    where
        S: Clone + Send + Sync + 'static,
        R: Serialize,
        E: Into<JobError>,
        F: Future<Output = Result<R, E>> + Send + 'static,
    {
        let service = service.clone();
        let handler = move |context: JobContext, payload: Value| {
            let payload = serde_json::from_value(payload);
            let run = payload.map(|payload| run(service.clone(), context, payload));
            async move {
                let run =
                    run.map_err(|error| JobError::give_up(format!("the payload is not valid: {error}")))?;
                let result = run.await.map_err(Into::into)?;
                serde_json::to_value(result).map_err(JobError::give_up)
            }
        };
        JobKind { settings: self.settings(), ..JobKind::new(self.name, handler) }
    }
}
