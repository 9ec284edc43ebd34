//! A customer: as it is given, checked, stored and answered.

use std::collections::BTreeMap;

use pando_service::prelude::*;
use pando_service::{BadText, Email, FieldError, Violations};
use pando_wire::Raw;
use prost::DecodeError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::id::CustomerId;
use super::phone;
use crate::messages;

/// The numbers of the fields of the message that we know.
const KNOWN: [u32; 9] = [1, 2, 3, 4, 5, 6, 7, 8, 9];
/// The fields that an update may name. Beside them, callers give only the id of a new customer.
pub(crate) const FIELDS: [&str; 4] = ["email", "name", "phone", "metadata"];
/// The beginning of the name of a pair.
pub(super) const METADATA: &str = "metadata.";

const NAME_CHARS_MAX: usize = 200;
const PAIRS_MAX: usize = 64;
/// How many paths a mask may have: those of all fields, of pairs to be set, and of pairs to be removed.
const MASK_PATHS_MAX: usize = 200;
const PAIR_KEY_CHARS_MAX: usize = 100;
const PAIR_VALUE_CHARS_MAX: usize = 1_000;
/// How many bytes the fields may have that we do not know.
const UNKNOWN_BYTES_MAX: usize = 16 * 1024;

/// Pairs that mean something to the caller.
pub type Metadata = BTreeMap<String, String>;

/// A customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Customer {
    /// The id that the caller chose, or the server.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._-]+$")]
    pub id: String,
    /// The e-mail address.
    #[schema(format = "email", max_length = 254)]
    pub email: String,
    /// The name, in any script.
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// The phone number as it was given; empty for none.
    #[schema(max_length = 50)]
    pub phone: String,
    /// The phone number in the form of E.164; empty where it has no country code.
    #[schema(read_only)]
    pub phone_e164: String,
    /// Pairs that mean something to the caller.
    #[schema(value_type = BTreeMap<String, String>)]
    pub metadata: Metadata,
    /// Counts the changes.
    #[schema(read_only)]
    pub version: i64,
    /// When it was created.
    #[schema(read_only, value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(read_only, value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// Fields of a newer version of the message, encoded: callers of gRPC get them back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(ignore)]
    pub(crate) unknown: Vec<u8>,
}

/// A customer as a caller gives it: nothing is checked yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Given {
    /// Empty where the server is to choose.
    pub id: String,
    /// The e-mail address.
    pub email: String,
    /// The name.
    pub name: String,
    /// The phone number.
    pub phone: String,
    /// Pairs.
    pub metadata: Metadata,
    /// The version that a change is meant for, or 0.
    pub version: i64,
    /// Encoded fields that we do not know.
    pub unknown: Vec<u8>,
}

impl Given {
    /// Reads a message.
    pub fn message(raw: &Raw<messages::Customer>) -> Result<Self, DecodeError> {
        let known = raw.message()?;
        Ok(Self {
            id: known.id,
            email: known.email,
            name: known.name,
            phone: known.phone,
            metadata: known.metadata,
            version: known.version,
            unknown: raw.fields_beside(&KNOWN)?.into(),
        })
    }

    /// Reads the fields of a JSON object, and notes those of another type than they must have.
    pub(crate) fn json(reader: &mut FieldReader<'_>) -> Self {
        let mut text = |field: &str| reader.text(field, usize::MAX);
        let (id, email, name, phone) = (text("id"), text("email"), text("name"), text("phone"));
        let mut metadata = Metadata::new();
        for (key, value) in reader.object("metadata") {
            match value {
                Value::String(value) => drop(metadata.insert(key, value)),
                _ => reader.refuse(&format!("metadata.{key}"), "type", "must be a string"),
            }
        }
        Self { id, email, name, phone, metadata, ..Self::default() }
    }

    /// The id, or a fresh one where none is given.
    pub(crate) fn id_or(&self, fresh: impl FnOnce() -> CustomerId) -> Result<CustomerId, BadText> {
        if self.id.is_empty() { Ok(fresh()) } else { CustomerId::parse(&self.id) }
    }

    /// About how many bytes it has.
    pub(crate) fn size(&self) -> usize {
        let pairs: usize = self.metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
        let texts = self.id.len() + self.email.len() + self.name.len() + self.phone.len();
        texts + pairs + self.unknown.len()
    }

