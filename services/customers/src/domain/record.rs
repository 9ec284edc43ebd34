//! A record of the archive: a customer as it was at one of its versions.

use pando_service::prelude::*;
use prost::Message as _;
use serde::Serialize;

use super::customer::Customer;
use crate::messages;
use crate::options::ArchiveFormat;

/// A record of a customer in the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// Its values.
    Customer(Box<Customer>),
    /// It was deleted: nothing of it is kept but this.
    Deleted { id: String, version: i64 },
}

/// A customer whose newest version is not in the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The tenant of the customer.
    pub tenant: Tenant,
    /// The id as callers write it.
    pub customer_id: String,
    /// The version.
    pub version: i64,
    /// Why it is not there.
    pub reason: String,
    /// Since when it is not there.
    pub created_at: Timestamp,
}

/// A line of NDJSON.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    customer: Values<'a>,
    deleted: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Values<'a> {
    Customer(&'a Customer),
    Deleted { id: &'a str, version: i64 },
}

impl Record {
    /// The id of the customer.
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Customer(customer) => &customer.id,
            Self::Deleted { id, .. } => id,
        }
    }

    /// The record in a format; why not, if it cannot be.
    pub(crate) fn encode(&self, format: ArchiveFormat, bytes_max: usize) -> Result<Vec<u8>, String> {
        let encoded = match format {
            ArchiveFormat::Pb => self.message().encode_length_delimited_to_vec(),
            ArchiveFormat::Ndjson => {
                let mut line =
                    self.json().map_err(|error| format!("it cannot be written as JSON: {error}"))?;
                line.push(b'\n');
                line
            }
        };
        match encoded.len() > bytes_max {
            true => Err(format!("it would take {} bytes, more than {bytes_max}", encoded.len())),
            false => Ok(encoded),
        }
    }

    fn message(&self) -> messages::CustomerRecord {
        match self {
            Self::Customer(customer) => {
                messages::CustomerRecord { customer: Some(customer.message()), deleted: false }
            }
            Self::Deleted { id, version } => {
                let known =
                    messages::Customer { id: id.clone(), version: *version, ..messages::Customer::default() };
                messages::CustomerRecord { customer: Some(pando_wire::Raw::of(&known)), deleted: true }
            }
        }
    }

    fn json(&self) -> Result<Vec<u8>, serde_json::Error> {
        match self {
            // Fields that we do not know have no names.
            Self::Customer(customer) => {
                let shown = Customer { unknown: Vec::new(), ..(**customer).clone() };
                serde_json::to_vec(&Line { customer: Values::Customer(&shown), deleted: false })
            }
            Self::Deleted { id, version } => {
                let customer = Values::Deleted { id, version: *version };
                serde_json::to_vec(&Line { customer, deleted: true })
            }
        }
    }
}
