//! gRPC: faults as statuses, and calls that carry the key of their request.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use pando_grpc::{Request, Response, Status, caller};
use pando_idempotency::{Key, hash_of};
use pando_resilience::{Call, Repeat};
use tonic::Code;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::http::REPLAYED;
use crate::{Class, Fault, Written};

/// The metadata by which a repeated request is recognised.
const KEY: &str = "idempotency-key";
/// The metadata of an answer to a write whose value makes a later read see it.
const CONSISTENCY: &str = "pando-consistency";
/// The version that a thing has, in the metadata of an answer that refuses a change of another version.
const VERSION: &str = "pando-version";
/// How many bytes of bad fields a status names: clients refuse heads of more than 8 KiB.
const DETAILS_BYTES_MAX: usize = 3_072;
/// The longest message of a status.
const DETAIL_CHARS_MAX: usize = 512;
/// The domain of the reasons in error details.
const DOMAIN: &str = "pando";

impl Class {
    const fn status(self) -> Code {
        match self {
            Self::Malformed | Self::Invalid | Self::UnsupportedMedia => Code::InvalidArgument,
            Self::Unauthenticated => Code::Unauthenticated,
            Self::Forbidden => Code::PermissionDenied,
            Self::NotFound | Self::Gone => Code::NotFound,
            Self::RequestTimeout | Self::Timeout => Code::DeadlineExceeded,
            Self::Conflict => Code::AlreadyExists,
            Self::VersionMismatch => Code::Aborted,
            Self::VersionRequired | Self::PaymentRequired => Code::FailedPrecondition,
            Self::TooLarge | Self::TooMany | Self::StorageFull => Code::ResourceExhausted,
            Self::Internal => Code::Internal,
            Self::NotImplemented => Code::Unimplemented,
            Self::Unavailable | Self::BadGateway => Code::Unavailable,
        }
    }
}

/// Every bad field is a violation in `BadRequest`, and `ErrorInfo` names the reason. The source of a fault goes to the log, because
/// the edge sees no failure in an answer of gRPC.
impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        let mut details = ErrorDetails::new();
        details.set_error_info(reason(&fault), DOMAIN, HashMap::new());
        let mut room = DETAILS_BYTES_MAX;
        for (place, error) in fault.errors().iter().enumerate() {
            let bytes = error.field.len() + error.message.len();
            let Some(rest) = room.checked_sub(bytes) else {
                let left = fault.errors().len() - place;
                details.add_bad_request_violation("", format!("{left} more values are invalid"));
                break;
            };
            room = rest;
            details.add_bad_request_violation(&*error.field, &*error.message);
        }
        if let Some(seconds) = fault.retry_after() {
            details.set_retry_info(Some(Duration::from_secs(seconds)));
        }
        let mut metadata = MetadataMap::new();
        if let Some(version) = fault.current() {
            metadata.insert(VERSION, version.into());
        }
        if fault.is_repeat() {
            metadata.insert(REPLAYED, MetadataValue::from_static("true"));
        }
        let detail: String = fault.detail().chars().take(DETAIL_CHARS_MAX).collect();
        let code = fault.class().status();
        if let Some(source) = fault.into_source() {
            match code {
                Code::Internal => tracing::error!(error = %source, "a call failed"),
                _ => tracing::debug!(error = %source, "a call was refused"),
            }
        }
        Self::with_error_details_and_metadata(code, detail, details, metadata)
    }
}

/// The answer to a write: with the token that makes a later read see it, and with a word that it is a repeat, if it is one.
pub fn written<T, M>(done: Written<T>, message: impl FnOnce(T) -> M) -> Response<M> {
    let Written { value, token, replayed } = done;
    let mut response = Response::new(message(value));
    if let Ok(token) = token.to_string().parse() {
        response.metadata_mut().insert(CONSISTENCY, token);
    }
    if replayed {
        response.metadata_mut().insert(REPLAYED, MetadataValue::from_static("true"));
    }
    response
}

/// The name of a fault within its service, or of its class.
fn reason(fault: &Fault) -> String {
    let name = match fault.name() {
        "" => fault.class().code().name(),
        name => name,
    };
    name.to_uppercase()
}

/// The key of a request, if it has one.
pub fn key_of<T>(request: &Request<T>) -> Result<Option<String>, Status> {
    let Some(key) = request.metadata().get(KEY) else { return Ok(None) };
    let key = Key::parse(key.to_str().unwrap_or_default()).map_err(|error| {
        Fault::new(Class::Malformed, error.to_string()).with_field(KEY, "malformed", error.to_string())
    })?;
    Ok(Some(key.to_string()))
}

/// The fault of a stream of messages that the caller broke off, or that cannot be read.
pub fn of_stream(status: Status) -> Fault {
    let class = match status.code() {
        Code::ResourceExhausted | Code::OutOfRange => Class::TooLarge,
        Code::DeadlineExceeded => Class::Timeout,
        _ => Class::Malformed,
    };
    Fault::new(class, status.message().to_owned())
}

/// The call of a write: an operation of this name with this content, whichever transport it came by. If the request has an
/// `idempotency-key`, its repeats are recognised.
pub fn write_call<T>(
    request: &Request<T>,
    operation: &str,
    content: impl FnOnce(&T) -> Vec<u8>,
) -> Result<Call, Status> {
    let call = caller(request)?;
    let Some(key) = key_of(request)? else { return Ok(call) };
    let repeat =
        Repeat { operation: operation.to_owned(), key, hash: hash_of(&[&content(request.get_ref())]) };
    Ok(Call { repeat: Some(Arc::new(repeat)), ..call })
}
