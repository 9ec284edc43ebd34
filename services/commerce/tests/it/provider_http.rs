//! The provider over HTTP, against a real server on a socket.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;

use http::{HeaderMap, HeaderValue, Method};
use pando_commerce::{
    Card, ChargeOrder, DeclineCode, Found, GivenMethod, HttpProviderOptions, MethodToken, News, Outcome,
    PaymentsOptions, Provider, ProviderKind, RefundOrder, RefundOutcome,
};
use pando_database::testing::TestDatabase;
use pando_service::testing::{call, still_clock};
use pando_service::{Class, Parts, sign_message};
use pando_telemetry::Secret;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tracing::field::{Field, Visit};
use tracing::span;
use uuid::Uuid;

use crate::provider::{dollars, order};
use crate::provider_server::{ProviderServer, Reply};

const NUMBER: &str = "4111111111111111";
const CVV: &str = "987";
const CALLBACK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The provider at an address, with a short pause and time limit, and parts on which it stands.
struct Shop {
    provider: Provider,
    _parts: (Parts, tempfile::TempDir),
}

async fn shop(url: &str, change: impl FnOnce(&mut PaymentsOptions)) -> Shop {
    let database = TestDatabase::sqlite().open().await;
    let folder = tempfile::tempdir().unwrap();
    let clock = still_clock();
    let parts = Parts::with_defaults(&database, &folder.path().join("objects"), &clock).await.unwrap();
    let mut options = PaymentsOptions {
        provider: ProviderKind::Http,
        callback_secret: Some(Secret::new(CALLBACK_SECRET)),
        http: HttpProviderOptions {
            url: Some(url.to_owned()),
            secret_key: Some(Secret::new("sk_of_the_test")),
            allow_http: true,
            networks: vec!["127.0.0.0/8".to_owned()],
            retry_pause_ms: 1,
            ..HttpProviderOptions::default()
        },
        ..PaymentsOptions::default()
    };
    change(&mut options);
    Shop { provider: Provider::new(&parts, &options).unwrap(), _parts: (parts, folder) }
}

/// The address of a server that is gone.
async fn gone() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

fn intent(order: &ChargeOrder, status: &str) -> Value {
    json!({"id": "pi_1", "status": status, "amount": order.amount.minor, "currency": "usd", "authorization_code": "A1B2C3",
        "metadata": {"key": order.key, "order": order.order}})
}

fn captured() -> Outcome {
    Outcome::Captured { reference: "pi_1".to_owned(), authorization_code: "A1B2C3".to_owned() }
}

fn code(outcome: &Outcome) -> Option<DeclineCode> {
    match outcome {
        Outcome::Declined { code, .. } => Some(*code),
        _ => None,
    }
}

fn card() -> Card {
    let details = json!({"cardNumber": NUMBER, "expiryMonth": 12, "expiryYear": 2025, "cvv": CVV, "cardholderName": "Ann"});
    let body = json!({"paymentMethod": "CREDIT_CARD", "cardDetails": details});
    match GivenMethod::read(body.as_object().unwrap()) {
        Ok(GivenMethod::Card(_, card)) => card,
        other => panic!("no card: {other:?}"),
    }
}

#[tokio::test]
async fn a_charge_is_one_request_with_the_key_of_the_payment() {
    let server = ProviderServer::start().await;
    let Shop { provider, .. } = &shop(&format!("{}/", server.url()), |_| {}).await;
    let order = order(1, "pm_1");
    server.says(200, &intent(&order, "succeeded"));
    assert_eq!(provider.charge(&call(), &order).await, captured());
    let [request] = &server.take()[..] else { panic!("not one request") };
    assert_eq!((&request.method, request.path.as_str()), (&Method::POST, "/v1/payment_intents"));
    assert_eq!(request.headers["authorization"], "Bearer sk_of_the_test");
    assert_eq!(request.headers["content-type"], "application/json");
    assert_eq!(request.headers["idempotency-key"], format!("pando-charge-{}", order.key));
    assert_eq!(
        request.body,
        json!({"amount": 2_999, "currency": "usd", "payment_method": "pm_1", "confirm": true,
            "error_on_requires_action": true, "metadata": {"key": order.key, "order": order.order}})
    );
}

