//! The types of this service: parsed, checked and rendered, with nothing behind them.

pub(crate) mod content;
pub(crate) mod customer;
pub(crate) mod events;
pub(crate) mod faults;
pub(crate) mod history;
pub(crate) mod id;
pub(crate) mod phone;
pub(crate) mod planned;
pub(crate) mod position;
pub(crate) mod record;
