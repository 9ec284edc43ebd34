//! Creates the customers of a stream.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use pando_idempotency::hash_of;
use pando_resilience::{Deadline, Repeat};
use pando_service::FieldError;
use pando_service::prelude::*;

use crate::domain::content::{IMPORT, content};
use crate::domain::customer::Given;
use crate::{Customers, Refused};

/// How many customers are created together.
const BATCH: usize = 500;
/// How many bytes these may have before the next one is read: values that are too long are refused only when they are checked.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// How long one batch may take; an import itself takes as long as its writer.
const BATCH_BUDGET: Duration = Duration::from_secs(30);
/// How many of those that were refused are named.
const PROBLEMS_MAX: usize = 100;

/// A customer of an import, or the reasons why it cannot be read.
#[derive(Clone, Debug)]
pub struct ImportItem {
    /// Its place in the import, as the caller counts.
    pub place: usize,
    /// The customer as it was given.
    pub given: Result<Given, Vec<FieldError>>,
}

/// The outcome of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// How many customers were created.
    pub created: usize,
    /// How many were not.
    pub refused: usize,
    /// The first of them, each with its place in the import as index.
    pub problems: Vec<Refused>,
}

/// Customers that are created together.
#[derive(Default)]
struct Batch {
    given: Vec<Given>,
    /// Their places.
    places: Vec<usize>,
    /// How many bytes they have, about.
    bytes: usize,
    /// The problems of those between them that cannot be read.
    problems: Vec<Refused>,
}

impl Customers {
    /// Creates the customers of a stream that can be created, batch by batch. With a key, an import that is sent again gets the
    /// outcomes of the batches that were done, and goes on. Only the customers and their order make the batches: the same
    /// import is recognised over every transport, however the transport cuts it into pieces.
    pub async fn import_customers<S>(
        &self,
        call: &Call,
        key: Option<&str>,
        mut stream: S,
    ) -> Result<Imported, Fault>
    where
        S: Stream<Item = Result<ImportItem, Fault>> + Unpin + Send,
    {
        let (mut imported, mut batch, mut number) = (Imported::default(), Batch::default(), 0);
        while let Some(next) = stream.next().await {
            let ImportItem { place, given } = next.map_err(|fault| imported.broken_off(fault))?;
            match given {
                Ok(given) => batch.push(place, given),
                Err(errors) => {
                    imported.refused += 1;
                    let room = PROBLEMS_MAX.saturating_sub(batch.problems.len());
                    batch.problems.extend(errors.into_iter().take(room).map(|error| problem(place, &error)));
                }
            }
            if batch.given.len() == BATCH || batch.bytes >= BATCH_BYTES {
                self.import_batch(call, key.map(|key| (key, number)), &mut batch, &mut imported).await?;
                number += 1;
            }
        }
        self.import_batch(call, key.map(|key| (key, number)), &mut batch, &mut imported).await?;
        Ok(imported)
    }

    async fn import_batch(
        &self,
        call: &Call,
        key: Option<(&str, u64)>,
        batch: &mut Batch,
        imported: &mut Imported,
    ) -> Result<(), Fault> {
        let Batch { given, places, mut problems, .. } = std::mem::take(batch);
        if !given.is_empty() {
            let repeat = key.map(|(key, number)| {
                // So that a batch is recognised by its place in the import.
                let operation = format!("{IMPORT}.{number}");
                Arc::new(Repeat { operation, key: key.to_owned(), hash: hash_of(&[&content(&given)]) })
            });
            let deadline = call.deadline.sooner(Deadline::after(BATCH_BUDGET));
            let call = Call { repeat, ..call.with_deadline(deadline) };
            let done = self.batch_create(&call, given, true).await?.value;
            imported.created += done.ids.len();
            imported.refused += places.len() - done.ids.len();
            let at = |index: usize| places.get(index).copied().unwrap_or(index);
            problems.extend(done.refused.into_iter().map(|it| Refused { index: at(it.index), ..it }));
            problems.sort_by_key(|problem| problem.index);
        }
        let room = PROBLEMS_MAX.saturating_sub(imported.problems.len());
        imported.problems.extend(problems.into_iter().take(room));
        Ok(())
    }
}

impl Batch {
    fn push(&mut self, place: usize, given: Given) {
        self.bytes += given.size();
        self.places.push(place);
        self.given.push(given);
    }
}

impl Imported {
    /// The fault of an import whose stream broke off: it says how far the import had come.
    fn broken_off(&self, fault: Fault) -> Fault {
        if !fault.is_of_input() {
            return fault;
        }
        let Self { created, refused, .. } = self;
        let message = format!(
            "{created} customers were created and {refused} refused before: with a key, send all of it again"
        );
        fault.with_field("import", "broken_off", message)
    }
}

fn problem(place: usize, error: &FieldError) -> Refused {
    Refused { index: place, field: error.field.to_string(), message: error.message.to_string() }
}