#[tokio::test]
async fn a_provider_that_says_no_declines_and_is_asked_once() {
    let server = ProviderServer::start().await;
    let Shop { provider, .. } = &shop(&server.url(), |_| {}).await;
    let error = |code: &str| json!({"error": {"code": code, "message": "No."}});
    let by_decline_code =
        json!({"error": {"code": "card_declined", "decline_code": "insufficient_funds", "message": "No."}});
    for (status, body, wanted) in [
        (402, by_decline_code, DeclineCode::InsufficientFunds),
        (402, error("card_declined"), DeclineCode::CardDeclined),
        (402, error("expired_card"), DeclineCode::ExpiredCard),
        (402, error("processing_error"), DeclineCode::ProcessorError),
        (402, error("authentication_required"), DeclineCode::AuthenticationRequired),
        (402, json!({}), DeclineCode::CardDeclined),
        (404, error("resource_missing"), DeclineCode::BadMethod),
        (400, error("parameter_missing"), DeclineCode::BadRequest),
    ] {
        server.says(status, &body);
        let outcome = provider.charge(&call(), &order(1, "pm_1")).await;
        assert_eq!(code(&outcome), Some(wanted), "{status} {body}: {outcome:?}");
        assert_eq!(server.take().len(), 1);
    }
    let order = order(2, "pm_1");
    let mut failed = intent(&order, "requires_payment_method");
    failed["last_payment_error"] = json!({"code": "expired_card", "message": "Too old."});
    server.says(200, &failed);
    let message = "Too old.".to_owned();
    let declined = Outcome::Declined { code: DeclineCode::ExpiredCard, message };
    assert_eq!(provider.charge(&call(), &order).await, declined);
}

