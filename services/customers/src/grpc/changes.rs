//! The history of a customer as messages.

use pando_service::history::Operation as _;
use pando_service::prelude::*;
use prost_types::value::Kind;
use prost_types::{NullValue, Struct, Value};
use serde_json::Map;

use crate::domain::customer::moment;
use crate::domain::history::Change;
use crate::list_changes::LIMIT;
use crate::messages::{CustomerChange, ListChangesRequest, ListChangesResponse};
use crate::{ChangePage, Customers};

/// The page that a message asks for.
pub(super) async fn list_changes(
    customers: &Customers,
    call: &Call,
    request: &ListChangesRequest,
) -> Result<ListChangesResponse, Fault> {
    let ListChangesRequest { id, limit, before_version } = request;
    // Negative numbers are above every limit.
    let limit = if *limit == 0 { LIMIT.0 } else { usize::try_from(*limit).unwrap_or(usize::MAX) };
    let before_version = Some(*before_version).filter(|version| *version != 0);
    customers.list_changes(call, id, before_version, limit).await.map(ListChangesResponse::from)
}

impl From<ChangePage> for ListChangesResponse {
    fn from(ChangePage { changes, next }: ChangePage) -> Self {
        let changes = changes.into_iter().map(CustomerChange::from).collect();
        Self { changes, next_before_version: next.unwrap_or_default() }
    }
}

impl From<Change> for CustomerChange {
    fn from(change: Change) -> Self {
        Self {
            version: change.version,
            operation: change.operation.name(),
            changed_at: Some(moment(change.changed_at)),
            changed_by: change.changed_by,
            before: Some(fields(change.before)),
            after: Some(fields(change.after)),
        }
    }
}

/// Fields as a message has them: each one is a text, or null.
fn fields(fields: Map<String, serde_json::Value>) -> Struct {
    let kind = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => Kind::StringValue(text),
        _ => Kind::NullValue(NullValue::NullValue.into()),
    };
    Struct {
        fields: fields.into_iter().map(|(name, value)| (name, Value { kind: Some(kind(value)) })).collect(),
    }
}
