//! The order that a caller asks for, before anything is known of its products.

use pando_service::prelude::*;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::address::read_address;
use crate::cart::domain::wish::Wish;
use crate::payments::domain::means::Means;

const NOTES_CHARS_MAX: usize = 500;

/// An order that a caller asks for.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The buyer; the caller if there is none.
    pub(crate) user: Option<String>,
    /// The lines; those of the buyer's cart if there are none.
    pub(crate) items: Vec<AskedLine>,
    pub(crate) address: Value,
    pub(crate) notes: String,
    pub(crate) means: Option<Means>,
    /// Whether a price that differs from the caller's is a reason to refuse the order.
    pub(crate) check_prices: bool,
}

/// A line of it.
#[derive(Clone, Debug)]
pub(crate) struct AskedLine {
    pub(crate) product: Uuid,
    pub(crate) quantity: i64,
    /// The price that the caller knows, in any form.
    pub(crate) price: Option<Value>,
}

impl Asked {
    /// The order that these fields ask for, or every bad field.
    pub(crate) fn read(
        fields: &Map<String, Value>,
        (lines_max, units_max): (u32, u32),
    ) -> Result<Self, Fault> {
        let mut reader = FieldReader::new(fields);
        let user = Some(reader.text("userId", 200)).filter(|user| !user.is_empty());
        let address = read_address(&mut reader, fields);
        let notes = reader.text("notes", NOTES_CHARS_MAX);
        let check_prices = reader.flag("checkPrices");
        for (field, text) in [("notes", notes.as_str()), ("userId", user.as_deref().unwrap_or_default())] {
            if text.contains('\0') {
                reader.refuse(field, "value", "must not have the character NUL");
            }
        }
        reader.finish()?;
        let items = match fields.get("items") {
            None | Some(Value::Null) => Vec::new(),
            Some(_) => read_items(fields, (lines_max, units_max))?,
        };
        let address = address.ok_or_else(|| Fault::internal("an address was lost"))?;
        Ok(Self { user, items, address, notes, means: Means::read(fields)?, check_prices })
    }
}

fn read_items(
    fields: &Map<String, Value>,
    (lines_max, units_max): (u32, u32),
) -> Result<Vec<AskedLine>, Fault> {
    let wishes = Wish::read_all(fields, units_max)?;
    let count = u32::try_from(wishes.len()).unwrap_or(u32::MAX);
    if !(1..=lines_max).contains(&count) {
        let message = format!("must be an array of 1 to {lines_max} items");
        let fault = Fault::new(pando_service::Class::Malformed, format!("the items {message}"));
        return Err(fault.named("ORDER_ITEMS_LIMIT_EXCEEDED").with_field("items", "value", message));
    }
    let prices = fields.get("items").and_then(Value::as_array).into_iter().flatten();
    let lines = wishes.into_iter().zip(prices).map(|(wish, item)| AskedLine {
        product: wish.product,
        quantity: wish.quantity,
        price: item.get("price").filter(|price| !price.is_null()).cloned(),
    });
    Ok(lines.collect())
}
