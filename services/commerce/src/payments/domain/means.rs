//! The means of payment that a caller names, and what an order keeps of it.

use pando_service::Class;
use pando_service::prelude::*;
use serde_json::{Map, Value, json};

use super::card::GivenMethod;
use super::method::{Method, MethodKind};

/// The means of payment that a caller names.
#[derive(Debug)]
pub(crate) enum Means {
    /// Only its kind: the card comes later, with a payment.
    Kind(MethodKind),
    /// A card, or the token of one.
    Given(GivenMethod),
}

/// The means of payment of an order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Chosen {
    /// Only its kind.
    Kind(MethodKind),
    /// A card that can be charged.
    Method(Method),
}

impl Means {
    /// The means in a body, if there are any.
    pub(crate) fn read(fields: &Map<String, Value>) -> Result<Option<Self>, Fault> {
        match (fields.get("paymentMethod"), fields.get("cardDetails")) {
            (None | Some(Value::Null), None | Some(Value::Null)) => Ok(None),
            (Some(Value::String(kind)), None | Some(Value::Null)) => {
                let kind = MethodKind::parse(kind).ok_or_else(|| {
                    let message = "must be CREDIT_CARD or DEBIT_CARD, or an object";
                    let fault = Fault::new(Class::Malformed, format!("paymentMethod {message}"));
                    fault.named("PAYMENT_METHOD_INVALID").with_field("paymentMethod", "value", message)
                })?;
                Ok(Some(Self::Kind(kind)))
            }
            _ => Ok(Some(Self::Given(GivenMethod::read(fields)?))),
        }
    }
}

impl Chosen {
    pub(crate) fn kind(&self) -> MethodKind {
        match self {
            Self::Kind(kind) => *kind,
            Self::Method(method) => method.kind,
        }
    }

    /// The card that can be charged, if there is one.
    pub(crate) fn method(&self) -> Option<&Method> {
        match self {
            Self::Kind(_) => None,
            Self::Method(method) => Some(method),
        }
    }

    /// As the order keeps it.
    pub(crate) fn kept(&self) -> Value {
        match self {
            Self::Kind(kind) => json!({"type": kind}),
            Self::Method(method) => method.kept(),
        }
    }

    /// As it was kept.
    pub(crate) fn stored(value: &Value) -> Option<Self> {
        match Method::stored(value) {
            Some(method) => Some(Self::Method(method)),
            None => MethodKind::parse(value.get("type")?.as_str()?).map(Self::Kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_keeps_its_means_as_they_were() {
        for means in [json!("DEBIT_CARD"), json!({"type": "CREDIT_CARD", "token": "tok_ok"})] {
            let fields = json!({"paymentMethod": means});
            let chosen = match Means::read(fields.as_object().unwrap()).unwrap().unwrap() {
                Means::Kind(kind) => Chosen::Kind(kind),
                Means::Given(GivenMethod::Token(kind, token)) => {
                    Chosen::Method(Method::of_token(kind, token))
                }
                Means::Given(GivenMethod::Card(..)) => panic!("there is no card"),
            };
            assert_eq!(Chosen::stored(&chosen.kept()), Some(chosen));
        }
        assert!(Means::read(&Map::new()).unwrap().is_none());
        let fields = json!({"paymentMethod": "GOLD"});
        assert_eq!(Means::read(fields.as_object().unwrap()).unwrap_err().name(), "PAYMENT_METHOD_INVALID");
    }
}
