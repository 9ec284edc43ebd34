//! Takes what jobs know of somebody out of them.

use pando_resilience::Call;
use uuid::Uuid;

use crate::store::forget as store;
use crate::{Queue, QueueError};

/// How many jobs are looked up at once.
const PAGE: usize = 500;

impl Queue {
    /// Empties every job that mentions one of these texts, whatever its case: payload, progress, result, cursor, what
    /// follows, error and unique key. Those that have not ended are cancelled: without what they were told they cannot
    /// be run. `spared` is the job that does this. Answers how many.
    ///
    /// Looks at every job there is: for what is seldom and must be thorough.
    pub async fn forget_mentions(
        &self,
        call: &Call,
        texts: &[String],
        spared: Uuid,
    ) -> Result<u64, QueueError> {
        let mut forgotten = 0;
        for text in texts.iter().filter(|text| !text.is_empty()) {
            let mut after = Uuid::nil();
            loop {
                let read = self.database().read_primary(call);
                let found = store::mentioning(&read, text, (after, spared), PAGE).await?;
                for id in &found {
                    match self.cancel(call, *id).await {
                        Ok(_) | Err(QueueError::Ended { .. } | QueueError::NotFound) => {}
                        Err(error) => return Err(error),
                    }
                    let mut tx = self.database().transaction(call).await?;
                    forgotten += store::empty(&mut tx, *id).await?;
                    tx.commit().await?;
                    self.changed(*id);
                }
                match found.last() {
                    Some(last) if found.len() == PAGE => after = *last,
                    _ => break,
                }
            }
        }
        Ok(forgotten)
    }
}
