//! One connection to the file: running statements on it, and stopping them in time.

use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pando_resilience::Deadline;
use rusqlite::types::Value as SqliteValue;
use rusqlite::{Connection, Statement as Prepared};

use super::fault::fault;
use crate::row::{ColumnNames, SqliteRow};
use crate::statement::Statement;
use crate::{DatabaseError, Row, Value};

/// How many steps of SQLite's machine lie between two looks at the clock: some tens of microseconds.
const STEPS_BETWEEN_LOOKS: i32 = 1_000;

/// The result of a statement.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) rows: Vec<Row>,
    pub(crate) changed: u64,
}

/// A connection and its brake.
pub(crate) struct Session {
    pub(crate) connection: Connection,
    brake: Arc<Brake>,
}

/// Stops the running statement when its time is over or its caller has gone.
struct Brake {
    base: Instant,
    /// Nanoseconds after `base`.
    stop_at: AtomicU64,
    gone: Mutex<Option<Arc<AtomicBool>>>,
}

impl Brake {
    fn is_pulled(&self) -> bool {
        let now = u64::try_from(self.base.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        now > self.stop_at.load(Ordering::Relaxed)
            || gone.as_ref().is_some_and(|gone| gone.load(Ordering::Relaxed))
    }
}

impl Session {
    pub(crate) fn new(mut connection: Connection) -> rusqlite::Result<Self> {
        rusqlite::vtab::array::load_module(&connection)?;
        connection.set_prepared_statement_cache_capacity(512);
        let brake = Arc::new(Brake {
            base: Instant::now(),
            stop_at: AtomicU64::new(u64::MAX),
            gone: Mutex::default(),
        });
        let handle = Arc::clone(&brake);
        connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(move || handle.is_pulled()))?;
        Ok(Self { connection, brake })
    }

    /// Statements stop from now on when `gone` is set: the caller went away.
    pub(crate) fn watch(&self, gone: Option<Arc<AtomicBool>>) {
        *self.brake.gone.lock().unwrap_or_else(PoisonError::into_inner) = gone;
    }

    /// Statements stop from now on at `deadline`, and wait for other processes at most `busy`.
    /// A deadline that is past at `now` is an error.
    pub(crate) fn limit(
        &self,
        deadline: Deadline,
        now: Instant,
        busy: Duration,
    ) -> Result<(), DatabaseError> {
        let stop_at = deadline.instant().into_std();
        let left = stop_at.saturating_duration_since(now);
        if left.is_zero() {
            return Err(DatabaseError::DeadlineExceeded);
        }
        let stop_at = stop_at.saturating_duration_since(self.brake.base).as_nanos();
        self.brake.stop_at.store(u64::try_from(stop_at).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.connection.busy_timeout(busy.min(left)).map_err(|error| fault("busy timeout", &error))
    }

    /// Statements are not stopped any more, because the end of a transaction must run to completion.
    pub(crate) fn unlimited(&self) {
        self.watch(None);
        self.brake.stop_at.store(u64::MAX, Ordering::Relaxed);
    }

    /// Runs a statement to its end.
    pub(crate) fn run(
        &self,
        statement: &Statement,
        values: &[Value],
        want_rows: bool,
    ) -> Result<Outcome, DatabaseError> {
        self.run_each(statement, [values], want_rows.then_some(statement.rows_max))
    }

    /// Runs a statement once for every set of parameters, and collects at most so many rows of each, if any. Between two sets it may be stopped: a short statement
    /// never runs long enough to be stopped by itself.
    pub(crate) fn run_each<'v>(
        &self,
        statement: &Statement,
        sets: impl IntoIterator<Item = &'v [Value]>,
        rows_max: Option<usize>,
    ) -> Result<Outcome, DatabaseError> {
        let failed = |error: rusqlite::Error| fault(statement.name, &error);
        let (mut cached, mut fresh);
        let prepared: &mut Prepared<'_> = if statement.place.is_some() {
            cached = self.connection.prepare_cached(&statement.text).map_err(failed)?;
            &mut cached
        } else {
            fresh = self.connection.prepare(&statement.text).map_err(failed)?;
            &mut fresh
        };
        let mut outcome = Outcome::default();
        for (index, values) in sets.into_iter().enumerate() {
            if index > 0 && self.brake.is_pulled() {
                return Err(DatabaseError::DeadlineExceeded);
            }
            let Outcome { rows, changed } = &mut outcome;
            let before = rows.len();
            let ran = self.run_prepared(statement, prepared, values, |row| match rows_max {
                Some(limit) if rows.len() - before == limit => {
                    Err(DatabaseError::TooManyRows { name: statement.name, limit })
                }
                Some(_) => row().map(|row| rows.push(row)),
                None => Ok(()),
            });
            *changed += ran.map_err(|error| if statement.is_bulk { in_row(error, index) } else { error })?;
        }
        Ok(outcome)
    }

    /// Runs a read and gives each row to `take`, which may wait.
    pub(crate) fn run_for_each(
        &self,
        statement: &Statement,
        values: &[Value],
        mut take: impl FnMut(Row) -> Result<(), DatabaseError>,
    ) -> Result<(), DatabaseError> {
        let failed = |error: rusqlite::Error| fault(statement.name, &error);
        let mut prepared = self.connection.prepare_cached(&statement.text).map_err(failed)?;
        self.run_prepared(statement, &mut prepared, values, |row| take(row()?)).map(drop)
    }

    /// Runs a statement to its end; how many rows it changed.
    fn run_prepared(
        &self,
        statement: &Statement,
        prepared: &mut Prepared<'_>,
        values: &[Value],
        mut each: impl FnMut(&dyn Fn() -> Result<Row, DatabaseError>) -> Result<(), DatabaseError>,
    ) -> Result<u64, DatabaseError> {
        let failed = |error: rusqlite::Error| fault(statement.name, &error);
        bind(statement.name, prepared, values)?;
        let mut names = Arc::clone(statement.columns.get_or_init(|| names_of(prepared)));
        if names.len() != prepared.column_count() {
            // Another process changed the table.
            names = names_of(prepared);
        }
        let reads = prepared.readonly();
        let mut rows = prepared.raw_query();
        while let Some(row) = rows.next().map_err(failed)? {
            each(&|| {
                let mut copied = SqliteRow::of(&names);
                for index in 0..names.len() {
                    let not_utf8 = |error| failed(rusqlite::Error::Utf8Error(index, error));
                    copied.push(row.get_ref(index).map_err(failed)?).map_err(not_utf8)?;
                }
                Ok(Row::from_sqlite(copied))
            })?;
        }
        drop(rows);
        let changed = if reads { 0 } else { self.connection.changes() };
        match statement.must_change {
            Some(expected) if changed != u64::from(expected) => {
                Err(DatabaseError::WrongCount { name: statement.name, expected })
            }
            _ => Ok(changed),
        }
    }
}

