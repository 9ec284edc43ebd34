//! The sandbox: its tokens, its ledger, its chances and its callbacks.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use pando_commerce::{
    Callback, ChargeOrder, Currency, DeclineCode, Found, GivenMethod, MethodToken, Money, News, Outcome,
    PaymentsOptions, Provider, RefundOrder, RefundOutcome, SandboxOptions,
};
use pando_queue::Registry;
use pando_resilience::{Call, Tenant};
use pando_service::prelude::Fault;
use pando_service::testing::call;
use serde_json::json;
use uuid::Uuid;

use crate::{House, each_house};

/// The sandbox of a house with these settings.
fn sandbox(house: &House, options: SandboxOptions) -> Provider {
    let options = PaymentsOptions { sandbox: options, ..PaymentsOptions::default() };
    Provider::new(&house.parts, &options).unwrap()
}

pub(crate) fn dollars(minor: i64) -> Money {
    Money::new(minor, Currency::parse("USD").unwrap())
}

/// The order to charge 29.99 for the payment of this number.
pub(crate) fn order(number: u128, token: &str) -> ChargeOrder {
    ChargeOrder {
        key: Uuid::from_u128(number),
        order: Uuid::from_u128(1_000 + number),
        amount: dollars(2_999),
        token: MethodToken::parse(token).unwrap(),
    }
}

pub(crate) fn refund(number: u128, charge: &Outcome, minor: i64) -> RefundOrder {
    let Outcome::Captured { reference, .. } = charge else { panic!("not captured: {charge:?}") };
    RefundOrder { key: Uuid::from_u128(number), reference: reference.clone(), amount: dollars(minor) }
}

fn is_captured(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Captured { reference, .. } if !reference.is_empty())
}

fn is_declined(outcome: &Outcome, wanted: DeclineCode) -> bool {
    matches!(outcome, Outcome::Declined { code, message } if *code == wanted && !message.is_empty())
}

#[tokio::test]
async fn each_test_token_does_what_it_says_each_time() {
    each_house(async |house| {
        let provider = sandbox(&house, SandboxOptions::default());
        let ends = async |number: u128, token: &str| {
            let order = order(number, token);
            let outcome = provider.charge(&call(), &order).await;
            assert_eq!(provider.charge(&call(), &order).await, outcome, "{token} the second time");
            (outcome, provider.find_charge(&call(), order.key).await)
        };
        for (number, token, code) in [
            (1, "tok_declined", DeclineCode::CardDeclined),
            (2, "tok_insufficient_funds", DeclineCode::InsufficientFunds),
            (3, "tok_expired_card", DeclineCode::ExpiredCard),
            (4, "tok_processor_error", DeclineCode::ProcessorError),
            (5, "tok_nobody_made", DeclineCode::BadMethod),
        ] {
            let (outcome, found) = ends(number, token).await;
            assert!(is_declined(&outcome, code), "{token}: {outcome:?}");
            assert_eq!(found, Found::Ended(outcome));
        }
        for (number, token) in [(6, "tok_ok"), (7, "tok_slow"), (8, "tok_refund_refused"), (9, "pm_1")] {
            let (outcome, found) = ends(number, token).await;
            assert!(is_captured(&outcome), "{token}: {outcome:?}");
            assert_eq!(found, Found::Ended(outcome));
        }
        let (outcome, found) = ends(10, "tok_unknown").await;
        assert_eq!(outcome, Outcome::Unknown);
        assert!(matches!(found, Found::Ended(outcome) if is_captured(&outcome)));
        assert_eq!(ends(11, "tok_lost").await, (Outcome::Unknown, Found::NotThere));
        assert_eq!(ends(12, "tok_unreachable").await, (Outcome::Unreachable, Found::NotThere));
    })
    .await;
}

#[tokio::test]
async fn a_slow_charge_is_unknown_after_the_time_limit_and_was_captured() {
    each_house(async |house| {
        let options = PaymentsOptions { timeout_ms: 100, ..PaymentsOptions::default() };
        let provider = Provider::new(&house.parts, &options).unwrap();
        let order = order(1, "tok_slow");
        assert_eq!(provider.charge(&call(), &order).await, Outcome::Unknown);
        let found = provider.find_charge(&call(), order.key).await;
        assert!(matches!(found, Found::Ended(outcome) if is_captured(&outcome)));
    })
    .await;
}

