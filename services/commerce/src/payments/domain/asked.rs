//! A payment that a caller asks for.

use pando_service::prelude::*;
use pando_service::{BadText, Class, Violations};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::means::Means;
use crate::domain::money::{Currency, Money};

/// A payment that a caller asks for.
#[derive(Debug)]
pub(crate) struct PaymentAsked {
    pub(crate) order: Uuid,
    pub(crate) means: Means,
    amount: Value,
    currency: Option<Currency>,
}

impl PaymentAsked {
    /// The payment that these fields ask for, or every bad field.
    pub(crate) fn read(fields: &Map<String, Value>) -> Result<Self, Fault> {
        let mut reader = FieldReader::new(fields);
        let order = reader.required_text("orderId").and_then(|text| {
            let id = Uuid::try_parse(text).map_err(|_| BadText::value("must be an id: a UUID"));
            reader.check("orderId", id)
        });
        let amount = fields.get("amount").filter(|amount| !amount.is_null()).cloned();
        if amount.is_none() {
            reader.refuse("amount", "required", "is required");
        }
        let currency = Some(reader.text("currency", 3)).filter(|code| !code.is_empty());
        let currency =
            currency.map(|code| Currency::parse(&code).map_err(|error| BadText::value(&error.to_string())));
        let currency = currency.and_then(|parsed| reader.check("currency", parsed));
        reader.finish()?;
        let missing = |field: &str| Violations::one(field, "required", "is required");
        let means = Means::read(fields)?.ok_or_else(|| {
            let fault = Fault::new(Class::Malformed, "a payment needs a means of payment");
            fault.named("PAYMENT_METHOD_INVALID").with_field("paymentMethod", "required", "is required")
        })?;
        Ok(Self {
            order: order.ok_or_else(|| missing("orderId"))?,
            amount: amount.ok_or_else(|| missing("amount"))?,
            means,
            currency,
        })
    }

    /// Whether the amount is the price of the order.
    pub(crate) fn check_amount(&self, total: Money) -> Result<(), Fault> {
        let is_total = Money::read(&self.amount, total.currency) == Ok(total)
            && self.currency.is_none_or(|currency| currency == total.currency);
        if is_total {
            return Ok(());
        }
        let message = format!("must be the price of the order: {} {}", total.decimal(), total.currency);
        let fault = Fault::new(Class::Malformed, format!("the amount {message}"));
        Err(fault.named("PAYMENT_AMOUNT_INVALID").with_field("amount", "value", message))
    }
}
