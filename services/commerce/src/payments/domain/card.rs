//! Cards as callers give them: they are passed on to the provider, and kept nowhere.

use std::fmt;

use pando_service::prelude::*;
use pando_service::{Class, FieldError};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::method::{CARD_DIGITS_MIN, Method, MethodKind, MethodToken};

const CARD_DIGITS_MAX: usize = 19;
const NAME_CHARS_MAX: usize = 100;
/// The first year of the published contract, and the last one that anybody prints on a card.
const YEARS: std::ops::RangeInclusive<u64> = 2024..=2099;

/// A card. Nothing writes it as JSON, `Debug` shows its last four digits, and its secrets are wiped from the memory at its end.
pub struct Card {
    number: Zeroizing<String>,
    cvv: Zeroizing<String>,
    expiry_month: u8,
    expiry_year: u16,
    cardholder_name: Option<String>,
}

/// The method of payment that a caller gave.
#[derive(Debug)]
pub enum GivenMethod {
    /// A card.
    Card(MethodKind, Card),
    /// The provider's token for a card, which the caller got from the provider itself.
    Token(MethodKind, MethodToken),
}

/// Reads the fields of one object and gathers those that are bad. A bad value is not repeated: it may be a secret.
struct Reading<'a> {
    fields: &'a Map<String, Value>,
    /// The place of the object in the body.
    place: &'static str,
    errors: Vec<FieldError>,
}

impl GivenMethod {
    /// The method in the body of a request, in each of the published forms: the object `paymentMethod` with the card or a token in it, or
    /// the text `paymentMethod` beside the object `cardDetails`.
    ///
    /// Neither the check digit of the number nor the expiry is checked against anything: published clients send made-up cards. The
    /// provider judges them.
    pub fn read(body: &Map<String, Value>) -> Result<Self, Fault> {
        match (body.get("paymentMethod"), body.get("cardDetails")) {
            (Some(Value::Object(method)), _) => {
                let mut reading = Reading { fields: method, place: "paymentMethod", errors: Vec::new() };
                let kind = reading.kind("type", method.get("type"));
                if method.get("token").is_some_and(|token| !token.is_null()) {
                    let token = reading.token();
                    return reading.done(kind.zip(token).map(|(kind, token)| Self::Token(kind, token)));
                }
                let card = reading.card();
                reading.done(kind.zip(card).map(|(kind, card)| Self::Card(kind, card)))
            }
            (kind @ Some(Value::String(_)), Some(Value::Object(card))) => {
                let mut reading = Reading { fields: card, place: "", errors: Vec::new() };
                let kind = reading.kind("paymentMethod", kind);
                reading.place = "cardDetails";
                let card = reading.card();
                reading.done(kind.zip(card).map(|(kind, card)| Self::Card(kind, card)))
            }
            (Some(Value::String(_)), _) => Err(refused(vec![FieldError::new(
                "cardDetails",
                "required",
                "must be an object with the card",
            )])),
            _ => {
                let message = "must be an object, or a text beside `cardDetails`";
                Err(refused(vec![FieldError::new("paymentMethod", "required", message)]))
            }
        }
    }
}

impl Card {
    /// All digits of the number.
    pub(crate) fn number(&self) -> &str {
        &self.number
    }

    pub(crate) fn cvv(&self) -> &str {
        &self.cvv
    }

    /// The month, from 1, and the year.
    pub(crate) fn expiry(&self) -> (u8, u16) {
        (self.expiry_month, self.expiry_year)
    }

    /// The name on the card, if the caller gave it.
    pub fn cardholder_name(&self) -> Option<&str> {
        self.cardholder_name.as_deref()
    }

    /// The number as it may be shown.
    pub fn masked(&self) -> String {
        let last_four = &self.number[self.number.len().saturating_sub(4)..];
        format!("**** **** **** {last_four}")
    }

    /// The parts of the card that may be kept, with the token that the provider gave for it.
    pub fn kept(&self, kind: MethodKind, token: MethodToken) -> Method {
        let (masked_number, cardholder_name) = (Some(self.masked()), self.cardholder_name.clone());
        Method { kind, masked_number, cardholder_name, token }
    }
}

