//! Statements as the engines run them: the text is translated once, and the metric handles are resolved once.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use pando_telemetry::{Counter, Histogram, LATENCY_BUCKETS, Metrics};

use crate::composed::PiecesKey;
use crate::query::{KeyedQuery, Query};
use crate::row::ColumnNames;
use crate::{BatchQuery, BulkInsert, ComposedQuery, DatabaseError, Engine, StatementOptions, Value, sql};

/// A statement of the program, ready for its engine.
pub(crate) struct Statement {
    pub(crate) name: &'static str,
    /// The text as the engine reads it.
    pub(crate) text: Box<str>,
    /// How many parameters it takes.
    pub(crate) parameters: usize,
    /// Whether it looks as if it changed something.
    pub(crate) seems_to_write: bool,
    /// Its place in the caches of prepared statements; none for a statement that is run once.
    pub(crate) place: Option<Place>,
    /// How many rows it must change, where that is certain.
    pub(crate) must_change: Option<u32>,
    /// It inserts one of many rows, so its error says which.
    pub(crate) is_bulk: bool,
    /// As many rows are collected at most.
    pub(crate) rows_max: usize,
    /// The names of its columns, on SQLite.
    pub(crate) columns: OnceLock<ColumnNames>,
    ok: Counter,
    seconds: Histogram,
    slow: Duration,
    metrics: Metrics,
}

/// A place in the caches of prepared statements. When a statement is dropped, another one gets its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) index: usize,
    /// How many statements had this place before.
    pub(crate) tenancy: usize,
}

/// A statement and its parameters, on their way.
pub(crate) struct Step {
    pub(crate) statement: Arc<Statement>,
    pub(crate) values: Vec<Value>,
}

impl Statement {
    /// Counts one run: once, whatever happened inside of it.
    pub(crate) fn record(&self, started: Instant, error: Option<&DatabaseError>) {
        self.record_took(started.elapsed(), error);
    }

    /// The same, where the statement did not run all the time.
    pub(crate) fn record_took(&self, took: Duration, error: Option<&DatabaseError>) {
        self.seconds.observe_duration(took);
        match error {
            None => self.ok.inc(),
            Some(error) => operations(&self.metrics, self.name, error.status()).inc(),
        }
        if took >= self.slow {
            let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(operation = self.name, milliseconds, "slow statement");
        }
    }

    /// Runs `work` and counts it.
    pub(crate) async fn measure<T>(
        &self,
        work: impl Future<Output = Result<T, DatabaseError>>,
    ) -> Result<T, DatabaseError> {
        let started = Instant::now();
        let result = work.await;
        self.record(started, result.as_ref().err());
        result
    }
}

fn operations(metrics: &Metrics, name: &str, status: &str) -> Counter {
    let labels = [("operation", name), ("status", status)];
    metrics.counter("db_operations", "Statements run, by name and outcome", &labels)
}

/// As many composed statements are kept.
const COMPOSED_MAX: usize = 256;

/// Every statement the program has run so far, and the composed ones that it ran last.
pub(crate) struct StatementBook {
    engine: Engine,
    slow: Duration,
    rows_max: usize,
    metrics: Metrics,
    places: AtomicUsize,
    known: RwLock<HashMap<Key, Arc<Statement>, BuildHasherDefault<AddressHasher>>>,
    composed: RwLock<HashMap<PiecesKey, Composed, BuildHasherDefault<AddressHasher>>>,
    /// Goes up with each look at a composed statement.
    now: AtomicUsize,
}

/// Names one text. Texts of the program live as long as it does, so an address and a length stand for a text. The last part says
/// which statement is made of it.
type Key = (usize, usize, usize, Form);

/// The kind of statement that is made of a text of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Form {
    Plain,
    /// Read by one key, which is another text on SQLite.
    OneKey,
    /// Inserts one row of these columns into the table of this name.
    Insert((usize, usize)),
    /// Over the rows of a batch with these columns.
    Batch((usize, usize)),
    /// It must change so many rows.
    MustChange(u32),
}

struct Composed {
    statement: Arc<Statement>,
    used: AtomicUsize,
}

