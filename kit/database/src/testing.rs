//! Fresh empty databases for tests: a SQLite file, and a database on a private PostgreSQL.

mod pooler;
mod server;

use std::sync::Mutex;

use pando_clock::Clock;
use pando_telemetry::Metrics;
use tempfile::TempDir;

use crate::{Database, DatabaseOptions, Secret};
pub use pooler::TestPooler;
pub use server::TestPostgres;

/// A new empty database; its resources are released when it is dropped.
pub struct TestDatabase {
    /// The options with which it is opened; change those that the test needs.
    pub options: DatabaseOptions,
    /// Where its metrics go.
    pub metrics: Metrics,
    /// Its clock.
    pub clock: Clock,
    folder: Mutex<Option<TempDir>>,
}

impl TestDatabase {
    /// A file in a temporary folder.
    ///
    /// # Panics
    /// When there is no temporary folder to be had.
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mut options = DatabaseOptions::default();
        options.sqlite.path = folder.path().join("test.db");
        Self::new(options, Some(folder))
    }

    /// A database on the test process's own PostgreSQL.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start: a test never passes without its server.
    pub async fn postgres() -> Self {
        Self::on(TestPostgres::shared()).await
    }

    /// A database on this server.
    ///
    /// # Panics
    /// When the server does not make one.
    pub async fn on(server: &TestPostgres) -> Self {
        let name = server.create_database().await;
        let mut options = DatabaseOptions {
            url: Some(Secret::new(server.url())),
            database: Some(name),
            ..DatabaseOptions::default()
        };
        // Many tests share the server.
        options.pool.min = 0;
        Self::new(options, None)
    }

    /// A database on this server, reached through a pooler.
    ///
    /// # Panics
    /// When the server does not make one.
    pub async fn behind(pooler: &TestPooler, server: &TestPostgres) -> Self {
        let mut test = Self::on(server).await;
        test.options.url = Some(Secret::new(pooler.url()));
        test.options.statements.prepare = false;
        test
    }

    fn new(options: DatabaseOptions, folder: Option<TempDir>) -> Self {
        let folder = Mutex::new(folder);
        Self { options, metrics: Metrics::new(), clock: Clock::system(), folder }
    }

    /// Opens it.
    ///
    /// # Panics
    /// When it does not open.
    pub async fn open(&self) -> Database {
        let opened = Database::open(&self.options, &self.metrics, &self.clock).await;
        opened.unwrap_or_else(|error| panic!("the test database does not open: {error}"))
    }

    /// Leaves the file where it is, for a look after the test.
    pub fn keep(&self) {
        if let Some(folder) = self.folder.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take() {
            let _ = folder.keep();
        }
    }
}

/// Runs `body` on a fresh SQLite file, and then on a fresh PostgreSQL database.
///
/// # Panics
/// When a database cannot be had, and wherever `body` does.
pub async fn each_engine(body: impl AsyncFn(Database)) {
    each_test_database(async |test: &mut TestDatabase| {
        let database = test.open().await;
        body(database.clone()).await;
        database.close().await;
    })
    .await;
}

/// As [`each_engine`], for a body that opens the database itself.
///
/// # Panics
/// When a database cannot be had, and wherever `body` does.
pub async fn each_test_database(body: impl AsyncFn(&mut TestDatabase)) {
    body(&mut TestDatabase::sqlite()).await;
    let mut test = TestDatabase::postgres().await;
    body(&mut test).await;
    TestPostgres::shared().drop_database(test.options.database.as_deref().unwrap_or_default()).await;
}
