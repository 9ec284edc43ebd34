//! Over HTTP: the key of a request, what is the same in a repeat, and faults as problems.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use pando_http::Problem;
use pando_service::http::{ServerEvent, event_stream, expected};
use pando_service::{Class, Expected, Fault};

#[test]
fn a_fault_is_a_problem_with_everything_the_client_needs() {
    let fault = Fault::stale("note", 7).with_place("/notes/1").with_retry_after(3);
    let problem = Problem::from(fault.clone());
    assert_eq!((problem.status().as_u16(), problem.code().name()), (412, "version_mismatch"));
    assert_eq!(problem.errors()[0].message, "7");
    let response = axum::response::IntoResponse::into_response(problem);
    assert_eq!(response.headers()["etag"], "\"7\"");
    assert_eq!(response.headers()["location"], "/notes/1");
    assert_eq!(response.headers()["retry-after"], "3");
    let back = Fault::from(Problem::from(fault));
    assert_eq!(back.class(), Class::VersionMismatch);
}

#[test]
fn what_is_inside_stays_inside() {
    let fault = Fault::internal("password=hunter2 refused");
    assert!(!fault.to_string().contains("hunter2"));
    assert_eq!(std::error::Error::source(&fault).unwrap().to_string(), "password=hunter2 refused");
    assert!(!Problem::from(fault).detail().contains("hunter2"));
}

#[test]
fn if_match_names_the_expected_versions() {
    let headers = |value: &'static str| {
        [(::http::header::IF_MATCH, ::http::HeaderValue::from_static(value))].into_iter().collect()
    };
    assert_eq!(expected(&headers(r#""3", W/"4", "x""#), false).unwrap(), Expected::OneOf(vec![3]));
    assert_eq!(expected(&headers("*"), true).unwrap(), Expected::Any);
    assert_eq!(expected(&Default::default(), true).unwrap_err().status().as_u16(), 428);
    assert!(expected(&headers("3"), false).is_err());
    assert!(Expected::OneOf(vec![2, 3]).check("note", 3).is_ok());
    assert_eq!(Expected::OneOf(vec![2]).check("note", 3).unwrap_err().current(), Some(3));
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_events_shows_signs_of_life_while_it_is_quiet_and_breaks_off_at_a_fault() {
    let told = stream::iter([
        Ok(ServerEvent::id("6")),
        ServerEvent::new("7", "note_created", &serde_json::json!({"text": "two\nlines"})),
        Ok(ServerEvent::comment("the end\nis near")),
    ]);
    // The clock of this test is paused, so nobody waits for this.
    let late = stream::once(async {
        tokio::time::sleep(Duration::from_secs(25)).await;
        Err(Fault::busy("later"))
    });
    let response = event_stream(told.chain(late));
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let mut pieces = response.into_body().into_data_stream();
    for expected in [
        "id: 6\n\n",
        "id: 7\nevent: note_created\ndata: {\"text\":\"two\\nlines\"}\n\n",
        ": the end is near\n\n",
        ":\n\n",
        ":\n\n",
    ] {
        assert_eq!(pieces.next().await.unwrap().unwrap(), expected);
    }
    assert!(pieces.next().await.unwrap().is_err());
}