/// Mixes addresses, which no outsider chooses: the guarded hash of the standard library costs more than the look-up.
#[derive(Default)]
pub(crate) struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn write_usize(&mut self, number: usize) {
        self.write(&number.to_ne_bytes());
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let mixed = (self.0 ^ u64::from_ne_bytes(word)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            self.0 = mixed ^ (mixed >> 32);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl StatementBook {
    pub(crate) fn new(engine: Engine, options: &StatementOptions, metrics: Metrics) -> Self {
        Self {
            engine,
            slow: Duration::from_millis(options.slow_ms),
            rows_max: options.rows_max,
            metrics,
            places: AtomicUsize::new(0),
            known: RwLock::default(),
            composed: RwLock::default(),
            now: AtomicUsize::new(0),
        }
    }

    pub(crate) fn query(&self, query: &Query) -> Arc<Statement> {
        let (text, engine) = (query.text_for(self.engine), self.engine);
        match query.must_change {
            None => self.find((query.name, text, Form::Plain), || self.translate(text, false)),
            Some(rows) => self.find((query.name, text, Form::MustChange(rows)), || match engine {
                Engine::Sqlite => self.translate(text, false),
                Engine::Postgres => counted(text, rows),
            }),
        }
    }

    pub(crate) fn keyed(&self, query: &KeyedQuery) -> Arc<Statement> {
        self.find((query.name, query.sql, Form::OneKey), || self.translate(query.sql, true))
    }

    pub(crate) fn batch(&self, batch: &BatchQuery) -> Arc<Statement> {
        let text = || self.translate(&batch.text_for(self.engine), false);
        self.find((batch.name, batch.sql, Form::Batch(place_of(batch.columns))), text)
    }

    /// A composed statement. If the book is full, a new statement replaces the one that was not used for the longest time.
    pub(crate) fn composed(&self, query: &ComposedQuery) -> Result<Arc<Statement>, DatabaseError> {
        let (key, now) = (query.key(self.engine), self.now.fetch_add(1, Ordering::Relaxed));
        if let Some(known) = self.composed.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            known.used.store(now, Ordering::Relaxed);
            return Ok(Arc::clone(&known.statement));
        }
        query.check(self.engine)?;
        let text = self.translate(&query.text_for(self.engine), false);
        let mut composed = self.composed.write().unwrap_or_else(PoisonError::into_inner);
        let mut place = None;
        if composed.len() >= COMPOSED_MAX && !composed.contains_key(&key) {
            let oldest = composed.iter().min_by_key(|(_, known)| known.used.load(Ordering::Relaxed));
            let oldest = oldest.map(|(key, _)| key.clone());
            place = oldest.and_then(|key| composed.remove(&key)).and_then(|known| known.statement.place);
        }
        let known = composed.entry(key).or_insert_with(|| {
            let place = match place {
                Some(Place { index, tenancy }) => Place { index, tenancy: tenancy + 1 },
                None => self.fresh_place(),
            };
            let statement = Arc::new(self.make(query.name, text, Some(place)));
            Composed { statement, used: AtomicUsize::new(now) }
        });
        Ok(Arc::clone(&known.statement))
    }

    pub(crate) fn insert(&self, bulk: &BulkInsert) -> Arc<Statement> {
        self.find((bulk.name, bulk.table, Form::Insert(place_of(bulk.columns))), || {
            self.translate(&bulk.one_row(), false)
        })
    }

    pub(crate) fn bulk(&self, bulk: &BulkInsert) -> Arc<Statement> {
        let text = self.translate(&bulk.one_of_many(), false);
        // One key for each row that was given: they are in memory anyway.
        Arc::new(Statement { is_bulk: true, rows_max: usize::MAX, ..self.make(bulk.name, text, None) })
    }

    /// A statement that is run once, in the engine's own words already.
    pub(crate) fn once_as_is(&self, name: &'static str, text: &str) -> Arc<Statement> {
        Arc::new(self.make(name, text.to_owned(), None))
    }

    fn find(
        &self,
        (name, sql, form): (&'static str, &'static str, Form),
        text: impl FnOnce() -> String,
    ) -> Arc<Statement> {
        let key = (sql.as_ptr() as usize, sql.len(), name.as_ptr() as usize, form);
        if let Some(known) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(known);
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let statement = known.entry(key).or_insert_with(|| {
            let mut statement = self.make(name, text(), Some(self.fresh_place()));
            if let Form::MustChange(rows) = form {
                statement.must_change = Some(rows);
            }
            Arc::new(statement)
        });
        Arc::clone(statement)
    }

    fn fresh_place(&self) -> Place {
        Place { index: self.places.fetch_add(1, Ordering::Relaxed), tenancy: 0 }
    }

    fn translate(&self, sql: &str, one_key: bool) -> String {
        match self.engine {
            Engine::Sqlite => sql::for_sqlite(sql, one_key),
            Engine::Postgres => sql.to_owned(),
        }
    }

    fn make(&self, name: &'static str, text: String, place: Option<Place>) -> Statement {
        Statement {
            name,
            parameters: sql::parameter_count(&text),
            seems_to_write: sql::has_writing_word(&text),
            text: text.into_boxed_str(),
            place,
            must_change: None,
            is_bulk: false,
            rows_max: self.rows_max,
            columns: OnceLock::new(),
            ok: operations(&self.metrics, name, "ok"),
            seconds: self.metrics.histogram(
                "db_operation_duration_seconds",
                "How long statements took, waiting for a connection included",
                &[("operation", name)],
                LATENCY_BUCKETS,
            ),
            slow: self.slow,
            metrics: self.metrics.clone(),
        }
    }
}

fn place_of<T>(items: &'static [T]) -> (usize, usize) {
    (items.as_ptr() as usize, items.len())
}

/// The mark in the error of a statement that changed another number of rows than it must.
pub(crate) const WRONG_COUNT: &str = "pando_wrong_count";

/// The statement fails, and its transaction with it, unless it changes exactly so many rows: PostgreSQL counts the rows first, and
/// then the cast of a text that is no number fails.
fn counted(text: &str, rows: u32) -> String {
    format!(
        "with pando_changed as ({text} returning 1) select 1 from pando_changed having \
         case when count(*) = {rows} then 1 else cast('{WRONG_COUNT} ' || count(*) as integer) end = 0"
    )
}
