//! Lists payments page by page, the latest first.

use pando_service::prelude::*;
use uuid::Uuid;

use super::domain::payment::{Payment, PaymentStatus};
use super::store::lists;
use crate::Commerce;

/// The payments that are asked for.
#[derive(Clone, Debug, Default)]
pub struct PaymentQuestion {
    /// Only those of this buyer.
    pub user: Option<String>,
    /// Only those of this order.
    pub order: Option<Uuid>,
    /// Only those in this state.
    pub status: Option<PaymentStatus>,
    /// The end of the page before.
    pub after: Option<PageEnd>,
    /// How many payments to step over.
    pub offset: usize,
    /// How many payments.
    pub size: usize,
}

/// A page of payments.
#[derive(Clone, Debug)]
pub struct PaymentPage {
    /// The payments, without their refunds.
    pub payments: Vec<Payment>,
    /// The end of the page, if there are more.
    pub next: Option<PageEnd>,
    /// How many there are in all, but at most 10,000.
    pub total: u64,
}

impl Commerce {
    /// A page of payments.
    pub async fn list_payments(&self, call: &Call, question: &PaymentQuestion) -> Result<PaymentPage, Fault> {
        let (read, tenant) = (self.0.parts.database.read_primary(call), call.tenant());
        let PaymentQuestion { user, order, status, after, offset, size } = question;
        let which = lists::Which { user: user.as_deref(), order: *order, status: *status };
        let page = lists::page(&read, tenant, which, (after.as_ref(), *offset, *size)).await?;
        let total = lists::count(&read, tenant, which).await?;
        let payments = page.items.iter().map(|payment| payment.shown(&[])).collect();
        Ok(PaymentPage { payments, next: page.next, total })
    }
}
