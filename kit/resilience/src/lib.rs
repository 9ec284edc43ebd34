#![doc = include_str!("../README.md")]

mod breaker;
mod call;
mod deadline;

pub use breaker::{Breaker, BreakerOpen, BreakerOptions, BreakerState, Permit};
pub use call::{Call, Repeat};
pub use deadline::{Deadline, DeadlineExceeded};
