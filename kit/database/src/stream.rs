//! Rows that come one after the other, because all of them together would not fit into memory.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{Stream, StreamExt};
use tokio::sync::OwnedSemaphorePermit;

use crate::statement::Statement;
use crate::{DatabaseError, Row};

/// The rows as an engine gives them, until their deadline.
pub(crate) type EngineRows = Pin<Box<dyn Stream<Item = Result<Row, DatabaseError>> + Send>>;

/// The rows of a result, one after the other. While the caller does not take them, the engine does not read on.
#[must_use = "rows come when they are asked for"]
pub struct RowStream {
    rows: EngineRows,
    statement: Arc<Statement>,
    /// How long the engine has worked for the rows, without the time that their reader took.
    took: Duration,
    limit: usize,
    taken: usize,
    ended: bool,
    place: Option<OwnedSemaphorePermit>,
}

impl RowStream {
    pub(crate) fn new(
        rows: EngineRows,
        (statement, took): (Arc<Statement>, Duration),
        limit: usize,
        place: OwnedSemaphorePermit,
    ) -> Self {
        Self { rows, statement, took, limit, taken: 0, ended: false, place: Some(place) }
    }

    /// The next row; nothing at the end, and after an error.
    pub async fn next(&mut self) -> Result<Option<Row>, DatabaseError> {
        if self.ended {
            return Ok(None);
        }
        let asked = Instant::now();
        let next = self.rows.next().await;
        self.took += asked.elapsed();
        let next = match next {
            Some(Ok(_)) if self.taken == self.limit => {
                Err(DatabaseError::TooManyRows { name: self.statement.name, limit: self.limit })
            }
            next => next.transpose(),
        };
        match &next {
            Ok(Some(_)) => self.taken += 1,
            end => self.end(end.as_ref().err()),
        }
        next
    }

    /// Counts the statement, and gives its connection back.
    fn end(&mut self, error: Option<&DatabaseError>) {
        self.ended = true;
        self.statement.record_took(self.took, error);
        self.rows = Box::pin(futures_util::stream::empty());
        self.place = None;
    }
}

impl Drop for RowStream {
    fn drop(&mut self) {
        if !self.ended {
            self.end(None);
        }
    }
}
