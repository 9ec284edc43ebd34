//! A schedule in the form that clients see: a task that is stored again and again.

use pando_clock::Timestamp;
use pando_queue::{Recurring, RecurringDraft, Registry, bad_expression};
use pando_service::Fault;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::delay;
use super::task_request::TaskRequest;
use crate::TasksOptions;
use pando_service::FieldError;

/// How many future moments are shown.
const NEXT_TIMES: usize = 5;
/// The fields that a schedule itself decides.
const OF_ONE_TASK: [&str; 3] = ["delay", "run_at", "unique_key"];

/// The present state of a schedule.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Schedule {
    /// The name of the schedule.
    pub name: String,
    /// Five fields of cron, in UTC; null if the schedule uses `every`.
    pub cron: Option<String>,
    /// The time between two moments, such as `90s`; null if the schedule uses `cron`.
    pub every: Option<String>,
    /// The type of the tasks.
    pub task_type: String,
    /// The data of the tasks.
    #[schema(value_type = Object)]
    pub data: Value,
    /// The priority of the tasks.
    pub priority: u64,
    /// How often each task is retried.
    pub max_retries: u64,
    /// The address that is called when a task has ended.
    pub callback_url: Option<String>,
    /// A paused schedule stores no tasks.
    pub paused: bool,
    /// Whether a task is stored even if the previous task has not ended.
    pub overlap: bool,
    /// Rises with each change; the `ETag`.
    pub version: i64,
    /// The next moments.
    #[schema(value_type = Vec<String>)]
    pub next_times: Vec<Timestamp>,
    /// The last moment at which the schedule stored a task.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_at: Option<Timestamp>,
    /// The task of that moment; with `overlap` off this can be an earlier task that had not ended.
    pub last_task_id: Option<Uuid>,
    /// When the schedule was stored.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the schedule was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

impl From<Recurring> for Schedule {
    fn from(kept: Recurring) -> Self {
        let every = kept.expression.strip_prefix("@every ").map(ToOwned::to_owned);
        let number = |name: &str| kept.job[name].as_u64();
        Self {
            next_times: kept.next_times(NEXT_TIMES),
            cron: every.is_none().then(|| kept.expression.clone()),
            every,
            task_type: kept.job["kind"].as_str().unwrap_or_default().to_owned(),
            data: kept.job["payload"].clone(),
            priority: number("priority").unwrap_or_default(),
            max_retries: number("attempts_max").unwrap_or(1).saturating_sub(1),
            callback_url: kept
                .callback
                .as_ref()
                .and_then(|job| Some(job["payload"]["url"].as_str()?.to_owned())),
            paused: kept.paused,
            overlap: kept.overlap,
            version: kept.version,
            last_at: kept.last_at,
            last_task_id: kept.last_job,
            created_at: kept.created_at,
            updated_at: kept.updated_at,
            name: kept.name,
        }
    }
}

/// Whether a text can be the name of a schedule.
pub(crate) fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    (1..=100).contains(&name.len()) && name.bytes().all(fits)
}

/// Reads the fields of a request. Every bad field is named.
pub(crate) fn parse(
    fields: &Map<String, Value>,
    registry: &Registry,
    options: &TasksOptions,
    now: Timestamp,
) -> Result<RecurringDraft, Fault> {
    let mut faults = Vec::new();
    for name in OF_ONE_TASK.into_iter().filter(|name| fields.contains_key(*name)) {
        faults.push(FieldError::new(name, "unknown", "belongs to a single task, not to a schedule"));
    }
    let expression = expression(fields, &mut faults);
    let flags = ["paused", "overlap"].map(|name| flag(fields, name, &mut faults));
    let request = match TaskRequest::parse(fields, registry, options, now) {
        Ok(request) => request,
        Err(refused) => {
            faults.extend(refused.errors().iter().cloned());
            return Err(Fault::invalid(faults));
        }
    };
    if !faults.is_empty() {
        return Err(Fault::invalid(faults));
    }
    let mut callback = request.callback;
    // The handler adds which task it was, and how it ended.
    if let Some(payload) = callback.as_mut().and_then(|job| job.payload.as_object_mut()) {
        payload.insert("body".to_owned(), json!({}));
    }
    let [paused, overlap] = flags;
    Ok(RecurringDraft { expression, job: request.job, callback, paused, overlap })
}

fn expression(fields: &Map<String, Value>, faults: &mut Vec<FieldError>) -> String {
    let given = |name: &str| fields.get(name).filter(|value| !value.is_null());
    match (given("cron"), given("every")) {
        (Some(cron), None) => {
            let text = cron.as_str().unwrap_or_default();
            let bad = match text.trim_start().starts_with("@every") {
                true => Some("use the field every for that".to_owned()),
                false => bad_expression(text),
            };
            faults.extend(bad.map(|reason| FieldError::new("cron", "cron", reason)));
            text.trim().to_owned()
        }
        (None, Some(every)) => {
            let whole =
                delay::parse(every).filter(|time| time.subsec_nanos() == 0).map(|time| time.as_secs());
            let expression = format!("@every {}s", whole.unwrap_or_default());
            if bad_expression(&expression).is_some() {
                let message = "must be whole seconds from 1s to 1000000s, such as 90s, 15m or 24h";
                faults.push(FieldError::new("every", "range", message));
            }
            expression
        }
        _ => {
            faults.push(FieldError::new(
                "cron",
                "either",
                "give either cron, such as \"0 3 * * *\", or every, such as \"15m\"",
            ));
            String::new()
        }
    }
}

fn flag(fields: &Map<String, Value>, name: &'static str, faults: &mut Vec<FieldError>) -> bool {
    match fields.get(name) {
        None | Some(Value::Null) => false,
        Some(Value::Bool(value)) => *value,
        Some(_) => {
            faults.push(FieldError::new(name, "type", "must be true or false"));
            false
        }
    }
}
