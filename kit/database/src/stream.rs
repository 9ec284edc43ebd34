//! Rows that come one after the other, because all of them together would not fit into memory.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use futures_util::{Stream, StreamExt};

use crate::statement::Statement;
use crate::{DatabaseError, Row};

/// The rows as an engine gives them, until their deadline.
pub(crate) type EngineRows = Pin<Box<dyn Stream<Item = Result<Row, DatabaseError>> + Send>>;

/// The rows of a result, one after the other. While the caller does not take them, the engine does not read on.
#[must_use = "rows come when they are asked for"]
pub struct RowStream {
    rows: EngineRows,
    statement: Arc<Statement>,
    started: Instant,
    limit: usize,
    taken: usize,
    ended: bool,
}

impl RowStream {
    pub(crate) fn new(rows: EngineRows, statement: Arc<Statement>, limit: usize) -> Self {
        Self { rows, statement, started: Instant::now(), limit, taken: 0, ended: false }
    }

    /// The next row; nothing at the end, and after an error.
    pub async fn next(&mut self) -> Result<Option<Row>, DatabaseError> {
        if self.ended {
            return Ok(None);
        }
        let next = match self.rows.next().await {
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
        self.statement.record(self.started, error);
        self.rows = Box::pin(futures_util::stream::empty());
    }
}

impl Drop for RowStream {
    fn drop(&mut self) {
        if !self.ended {
            self.end(None);
        }
    }
}
