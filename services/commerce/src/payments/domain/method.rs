//! The method of a payment: the parts of it that may be kept and shown.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use utoipa::ToSchema;

const TOKEN_BYTES_MAX: usize = 100;
/// No card number is shorter.
pub(crate) const CARD_DIGITS_MIN: usize = 12;

/// The kinds of methods, by their published names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MethodKind {
    /// `CREDIT_CARD`
    CreditCard,
    /// `DEBIT_CARD`
    DebitCard,
}

/// The provider's stand-in for a card. It can be stored, and a card cannot. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct MethodToken(String);

/// How an order is paid, as it is kept and shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Method {
    /// `CREDIT_CARD` or `DEBIT_CARD`.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: MethodKind,
    /// The number of the card without its digits, but for the last four. It is absent if the caller gave a token.
    #[serde(rename = "cardNumber", skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub masked_number: Option<String>,
    /// The name on the card, if the caller gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub cardholder_name: Option<String>,
    /// With which the provider is asked to charge it.
    #[serde(skip)]
    pub token: MethodToken,
}

impl MethodKind {
    const ALL: [Self; 2] = [Self::CreditCard, Self::DebitCard];

    /// Its published name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreditCard => "CREDIT_CARD",
            Self::DebitCard => "DEBIT_CARD",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl MethodToken {
    /// A token of 1 to 100 letters, digits, `_` and `-`. A number that may be that of a card is none: a token is stored.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        let is_number = digits >= CARD_DIGITS_MIN && !text.bytes().any(|byte| byte.is_ascii_alphabetic());
        let is_token = (1..=TOKEN_BYTES_MAX).contains(&text.len()) && text.bytes().all(fits);
        (is_token && !is_number).then(|| Self(text.to_owned()))
    }

    /// The token itself, for the table and for the provider.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Method {
    /// A token that the caller got from the provider itself.
    pub fn of_token(kind: MethodKind, token: MethodToken) -> Self {
        Self { kind, masked_number: None, cardholder_name: None, token }
    }

    /// As a table keeps it: with the token.
    pub(crate) fn kept(&self) -> Value {
        let mut kept = self.shown();
        kept["token"] = self.token.expose().into();
        kept
    }

    /// As a table has it; none if there is no token.
    pub(crate) fn stored(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        Some(Self {
            kind: MethodKind::parse(text("type")?)?,
            masked_number: text("cardNumber").map(str::to_owned),
            cardholder_name: text("cardholderName").map(str::to_owned),
            token: MethodToken::parse(text("token")?)?,
        })
    }

    /// As the buyer sees it.
    pub(crate) fn shown(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// As an event tells it: without the name, because an event outlives it.
    pub(crate) fn told(&self) -> Value {
        json!({"type": self.kind, "cardNumber": self.masked_number.as_deref().unwrap_or_default()})
    }
}

impl fmt::Debug for MethodToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MethodToken(***)")
    }
}

impl Serialize for MethodKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_short_plain_and_no_card_numbers() {
        for (text, is_token) in [
            ("tok_ok", true),
            ("pm_019b76daa80070008000000000000001", true),
            ("4", true),
            ("", false),
            ("a b", false),
            ("tok/../x", false),
            ("4111111111111111", false),
            ("4111-1111-1111-1111", false),
        ] {
            assert_eq!(MethodToken::parse(text).is_some(), is_token, "{text}");
        }
        assert!(MethodToken::parse(&"a".repeat(100)).is_some());
        assert!(MethodToken::parse(&"a".repeat(101)).is_none());
    }

    #[test]
    fn a_token_is_in_no_answer_and_in_no_log() {
        let token = MethodToken::parse("tok_ok").unwrap();
        let method = Method::of_token(MethodKind::DebitCard, token);
        assert_eq!(serde_json::to_string(&method).unwrap(), r#"{"type":"DEBIT_CARD"}"#);
        assert!(!format!("{method:?}").contains("tok_ok"));
    }
}
