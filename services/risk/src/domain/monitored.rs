//! Businesses that are screened again when lists change.

use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::ids;

/// A business under monitoring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Monitored {
    /// The business.
    pub business_id: String,
    /// Its name.
    pub business_name: String,
    /// Its country.
    pub country: String,
    /// The caller who put it under monitoring.
    pub created_by: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// The same as its row has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MonitoredRow {
    pub(crate) business: Uuid,
    pub(crate) shown: Monitored,
}

/// A change of a list, of which only the changed entries are screened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ListMoved {
    /// A list of the tenant: entries that changed after a version and up to another one.
    OfTenant { list: Uuid, after: i64, to: i64 },
    /// A list of the operator: entries that its number has and the number before had not.
    OfOperator { name: String, number: i64 },
}

impl MonitoredRow {
    pub(crate) fn of(
        (name, address, country): (&str, &str, &str),
        (created_by, created_at): (&str, Timestamp),
    ) -> Self {
        let business = ids::of_business(name, address, country);
        let shown = Monitored {
            business_id: ids::BUSINESS.show(business),
            business_name: name.to_owned(),
            country: country.to_owned(),
            created_by: created_by.to_owned(),
            created_at,
        };
        Self { business, shown }
    }
}

/// The business that a caller named is not under monitoring.
pub(crate) fn not_monitored() -> Fault {
    Fault::not_found("business under monitoring")
}
