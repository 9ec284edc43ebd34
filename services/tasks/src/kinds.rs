//! The types of tasks that come with the service.

mod echo;
mod http_callback;
mod sleep;

use pando_queue::{QueueError, Registry};

use crate::TasksOptions;

/// Adds the types that come with the service to what a program can run.
pub fn add_kinds(registry: &mut Registry, options: &TasksOptions) -> Result<(), QueueError> {
    registry.add(echo::kind())?;
    if options.sleep {
        registry.add(sleep::kind())?;
    }
    registry.add(http_callback::kind(options)?)
}