fn names_of(prepared: &Prepared<'_>) -> ColumnNames {
    prepared.column_names().map(Box::from).collect()
}

/// Adds the number of the row to a violation of a unique key.
fn in_row(error: DatabaseError, index: usize) -> DatabaseError {
    match error {
        DatabaseError::UniqueViolation { constraint, .. } => {
            DatabaseError::UniqueViolation { constraint, row: Some(index) }
        }
        error => error,
    }
}

/// Gives a prepared statement its parameters.
pub(crate) fn bind(
    name: &'static str,
    prepared: &mut Prepared<'_>,
    values: &[Value],
) -> Result<(), DatabaseError> {
    crate::parameters::check(name, prepared.parameter_count(), values)?;
    for (index, value) in values.iter().enumerate() {
        bind_one(prepared, index + 1, value).map_err(|error| fault(name, &error))?;
    }
    Ok(())
}

fn bind_one(prepared: &mut Prepared<'_>, at: usize, value: &Value) -> rusqlite::Result<()> {
    match value {
        Value::Null => prepared.raw_bind_parameter(at, rusqlite::types::Null),
        Value::Bool(value) => prepared.raw_bind_parameter(at, i64::from(*value)),
        Value::Int(number) => prepared.raw_bind_parameter(at, number),
        Value::Real(number) => prepared.raw_bind_parameter(at, number),
        Value::Text(text) | Value::Json(text) => prepared.raw_bind_parameter(at, text.as_str()),
        Value::Bytes(bytes) => prepared.raw_bind_parameter(at, bytes.as_slice()),
        Value::Uuid(id) => prepared.raw_bind_parameter(at, id.as_bytes().as_slice()),
        Value::Timestamp(moment) => prepared.raw_bind_parameter(at, moment.as_micros()),
        Value::UuidArray(ids) => {
            bind_list(prepared, at, ids.iter().map(|id| SqliteValue::Blob(id.as_bytes().to_vec())))
        }
        Value::TextArray(texts) => {
            bind_list(prepared, at, texts.iter().map(|text| SqliteValue::Text(text.clone())))
        }
        Value::IntArray(numbers) => {
            bind_list(prepared, at, numbers.iter().map(|number| SqliteValue::Integer(*number)))
        }
        Value::List(_, values) => bind_list(prepared, at, values.iter().map(list_item)),
    }
}

fn bind_list(
    prepared: &mut Prepared<'_>,
    at: usize,
    items: impl Iterator<Item = SqliteValue>,
) -> rusqlite::Result<()> {
    prepared.raw_bind_parameter(at, Rc::new(items.collect::<Vec<_>>()))
}

fn list_item(value: &Value) -> SqliteValue {
    match value {
        Value::Bool(value) => SqliteValue::Integer(i64::from(*value)),
        Value::Int(number) => SqliteValue::Integer(*number),
        Value::Real(number) => SqliteValue::Real(*number),
        Value::Text(text) | Value::Json(text) => SqliteValue::Text(text.clone()),
        Value::Bytes(bytes) => SqliteValue::Blob(bytes.clone()),
        Value::Uuid(id) => SqliteValue::Blob(id.as_bytes().to_vec()),
        Value::Timestamp(moment) => SqliteValue::Integer(moment.as_micros()),
        // A list has no lists in it.
        Value::Null | Value::UuidArray(_) | Value::TextArray(_) | Value::IntArray(_) | Value::List(..) => {
            SqliteValue::Null
        }
    }
}
