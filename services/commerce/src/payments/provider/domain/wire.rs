//! The JSON of the provider's protocol (docs/guides/shop-payments.md): requests to it, and charges and refunds as it tells them.

use serde_json::{Value, json};
use uuid::Uuid;

use super::order::{ChargeOrder, RefundOrder};
use super::outcome::{DeclineCode, Outcome, RefundOutcome};
use crate::domain::money::Money;
use crate::payments::domain::card::Card;
use crate::payments::domain::method::CARD_DIGITS_MIN;

const REFERENCE_BYTES_MAX: usize = 200;
const MESSAGE_CHARS_MAX: usize = 200;

/// A charge as the provider tells it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ToldCharge {
    /// The id of our payment, if the charge is one of ours.
    pub(crate) key: Option<Uuid>,
    /// In the smallest unit, and the currency.
    pub(crate) amount: Option<(i64, String)>,
    /// `Unknown` as long as the provider is at work on it.
    pub(crate) outcome: Outcome,
}

/// A refund as the provider tells it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ToldRefund {
    /// The id of our refund, if it is one of ours.
    pub(crate) key: Option<Uuid>,
    /// `Unknown` as long as the provider is at work on it.
    pub(crate) outcome: RefundOutcome,
}

/// The request for a token.
pub(crate) fn method_request(card: &Card) -> Value {
    let (month, year) = card.expiry();
    json!({
        "type": "card",
        "card": {"number": card.number(), "exp_month": month, "exp_year": year, "cvc": card.cvv()},
        "billing_details": {"name": card.cardholder_name()},
    })
}

/// The request to charge.
pub(crate) fn charge_request(order: &ChargeOrder) -> Value {
    let ChargeOrder { key, order, amount, token } = order;
    json!({
        "amount": amount.minor,
        "currency": amount.currency.code().to_ascii_lowercase(),
        "payment_method": token.expose(),
        "confirm": true,
        "error_on_requires_action": true,
        "metadata": {"key": key, "order": order},
    })
}

/// The request to give money back.
pub(crate) fn refund_request(order: &RefundOrder) -> Value {
    let RefundOrder { key, reference, amount } = order;
    json!({"payment_intent": reference, "amount": amount.minor, "metadata": {"key": key}})
}

/// A charge as the sandbox tells it.
pub(crate) fn charge(order: &ChargeOrder, outcome: &Outcome) -> Value {
    let mut told = json!({
        "object": "payment_intent",
        "amount": order.amount.minor,
        "currency": order.amount.currency.code().to_ascii_lowercase(),
        "metadata": {"key": order.key, "order": order.order},
    });
    match outcome {
        Outcome::Captured { reference, authorization_code } => {
            told["id"] = json!(reference);
            told["status"] = json!("succeeded");
            told["authorization_code"] = json!(authorization_code);
        }
        Outcome::Declined { code, message } => {
            told["status"] = json!("requires_payment_method");
            told["last_payment_error"] = json!({"code": code_on_the_wire(*code), "message": message});
        }
        Outcome::Unknown | Outcome::Unreachable => told["status"] = json!("processing"),
    }
    told
}

/// A refund as the sandbox tells it.
pub(crate) fn refund(key: Uuid, amount: Money, reference: &str) -> Value {
    json!({
        "object": "refund",
        "id": reference,
        "status": "succeeded",
        "amount": amount.minor,
        "currency": amount.currency.code().to_ascii_lowercase(),
        "metadata": {"key": key},
    })
}

/// Reads a charge; none if it cannot be understood.
pub(crate) fn read_charge(told: &Value) -> Option<ToldCharge> {
    let outcome = match told["status"].as_str()? {
        "succeeded" => {
            let code = told["authorization_code"].as_str().unwrap_or_default();
            Outcome::Captured { reference: reference(told)?, authorization_code: cleaned(code) }
        }
        "canceled" => declined(&told["last_payment_error"]),
        // An intent that was made a moment ago has this status too, and then there is no error.
        "requires_payment_method" if told["last_payment_error"].is_object() => {
            declined(&told["last_payment_error"])
        }
        "requires_payment_method"
        | "requires_confirmation"
        | "requires_action"
        | "requires_capture"
        | "processing" => Outcome::Unknown,
        _ => return None,
    };
    let currency = told["currency"].as_str().map(str::to_ascii_uppercase);
    Some(ToldCharge { key: key(told), amount: told["amount"].as_i64().zip(currency), outcome })
}

/// Reads a refund; none if it cannot be understood.
pub(crate) fn read_refund(told: &Value) -> Option<ToldRefund> {
    let outcome = match told["status"].as_str()? {
        "succeeded" => RefundOutcome::Refunded { reference: reference(told)? },
        "failed" | "canceled" => {
            let reason = told["failure_reason"].as_str().unwrap_or("the provider refused the refund");
            RefundOutcome::Refused { message: cleaned(reason) }
        }
        "pending" | "requires_action" => RefundOutcome::Unknown,
        _ => return None,
    };
    Some(ToldRefund { key: key(told), outcome })
}

/// The reason of a declined charge, from the error that the provider tells.
pub(crate) fn declined(error: &Value) -> Outcome {
    let known =
        ["decline_code", "code"].into_iter().find_map(|field| code_from_the_wire(error[field].as_str()?));
    let code = known.unwrap_or(DeclineCode::CardDeclined);
    match error["message"].as_str().map(cleaned).filter(|message| !message.is_empty()) {
        Some(message) => Outcome::Declined { code, message },
        None => code.declined(),
    }
}