#[tokio::test]
async fn an_outcome_that_is_not_certain_is_unknown_and_the_request_is_not_repeated() {
    let server = ProviderServer::start().await;
    let limit = |options: &mut PaymentsOptions| options.timeout_ms = 300;
    let Shop { provider, .. } = &shop(&server.url(), limit).await;
    let order = order(1, "pm_1");
    let mut other_amount = intent(&order, "succeeded");
    other_amount["amount"] = json!(29);
    let text = |status, text: &str| Reply::Text(status, text.to_owned());
    for reply in [
        Reply::Silence,
        Reply::HangUp,
        text(500, ""),
        text(503, "{}"),
        text(409, r#"{"error": {"code": "idempotency_key_in_use"}}"#),
        text(408, ""),
        text(302, ""),
        text(200, "<html>"),
        text(200, "{}"),
        text(200, &intent(&order, "processing").to_string()),
        text(200, &other_amount.to_string()),
    ] {
        server.replies(reply.clone());
        assert_eq!(provider.charge(&call(), &order).await, Outcome::Unknown, "{reply:?}");
        assert_eq!(server.take().len(), 1, "{reply:?}");
    }
}

#[tokio::test]
async fn a_provider_that_was_not_reached_charged_nothing() {
    let server = ProviderServer::start().await;
    let order = &order(1, "pm_1");
    let Shop { provider, .. } = &shop(&server.url(), |_| {}).await;
    for status in [401, 403, 404, 429] {
        server.replies(Reply::Text(status, "<html>".to_owned()));
        assert_eq!(provider.charge(&call(), order).await, Outcome::Unreachable, "{status}");
    }
    assert_eq!(server.take().len(), 4);
    let Shop { provider, .. } = &shop(&format!("http://{}", gone().await), |_| {}).await;
    assert_eq!(provider.charge(&call(), order).await, Outcome::Unreachable);
    assert_eq!(provider.find_charge(&call(), order.key).await, Found::Unreachable);
    let no_networks = |options: &mut PaymentsOptions| options.http.networks.clear();
    let Shop { provider, .. } = &shop(&server.url(), no_networks).await;
    assert_eq!(provider.charge(&call(), order).await, Outcome::Unreachable, "the address is private");
    assert!(server.take().is_empty());
}

#[tokio::test]
async fn connecting_is_tried_three_times() {
    // So many failures open the breaker, which counts the attempts.
    for (failures, is_open) in [(3, true), (4, false)] {
        let limits = |options: &mut PaymentsOptions| {
            (options.http.breaker_window, options.http.breaker_calls_min) = (failures, failures);
        };
        let address = gone().await;
        let Shop { provider, .. } = &shop(&format!("http://{address}"), limits).await;
        let order = order(1, "pm_1");
        assert_eq!(provider.charge(&call(), &order).await, Outcome::Unreachable);
        let server = ProviderServer::start_at(address).await;
        server.says(200, &intent(&order, "succeeded"));
        let outcome = if is_open { Outcome::Unreachable } else { captured() };
        assert_eq!(provider.charge(&call(), &order).await, outcome);
    }
}

#[tokio::test]
async fn the_breaker_keeps_requests_from_a_provider_that_fails() {
    let server = ProviderServer::start().await;
    let long = |options: &mut PaymentsOptions| options.http.breaker_open_ms = 3_600_000;
    let Shop { provider, .. } = &shop(&server.url(), long).await;
    for _ in 0..10 {
        assert_eq!(provider.charge(&call(), &order(1, "pm_1")).await, Outcome::Unknown);
    }
    assert_eq!(server.take().len(), 10);
    assert_eq!(provider.charge(&call(), &order(1, "pm_1")).await, Outcome::Unreachable);
    let fault = provider.tokenize(&call(), &card()).await.unwrap_err();
    assert_eq!((fault.class(), fault.name()), (Class::Unavailable, "CIRCUIT_BREAKER_OPEN"));
    assert!(fault.retry_after().is_some_and(|seconds| seconds > 3_000));
    assert!(server.take().is_empty());
}

#[tokio::test]
async fn the_breaker_closes_when_the_provider_is_back() {
    let server = ProviderServer::start().await;
    let short = |options: &mut PaymentsOptions| options.http.breaker_open_ms = 1;
    let Shop { provider, .. } = &shop(&server.url(), short).await;
    let order = order(1, "pm_1");
    for _ in 0..10 {
        provider.charge(&call(), &order).await;
    }
    for _ in 0..20 {
        server.says(200, &intent(&order, "succeeded"));
    }
    while provider.charge(&call(), &order).await != captured() {
        tokio::task::yield_now().await;
    }
    for _ in 0..9 {
        assert_eq!(provider.charge(&call(), &order).await, captured());
    }
}

#[tokio::test]
async fn charges_are_found_by_the_key_of_the_payment() {
    let server = ProviderServer::start().await;
    let Shop { provider, .. } = &shop(&server.url(), |_| {}).await;
    let order = order(1, "pm_1");
    let other = intent(&crate::provider::order(2, "pm_1"), "succeeded");
    let mut declined = intent(&order, "requires_payment_method");
    declined["last_payment_error"] = json!({"code": "expired_card"});
    let (pending, done) = (intent(&order, "processing"), intent(&order, "succeeded"));
    for (status, body, found) in [
        (200, json!({"data": [done.clone()]}), Found::Ended(captured())),
        (
            200,
            json!({"data": [other.clone(), declined.clone(), pending.clone(), done]}),
            Found::Ended(captured()),
        ),
        (200, json!({"data": [pending.clone()]}), Found::Pending),
        (200, json!({"data": [declined.clone(), pending.clone()]}), Found::Pending),
        (200, json!({"data": [pending, declined.clone()]}), Found::Pending),
        (200, json!({"data": []}), Found::NotThere),
        (200, json!({"data": [other]}), Found::NotThere),
        (200, json!({"data": [{"status": "new"}]}), Found::Unreachable),
        (200, json!({}), Found::Unreachable),
        (404, json!({"error": {}}), Found::Unreachable),
        (500, json!({"data": []}), Found::Unreachable),
    ] {
        server.says(status, &body);
        assert_eq!(provider.find_charge(&call(), order.key).await, found, "{status} {body}");
        let [request] = &server.take()[..] else { panic!("not one request") };
        assert_eq!(request.method, Method::GET);
        assert_eq!(request.path, format!("/v1/payment_intents?key={}", order.key));
    }
    server.says(200, &json!({"data": [declined]}));
    let found = provider.find_charge(&call(), order.key).await;
    assert!(matches!(found, Found::Ended(it) if code(&it) == Some(DeclineCode::ExpiredCard)));
}

#[tokio::test]
async fn refunds_are_made_and_found_by_their_key() {
    let server = ProviderServer::start().await;
    let Shop { provider, .. } = &shop(&server.url(), |_| {}).await;
    let key = Uuid::from_u128(9);
    let order = RefundOrder { key, reference: "pi_1".to_owned(), amount: dollars(500) };
    let told = |status: &str| json!({"id": "re_1", "status": status, "metadata": {"key": key}});
    let refunded = RefundOutcome::Refunded { reference: "re_1".to_owned() };
    let refused = RefundOutcome::Refused { message: "Too much.".to_owned() };
    for (status, body, outcome) in [
        (200, told("succeeded"), refunded.clone()),
        (200, told("pending"), RefundOutcome::Unknown),
        (200, json!([]), RefundOutcome::Unknown),
        (400, json!({"error": {"message": "Too much."}}), refused),
        (401, json!({"error": {}}), RefundOutcome::Unreachable),
        (404, json!("no such page"), RefundOutcome::Unreachable),
        (502, json!({}), RefundOutcome::Unknown),
    ] {
        server.says(status, &body);
        assert_eq!(provider.refund(&call(), &order).await, outcome, "{status} {body}");
        let [request] = &server.take()[..] else { panic!("not one request") };
        assert_eq!((&request.method, request.path.as_str()), (&Method::POST, "/v1/refunds"));
        assert_eq!(request.headers["idempotency-key"], format!("pando-refund-{key}"));
        let body = json!({"payment_intent": "pi_1", "amount": 500, "metadata": {"key": key}});
        assert_eq!(request.body, body);
    }
    for (body, found) in [
        (json!({"data": [told("succeeded")]}), Found::Ended(refunded)),
        (json!({"data": [told("pending")]}), Found::Pending),
        (json!({"data": []}), Found::NotThere),
    ] {
        server.says(200, &body);
        assert_eq!(provider.find_refund(&call(), key).await, found, "{body}");
        assert_eq!(server.take()[0].path, format!("/v1/refunds?key={key}"));
    }
}

#[tokio::test]
async fn a_card_goes_to_the_provider_and_into_no_error_and_no_log() {
    let server = ProviderServer::start().await;
    let log = Log { thread: std::thread::current().id(), text: Arc::default() };
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    let limit = |options: &mut PaymentsOptions| options.timeout_ms = 300;
    let Shop { provider, .. } = &shop(&server.url(), limit).await;
    let card = card();
    server.says(200, &json!({"id": "pm_7"}));
    assert_eq!(provider.tokenize(&call(), &card).await.unwrap(), MethodToken::parse("pm_7").unwrap());
    let [request] = &server.take()[..] else { panic!("not one request") };
    assert_eq!((&request.method, request.path.as_str()), (&Method::POST, "/v1/payment_methods"));
    assert_eq!(
        request.body,
        json!({"type": "card", "card": {"number": NUMBER, "exp_month": 12, "exp_year": 2025, "cvc": CVV},
            "billing_details": {"name": "Ann"}})
    );
    let echo = json!({"error": {"code": "incorrect_number", "message": format!("{NUMBER} is no card, nor is {CVV}")}});
    let mut said = format!("{card:?}");
    for (reply, class, name) in [
        (Reply::Text(402, echo.to_string()), Class::Malformed, "PAYMENT_METHOD_INVALID"),
        (Reply::Text(400, echo.to_string()), Class::Malformed, "PAYMENT_METHOD_INVALID"),
        (Reply::Text(500, echo.to_string()), Class::Unavailable, "PAYMENT_PROCESSOR_ERROR"),
        (Reply::Text(401, echo.to_string()), Class::Unavailable, "PAYMENT_PROCESSOR_ERROR"),
        (Reply::Text(200, format!(r#"{{"id": "{NUMBER}"}}"#)), Class::Unavailable, "PAYMENT_PROCESSOR_ERROR"),
        (Reply::Silence, Class::Unavailable, "PAYMENT_PROCESSOR_ERROR"),
        (Reply::HangUp, Class::Unavailable, "PAYMENT_PROCESSOR_ERROR"),
    ] {
        server.replies(reply.clone());
        let fault = provider.tokenize(&call(), &card).await.unwrap_err();
        assert_eq!((fault.class(), fault.name()), (class, name), "{reply:?}");
        write!(said, " {fault} {fault:?}").unwrap();
    }
    let Shop { provider, .. } = &shop(&format!("http://{}", gone().await), |_| {}).await;
    let fault = provider.tokenize(&call(), &card).await.unwrap_err();
    write!(said, " {fault} {fault:?}").unwrap();
    let mut order = order(1, "pm_7");
    let Shop { provider, .. } = &shop(&server.url(), |_| {}).await;
    server
        .says(402, &json!({"error": {"code": "card_declined", "message": format!("{NUMBER} was declined")}}));
    let outcome = provider.charge(&call(), &order).await;
    order.token = MethodToken::parse("pm_secret_token").unwrap();
    write!(said, " {outcome:?} {order:?}").unwrap();
    let logged = log.text.lock().unwrap().clone();
    assert!(logged.contains("the payment provider gave no answer"), "nothing was logged: {logged}");
    for secret in [NUMBER, "pm_secret_token", "sk_of_the_test"] {
        assert!(!said.contains(secret), "{secret}: {said}");
        assert!(!logged.contains(secret), "{secret}: {logged}");
    }
    // Three digits may be part of another number, such as a port.
    let is_cvv = |text: &str| text.split(|letter: char| !letter.is_ascii_digit()).any(|word| word == CVV);
    assert!(!is_cvv(&logged), "{logged}");
    assert!(!is_cvv(&said), "{said}");
}

#[tokio::test]
async fn callbacks_are_believed_if_the_provider_signed_them_a_moment_ago() {
    let Shop { provider, .. } = &shop("http://127.0.0.1:9", |_| {}).await;
    let order = order(1, "pm_1");
    let object = intent(&order, "succeeded");
    let body =
        json!({"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": object}}).to_string();
    let now = still_clock().now();
    let sent = now.as_micros() / 1_000_000;
    let headers = |secret: &str, seconds: i64| {
        let signature = sign_message(secret, ("evt_1", seconds), body.as_bytes());
        HeaderMap::from_iter([
            (http::HeaderName::from_static("webhook-id"), HeaderValue::from_static("evt_1")),
            (http::HeaderName::from_static("webhook-timestamp"), HeaderValue::from(seconds)),
            (http::HeaderName::from_static("webhook-signature"), HeaderValue::try_from(signature).unwrap()),
        ])
    };
    let callback = provider.read_callback(&headers(CALLBACK_SECRET, sent), body.as_bytes(), now).unwrap();
    assert_eq!(callback.event_id, "evt_1");
    assert_eq!(callback.news, News::Charge { key: order.key, outcome: captured() });
    let refused = |headers: HeaderMap, body: &str| {
        let fault = provider.read_callback(&headers, body.as_bytes(), now).unwrap_err();
        assert_eq!(fault.class(), Class::Unauthenticated);
    };
    refused(headers("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", sent), &body);
    refused(headers(CALLBACK_SECRET, sent - 301), &body);
    refused(headers(CALLBACK_SECRET, sent), &body.replace("2999", "1"));
    let mut later = headers(CALLBACK_SECRET, sent - 301);
    later.insert("webhook-timestamp", HeaderValue::from(sent));
    refused(later, &body);
    refused(HeaderMap::new(), &body);
}

/// All that one test logs on its thread, from the finest level on. It is the only subscriber of the program: one for a single thread
/// misses lines that another thread came by first.
#[derive(Clone)]
struct Log {
    thread: ThreadId,
    text: Arc<Mutex<String>>,
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Log {
    fn note(&self, record: impl FnOnce(&mut Line<'_>)) {
        if std::thread::current().id() == self.thread {
            record(&mut Line(&mut self.text.lock().unwrap()));
        }
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        self.note(|line| span.record(line));
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        self.note(|line| values.record(line));
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        self.note(|line| event.record(line));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
