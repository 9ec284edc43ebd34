//! Runs computations where they do not hold up other requests.

use pando_service::prelude::*;

use crate::Risk;

/// From so many names on, a search may take longer than a millisecond: 99 of 100 searches of a million names took up to 11
/// (`docs-screening.md`).
const NAMES_QUICK_MAX: usize = 100_000;

impl Risk {
    /// Runs a computation that searches the lists: on a thread of its own if the lists are large. With small lists the way there
    /// and back would take longer than the search.
    pub(crate) async fn searching<T: Send + 'static>(
        &self,
        compute: impl FnOnce(&Self) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        if self.0.lists.names() <= NAMES_QUICK_MAX {
            return compute(self);
        }
        let risk = self.clone();
        tokio::task::spawn_blocking(move || compute(&risk)).await.map_err(Fault::internal)?
    }
}
