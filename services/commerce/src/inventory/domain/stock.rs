//! The stock of a product as callers see it, and the movements that they ask for.

use pando_service::prelude::*;
use pando_service::{BadText, Violations};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::catalog::domain::product::STOCK_MAX;
use crate::inventory::domain::kind::Kind;

const REASON_CHARS_MAX: usize = 200;
const REORDER_POINT_MAX: i64 = 1_000_000;

/// The units of a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StockLevel {
    /// The product.
    pub product_id: Uuid,
    /// Its name.
    pub product_name: String,
    /// How many units can be sold.
    pub available: i64,
    /// How many units are kept for orders.
    pub reserved: i64,
    /// How many units there are in all.
    pub total: i64,
    /// At or below this number of available units, the event `LowStock` says so.
    pub reorder_point: i64,
    /// Whether so few are left.
    pub low_stock: bool,
    /// It rises with each movement, and with each change of the product.
    pub version: i64,
}

/// A movement as the ledger has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MovementShown {
    /// Its id.
    pub id: Uuid,
    /// `RESTOCK`, `RETURN`, `DAMAGE`, `ADJUSTMENT`, `RESERVATION`, `RELEASE` or `SALE`.
    pub kind: String,
    /// How many units; below 0 for adjustments that take some away.
    pub quantity: i64,
    /// How many units could be sold before.
    pub available_before: i64,
    /// How many units could be sold afterwards.
    pub available_after: i64,
    /// How many units were reserved before.
    pub reserved_before: i64,
    /// How many units were reserved afterwards.
    pub reserved_after: i64,
    /// The reservation or order that caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub cause: Option<Uuid>,
    /// Why, in words.
    pub reason: String,
    /// The caller who caused it.
    pub actor: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// The version of the stock since.
    pub version: i64,
}

/// Whether a product can be bought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Availability {
    /// The product.
    pub product_id: Uuid,
    /// Its name; empty if there is no such product.
    pub product_name: String,
    /// How many units can be sold.
    pub available_quantity: i64,
    /// Whether there is any.
    pub in_stock: bool,
}

/// A movement that a caller asks for.
#[derive(Clone, Debug)]
pub(crate) struct MovementWanted {
    pub(crate) product: Uuid,
    pub(crate) kind: Kind,
    pub(crate) quantity: i64,
    pub(crate) reason: String,
}

impl MovementWanted {
    const KINDS: [Kind; 4] = [Kind::Restock, Kind::Return, Kind::Damage, Kind::Adjustment];

    /// The movement that these fields ask for, or every bad field.
    pub(crate) fn read(fields: &Map<String, Value>) -> Result<Self, Violations> {
        let mut reader = FieldReader::new(fields);
        let product = reader.required_text("productId").and_then(|text| {
            let id = Uuid::try_parse(text).map_err(|_| BadText::value("must be an id: a UUID"));
            reader.check("productId", id)
        });
        let kind = reader.required_text("kind").and_then(|name| {
            let kind = Self::KINDS.into_iter().find(|kind| kind.name() == name);
            let bad = || BadText::value("must be RESTOCK, RETURN, DAMAGE or ADJUSTMENT");
            reader.check("kind", kind.ok_or_else(bad))
        });
        let least = if kind == Some(Kind::Adjustment) { -STOCK_MAX } else { 1 };
        let quantity = fields.get("quantity").and_then(Value::as_i64);
        let quantity = quantity.filter(|count| (least..=STOCK_MAX).contains(count) && *count != 0);
        if quantity.is_none() {
            let message = "must be a whole number from 1 to 999999, or below 0 for an ADJUSTMENT";
            reader.refuse("quantity", "value", message);
        }
        let reason = reader.text("reason", REASON_CHARS_MAX);
        reader.finish()?;
        let missing = || Violations::one("productId", "required", "is required");
        Ok(Self {
            product: product.ok_or_else(missing)?,
            kind: kind.ok_or_else(missing)?,
            quantity: quantity.ok_or_else(missing)?,
            reason,
        })
    }
}

/// The reorder point that these fields ask for.
pub(crate) fn read_reorder_point(fields: &Map<String, Value>) -> Result<i64, Violations> {
    let point = fields.get("reorderPoint").and_then(Value::as_i64);
    point
        .filter(|point| (0..=REORDER_POINT_MAX).contains(point))
        .ok_or_else(|| Violations::one("reorderPoint", "value", "must be a whole number from 0 to 1000000"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_an_adjustment_takes_units_by_a_negative_number() {
        let read = |kind: &str, quantity: i64| {
            let fields = json!({"productId": Uuid::nil(), "kind": kind, "quantity": quantity});
            MovementWanted::read(fields.as_object().unwrap()).map(|wanted| wanted.quantity).ok()
        };
        assert_eq!(read("ADJUSTMENT", -3), Some(-3));
        assert_eq!(read("DAMAGE", 3), Some(3));
        for (kind, quantity) in [("DAMAGE", -3), ("ADJUSTMENT", 0), ("SALE", 1), ("RESTOCK", 1_000_000)] {
            assert_eq!(read(kind, quantity), None, "{kind} {quantity}");
        }
    }
}