#[tokio::test]
async fn one_key_is_charged_once_and_another_amount_is_refused() {
    each_house(async |house| {
        let provider = sandbox(&house, SandboxOptions::default());
        let first = order(1, "pm_1");
        let call = call();
        let at_once = join_all((0..8).map(|_| provider.charge(&call, &first))).await;
        assert!(is_captured(&at_once[0]));
        assert!(at_once.iter().all(|outcome| *outcome == at_once[0]), "{at_once:?}");
        let other = ChargeOrder { amount: dollars(3_000), ..first.clone() };
        assert!(is_declined(&provider.charge(&call, &other).await, DeclineCode::BadRequest));
        let nothing = ChargeOrder { key: Uuid::from_u128(2), amount: dollars(0), ..first.clone() };
        assert!(is_declined(&provider.charge(&call, &nothing).await, DeclineCode::BadRequest));
        assert_eq!(provider.find_charge(&call, first.key).await, Found::Ended(at_once[0].clone()));
    })
    .await;
}

#[tokio::test]
async fn the_ledger_and_the_chances_outlive_the_process_and_belong_to_a_tenant() {
    each_house(async |house| {
        let options =
            SandboxOptions { seed: 7, success_percent: 50, unknown_percent: 30, ..SandboxOptions::default() };
        let before = sandbox(&house, options.clone());
        let mut outcomes = Vec::new();
        for number in 1..=40 {
            outcomes.push(before.charge(&call(), &order(number, "pm_1")).await);
        }
        drop(before);
        for kind in [
            is_captured as fn(&Outcome) -> bool,
            |it| *it == Outcome::Unknown,
            |it| matches!(it, Outcome::Declined { .. }),
        ] {
            assert!(outcomes.iter().filter(|it| kind(it)).count() > 3, "{outcomes:?}");
        }
        let after = sandbox(&house, options);
        let acme = call().of_tenant(Tenant::named("acme").unwrap());
        for (number, outcome) in (1..).zip(&outcomes) {
            let order = order(number, "pm_1");
            let found = after.find_charge(&call(), order.key).await;
            match outcome {
                Outcome::Unknown => assert!(matches!(found, Found::Ended(_)), "{found:?}"),
                outcome => assert_eq!(found, Found::Ended(outcome.clone())),
            }
            assert_eq!(after.charge(&call(), &order).await, *outcome);
            assert_eq!(after.find_charge(&acme, order.key).await, Found::NotThere);
        }
        assert_eq!(after.charge(&acme, &order(1, "pm_1")).await, outcomes[0], "chance knows no tenant");
    })
    .await;
}

#[tokio::test]
async fn refunds_add_up_to_the_charge_and_not_to_more() {
    each_house(async |house| {
        let provider = sandbox(&house, SandboxOptions::default());
        let call = call();
        let charge = provider.charge(&call, &order(1, "pm_1")).await;
        let first = refund(10, &charge, 999);
        let done = provider.refund(&call, &first).await;
        assert!(matches!(done, RefundOutcome::Refunded { .. }), "{done:?}");
        assert_eq!(provider.refund(&call, &first).await, done);
        assert_eq!(provider.find_refund(&call, first.key).await, Found::Ended(done));
        let same_key = refund(10, &charge, 1_000);
        assert!(matches!(provider.refund(&call, &same_key).await, RefundOutcome::Refused { .. }));
        // 2,000 are left, and eight ask for 600 each at once.
        let asked: Vec<RefundOrder> = (20..28).map(|number| refund(number, &charge, 600)).collect();
        let answers = join_all(asked.iter().map(|order| provider.refund(&call, order))).await;
        let refunded = answers.iter().filter(|it| matches!(it, RefundOutcome::Refunded { .. })).count();
        let refused = answers.iter().filter(|it| matches!(it, RefundOutcome::Refused { .. })).count();
        assert_eq!((refunded, refused), (3, 5), "{answers:?}");
        for (order, answer) in asked.iter().zip(answers) {
            let found = provider.find_refund(&call, order.key).await;
            match answer {
                RefundOutcome::Refunded { .. } => assert_eq!(found, Found::Ended(answer)),
                _ => assert_eq!(found, Found::NotThere),
            }
        }
        assert!(matches!(
            provider.refund(&call, &refund(30, &charge, 201)).await,
            RefundOutcome::Refused { .. }
        ));
        assert!(matches!(
            provider.refund(&call, &refund(31, &charge, 200)).await,
            RefundOutcome::Refunded { .. }
        ));
    })
    .await;
}

