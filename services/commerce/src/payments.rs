//! Payments: money of orders, on its way to the shop and back. The provider holds the cards; the shop never keeps one.

pub(crate) mod begin_charge;
mod charge_order;
mod choose_method;
mod complete_charge;
pub(crate) mod domain;
mod get_payment;
pub(crate) mod http;
mod list_payments;
pub(crate) mod provider;
mod reconcile_payments;
mod refund_payment;
mod settle_charge;
pub(crate) mod store;
mod take_callback;

use pando_service::Fault;

pub(crate) use complete_charge::Progress;
pub use domain::payment::{Payment, PaymentStatus, Refund, RefundStatus};
pub use list_payments::{PaymentPage, PaymentQuestion};
pub(crate) use reconcile_payments::RECONCILE;
pub use reconcile_payments::Reconciled;
pub(crate) use refund_payment::REFUND;

/// There is no payment with this id, or it is not the caller's.
fn no_payment() -> Fault {
    Fault::not_found("payment")
}

fn no_refund() -> Fault {
    Fault::not_found("refund")
}
