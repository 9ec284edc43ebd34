//! Lists orders page by page, the latest first.

use std::collections::BTreeMap;

use pando_service::prelude::*;
use uuid::Uuid;

use super::domain::order::{Order, SoldLine};
use super::domain::status::OrderStatus;
use super::store::{self, lists};
use crate::Commerce;

/// The orders that are asked for.
#[derive(Clone, Debug, Default)]
pub struct OrderQuestion {
    /// Only those of this buyer.
    pub user: Option<String>,
    /// Only those in this state.
    pub status: Option<OrderStatus>,
    /// The end of the page before.
    pub after: Option<PageEnd>,
    /// How many orders to step over.
    pub offset: usize,
    /// How many orders.
    pub size: usize,
}

/// A page of orders.
#[derive(Clone, Debug)]
pub struct OrderPage {
    /// The orders, without their histories.
    pub orders: Vec<Order>,
    /// The end of the page, if there are more.
    pub next: Option<PageEnd>,
    /// How many there are in all, but at most 10,000.
    pub total: u64,
}

impl Commerce {
    /// A page of orders.
    pub async fn list_orders(&self, call: &Call, question: &OrderQuestion) -> Result<OrderPage, Fault> {
        let (read, tenant) = (self.0.parts.database.read_primary(call), call.tenant());
        let which = lists::Which { user: question.user.as_deref(), status: question.status };
        let place = (question.after.as_ref(), question.offset, question.size);
        let page = lists::page(&read, tenant, which, place).await?;
        let total = lists::count(&read, tenant, which).await?;
        let ids = page.items.iter().map(|order| order.id).collect();
        let mut lines: BTreeMap<Uuid, Vec<SoldLine>> = BTreeMap::new();
        for (order, line) in store::lines(&read, tenant, ids).await? {
            lines.entry(order).or_default().push(line);
        }
        let shown = page.items.iter().map(|order| {
            let lines = lines.remove(&order.id).unwrap_or_default();
            order.shown(&lines, Vec::new())
        });
        Ok(OrderPage { orders: shown.collect::<Result<_, _>>()?, next: page.next, total })
    }
}
