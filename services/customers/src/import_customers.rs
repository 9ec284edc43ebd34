//! Creates the customers of a stream.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use pando_idempotency::hash_of;
use pando_resilience::{Deadline, Repeat};
use pando_service::prelude::*;
use serde::Serialize;

use crate::domain::content::{IMPORT, content};
use crate::domain::customer::Given;
use crate::{Customers, Refused};

/// How long one batch may take; an import itself takes as long as its writer.
const BATCH_BUDGET: Duration = Duration::from_secs(30);
/// How many of those that were refused are named.
const PROBLEMS_MAX: usize = 100;

/// The outcome of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// How many customers were created.
    pub created: usize,
    /// How many were not.
    pub refused: usize,
    /// The first of them. Their places count through the whole import.
    pub problems: Vec<Refused>,
}

impl Customers {
    /// Creates the customers of each batch that can be created, batch by batch. With a key, an import that is sent again gets
    /// the outcomes of the batches that were done, and goes on.
    pub async fn import_customers<S>(
        &self,
        call: &Call,
        key: Option<&str>,
        mut batches: S,
    ) -> Result<Imported, Fault>
    where
        S: Stream<Item = Result<Vec<Given>, Fault>> + Unpin + Send,
    {
        let (mut imported, mut place, mut number) = (Imported::default(), 0, 0_u64);
        while let Some(batch) = batches.next().await.transpose()? {
            let count = batch.len();
            let repeat = key.map(|key| {
                // So that a batch is recognised by its place in the import.
                let operation = format!("{IMPORT}.{number}");
                Arc::new(Repeat { operation, key: key.to_owned(), hash: hash_of(&[&content(&batch)]) })
            });
            let deadline = call.deadline.sooner(Deadline::after(BATCH_BUDGET));
            let call = Call { repeat, ..call.with_deadline(deadline) };
            let done = self.batch_create(&call, batch, true).await?.value;
            imported.created += done.ids.len();
            imported.refused += count - done.ids.len();
            let room = PROBLEMS_MAX.saturating_sub(imported.problems.len());
            let problems = done.refused.into_iter().take(room);
            imported.problems.extend(problems.map(|it| Refused { index: place + it.index, ..it }));
            (place, number) = (place + count, number + 1);
        }
        Ok(imported)
    }
}
