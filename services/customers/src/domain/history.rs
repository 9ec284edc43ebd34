//! The operations of a history, and the fields that it names.

use pando_service::history;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::customer::{Customer, METADATA};

/// One change of a customer.
pub type Change = history::Change<Operation>;

/// The operations on a customer that its history tells of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CustomerOperation)]
pub enum Operation {
    /// The customer was created; this is always version 1.
    Created,
    /// Fields of the customer were changed.
    #[default]
    Updated,
}

impl history::Operation for Operation {
    const CHANGE: &'static str = "One change of a customer. Each pair of `metadata` is a field of its own, such as \
        `metadata.color`; the value of a pair that is not there is null.";
    type Described = Self;
}

/// The fields of a customer as its history has them: each pair of `metadata` is a field of its own.
pub(crate) fn document(customer: &Customer) -> Map<String, Value> {
    let Customer { email, name, phone, metadata, .. } = customer;
    let fields = [("email", email), ("name", name), ("phone", phone)];
    let fields = fields.map(|(field, value)| (field.to_owned(), value.as_str().into()));
    let pairs = metadata.iter().map(|(key, value)| (format!("{METADATA}{key}"), value.as_str().into()));
    fields.into_iter().chain(pairs).collect()
}
