//! Payments: how a buyer pays, and the provider that moves the money.

pub(crate) mod domain;
pub(crate) mod provider;
