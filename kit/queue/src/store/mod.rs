//! Every statement of the queue, each beside the row that it reads. A missing row is `Ok(None)` here and becomes an
//! error only in the caller.

pub(crate) mod batch;
pub(crate) mod claim;
pub(crate) mod enqueue;
pub(crate) mod forget;
pub(crate) mod lanes;
pub(crate) mod manage;
pub(crate) mod outbox;
#[cfg(test)]
mod plans;
pub(crate) mod recurring;
pub(crate) mod schedule;
pub(crate) mod settle;
pub(crate) mod subscribers;
pub(crate) mod upkeep;