impl Reading<'_> {
    fn refuse<T>(&mut self, field: &str, code: &'static str, message: impl Into<String>) -> Option<T> {
        let place = if self.place.is_empty() { String::new() } else { format!("{}.", self.place) };
        self.errors.push(FieldError::new(format!("{place}{field}"), code, message.into()));
        None
    }

    fn kind(&mut self, field: &str, value: Option<&Value>) -> Option<MethodKind> {
        match value.and_then(Value::as_str).and_then(MethodKind::parse) {
            None => self.refuse(field, "value", "must be CREDIT_CARD or DEBIT_CARD"),
            kind => kind,
        }
    }

    fn token(&mut self) -> Option<MethodToken> {
        match self.fields.get("token").and_then(Value::as_str).and_then(MethodToken::parse) {
            None => self.refuse("token", "value", "must be a token: 1 to 100 letters, digits, `_` and `-`"),
            token => token,
        }
    }

    fn card(&mut self) -> Option<Card> {
        let number = self.digits("cardNumber", (CARD_DIGITS_MIN, CARD_DIGITS_MAX));
        let expiry_month = self.number("expiryMonth", 1..=12);
        let expiry_year = self.number("expiryYear", YEARS);
        let cvv = self.digits("cvv", (3, 4));
        let cardholder_name = self.cardholder_name();
        Some(Card {
            number: number?,
            cvv: cvv?,
            expiry_month: u8::try_from(expiry_month?).ok()?,
            expiry_year: u16::try_from(expiry_year?).ok()?,
            cardholder_name,
        })
    }

    /// A text of digits, which people part with spaces and hyphens; some clients send a number.
    fn digits(&mut self, field: &str, (least, most): (usize, usize)) -> Option<Zeroizing<String>> {
        let given = match self.fields.get(field) {
            None | Some(Value::Null) => return self.refuse(field, "required", "is required"),
            Some(Value::String(text)) => Zeroizing::new(text.replace([' ', '-'], "")),
            Some(Value::Number(number)) => Zeroizing::new(number.to_string()),
            Some(_) => Zeroizing::new(String::new()),
        };
        if (least..=most).contains(&given.len()) && given.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(given);
        }
        self.refuse(field, "value", format!("must have {least} to {most} digits"))
    }

    /// A whole number, or a text that has one.
    fn number(&mut self, field: &str, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
        let number = match self.fields.get(field) {
            None | Some(Value::Null) => return self.refuse(field, "required", "is required"),
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            Some(_) => None,
        };
        match number.filter(|number| range.contains(number)) {
            None => {
                let message = format!("must be a whole number from {} to {}", range.start(), range.end());
                self.refuse(field, "value", message)
            }
            number => number,
        }
    }

    /// The name is kept and shown, so nobody may hide the number of a card in it.
    fn cardholder_name(&mut self) -> Option<String> {
        let field = "cardholderName";
        match self.fields.get(field) {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) if name.trim().is_empty() => None,
            Some(Value::String(name)) if name.chars().count() > NAME_CHARS_MAX => {
                self.refuse(field, "too_long", format!("must have at most {NAME_CHARS_MAX} characters"))
            }
            Some(Value::String(name)) => {
                let digits = name.bytes().filter(u8::is_ascii_digit).count();
                if digits >= CARD_DIGITS_MIN || name.chars().any(char::is_control) {
                    return self.refuse(field, "value", "must be a name");
                }
                Some(name.trim().to_owned())
            }
            Some(_) => self.refuse(field, "type", "must be a string"),
        }
    }

    fn done(self, read: Option<GivenMethod>) -> Result<GivenMethod, Fault> {
        match read {
            Some(read) if self.errors.is_empty() => Ok(read),
            _ => Err(refused(self.errors)),
        }
    }
}

