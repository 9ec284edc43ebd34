//! The products that a caller asks for, and how many of each.

use pando_service::prelude::*;
use pando_service::{BadText, Class, FieldError, Violations};
use serde_json::{Map, Value};
use uuid::Uuid;

const NOTES_CHARS_MAX: usize = 200;
/// The most lines that a caller may write down: any cart that the settings allow fits.
const WISHES_MAX: usize = 1_000;

/// A product, how many units of it, and words of the buyer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The product.
    pub product: Uuid,
    /// How many units.
    pub quantity: i64,
    /// Words of the buyer; none leaves those that are there.
    pub notes: Option<String>,
}

impl Wish {
    /// One wish in the body of a request.
    pub(crate) fn read(fields: &Map<String, Value>, units_max: u32) -> Result<Self, Fault> {
        let mut reader = FieldReader::new(fields);
        let id = reader.required_text("productId").map(Uuid::try_parse);
        let product = id.and_then(|id| {
            reader.check("productId", id.map_err(|_| BadText::value("must be an id: a UUID")))
        });
        let notes = notes(fields, &mut reader);
        reader.finish()?;
        let quantity = quantity(fields.get("quantity"), "quantity", (1, units_max))?;
        let product = product.ok_or_else(|| Violations::one("productId", "required", "is required"))?;
        Ok(Self { product, quantity, notes })
    }

    /// All lines of a cart, in the body of a request.
    pub(crate) fn read_all(fields: &Map<String, Value>, units_max: u32) -> Result<Vec<Self>, Fault> {
        let bad = |field: &str, message: &str| Fault::from(Violations::one(field, "value", message));
        let items = fields.get("items").and_then(Value::as_array).filter(|items| items.len() <= WISHES_MAX);
        let items = items.ok_or_else(|| bad("items", "must be an array of at most 1000 items"))?;
        let wish = |(place, item): (usize, &Value)| {
            let fields =
                item.as_object().ok_or_else(|| bad(&format!("items[{place}]"), "must be an object"))?;
            Self::read(fields, units_max).map_err(|fault| placed(&fault, place))
        };
        items.iter().enumerate().map(wish).collect()
    }
}

/// A change of a line: the number of units, of which none takes the line away, and the words of the buyer.
pub(crate) fn read_change(
    fields: &Map<String, Value>,
    units_max: u32,
) -> Result<(i64, Option<String>), Fault> {
    let mut reader = FieldReader::new(fields);
    let notes = notes(fields, &mut reader);
    reader.finish()?;
    Ok((quantity(fields.get("quantity"), "quantity", (0, units_max))?, notes))
}

/// A number of units: a whole number, or a text that has one.
fn quantity(value: Option<&Value>, field: &str, (least, most): (i64, u32)) -> Result<i64, Fault> {
    let number = match value {
        Some(Value::Number(number)) => number.as_i64(),
        Some(Value::String(text)) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    };
    number.filter(|number| (least..=i64::from(most)).contains(number)).ok_or_else(|| {
        let message = format!("must be a whole number from {least} to {most}");
        let detail = format!("the quantity {message}");
        let error = FieldError::new(field.to_owned(), "value", message);
        let error = value.map_or_else(|| error.clone(), |value| error.clone().rejecting(value));
        Fault::new(Class::Malformed, detail).named("INVALID_QUANTITY").with_error(error)
    })
}

fn notes(fields: &Map<String, Value>, reader: &mut FieldReader<'_>) -> Option<String> {
    fields.get("notes").filter(|notes| !notes.is_null())?;
    let notes = reader.text("notes", NOTES_CHARS_MAX);
    if notes.contains('\0') {
        reader.refuse("notes", "value", "must not have the character NUL");
    }
    Some(notes)
}

/// The fault of one item, with its place before the names of its fields.
fn placed(fault: &Fault, place: usize) -> Fault {
    let named = Fault::new(fault.class(), fault.detail().to_owned()).named(fault.name().to_owned());
    fault.errors().iter().fold(named, |named, error| {
        let field = format!("items[{place}].{}", error.field);
        named.with_error(FieldError { field: field.into(), ..error.clone() })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(fields: Value) -> Result<i64, (String, Vec<String>)> {
        let wish = Wish::read(fields.as_object().unwrap(), 10);
        wish.map(|wish| wish.quantity).map_err(|fault| {
            let fields = fault.errors().iter().map(|error| error.field.to_string()).collect();
            (fault.name().to_owned(), fields)
        })
    }

    #[test]
    fn a_quantity_is_a_number_or_a_text_with_one() {
        let id = Uuid::from_u128(7);
        for good in [json!(3), json!("3"), json!("03")] {
            assert_eq!(read(json!({"productId": id, "quantity": good})), Ok(3));
        }
        for bad in
            [json!(0), json!(11), json!(-1), json!(1.5), json!("x"), json!(""), json!(true), Value::Null]
        {
            let refused = read(json!({"productId": id, "quantity": bad})).unwrap_err();
            assert_eq!(refused, ("INVALID_QUANTITY".to_owned(), vec!["quantity".to_owned()]), "{bad}");
        }
    }

    #[test]
    fn a_bad_item_of_a_list_is_named_with_its_place() {
        let items = json!({"items": [{"productId": Uuid::nil(), "quantity": 1}, {"productId": 7, "notes": "a".repeat(201)}]});
        let refused = Wish::read_all(items.as_object().unwrap(), 10).unwrap_err();
        let fields: Vec<_> = refused.errors().iter().map(|error| error.field.to_string()).collect();
        assert_eq!(fields, ["items[1].productId", "items[1].notes"]);
    }
}
