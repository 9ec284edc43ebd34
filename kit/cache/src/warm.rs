//! Fills a cache before the first request.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{Stream, StreamExt};

use crate::{Cache, Loaded};

/// The result of a warm-up.
#[derive(Debug)]
pub struct Warmed<E> {
    /// So many entries were filled.
    pub filled: u64,
    /// So many were refused, because something newer is known of their key.
    pub refused: u64,
    /// Everything that went wrong.
    pub errors: Vec<E>,
}

impl Cache {
    /// Fills the cache from a stream of keys and values, `parallel` at a time. The values count as new as the database was when
    /// this call began. Every error is reported, and no error ends the warm-up.
    pub async fn warm<E: Display>(
        &self,
        values: impl Stream<Item = Result<(Vec<u8>, Loaded), E>>,
        parallel: usize,
    ) -> Warmed<E> {
        // One moment for all: an invalidation while the stream runs refuses what was read before it.
        let begun = Arc::new(self.0.fence.counts());
        let (epoch, position) = (self.0.tags.epoch(), self.0.position.load(Ordering::Acquire));
        let mut warmed = Warmed { filled: 0, refused: 0, errors: Vec::new() };
        let mut fills = std::pin::pin!(
            values
                .map(|value| {
                    let begun = Arc::clone(&begun);
                    async move {
                        let (key, value) = value?;
                        let ticket = self.0.fence.ticket(&key, &begun, epoch);
                        Ok(self.fill(&key, Some(&value), position, ticket, Duration::ZERO).1)
                    }
                })
                .buffer_unordered(parallel.max(1))
        );
        while let Some(filled) = fills.next().await {
            match filled {
                Ok(true) => warmed.filled += 1,
                Ok(false) => warmed.refused += 1,
                Err(error) => {
                    tracing::warn!(cache.name = self.name(), %error, "a value could not be warmed");
                    warmed.errors.push(error);
                }
            }
        }
        tracing::info!(
            cache.name = self.name(),
            filled = warmed.filled,
            refused = warmed.refused,
            failed = warmed.errors.len(),
            "the cache is warm"
        );
        warmed
    }
}
