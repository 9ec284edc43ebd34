//! The types of tasks: they parse, compare and render. They reach for no database and for no request.

pub(crate) mod delay;
pub(crate) mod faults;
pub(crate) mod pace;
pub(crate) mod schedule;
pub(crate) mod task;
pub(crate) mod task_request;
