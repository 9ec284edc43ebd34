//! The terms of payments.

pub(crate) mod card;
pub(crate) mod method;
