//! A refund that a caller asks for.

use pando_service::Violations;
use pando_service::prelude::*;
use serde_json::{Map, Value};

use crate::domain::money::{Currency, Money};

const REASON_CHARS_MAX: usize = 200;

/// A refund that a caller asks for.
#[derive(Clone, Debug)]
pub(crate) struct RefundAsked {
    /// In any form; all that is left if there is none.
    amount: Option<Value>,
    pub(crate) reason: String,
}

impl RefundAsked {
    /// The refund that these fields ask for, or every bad field.
    pub(crate) fn read(fields: &Map<String, Value>) -> Result<Self, Violations> {
        let mut reader = FieldReader::new(fields);
        let reason = read_reason(&mut reader, fields);
        reader.finish()?;
        let amount = fields.get("amount").filter(|amount| !amount.is_null()).cloned();
        Ok(Self { amount, reason })
    }

    /// The amount in the currency of the payment; none for all that is left.
    pub(crate) fn amount(&self, currency: Currency) -> Result<Option<Money>, Fault> {
        let Some(value) = &self.amount else { return Ok(None) };
        let bad = |message: String| {
            let fault = Fault::new(pando_service::Class::Malformed, format!("the amount {message}"));
            fault.named("PAYMENT_AMOUNT_INVALID").with_field("amount", "value", message)
        };
        let money = Money::read(value, currency).map_err(|error| bad(error.to_string()))?;
        if money.minor <= 0 {
            return Err(bad("must be more than nothing".to_owned()));
        }
        Ok(Some(money))
    }
}

/// The reason that a body gives.
pub(crate) fn read_reason(reader: &mut FieldReader<'_>, fields: &Map<String, Value>) -> String {
    if reader.required_text("reason").is_none() {
        return String::new();
    }
    let reason = reader.text("reason", REASON_CHARS_MAX);
    let is_bad = fields
        .get("reason")
        .and_then(Value::as_str)
        .is_some_and(|text| text.trim().is_empty() || text.contains('\0'));
    if is_bad {
        reader.refuse("reason", "value", "must not be empty, and must not have the character NUL");
    }
    reason
}
