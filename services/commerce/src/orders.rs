//! Orders: a purchase with all its steps. Each step is a transaction, so an order is never between two states.

pub(crate) mod advance_order;
mod cancel_order;
pub(crate) mod create_order;
pub(crate) mod domain;
pub(crate) mod get_order;
pub(crate) mod http;
mod list_orders;
mod move_order;
pub(crate) mod risk;
pub(crate) mod store;
mod sweep_orders;
pub(crate) mod transition;

pub(crate) use advance_order::ADVANCE;
pub use domain::order::{Order, OrderLine, OrderStep};
pub use domain::status::OrderStatus;
pub use list_orders::{OrderPage, OrderQuestion};
pub use risk::{RiskAnswer, RiskCheck, RiskDecision, RiskQuestion};
pub(crate) use sweep_orders::SWEEP;