#[tokio::test]
async fn refunds_are_refused_unknown_or_of_no_charge() {
    each_house(async |house| {
        let provider = sandbox(&house, SandboxOptions::default());
        let call = call();
        let refused = provider.charge(&call, &order(1, "tok_refund_refused")).await;
        assert!(matches!(
            provider.refund(&call, &refund(10, &refused, 1)).await,
            RefundOutcome::Refused { .. }
        ));
        let unknown = provider.charge(&call, &order(2, "tok_refund_unknown")).await;
        let asked = refund(11, &unknown, 2_999);
        assert_eq!(provider.refund(&call, &asked).await, RefundOutcome::Unknown);
        let found = provider.find_refund(&call, asked.key).await;
        assert!(matches!(found, Found::Ended(RefundOutcome::Refunded { .. })), "{found:?}");
        provider.charge(&call, &order(3, "tok_declined")).await;
        let declined = format!("ch_{}", Uuid::from_u128(3).simple());
        for reference in ["ch_1".to_owned(), declined] {
            let order = RefundOrder { key: Uuid::from_u128(12), reference, amount: dollars(1) };
            assert!(matches!(provider.refund(&call, &order).await, RefundOutcome::Refused { .. }));
            assert_eq!(provider.find_refund(&call, order.key).await, Found::NotThere);
        }
    })
    .await;
}

#[tokio::test]
async fn callbacks_come_late_twice_and_in_another_order() {
    each_house(async |house| {
        let options = SandboxOptions { callbacks: 2, callback_delay_ms: 60_000, ..SandboxOptions::default() };
        let provider = sandbox(&house, options);
        let taken = taking(&provider);
        let mut happened = Vec::new();
        for number in 1..=6 {
            let order = order(number, if number == 6 { "tok_declined" } else { "tok_ok" });
            happened.push((order.key, provider.charge(&call(), &order).await));
        }
        let back = refund(10, &happened[0].1, 500);
        let refunded = provider.refund(&call(), &back).await;
        // Any delay is less than a minute, and nothing is sent before it is over.
        for _ in 0..60 {
            house.clock.advance(Duration::from_secs(1));
            house.parts.queue.run_until_idle(&taken.registry).await.unwrap();
        }
        let callbacks = taken.callbacks.lock().unwrap().clone();
        assert_eq!(callbacks.len(), 14, "two of each: {callbacks:?}");
        let about = |key: Uuid| {
            let id = format!("evt_{}", key.simple());
            callbacks.iter().filter(move |callback| callback.event_id == id)
        };
        for (key, outcome) in &happened {
            let news = News::Charge { key: *key, outcome: outcome.clone() };
            assert_eq!(about(*key).filter(|callback| callback.news == news).count(), 2);
        }
        let news = News::Refund { key: back.key, outcome: refunded };
        assert_eq!(about(back.key).filter(|callback| callback.news == news).count(), 2);
        let order: Vec<&str> = callbacks.iter().map(|it| it.event_id.as_str()).collect();
        assert!(!order.is_sorted(), "they came in the order of their charges");
    })
    .await;
}

