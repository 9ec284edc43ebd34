//! The terms of payments.

pub(crate) mod asked;
pub(crate) mod card;
pub(crate) mod means;
pub(crate) mod method;
pub(crate) mod payment;
pub(crate) mod refund;
