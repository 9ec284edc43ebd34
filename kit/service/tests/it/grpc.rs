//! Faults and keys over gRPC.

use std::time::Duration;

use pando_grpc::{Request, Status};
use pando_service::grpc::write_call;
use pando_service::{Class, Fault};
use tonic::Code;
use tonic_types::StatusExt as _;

#[test]
fn a_fault_is_a_status_with_everything_the_caller_needs() {
    let fault = Fault::new(Class::Invalid, "2 values are invalid")
        .named("bad_note")
        .with_field("title", "required", "is missing")
        .with_field("tags[3]", "too_long", "must have at most 9 characters")
        .with_retry_after(7);
    let status = Status::from(fault);
    assert_eq!((status.code(), status.message()), (Code::InvalidArgument, "2 values are invalid"));
    let details = status.get_error_details();
    let violations = &details.bad_request().unwrap().field_violations;
    let named: Vec<_> = violations.iter().map(|it| (it.field.as_str(), it.description.as_str())).collect();
    assert_eq!(named, [("title", "is missing"), ("tags[3]", "must have at most 9 characters")]);
    let info = details.error_info().unwrap();
    assert_eq!((info.reason.as_str(), info.domain.as_str()), ("BAD_NOTE", "pando"));
    assert_eq!(details.retry_info().unwrap().retry_delay, Some(Duration::from_secs(7)));

    let stale = Status::from(Fault::stale("note", 12));
    assert_eq!(stale.code(), Code::Aborted);
    assert_eq!(stale.metadata().get("pando-version").unwrap(), "12");
    assert_eq!(stale.get_error_details().error_info().unwrap().reason, "VERSION_MISMATCH");
    let inside = Status::from(Fault::internal("the password is 7"));
    assert_eq!((inside.code(), inside.message()), (Code::Internal, "something went wrong on our side"));
    assert!(!format!("{inside:?}").contains("password"));
    for (fault, code) in [
        (Fault::not_found("note"), Code::NotFound),
        (Fault::conflict("taken"), Code::AlreadyExists),
        (Fault::busy("later"), Code::Unavailable),
        (Fault::new(Class::StorageFull, "full"), Code::ResourceExhausted),
    ] {
        assert_eq!(Status::from(fault).code(), code);
    }
}

#[test]
fn a_call_without_the_edge_is_a_mistake_of_ours() {
    assert_eq!(
        write_call(&Request::new(()), "notes.create", |()| b"x".to_vec()).unwrap_err().code(),
        Code::Internal
    );
}
