//! A connection and the statements prepared on it.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use futures_util::TryStreamExt;
use tokio::sync::OnceCell;
use tokio::task::{AbortHandle, JoinHandle};
use tokio_postgres::{Client, RowStream, Statement as Prepared};

use super::binary::{Bound, check, natural_type};
use super::cancel::cancel;
use super::connect::Target;
use super::fault::fault;
use crate::statement::{Place, Statement, WRONG_COUNT};
use crate::{DatabaseError, Row, Value};

/// A prepared statement, and the number of its tenancy: statements have a place one after the other.
type Cell = (usize, Arc<OnceCell<Prepared>>);

/// A connection that can run statements and nothing else: it cannot begin a transaction or change a setting,
/// so many callers may use it at once.
pub(crate) struct Connection {
    client: Client,
    /// Where it leads.
    target: Target,
    abort: AbortHandle,
    prepared: RwLock<Vec<Cell>>,
    /// Whether it was asked to read only.
    reads: bool,
    /// The server said that it ends this connection, or takes no writes any more: the end itself may take a moment.
    ending: AtomicBool,
}

impl Connection {
    async fn open(target: &Target, reads: bool) -> Result<(Self, JoinHandle<()>), DatabaseError> {
        let (client, task) = target.connect().await?;
        let abort = task.abort_handle();
        Ok((
            Self {
                client,
                target: target.clone(),
                abort,
                prepared: RwLock::default(),
                reads,
                ending: AtomicBool::new(false),
            },
            task,
        ))
    }

    /// A connection for point reads. The task ends when the connection does.
    pub(crate) async fn open_for_reads(target: &Target) -> Result<(Self, JoinHandle<()>), DatabaseError> {
        Self::open(target, true).await
    }

    /// Asks the server to stop the statement that runs here.
    pub(crate) async fn cancel(&self) -> std::io::Result<()> {
        cancel(&self.client.cancel_token(), &self.target).await
    }

    /// Whether the server itself is at the other end: a pooler may lose it, and say so in the server's words.
    pub(crate) fn is_direct(&self) -> bool {
        self.target.prepare
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed() || self.ending.load(Ordering::Relaxed)
    }

    /// Prepares the statement, once per connection; nothing for a connection that does not prepare.
    pub(crate) async fn prepare(&self, statement: &Statement) -> Result<Option<Prepared>, DatabaseError> {
        if !self.target.prepare {
            return Ok(None);
        }
        let failed = |error| self.note(fault(statement.name, &error));
        let Some(place) = statement.place else {
            return self.client.prepare(&statement.text).await.map(Some).map_err(failed);
        };
        let cell = self.cell(place);
        let prepared = cell.get_or_try_init(|| self.client.prepare(&statement.text)).await.map_err(failed)?;
        Ok(Some(prepared.clone()))
    }

    fn cell(&self, place: Place) -> Arc<OnceCell<Prepared>> {
        match self.prepared.read().unwrap_or_else(PoisonError::into_inner).get(place.index) {
            Some((tenancy, cell)) if *tenancy == place.tenancy => return Arc::clone(cell),
            _ => {}
        }
        let mut cells = self.prepared.write().unwrap_or_else(PoisonError::into_inner);
        if cells.len() <= place.index {
            cells.resize_with(place.index + 1, Cell::default);
        }
        if cells[place.index].0 != place.tenancy {
            // The server forgets the statement that had this place before, once nobody runs it.
            cells[place.index] = (place.tenancy, Arc::default());
        }
        Arc::clone(&cells[place.index].1)
    }

    /// The table changed under the prepared statement: the next run prepares it afresh.
    fn forget(&self, statement: &Statement) {
        if let Some(place) = statement.place {
            let mut cells = self.prepared.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(cell) = cells.get_mut(place.index).filter(|cell| cell.0 == place.tenancy) {
                cell.1 = Arc::default();
            }
        }
    }

    /// Runs a point read and collects its rows.
    pub(crate) async fn rows(
        &self,
        statement: &Statement,
        values: &[Value],
    ) -> Result<Vec<Row>, DatabaseError> {
        // The server refuses to write here, unless a pooler kept us from telling it to.
        if !self.target.prepare && statement.seems_to_write {
            let reason = format!("{} is not a point read", statement.name);
            return Err(DatabaseError::ReadOnly { reason });
        }
        let prepared = self.prepare(statement).await?;
        self.rows_of(statement, prepared.as_ref(), values).await
    }

    /// Runs a statement that was prepared before. Everything is sent at the first poll. A result with too many rows is not read to
    /// its end.
    pub(crate) async fn rows_of(
        &self,
        statement: &Statement,
        prepared: Option<&Prepared>,
        values: &[Value],
    ) -> Result<Vec<Row>, DatabaseError> {
        let mut stream = pin!(self.stream_of(statement, prepared, values).await?);
        let mut rows = Vec::new();
        while let Some(row) = stream.try_next().await.map_err(|error| self.failed(statement, &error))? {
            if rows.len() == statement.rows_max {
                return Err(DatabaseError::TooManyRows { name: statement.name, limit: statement.rows_max });
            }
            rows.push(Row::from_postgres(row));
        }
        Ok(rows)
    }

