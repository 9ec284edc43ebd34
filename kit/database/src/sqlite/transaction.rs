//! The caller's side of a transaction on SQLite. With its first statement a transaction queues up for the writer
//! thread, which runs that statement as soon as the transaction has its turn.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use pando_resilience::Deadline;
use tokio::sync::oneshot;

use super::flusher::Committed;
use super::readers::Leaving;
use super::session::Outcome;
use super::turn::Turn;
use super::writer::{Answer, Command, Line, Ticket};
use crate::engine::Manner;
use crate::statement::{Statement, Step};
use crate::statistics::Wait;
use crate::{DatabaseError, Value};

/// A transaction of the writer's. Dropped: rolled back.
pub(crate) struct WriterTransaction {
    line: Arc<Line>,
    deadline: Deadline,
    manner: Manner,
    turn: Arc<Turn>,
    place: Option<Place>,
}

/// A place in the line, and then at the writer.
struct Place {
    commands: Sender<Command>,
    /// Until the writer began.
    beginning: Option<Beginning>,
    _leaving: Leaving,
}

/// The state until the writer has begun.
struct Beginning {
    began: oneshot::Receiver<Result<(), DatabaseError>>,
    turn: Arc<Turn>,
    patience: Deadline,
    _wait: Option<Wait>,
}

impl WriterTransaction {
    pub(super) fn new(line: Arc<Line>, deadline: Deadline, manner: Manner) -> Self {
        Self { line, deadline, manner, turn: Arc::default(), place: None }
    }

    pub(crate) fn turn(&self) -> Arc<Turn> {
        Arc::clone(&self.turn)
    }

    /// Runs the deferred statements, and then one statement once for every set of parameters.
    pub(crate) async fn run(
        &mut self,
        before: Vec<Step>,
        statement: &Arc<Statement>,
        sets: Vec<Vec<Value>>,
        want_rows: bool,
    ) -> Result<Outcome, DatabaseError> {
        let statement = Arc::clone(statement);
        let run = |answer| Command::Run { before, statement, sets, want_rows, answer };
        let outcome = self.ask(run).await?;
        self.deadline.bound(outcome).await?.map_err(|_| self.ended())?
    }

    /// Runs the last statements and commits.
    pub(crate) async fn commit(mut self, steps: Vec<Step>) -> Result<Committed, DatabaseError> {
        if self.deadline.is_past() {
            return Err(DatabaseError::DeadlineExceeded);
        }
        let unflushed = self.manner.unflushed;
        let done = self.ask(|answer| Command::Commit { steps, unflushed, answer }).await?;
        match self.deadline.bound(done).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(self.ended()),
            Err(_) => {
                Err(DatabaseError::CommitUnknown { reason: "the deadline passed during the commit".into() })
            }
        }
    }

    /// Sends a command, and waits until the writer serves this transaction.
    async fn ask<T>(
        &mut self,
        command: impl FnOnce(Answer<T>) -> Command,
    ) -> Result<oneshot::Receiver<Result<T, DatabaseError>>, DatabaseError> {
        let (answer, answered) = oneshot::channel();
        let place = match &mut self.place {
            Some(place) => place,
            none => none.insert(get_in_line(&self.line, self.deadline, self.manner, Arc::clone(&self.turn))?),
        };
        if place.commands.send(command(answer)).is_err() {
            return Err(self.ended());
        }
        if let Some(beginning) = place.beginning.take() {
            beginning.wait(self.deadline).await?;
        }
        Ok(answered)
    }

    /// Why the writer does not listen any more.
    fn ended(&self) -> DatabaseError {
        if self.deadline.is_past() { DatabaseError::DeadlineExceeded } else { DatabaseError::closed() }
    }
}

fn get_in_line(
    line: &Line,
    deadline: Deadline,
    manner: Manner,
    turn: Arc<Turn>,
) -> Result<Place, DatabaseError> {
    let (load, others) = line.join();
    let wait = others.then(|| line.waits.begin());
    let ((began, beginning), (commands, received)) = (oneshot::channel(), channel());
    let leaving = Leaving::default();
    let (busy, patience) = match manner.patient {
        true => (deadline.remaining(), deadline),
        false => (line.busy, deadline.sooner(Deadline::after(line.checkout))),
    };
    line.send(Ticket {
        deadline,
        busy,
        turn: Arc::clone(&turn),
        began,
        commands: received,
        gone: Arc::clone(&leaving.0),
        load,
    })?;
    let beginning = Some(Beginning { began: beginning, turn, patience, _wait: wait });
    Ok(Place { commands, beginning, _leaving: leaving })
}

impl Beginning {
    async fn wait(mut self, deadline: Deadline) -> Result<(), DatabaseError> {
        let mut late = DatabaseError::PoolTimeout { waited: self.patience.remaining() };
        let mut begun = self.patience.bound(&mut self.began).await;
        if begun.is_err() && self.turn.has_come() {
            late = DatabaseError::DeadlineExceeded;
            begun = deadline.bound(&mut self.began).await;
        }
        match begun {
            // One that is late is passed over without a word.
            Ok(Err(_)) if deadline.is_past() => Err(DatabaseError::DeadlineExceeded),
            Ok(begun) => begun.map_err(|_| DatabaseError::closed())?,
            Err(_) => {
                // The turn may come this very moment, and what was sent along would be done.
                self.began.close();
                self.began.try_recv().map_err(|_| late)?
            }
        }
    }
}
