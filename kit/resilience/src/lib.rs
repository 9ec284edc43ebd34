#![doc = include_str!("../README.md")]

mod breaker;
mod call;
mod deadline;
mod identity;

pub use breaker::{Breaker, BreakerOpen, BreakerOptions, BreakerState, Permit};
pub use call::{Call, Repeat};
pub use deadline::{Deadline, DeadlineExceeded};
pub use identity::{BadTenant, Identity, Role, Scopes, Tenant};
