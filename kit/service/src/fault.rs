//! Why an operation was not done, without a transport. HTTP, gRPC and jobs each say it in their own way.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use pando_cache::LoadError;
use pando_database::DatabaseError;
use pando_idempotency::IdempotencyError;
use pando_objects::ObjectsError;
use pando_queue::{JobError, QueueError};
use serde::{Deserialize, Serialize};

pub use pando_http::FieldError;

/// The classes of faults, a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The request cannot be read.
    Malformed,
    /// Nobody knows who asks.
    Unauthenticated,
    /// A payment was refused.
    PaymentRequired,
    /// The caller may not do this.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// The request did not arrive in time.
    RequestTimeout,
    /// The request contradicts the present state, such as a value that must be unique.
    Conflict,
    /// The thing was there, and will not come back.
    Gone,
    /// The thing has another version than the caller expects.
    VersionMismatch,
    /// The caller has to say which version it expects.
    VersionRequired,
    /// The request has too many bytes.
    TooLarge,
    /// The content is of a kind that is not read here.
    UnsupportedMedia,
    /// The request can be read, but its values break a rule.
    Invalid,
    /// The caller sends too many requests.
    TooMany,
    /// An error inside the server.
    Internal,
    /// This deployment does not offer the feature.
    NotImplemented,
    /// A server behind this one gave no usable answer.
    BadGateway,
    /// Not possible at this moment.
    Unavailable,
    /// The deadline passed before the work was done.
    Timeout,
    /// There is no space to store the data.
    StorageFull,
}

/// Why an operation was not done. Nothing was changed, unless the class is [`Class::Unavailable`] and the text says so.
#[derive(Clone)]
pub struct Fault(Box<Inner>);

#[derive(Clone)]
struct Inner {
    class: Class,
    /// The name of the fault within its service.
    name: Cow<'static, str>,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    current: Option<i64>,
    retry_after: Option<u64>,
    place: Option<String>,
    /// Whether this was answered to an earlier request, and to which one if that is known.
    is_repeat: bool,
    request: Option<String>,
    cause: Option<Cause>,
}

#[derive(Clone)]
enum Cause {
    Database(Arc<DatabaseError>),
    Other(Arc<dyn Error + Send + Sync>),
}