    /// Notes everything that is wrong with the values; those of a batch have their place in it.
    pub(crate) fn check(&self, place: Option<usize>, faults: &mut Vec<FieldError>) {
        let known = faults.len();
        let mut check = |field: &str, checked: Result<(), BadText>| {
            // Nothing is formatted for what is right.
            let Err(BadText { code, message }) = checked else { return };
            let field = place.map_or_else(|| field.to_owned(), |place| format!("customers[{place}].{field}"));
            if !faults[..known].iter().any(|fault| fault.field == field) {
                faults.push(FieldError::new(field, code, message));
            }
        };
        if !self.id.is_empty() {
            check("id", CustomerId::parse(&self.id).map(drop));
        }
        check("email", Email::parse(&self.email).map(drop));
        check("name", check_name(&self.name));
        check("phone", phone::check(&self.phone));
        if self.metadata.len() > PAIRS_MAX {
            check("metadata", Err(BadText::value("must have at most 64 pairs")));
        }
        for (key, value) in &self.metadata {
            if let Err(bad) = check_pair(key, value) {
                // A key that is no key is not repeated: what is refused may be kept.
                let is_key = key.chars().count() <= PAIR_KEY_CHARS_MAX;
                let field = if is_key { format!("metadata.{key}") } else { "metadata".to_owned() };
                check(&field, Err(bad));
            }
        }
        if self.unknown.len() > UNKNOWN_BYTES_MAX {
            check("unknown_fields", Err(BadText::value("must have at most 16384 bytes")));
        }
    }

    /// These values with those of a change written over them: the fields that the mask names, or all of them.
    pub(crate) fn changed_by(self, change: &Self, mask: &[String]) -> Self {
        let mut changed = self;
        if mask.is_empty() {
            return Self { id: changed.id, version: changed.version, ..change.clone() };
        }
        for path in mask {
            match path.as_str() {
                "email" => changed.email.clone_from(&change.email),
                "name" => changed.name.clone_from(&change.name),
                "phone" => changed.phone.clone_from(&change.phone),
                "metadata" => changed.metadata.clone_from(&change.metadata),
                path => {
                    let Some(key) = path.strip_prefix(METADATA) else { continue };
                    match change.metadata.get(key) {
                        Some(value) => drop(changed.metadata.insert(key.to_owned(), value.clone())),
                        None => drop(changed.metadata.remove(key)),
                    }
                }
            }
        }
        changed
    }

    /// The names of the fields that differ.
    pub(crate) fn difference(&self, other: &Self) -> Vec<&'static str> {
        let differ = [
            self.email != other.email,
            self.name != other.name,
            self.phone != other.phone,
            self.metadata != other.metadata || self.unknown != other.unknown,
        ];
        FIELDS.into_iter().zip(differ).filter_map(|(field, differs)| differs.then_some(field)).collect()
    }

    /// The first version of a customer with these values, which were checked.
    pub(crate) fn born(self, id: &CustomerId, now: Timestamp) -> Customer {
        Customer {
            id: id.as_str().to_owned(),
            phone_e164: phone::e164(&self.phone).unwrap_or_default(),
            email: self.email,
            name: self.name,
            phone: self.phone,
            metadata: self.metadata,
            version: 1,
            created_at: now,
            updated_at: now,
            unknown: self.unknown,
        }
    }
}

impl Customer {
    /// The values that a caller can change.
    pub(crate) fn given(&self) -> Given {
        Given {
            id: self.id.clone(),
            email: self.email.clone(),
            name: self.name.clone(),
            phone: self.phone.clone(),
            metadata: self.metadata.clone(),
            version: self.version,
            unknown: self.unknown.clone(),
        }
    }

    /// The next version of this customer, with these values.
    pub(crate) fn grown(&self, given: Given, now: Timestamp) -> Self {
        Self {
            id: self.id.clone(),
            version: self.version + 1,
            created_at: self.created_at,
            // Clocks may go back; a customer does not.
            updated_at: now.max(self.updated_at),
            phone_e164: phone::e164(&given.phone).unwrap_or_default(),
            email: given.email,
            name: given.name,
            phone: given.phone,
            metadata: given.metadata,
            unknown: given.unknown,
        }
    }

    /// The customer as the cache keeps it.
    pub(crate) fn loaded(&self) -> Loaded {
        Loaded::new(self.version, self.message().bytes().to_vec())
    }

