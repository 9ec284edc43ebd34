//! Decodes images on threads of their own, a few at once. If a decoder panics, only its image is refused.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use pando_images::Refusal;
use pando_resilience::Call;
use pando_service::Fault;
use tokio::sync::Semaphore;

use super::refused;

/// So many benches, so many images in memory at once.
#[derive(Debug)]
pub(crate) struct Workshop {
    benches: Arc<Semaphore>,
}

impl Workshop {
    pub(crate) fn new(benches: usize) -> Self {
        Self { benches: Arc::new(Semaphore::new(benches)) }
    }

    /// Does work that takes its time, when a bench is free.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        call: &Call,
        work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Fault> {
        let bench = call.deadline.bound(Arc::clone(&self.benches).acquire_owned()).await;
        let Ok(Ok(bench)) = bench else {
            return Err(Fault::busy("too many images are being decoded at this moment"));
        };
        // The permit moves into the work: the caller may leave, but the work continues.
        let done = tokio::task::spawn_blocking(move || {
            let _bench = bench;
            catch_unwind(AssertUnwindSafe(work))
        });
        match call.deadline.bound(done).await {
            Ok(Ok(Ok(worked))) => worked.map_err(refused),
            Ok(_) => Err(refused(Refusal::Damaged("the image cannot be decoded".to_owned()))),
            Err(_) => Err(Fault::busy("the image could not be decoded in time")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pando_service::Class;

    use super::*;

    #[tokio::test]
    async fn a_decoder_that_panics_is_a_damaged_image_and_gives_its_bench_back() {
        let workshop = Workshop::new(1);
        let call = Call::internal("test", Duration::from_secs(30));
        for _ in 0..3 {
            let worked = workshop.work::<()>(&call, || panic!("in a decoder")).await;
            assert_eq!(worked.unwrap_err().class(), Class::Invalid);
        }
        assert!(workshop.work(&call, || Ok(())).await.is_ok());
    }
}