    /// The same for a statement whose commit may be on its way already: however many rows it has, it has run.
    pub(crate) async fn all_rows_of(
        &self,
        statement: &Statement,
        prepared: Option<&Prepared>,
        values: &[Value],
    ) -> Result<Vec<Row>, DatabaseError> {
        let rows =
            self.stream_of(statement, prepared, values).await?.map_ok(Row::from_postgres).try_collect();
        rows.await.map_err(|error| self.failed(statement, &error))
    }

    /// Refuses parameters that do not fit the statement, before anything is sent.
    pub(crate) fn check(
        &self,
        statement: &Statement,
        prepared: Option<&Prepared>,
        values: &[Value],
    ) -> Result<(), DatabaseError> {
        match prepared {
            Some(prepared) => check(statement.name, prepared.params(), values),
            None => crate::parameters::check(statement.name, statement.parameters, values),
        }
    }

    /// The rows of a statement that was prepared before, as they come.
    pub(crate) async fn stream_of(
        &self,
        statement: &Statement,
        prepared: Option<&Prepared>,
        values: &[Value],
    ) -> Result<RowStream, DatabaseError> {
        let stream = match prepared {
            Some(prepared) => {
                check(statement.name, prepared.params(), values)?;
                self.client.query_raw(prepared, values.iter().map(Bound)).await
            }
            None => self.client.query_typed_raw(&statement.text, typed(statement, values)?).await,
        };
        stream.map_err(|error| self.failed(statement, &error))
    }

    pub(crate) fn failed(&self, statement: &Statement, error: &tokio_postgres::Error) -> DatabaseError {
        if let Some(expected) = statement.must_change
            && error.as_db_error().is_some_and(|error| error.message().contains(WRONG_COUNT))
        {
            return DatabaseError::WrongCount { name: statement.name, expected };
        }
        let fault = self.note(fault(statement.name, error));
        if matches!(fault, DatabaseError::Contention { .. }) {
            self.forget(statement);
        }
        fault
    }

    /// Remembers that the server ends this connection, if that is what the fault says.
    pub(crate) fn note(&self, fault: DatabaseError) -> DatabaseError {
        // One that may not write any more leads to a server that was the primary once.
        let spent = match fault {
            DatabaseError::Unavailable { .. } => true,
            DatabaseError::ReadOnly { .. } => !self.reads,
            _ => false,
        };
        if spent {
            self.ending.store(true, Ordering::Relaxed);
        }
        fault
    }
}

type Typed<'a> = Vec<(Bound<'a>, tokio_postgres::types::Type)>;

fn typed<'a>(statement: &Statement, values: &'a [Value]) -> Result<Typed<'a>, DatabaseError> {
    crate::parameters::check(statement.name, statement.parameters, values)?;
    Ok(values.iter().map(|value| (Bound(value), natural_type(value))).collect())
}

/// A connection that belongs to one caller at a time, who may do with it what they like.
pub(crate) struct Exclusive(Connection);

impl Exclusive {
    pub(crate) async fn open(target: &Target) -> Result<Self, DatabaseError> {
        Connection::open(target, false).await.map(|(connection, _)| Self(connection))
    }

    pub(crate) fn statements(&self) -> &Connection {
        &self.0
    }

    pub(crate) fn client(&self) -> &Client {
        &self.0.client
    }

    /// Runs a statement and counts the rows it changed.
    pub(crate) async fn changed(
        &self,
        statement: &Statement,
        prepared: Option<&Prepared>,
        values: &[Value],
    ) -> Result<u64, DatabaseError> {
        let changed = match prepared {
            Some(prepared) => {
                check(statement.name, prepared.params(), values)?;
                self.client().execute_raw(prepared, values.iter().map(Bound)).await
            }
            None => {
                let values = typed(statement, values)?;
                let values: Vec<_> = values
                    .iter()
                    .map(|(value, kind)| (value as &(dyn tokio_postgres::types::ToSql + Sync), kind.clone()))
                    .collect();
                self.client().execute_typed(&statement.text, &values).await
            }
        };
        let changed = changed.map_err(|error| self.0.failed(statement, &error))?;
        // Such a statement reads what it changed, so the server counts what it read.
        Ok(statement.must_change.map_or(changed, u64::from))
    }

    /// Runs a text without parameters.
    pub(crate) async fn batch(&self, name: &'static str, text: &str) -> Result<(), DatabaseError> {
        self.client().batch_execute(text).await.map_err(|error| self.0.note(fault(name, &error)))
    }

    /// Ends the connection at once, even if it is in use.
    pub(crate) fn kill(self) {
        self.0.abort.abort();
    }
}