#[tokio::test]
async fn a_callback_that_is_not_taken_is_sent_again() {
    each_house(async |house| {
        let provider = sandbox(&house, SandboxOptions::default());
        let taken = taking(&provider);
        *taken.refusals.lock().unwrap() = 2;
        let acme = call().of_tenant(Tenant::named("acme").unwrap());
        provider.charge(&acme, &order(1, "tok_unknown")).await;
        while taken.callbacks.lock().unwrap().is_empty() {
            house.parts.queue.run_until_idle(&taken.registry).await.unwrap();
            house.clock.advance(Duration::from_secs(1));
        }
        assert_eq!(*taken.refusals.lock().unwrap(), 0);
        assert_eq!(*taken.tenants.lock().unwrap(), ["acme", "acme", "acme"]);
        let none = sandbox(&house, SandboxOptions { callbacks: 0, ..SandboxOptions::default() });
        none.charge(&call(), &order(2, "tok_ok")).await;
        assert_eq!(house.parts.queue.run_until_idle(&taken.registry).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn only_a_process_of_the_sandbox_can_sign_its_callbacks() {
    each_house(async |house| {
        let provider = sandbox(&house, SandboxOptions::default());
        let other = sandbox(&house, SandboxOptions::default());
        let taken = taking_with(&provider, move |headers, body, now| other.read_callback(headers, body, now));
        provider.charge(&call(), &order(1, "tok_ok")).await;
        house.parts.queue.run_until_idle(&taken.registry).await.unwrap();
        assert!(taken.callbacks.lock().unwrap().is_empty());
        assert!(!taken.tenants.lock().unwrap().is_empty(), "it was sent, and refused");
    })
    .await;
}

#[tokio::test]
async fn cards_get_tokens_and_those_with_a_known_number_a_known_one() {
    each_house(async |house| {
        let provider = sandbox(&house, SandboxOptions::default());
        let token = async |number: &str| {
            let card = json!({"cardNumber": number, "expiryMonth": 12, "expiryYear": 2025, "cvv": "123"});
            let body = json!({"paymentMethod": "CREDIT_CARD", "cardDetails": card});
            let Ok(GivenMethod::Card(_, card)) = GivenMethod::read(body.as_object().unwrap()) else {
                panic!("no card")
            };
            provider.tokenize(&call(), &card).await.unwrap().expose().to_owned()
        };
        for (ending, known) in [
            ("0077", "tok_ok"),
            ("0002", "tok_declined"),
            ("9995", "tok_insufficient_funds"),
            ("0069", "tok_expired_card"),
            ("0119", "tok_processor_error"),
            ("9101", "tok_slow"),
            ("9102", "tok_unknown"),
            ("9103", "tok_lost"),
            ("9104", "tok_unreachable"),
            ("9105", "tok_refund_refused"),
            ("9106", "tok_refund_unknown"),
        ] {
            assert_eq!(token(&format!("400000000000{ending}")).await, known);
        }
        let (one, two) = (token("4111111111110002").await, token("4111111111110002").await);
        assert!(one.starts_with("pm_") && two.starts_with("pm_") && one != two, "{one} {two}");
    })
    .await;
}

#[tokio::test]
async fn a_charge_whose_deadline_is_past_does_not_happen() {
    each_house(async |house| {
        let provider = sandbox(&house, SandboxOptions::default());
        let late = Call::internal("late", Duration::ZERO);
        assert_eq!(provider.charge(&late, &order(1, "tok_ok")).await, Outcome::Unreachable);
        assert_eq!(provider.find_charge(&late, Uuid::from_u128(1)).await, Found::Unreachable);
        assert_eq!(provider.find_charge(&call(), Uuid::from_u128(1)).await, Found::NotThere);
    })
    .await;
}

/// The callbacks that were taken, as the route for callbacks will take them.
struct Taken {
    registry: Registry,
    callbacks: Arc<Mutex<Vec<Callback>>>,
    /// The tenants of all attempts.
    tenants: Arc<Mutex<Vec<String>>>,
    /// How many attempts are refused from now on.
    refusals: Arc<Mutex<usize>>,
}

fn taking(provider: &Provider) -> Taken {
    let reader = provider.clone();
    taking_with(provider, move |headers, body, now| reader.read_callback(headers, body, now))
}

fn taking_with(
    provider: &Provider,
    read: impl Fn(&http::HeaderMap, &[u8], pando_clock::Timestamp) -> Result<Callback, Fault>
    + Clone
    + Send
    + Sync
    + 'static,
) -> Taken {
    let taken = Taken {
        registry: Registry::default(),
        callbacks: Arc::default(),
        tenants: Arc::default(),
        refusals: Arc::default(),
    };
    let (callbacks, tenants, refusals) =
        (taken.callbacks.clone(), taken.tenants.clone(), taken.refusals.clone());
    let kind = provider.callback_kind(move |call, headers, body| {
        tenants.lock().unwrap().push(call.tenant().as_str().to_owned());
        let mut refusals = refusals.lock().unwrap();
        let result = if *refusals > 0 {
            *refusals -= 1;
            Err(Fault::busy("not now"))
        } else {
            let seconds: i64 = headers["webhook-timestamp"].to_str().unwrap().parse().unwrap();
            let now = pando_clock::Timestamp::from_micros(seconds * 1_000_000);
            read(&headers, &body, now).map(|callback| callbacks.lock().unwrap().push(callback))
        };
        async move { result }
    });
    let mut registry = taken.registry.clone();
    registry.add(kind.unwrap()).unwrap();
    Taken { registry, ..taken }
}