/// A fault as it is kept for repeats of its request.
#[derive(Serialize, Deserialize)]
struct Kept {
    code: Class,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    name: Cow<'static, str>,
    detail: Cow<'static, str>,
    #[serde(default)]
    errors: Vec<FieldError>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

impl Fault {
    /// A fault with a message for the caller. The message must say nothing about the inside of the server.
    pub fn new(class: Class, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            class,
            name: Cow::Borrowed(""),
            detail: detail.into(),
            errors: Vec::new(),
            current: None,
            retry_after: None,
            place: None,
            is_repeat: false,
            request: None,
            cause: None,
        }))
    }

    /// There is no such thing, in the same words everywhere: `no such profile`.
    pub fn not_found(what: &str) -> Self {
        Self::new(Class::NotFound, format!("no such {what}"))
    }

    /// The request contradicts the present state.
    pub fn conflict(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Class::Conflict, detail)
    }

    /// The thing has this version, which is not the one that the caller expects.
    pub fn stale(what: &str, current: i64) -> Self {
        let mut fault =
            Self::new(Class::VersionMismatch, format!("the {what} has version {current} now: read it again"))
                .with_field("version", "current", current.to_string());
        fault.0.current = Some(current);
        fault
    }

    /// Not possible at this moment; the caller may try again in a second.
    pub fn busy(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Class::Unavailable, detail).with_retry_after(1)
    }

    /// The request cannot be followed, whoever reads it and whenever.
    pub fn is_of_input(&self) -> bool {
        matches!(
            self.0.class,
            Class::Malformed
                | Class::RequestTimeout
                | Class::TooLarge
                | Class::UnsupportedMedia
                | Class::Invalid
        )
    }

    /// A dependency did not do its part; the error goes to the log.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::busy("temporarily unavailable, try again").with_source(source)
    }

    /// An error inside the server: it goes to the log and not to the caller.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Class::Internal, "something went wrong on our side").with_source(source)
    }

    /// Every bad field of an input.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [only] => format!("{}: {}", only.field, only.message),
            many => format!("{} values are invalid", many.len()),
        };
        let mut fault = Self::new(Class::Invalid, detail);
        fault.0.errors = errors;
        fault
    }

    /// Names the fault within its service, so that code can tell it from others of its class.
    #[must_use]
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.0.name = name.into();
        self
    }

    /// Adds one bad field.
    #[must_use]
    pub fn with_field(
        mut self,
        field: impl Into<Cow<'static, str>>,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.0.errors.push(FieldError::new(field, code, message));
        self
    }

    /// Adds one bad field that is described already.
    #[must_use]
    pub fn with_error(mut self, error: FieldError) -> Self {
        self.0.errors.push(error);
        self
    }

    /// Says after how many seconds the caller may try again.
    #[must_use]
    pub fn with_retry_after(mut self, secs: u64) -> Self {
        self.0.retry_after = Some(secs);
        self
    }

    /// Says where the thing in question can be followed.
    #[must_use]
    pub fn with_place(mut self, place: impl Into<String>) -> Self {
        self.0.place = Some(place.into());
        self
    }

    /// Keeps the error that caused this, for the log only.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.cause = Some(Cause::Other(Arc::from(source.into())));
        self
    }

    /// The class.
    pub fn class(&self) -> Class {
        self.0.class
    }

    /// The name within the service; empty if it has none.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The message for the caller.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Every bad field.
    pub fn errors(&self) -> &[FieldError] {
        &self.0.errors
    }

    /// The version that the thing has, if it is not the expected one.
    pub fn current(&self) -> Option<i64> {
        self.0.current
    }

    /// After how many seconds the caller may try again.
    pub fn retry_after(&self) -> Option<u64> {
        self.0.retry_after
    }

    /// Where the thing in question can be followed.
    pub fn place(&self) -> Option<&str> {
        self.0.place.as_deref()
    }

    /// Whether an earlier request with the same key got this fault.
    pub fn is_repeat(&self) -> bool {
        self.0.is_repeat
    }

    /// The id of the request that this was first answered to, if it is known; only of a repeat.
    pub fn first_request(&self) -> Option<&str> {
        self.0.request.as_deref()
    }

    /// The error of the database that caused this.
    pub fn database_error(&self) -> Option<&DatabaseError> {
        match &self.0.cause {
            Some(Cause::Database(error)) => Some(error),
            _ => None,
        }
    }

    /// The unique key that was violated, or the statement that did not change as many rows as it must.
    pub fn broken_rule(&self) -> Option<&str> {
        match self.database_error() {
            Some(DatabaseError::UniqueViolation { constraint, .. }) => Some(constraint),
            Some(DatabaseError::WrongCount { name, .. }) => Some(name),
            _ => None,
        }
    }

    /// Whether other requests came in between, so that the same write may well succeed when it is tried again.
    pub fn is_contention(&self) -> bool {
        matches!(
            self.database_error(),
            Some(DatabaseError::Contention { .. } | DatabaseError::UniqueViolation { .. })
        )
    }

    /// Whether it is unknown if the write happened.
    pub fn is_commit_unknown(&self) -> bool {
        matches!(self.database_error(), Some(DatabaseError::CommitUnknown { .. }))
    }

    /// The error that caused this, for the log.
    pub(crate) fn into_source(self) -> Option<Arc<dyn Error + Send + Sync>> {
        match self.0.cause? {
            Cause::Database(error) => Some(error),
            Cause::Other(error) => Some(error),
        }
    }

    /// Gives the same cause to another fault.
    #[must_use]
    pub(crate) fn because_of(mut self, other: &Self) -> Self {
        self.0.cause.clone_from(&other.0.cause);
        self
    }

    /// Whether a repeat of the request gets this fault again. A request that was not valid was not the request: its key stays
    /// free for the corrected one. Errors of the server, and limits, may be over by then.
    pub(crate) fn is_kept(&self) -> bool {
        matches!(
            self.0.class,
            Class::NotFound | Class::Conflict | Class::VersionMismatch | Class::VersionRequired
        )
    }

    /// The form in which it is kept for repeats.
    pub fn to_kept(&self, request_id: Option<&str>) -> Vec<u8> {
        let Inner { class, name, detail, errors, current, .. } = &*self.0;
        let kept = Kept {
            code: *class,
            name: name.clone(),
            detail: detail.clone(),
            errors: errors.clone(),
            version: *current,
            request_id: request_id.map(str::to_owned),
        };
        serde_json::to_vec(&kept).unwrap_or_default()
    }

    /// Reads the kept form.
    pub(crate) fn from_kept(kept: &[u8]) -> Self {
        let Kept { code, name, detail, errors, version, request_id } = match serde_json::from_slice(kept) {
            Ok(kept) => kept,
            Err(error) => return Self::internal(error),
        };
        let mut fault = Self::new(code, detail).named(name);
        fault.0.errors = errors;
        fault.0.current = version;
        fault.0.is_repeat = true;
        fault.0.request = request_id;
        fault
    }
}

