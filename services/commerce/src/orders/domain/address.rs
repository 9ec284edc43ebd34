//! The address of an order: an object or a text, kept as the buyer sent it.

use pando_service::prelude::*;
use serde_json::{Map, Value};

const TEXT_CHARS_MAX: usize = 500;
const PART_CHARS_MAX: usize = 100;
/// The parts that an address has, and whether it must have them.
const PARTS: [(&str, bool); 7] = [
    ("street", true),
    ("city", true),
    ("state", true),
    ("zipCode", true),
    ("country", true),
    ("apartment", false),
    ("recipient", false),
];

/// The address that a body gives. An object has no parts but the known ones.
pub(crate) fn read_address(reader: &mut FieldReader<'_>, fields: &Map<String, Value>) -> Option<Value> {
    const FIELD: &str = "shippingAddress";
    match fields.get(FIELD) {
        None | Some(Value::Null) => reader.refuse(FIELD, "required", "is required"),
        Some(Value::String(text)) => {
            let count = text.chars().count();
            if text.trim().is_empty() || count > TEXT_CHARS_MAX || text.contains('\0') {
                reader.refuse(FIELD, "value", "must have 1 to 500 characters, and no NUL");
                return None;
            }
            return Some(Value::String(text.clone()));
        }
        Some(Value::Object(given)) => return read_parts(reader, FIELD, given),
        Some(_) => reader.refuse(FIELD, "type", "must be an object or a text"),
    }
    None
}

fn read_parts(reader: &mut FieldReader<'_>, field: &str, given: &Map<String, Value>) -> Option<Value> {
    let (mut parts, mut is_good) = (Map::new(), true);
    for (name, is_required) in PARTS {
        let problem = match given.get(name) {
            None | Some(Value::Null) if is_required => Some(("required", "is required")),
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => {
                let (is_empty, count) = (text.trim().is_empty(), text.chars().count());
                if (is_required && is_empty) || count > PART_CHARS_MAX || text.contains('\0') {
                    Some(("value", "must have 1 to 100 characters, and no NUL"))
                } else {
                    parts.insert(name.to_owned(), Value::String(text.clone()));
                    None
                }
            }
            Some(_) => Some(("type", "must be a text")),
        };
        if let Some((code, message)) = problem {
            reader.refuse(&format!("{field}.{name}"), code, message);
            is_good = false;
        }
    }
    is_good.then_some(Value::Object(parts))
}

/// A part of an address that is an object.
pub(crate) fn part<'a>(address: &'a Value, name: &str) -> Option<&'a str> {
    address.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(address: Value) -> Result<Value, Vec<String>> {
        let fields = json!({"shippingAddress": address});
        let fields = fields.as_object().unwrap();
        let mut reader = FieldReader::new(fields);
        let read = read_address(&mut reader, fields);
        match reader.finish() {
            Ok(()) => Ok(read.unwrap()),
            Err(bad) => Err(bad.iter().map(|error| error.field.to_string()).collect()),
        }
    }

    #[test]
    fn an_address_is_an_object_or_a_text() {
        assert_eq!(read(json!("1 Elm St, Springfield")), Ok(json!("1 Elm St, Springfield")));
        let whole = json!({"street": "1 Elm St", "city": "Springfield", "state": "IL", "zipCode": "62701", "country": "US"});
        assert_eq!(read(whole.clone()), Ok(whole));
        assert_eq!(
            read(
                json!({"street": "1 Elm St", "city": 7, "state": " ", "zipCode": "1", "country": "a".repeat(101)})
            ),
            Err(["city", "state", "country"].map(|part| format!("shippingAddress.{part}")).to_vec())
        );
        for bad in [json!(null), json!(" "), json!(7), json!([])] {
            assert_eq!(read(bad), Err(vec!["shippingAddress".to_owned()]));
        }
    }
}
