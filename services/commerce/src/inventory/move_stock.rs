//! Notes that units came in, came back, broke, or were counted.

use pando_service::prelude::*;
use serde_json::{Map, Value};

use super::domain::reservation::Line;
use super::domain::stock::{MovementWanted, StockLevel};
use super::ledger::{self, Cause, Short};
use super::store::Stock;
use crate::Commerce;
use crate::catalog::domain::product::STOCK_MAX;
use crate::domain::faults::against_the_rules;

impl Commerce {
    /// Makes the movement that these fields ask for; the stock afterwards.
    pub async fn move_stock(
        &self,
        call: &Call,
        fields: &Map<String, Value>,
    ) -> Result<Written<StockLevel>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let MovementWanted { product, kind, quantity, reason } = MovementWanted::read(fields)?;
            let mut write = turn.begin().await?;
            let (_, found) = self.lock_product(&mut write, product).await?;
            let lines = [Line { product, quantity }];
            let cause = Cause { id: None, reason };
            let moved = ledger::move_units(&mut write, &self.0.parts.clock, kind, (&lines, &cause)).await?;
            let stock = moved.map_err(|short| Short::fault(&short))?.pop();
            let stock = stock.filter(|stock| stock.available <= STOCK_MAX).ok_or_else(too_many)?;
            write.done(level(stock, found.draft.name))
        });
        write.await
    }
}

/// Stock with the name of its product.
pub(super) fn level(stock: Stock, product_name: String) -> StockLevel {
    let Stock { product, available, reserved, reorder_point, version } = stock;
    StockLevel {
        product_id: product,
        product_name,
        available,
        reserved,
        total: available + reserved,
        reorder_point,
        low_stock: available <= reorder_point,
        version,
    }
}

fn too_many() -> Fault {
    let detail = format!("a product has at most {STOCK_MAX} available units");
    against_the_rules("BUSINESS_RULE_VIOLATION", detail.clone()).with_field("quantity", "too_large", detail)
}
