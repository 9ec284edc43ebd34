//! The statements of a transaction that wait for the next one. They are kept in memory, so there is a bound.

use crate::statement::Step;
use crate::{DatabaseError, Value};

/// As many statements wait at most.
const STATEMENTS_MAX: usize = 4096;
/// As many bytes wait at most, and one statement more.
const BYTES_MAX: usize = 32 << 20;
/// A loop sends what waits when it is a part of that.
const MANY: usize = 16;

#[derive(Default)]
pub(crate) struct Later {
    steps: Vec<Step>,
    bytes: usize,
    /// The first statement that was too much.
    refused: Option<&'static str>,
}

impl Later {
    /// Adds a statement. One that is too much is left out, and then nothing else may happen.
    pub(crate) fn push(&mut self, step: Step) {
        if self.steps.len() >= STATEMENTS_MAX || self.bytes > BYTES_MAX {
            self.refused.get_or_insert(step.statement.name);
            return;
        }
        self.bytes += step.values.iter().map(Value::size).sum::<usize>();
        self.steps.push(step);
    }

    /// Whether everything that was to wait does.
    pub(crate) fn check(&self) -> Result<(), DatabaseError> {
        self.refused.map_or(Ok(()), |name| Err(DatabaseError::TooManyWaiting { name }))
    }

    pub(crate) fn take(&mut self) -> Vec<Step> {
        self.bytes = 0;
        std::mem::take(&mut self.steps)
    }

    /// The last of them: whoever runs it runs those before it.
    pub(crate) fn pop(&mut self) -> Option<Step> {
        self.steps.pop()
    }

    /// The last of them, if there are many.
    pub(crate) fn pop_if_many(&mut self) -> Option<Step> {
        let many = self.steps.len() >= STATEMENTS_MAX / MANY || self.bytes > BYTES_MAX / MANY;
        self.steps.pop_if(|_| many)
    }
}
