//! What tasks are: types that parse, compare and render. They know neither the database nor HTTP.

pub(crate) mod delay;
pub(crate) mod faults;
pub(crate) mod guard;
pub(crate) mod pace;
pub(crate) mod schedule;
pub(crate) mod task;
pub(crate) mod task_request;
pub(crate) mod trust;