/// Every bad field of a method of payment.
fn refused(errors: Vec<FieldError>) -> Fault {
    let detail = match errors.as_slice() {
        [only] => format!("{}: {}", only.field, only.message),
        many => format!("{} values of the method of payment are invalid", many.len()),
    };
    let fault = Fault::new(Class::Malformed, detail).named("PAYMENT_METHOD_INVALID");
    errors.into_iter().fold(fault, |fault, error| fault.with_field(error.field, error.code, error.message))
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: Value) -> Result<GivenMethod, Fault> {
        GivenMethod::read(body.as_object().unwrap())
    }

    #[test]
    fn both_published_forms_have_the_same_card() {
        let object = json!({"paymentMethod": {"type": "CREDIT_CARD", "cardNumber": "4111 1111 1111 1111", "expiryMonth": 12,
            "expiryYear": 2030, "cvv": "123", "cardholderName": " Ann Example "}});
        let texts = json!({"paymentMethod": "DEBIT_CARD", "cardDetails": {"cardNumber": "4111111111111111", "expiryMonth": "12",
            "expiryYear": "2025", "cvv": 123}});
        for (body, kind, year, name) in [
            (object, MethodKind::CreditCard, 2030, Some("Ann Example")),
            (texts, MethodKind::DebitCard, 2025, None),
        ] {
            let Ok(GivenMethod::Card(given, card)) = read(body) else { panic!("no card") };
            assert_eq!((given, card.number(), card.cvv()), (kind, "4111111111111111", "123"));
            assert_eq!((card.expiry(), card.cardholder_name()), ((12, year), name));
        }
        let token = read(json!({"paymentMethod": {"type": "CREDIT_CARD", "token": "tok_ok"}}));
        assert!(matches!(token, Ok(GivenMethod::Token(_, token)) if token.expose() == "tok_ok"));
    }

    #[test]
    fn every_bad_field_is_named_and_no_value_is_repeated() {
        let number = "4111111111111111";
        let card = json!({"type": "CASH", "cardNumber": format!("{number}0000"), "expiryMonth": 13, "expiryYear": 25, "cvv": "98765",
            "cardholderName": number});
        for (body, fields) in [
            (
                json!({"paymentMethod": card.clone()}),
                vec!["type", "cardNumber", "expiryMonth", "expiryYear", "cvv", "cardholderName"]
                    .into_iter()
                    .map(|field| format!("paymentMethod.{field}"))
                    .collect(),
            ),
            (
                json!({"paymentMethod": "CREDIT_CARD", "cardDetails": {"cvv": "x"}}),
                ["cardNumber", "expiryMonth", "expiryYear", "cvv"]
                    .map(|f| format!("cardDetails.{f}"))
                    .to_vec(),
            ),
            (json!({"paymentMethod": "CREDIT_CARD"}), vec!["cardDetails".to_owned()]),
            (json!({"paymentMethod": 7}), vec!["paymentMethod".to_owned()]),
            (json!({}), vec!["paymentMethod".to_owned()]),
            (
                json!({"paymentMethod": {"type": "CREDIT_CARD", "token": number}}),
                vec!["paymentMethod.token".to_owned()],
            ),
        ] {
            let fault = read(body.clone()).unwrap_err();
            let named: Vec<String> = fault.errors().iter().map(|error| error.field.to_string()).collect();
            assert_eq!(named, fields, "{body}");
            assert_eq!((fault.class(), fault.name()), (Class::Malformed, "PAYMENT_METHOD_INVALID"));
            let said = format!("{fault:?} {fault}");
            assert!(!said.contains(number) && !said.contains("98765"), "{said}");
        }
    }

    #[test]
    fn a_card_shows_its_last_four_digits_only() {
        let details = json!({"cardNumber": "4000000000009995", "expiryMonth": 1, "expiryYear": 2031, "cvv": "987",
            "cardholderName": "Ann Example"});
        let given = read(json!({"paymentMethod": "CREDIT_CARD", "cardDetails": details})).unwrap();
        assert_eq!(format!("{given:?}"), "Card(CreditCard, **** **** **** 9995)");
    }
}