/// A text of the provider without line breaks, without numbers that may be those of cards, and no longer than anybody reads.
pub(crate) fn cleaned(text: &str) -> String {
    let mut clean = String::new();
    let mut digits = 0;
    // Where the run of digits begins that the text ends with; spaces and hyphens may part digits.
    let mut run = 0;
    for letter in text.chars().filter(|letter| !letter.is_control()).take(MESSAGE_CHARS_MAX) {
        match letter {
            '0'..='9' => digits += 1,
            ' ' | '-' if digits > 0 => {}
            _ => digits = 0,
        }
        if digits == 0 {
            run = clean.len() + letter.len_utf8();
        }
        clean.push(letter);
        if digits >= CARD_DIGITS_MIN {
            clean.truncate(run);
            clean.push_str("****");
            (digits, run) = (CARD_DIGITS_MIN - 1, clean.len() - 4);
        }
    }
    clean
}

fn reference(told: &Value) -> Option<String> {
    let id = told["id"].as_str()?;
    let fits =
        (1..=REFERENCE_BYTES_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| id.to_owned())
}

fn key(told: &Value) -> Option<Uuid> {
    Uuid::try_parse(told["metadata"]["key"].as_str()?).ok()
}

fn code_from_the_wire(code: &str) -> Option<DeclineCode> {
    Some(match code {
        "insufficient_funds" => DeclineCode::InsufficientFunds,
        "expired_card" => DeclineCode::ExpiredCard,
        "authentication_required" => DeclineCode::AuthenticationRequired,
        "processing_error" | "issuer_not_available" | "reenter_transaction" | "try_again_later" => {
            DeclineCode::ProcessorError
        }
        "incorrect_number"
        | "invalid_number"
        | "incorrect_cvc"
        | "invalid_cvc"
        | "invalid_expiry_month"
        | "invalid_expiry_year"
        | "payment_method_invalid"
        | "resource_missing" => DeclineCode::BadMethod,
        "bad_request" => DeclineCode::BadRequest,
        _ => return None,
    })
}

fn code_on_the_wire(code: DeclineCode) -> &'static str {
    match code {
        DeclineCode::InsufficientFunds => "insufficient_funds",
        DeclineCode::CardDeclined => "card_declined",
        DeclineCode::ExpiredCard => "expired_card",
        DeclineCode::BadMethod => "payment_method_invalid",
        DeclineCode::AuthenticationRequired => "authentication_required",
        DeclineCode::ProcessorError => "processing_error",
        DeclineCode::BadRequest => "bad_request",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::Currency;
    use crate::payments::domain::method::MethodToken;

    fn order() -> ChargeOrder {
        ChargeOrder {
            key: Uuid::from_u128(1),
            order: Uuid::from_u128(2),
            amount: Money::new(2_999, Currency::parse("USD").unwrap()),
            token: MethodToken::parse("tok_ok").unwrap(),
        }
    }

    #[test]
    fn the_charges_that_the_sandbox_tells_are_read_as_they_were() {
        let captured =
            Outcome::Captured { reference: "ch_1".to_owned(), authorization_code: "A1B2C3".to_owned() };
        let codes = [
            DeclineCode::InsufficientFunds,
            DeclineCode::CardDeclined,
            DeclineCode::ExpiredCard,
            DeclineCode::BadMethod,
            DeclineCode::AuthenticationRequired,
            DeclineCode::ProcessorError,
            DeclineCode::BadRequest,
        ];
        let declined = codes.map(DeclineCode::declined);
        for outcome in [captured, Outcome::Unknown].into_iter().chain(declined) {
            let told = charge(&order(), &outcome);
            let (key, amount) = (Some(Uuid::from_u128(1)), Some((2_999, "USD".to_owned())));
            assert_eq!(read_charge(&told), Some(ToldCharge { key, amount, outcome }), "{told}");
        }
    }

    #[test]
    fn an_intent_without_an_error_is_not_declined() {
        for (told, outcome) in [
            (json!({"status": "requires_payment_method"}), Some(Outcome::Unknown)),
            (json!({"status": "requires_action"}), Some(Outcome::Unknown)),
            (json!({"status": "canceled"}), Some(DeclineCode::CardDeclined.declined())),
            (json!({"status": "succeeded"}), None),
            (json!({"status": "succeeded", "id": "a b"}), None),
            (json!({"status": "new"}), None),
            (json!([]), None),
        ] {
            assert_eq!(read_charge(&told).map(|told| told.outcome), outcome, "{told}");
        }
    }

    #[test]
    fn refunds_are_read() {
        let told = refund(Uuid::from_u128(3), order().amount, "re_1");
        let outcome = RefundOutcome::Refunded { reference: "re_1".to_owned() };
        assert_eq!(read_refund(&told), Some(ToldRefund { key: Some(Uuid::from_u128(3)), outcome }));
        let failed = read_refund(&json!({"status": "failed", "failure_reason": "lost_or_stolen_card"}));
        let outcome = RefundOutcome::Refused { message: "lost_or_stolen_card".to_owned() };
        assert_eq!(failed, Some(ToldRefund { key: None, outcome }));
        assert_eq!(read_refund(&json!({"status": "pending"})).unwrap().outcome, RefundOutcome::Unknown);
        assert_eq!(read_refund(&json!({"status": 7})), None);
    }

    #[test]
    fn no_text_of_the_provider_has_the_number_of_a_card() {
        for (said, clean) in [
            ("Your card was declined.", "Your card was declined."),
            ("4111111111111111 is no card", "**** is no card"),
            ("card 4111-1111 1111 1111.", "card ****."),
            ("code 12345678901", "code 12345678901"),
            ("a\nb", "ab"),
        ] {
            assert_eq!(cleaned(said), clean);
        }
        assert_eq!(cleaned(&"é".repeat(500)).chars().count(), 200);
    }
}