    /// The customer as a message, with the fields that we do not know.
    pub fn message(&self) -> Raw<messages::Customer> {
        let known = messages::Customer {
            id: self.id.clone(),
            email: self.email.clone(),
            name: self.name.clone(),
            phone: self.phone.clone(),
            metadata: self.metadata.clone(),
            created_at: Some(moment(self.created_at)),
            updated_at: Some(moment(self.updated_at)),
            version: self.version,
            phone_e164: self.phone_e164.clone(),
        };
        Raw::with_fields(&known, &self.unknown)
    }

    /// The customer of a message that this service made.
    pub(crate) fn of_message(raw: &Raw<messages::Customer>) -> Result<Self, DecodeError> {
        let known = raw.message()?;
        let time =
            |moment: Option<prost_types::Timestamp>| moment.map_or(Timestamp::from_micros(0), timestamp);
        Ok(Self {
            id: known.id,
            email: known.email,
            name: known.name,
            phone: known.phone,
            phone_e164: known.phone_e164,
            metadata: known.metadata,
            version: known.version,
            created_at: time(known.created_at),
            updated_at: time(known.updated_at),
            unknown: raw.fields_beside(&KNOWN)?.into(),
        })
    }

    /// About how many bytes its message has.
    pub(crate) fn size(&self) -> usize {
        let pairs: usize = self.metadata.iter().map(|(key, value)| key.len() + value.len() + 6).sum();
        let texts = self.id.len() + self.email.len() + self.name.len() + 2 * self.phone.len();
        texts + pairs + self.unknown.len() + 48
    }
}

fn check_name(name: &str) -> Result<(), BadText> {
    if name.trim().is_empty() {
        return Err(BadText { code: "required", message: "is required".to_owned() });
    }
    if name.chars().count() > NAME_CHARS_MAX {
        return Err(BadText::too_long(NAME_CHARS_MAX));
    }
    match name.chars().any(char::is_control) {
        true => Err(BadText::value("must not contain line ends or other control characters")),
        false => Ok(()),
    }
}

fn check_pair(key: &str, value: &str) -> Result<(), BadText> {
    if !(1..=PAIR_KEY_CHARS_MAX).contains(&key.chars().count()) {
        return Err(BadText::value("must have a key of 1 to 100 characters"));
    }
    // PostgreSQL cannot store it in JSON.
    if key.contains('\0') || value.contains('\0') {
        return Err(BadText::value("must not contain the character U+0000"));
    }
    match value.chars().count() > PAIR_VALUE_CHARS_MAX {
        true => Err(BadText::too_long(PAIR_VALUE_CHARS_MAX)),
        false => Ok(()),
    }
}

/// Checks that a mask names fields that can be changed.
pub(crate) fn check_mask(mask: &[String]) -> Result<(), Fault> {
    let is_key = |key: &str| (1..=PAIR_KEY_CHARS_MAX).contains(&key.chars().count());
    let is_field = |path: &str| FIELDS.contains(&path) || path.strip_prefix(METADATA).is_some_and(is_key);
    let message = if mask.len() > MASK_PATHS_MAX {
        format!("must have at most {MASK_PATHS_MAX} paths")
    } else {
        let Some(unknown) = mask.iter().find(|path| !is_field(path)) else { return Ok(()) };
        let shown: String = unknown.chars().take(PAIR_KEY_CHARS_MAX).collect();
        format!("{shown:?} is none of {} and metadata.key", FIELDS.join(", "))
    };
    Err(Violations::one("update_mask", "value", message).into())
}

/// A moment as protobuf has it.
pub(crate) fn moment(time: Timestamp) -> prost_types::Timestamp {
    let (seconds, micros) = (time.as_micros().div_euclid(1_000_000), time.as_micros().rem_euclid(1_000_000));
    prost_types::Timestamp { seconds, nanos: i32::try_from(micros * 1_000).unwrap_or(0) }
}

fn timestamp(moment: prost_types::Timestamp) -> Timestamp {
    let micros = moment.seconds.saturating_mul(1_000_000).saturating_add(i64::from(moment.nanos) / 1_000);
    Timestamp::from_micros(micros)
}

/// All that is wrong with what a caller gave, if anything is.
pub(crate) fn refused(faults: Vec<FieldError>) -> Result<(), Fault> {
    if faults.is_empty() { Ok(()) } else { Err(Fault::invalid(faults)) }
}
