#![doc = include_str!("../README.md")]

mod call;
mod deadline;

pub use call::Call;
pub use deadline::{Deadline, DeadlineExceeded};