impl From<DatabaseError> for Fault {
    fn from(error: DatabaseError) -> Self {
        let mut fault = match &error {
            DatabaseError::Unavailable { .. }
            | DatabaseError::PoolTimeout { .. }
            | DatabaseError::Contention { .. } => Self::busy("temporarily unavailable, try again"),
            DatabaseError::CommitUnknown { .. } => {
                Self::busy("the connection broke during the commit: the change may or may not have happened")
            }
            DatabaseError::DeadlineExceeded => {
                Self::new(Class::Timeout, "the database did not answer in time")
            }
            DatabaseError::StorageFull => Self::new(Class::StorageFull, "the database has no room left"),
            _ => Self::new(Class::Internal, "something went wrong on our side"),
        };
        fault.0.cause = Some(Cause::Database(Arc::new(error)));
        fault
    }
}

/// No attempt will find what is not there, or read an input otherwise; everything else may succeed later.
impl From<Fault> for JobError {
    fn from(fault: Fault) -> Self {
        if fault.class() == Class::NotFound || fault.is_of_input() {
            return Self::give_up(fault);
        }
        // Operators read it.
        match fault.source() {
            Some(cause) => Self::retry(cause),
            None => Self::retry(fault),
        }
    }
}

impl From<QueueError> for Fault {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Database(error) => error.into(),
            QueueError::BadJob { field, reason } => {
                Self::invalid(vec![FieldError::new(field, "value", reason)])
            }
            error @ QueueError::Full { .. } => Self::new(Class::Unavailable, "too many tasks wait already")
                .with_retry_after(5)
                .with_source(error),
            error if error.is_transient() => Self::unavailable(error),
            error => Self::internal(error),
        }
    }
}

impl From<IdempotencyError> for Fault {
    fn from(error: IdempotencyError) -> Self {
        match error {
            IdempotencyError::Database(error) => error.into(),
            error => Self::internal(error),
        }
    }
}

impl From<ObjectsError> for Fault {
    fn from(error: ObjectsError) -> Self {
        match error {
            ObjectsError::Full => Self::new(Class::StorageFull, "the object store has no room left"),
            error if error.is_transient() => Self::unavailable(error),
            error => Self::internal(error),
        }
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Self::internal(format!("the answer cannot be encoded: {error}"))
    }
}

/// Everyone who waited for a load gets the fault of the load.
impl From<LoadError<Self>> for Fault {
    fn from(failure: LoadError<Self>) -> Self {
        match failure {
            LoadError::Load(fault) => (*fault).clone(),
            LoadError::DeadlineExceeded | LoadError::LoadTimeout | LoadError::WaitTimeout => {
                Self::new(Class::Timeout, "the database did not answer in time").with_source(failure)
            }
            LoadError::Protected | LoadError::L2Down => Self::unavailable(failure),
            LoadError::Panicked => Self::internal(failure),
        }
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault")
            .field("class", &self.0.class)
            .field("detail", &self.0.detail)
            .field("errors", &self.0.errors)
            .field("source", &self.source().map(ToString::to_string))
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.detail)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self.0.cause.as_ref()? {
            Cause::Database(error) => Some(&**error),
            Cause::Other(error) => Some(&**error),
        }
    }
}
