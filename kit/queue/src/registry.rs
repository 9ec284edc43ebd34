//! The handlers of this program, by the names of their kinds.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use pando_schema::{Fault, Schema};
use serde_json::Value;

use crate::job::{DEFAULT_QUEUE, Settings};
use crate::{Job, JobContext, JobError, QueueError};

/// The return value of a handler: the job's result, or an error with the decision what happens to the job.
pub type JobResult = Result<Value, JobError>;

/// A function that runs a kind of job; [`JobKind::new`] makes one from an async function.
pub type Handler = Arc<dyn Fn(JobContext, Value) -> BoxFuture<'static, JobResult> + Send + Sync>;

/// Finds what is wrong with a payload before a job of it is stored.
pub type PayloadCheck = Arc<dyn Fn(&Value) -> Vec<Fault> + Send + Sync>;

/// A kind of job: its name, how it is run, and what its jobs are unless they say otherwise.
#[derive(Clone)]
pub struct JobKind {
    /// Its name.
    pub name: String,
    /// A sentence about the kind of job.
    pub summary: String,
    /// Where its jobs wait.
    pub queue: String,
    /// How often its jobs are tried.
    pub attempts_max: u16,
    /// How long its attempts may take, and how long to wait between two.
    pub settings: Settings,
    /// The JSON Schema of its payloads.
    pub schema: Option<Value>,
    /// A check of its payloads that no schema can express.
    pub check: Option<PayloadCheck>,
    /// Whether callers may ask for its jobs by name. The others are enqueued by the program itself.
    pub public: bool,
    /// The scope that callers need to ask for its jobs, beside the one to ask for any job.
    pub scope: Option<&'static str>,
    /// The function that runs the jobs.
    pub handler: Handler,
}

impl JobKind {
    /// A kind run by `handler`. The future is dropped when the attempt is cancelled or out of time: a handler that
    /// must clean up does so in a `Drop`.
    pub fn new<F>(
        name: impl Into<String>,
        handler: impl Fn(JobContext, Value) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = JobResult> + Send + 'static,
    {
        Self {
            name: name.into(),
            summary: String::new(),
            queue: DEFAULT_QUEUE.to_owned(),
            attempts_max: 25,
            settings: Settings::default(),
            schema: None,
            check: None,
            public: false,
            scope: None,
            handler: Arc::new(move |context, payload| Box::pin(handler(context, payload))),
        }
    }

    pub(crate) fn run(&self, context: JobContext, payload: Value) -> BoxFuture<'static, JobResult> {
        (self.handler)(context, payload)
    }
}

impl fmt::Debug for JobKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobKind")
            .field("name", &self.name)
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}

/// All kinds this program runs. Each service adds its own; cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    kinds: BTreeMap<String, Arc<Known>>,
}

#[derive(Debug)]
struct Known {
    kind: JobKind,
    schema: Option<Schema>,
}

impl Registry {
    /// Adds a kind.
    pub fn add(&mut self, kind: JobKind) -> Result<(), QueueError> {
        Job { queue: kind.queue.clone(), ..Job::new(kind.name.clone(), Value::Null) }.check()?;
        let compile = |schema: &Value| {
            Schema::compile(schema)
                .map_err(|error| QueueError::bad_job("schema", format!("{}: {error}", kind.name)))
        };
        let schema = kind.schema.as_ref().map(compile).transpose()?;
        if self.kinds.contains_key(&kind.name) {
            return Err(QueueError::bad_job("kind", format!("{} is there already", kind.name)));
        }
        self.kinds.insert(kind.name.clone(), Arc::new(Known { kind, schema }));
        Ok(())
    }

    /// The kind of this name.
    pub fn get(&self, name: &str) -> Option<&JobKind> {
        self.kinds.get(name).map(|known| &known.kind)
    }

    /// The names of all kinds, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.kinds.keys().map(String::as_str)
    }

    /// The kinds that callers may ask for by name, in the order of their names.
    pub fn public_kinds(&self) -> impl Iterator<Item = &JobKind> {
        self.kinds.values().map(|known| &known.kind).filter(|kind| kind.public)
    }

    /// The queues its kinds wait in.
    pub fn queues(&self) -> Vec<String> {
        let mut queues: Vec<String> = self.kinds.values().map(|known| known.kind.queue.clone()).collect();
        queues.sort();
        queues.dedup();
        queues
    }

    /// A job of a known kind, as its kind is set up; what is wrong with its payload, each fault with its place.
    pub fn job(&self, kind: &str, payload: Value) -> Result<Job, BadPayload> {
        let known = self.kinds.get(kind).ok_or(BadPayload::UnknownKind)?;
        let kind = &known.kind;
        let mut faults = known.schema.as_ref().map_or_else(Vec::new, |schema| schema.faults(&payload));
        if let Some(check) = kind.check.as_ref().filter(|_| faults.is_empty()) {
            faults = check(&payload);
        }
        if !faults.is_empty() {
            return Err(BadPayload::Faults(faults));
        }
        Ok(Job {
            queue: kind.queue.clone(),
            attempts_max: kind.attempts_max,
            settings: kind.settings.clone(),
            ..Job::new(kind.name.clone(), payload)
        })
    }
}

/// Why [`Registry::job`] made no job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadPayload {
    /// No kind has this name.
    UnknownKind,
    /// The payload does not follow the kind's schema: where, and what is wrong there.
    Faults(Vec<Fault>),
}
