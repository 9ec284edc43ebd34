//! Statements as the engines run them: the text is translated once, and the metric handles are resolved once.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use pando_telemetry::{Counter, Histogram, LATENCY_BUCKETS, Metrics};

use crate::query::{KeyedQuery, Query};
use crate::{DatabaseError, Engine, Value, sql};

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
    pub(crate) place: Option<usize>,
    ok: Counter,
    seconds: Histogram,
    slow: Duration,
    metrics: Metrics,
}

/// A statement and its parameters, on their way.
pub(crate) struct Step {
    pub(crate) statement: Arc<Statement>,
    pub(crate) values: Vec<Value>,
}

impl Statement {
    /// Counts one run: once, whatever happened inside of it.
    pub(crate) fn record(&self, started: Instant, error: Option<&DatabaseError>) {
        let took = started.elapsed();
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

/// Every statement the program has run so far.
pub(crate) struct StatementBook {
    engine: Engine,
    slow: Duration,
    metrics: Metrics,
    places: AtomicUsize,
    known: RwLock<HashMap<Key, Arc<Statement>, BuildHasherDefault<AddressHasher>>>,
}

/// Texts of the program live as long as it does, so where one lies says which one it is.
/// And whether it is read by one key, which is another text on SQLite.
type Key = (usize, usize, usize, bool);

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
    pub(crate) fn new(engine: Engine, slow: Duration, metrics: Metrics) -> Self {
        Self { engine, slow, metrics, places: AtomicUsize::new(0), known: RwLock::default() }
    }

    pub(crate) fn query(&self, query: &Query) -> Arc<Statement> {
        self.find(query.name, query.text_for(self.engine), false)
    }

    pub(crate) fn keyed(&self, query: &KeyedQuery) -> Arc<Statement> {
        self.find(query.name, query.sql, true)
    }

    /// A statement that is run once.
    pub(crate) fn once(&self, name: &'static str, sql: &str) -> Arc<Statement> {
        self.once_as_is(name, &self.translate(sql, false))
    }

    /// A statement that is run once, in the engine's own words already.
    pub(crate) fn once_as_is(&self, name: &'static str, text: &str) -> Arc<Statement> {
        Arc::new(self.make(name, text.to_owned(), None))
    }

    fn find(&self, name: &'static str, sql: &'static str, one_key: bool) -> Arc<Statement> {
        let key = (sql.as_ptr() as usize, sql.len(), name.as_ptr() as usize, one_key);
        if let Some(known) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(known);
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let statement = known.entry(key).or_insert_with(|| {
            let place = Some(self.places.fetch_add(1, Ordering::Relaxed));
            Arc::new(self.make(name, self.translate(sql, one_key), place))
        });
        Arc::clone(statement)
    }

    fn translate(&self, sql: &str, one_key: bool) -> String {
        match self.engine {
            Engine::Sqlite => sql::for_sqlite(sql, one_key),
            Engine::Postgres => sql.to_owned(),
        }
    }

    fn make(&self, name: &'static str, text: String, place: Option<usize>) -> Statement {
        Statement {
            name,
            parameters: sql::parameter_count(&text),
            seems_to_write: sql::has_writing_word(&text),
            text: text.into_boxed_str(),
            place,
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
