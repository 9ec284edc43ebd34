//! Faults as problems, and back where the edge found the fault.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use pando_http::{Code, Precondition, Problem, etag};

use super::keyed::REPLAYED;
use crate::{Class, Expected, Fault};

impl Class {
    pub(crate) const fn code(self) -> Code {
        match self {
            Self::Malformed => Code::Malformed,
            Self::Unauthenticated => Code::Unauthenticated,
            Self::PaymentRequired => Code::PaymentRequired,
            Self::Forbidden => Code::Forbidden,
            Self::Gone => Code::Gone,
            Self::BadGateway => Code::BadGateway,
            Self::NotFound => Code::NotFound,
            Self::RequestTimeout => Code::RequestTimeout,
            Self::Conflict => Code::Conflict,
            Self::VersionMismatch => Code::VersionMismatch,
            Self::VersionRequired => Code::VersionRequired,
            Self::TooLarge => Code::TooLarge,
            Self::UnsupportedMedia => Code::UnsupportedMedia,
            Self::Invalid => Code::Invalid,
            Self::TooMany => Code::TooMany,
            Self::Internal => Code::Internal,
            Self::NotImplemented => Code::NotImplemented,
            Self::Unavailable => Code::Unavailable,
            Self::Timeout => Code::Timeout,
            Self::StorageFull => Code::StorageFull,
        }
    }

    const fn of(code: Code) -> Self {
        match code {
            Code::Unauthenticated => Self::Unauthenticated,
            Code::PaymentRequired => Self::PaymentRequired,
            Code::Forbidden => Self::Forbidden,
            Code::Gone => Self::Gone,
            Code::BadGateway => Self::BadGateway,
            Code::NotFound => Self::NotFound,
            Code::RequestTimeout => Self::RequestTimeout,
            Code::Conflict => Self::Conflict,
            Code::VersionMismatch => Self::VersionMismatch,
            Code::VersionRequired => Self::VersionRequired,
            Code::TooLarge => Self::TooLarge,
            Code::UnsupportedMedia => Self::UnsupportedMedia,
            Code::Invalid => Self::Invalid,
            Code::TooMany => Self::TooMany,
            Code::Internal => Self::Internal,
            Code::NotImplemented => Self::NotImplemented,
            Code::Unavailable => Self::Unavailable,
            Code::Timeout => Self::Timeout,
            Code::StorageFull => Self::StorageFull,
            Code::Malformed | Code::MethodNotAllowed | Code::UriTooLong | Code::HeaderTooLarge => {
                Self::Malformed
            }
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let mut problem =
            Self::new(fault.class().code(), fault.detail().to_owned()).named(fault.name().to_owned());
        for error in fault.errors() {
            problem = problem.with_error(error.clone());
        }
        if let Some(secs) = fault.retry_after() {
            problem = problem.with_retry_after(secs);
        }
        if let Some(version) = fault.current() {
            problem = problem.with_header(header::ETAG, etag(version));
        }
        if let Some(place) = fault.place().and_then(|place| HeaderValue::try_from(place).ok()) {
            problem = problem.with_header(header::LOCATION, place);
        }
        if fault.is_repeat() {
            let replayed = HeaderName::from_static(REPLAYED);
            problem = problem.with_header(replayed, HeaderValue::from_static("true"));
        }
        if let Some(first) = fault.first_request() {
            problem = problem.as_answered_to(first);
        }
        match fault.into_source() {
            Some(source) => problem.with_shared_source(source),
            None => problem,
        }
    }
}

/// The edge reports errors in bodies and cursors as problems; an operation that reads them passes them on as faults.
impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        let mut fault = Self::new(Class::of(problem.code()), problem.detail().to_owned());
        fault = fault.named(problem.name().to_owned());
        for error in problem.errors() {
            fault = fault.with_error(error.clone());
        }
        fault.with_source(problem)
    }
}

/// The versions that `If-Match` names; where the service insists on it, its absence is 428.
pub fn expected(headers: &HeaderMap, is_required: bool) -> Result<Expected, Problem> {
    let precondition = Precondition::if_match(headers)?;
    if is_required {
        precondition.require()?;
    }
    Ok(match precondition {
        Precondition::None | Precondition::Any => Expected::Any,
        Precondition::Tags(tags) => {
            Expected::OneOf(tags.iter().filter(|tag| !tag.weak).filter_map(|tag| tag.version).collect())
        }
    })
}
