//! Reads outside of any transaction.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;
use pando_resilience::{Deadline, Tenant};

use crate::inner::{Backend, Inner};
use crate::parameters::check_key;
use crate::postgres::Postgres;
use crate::query::{Cost, KeyedQuery, OwnedQuery};
use crate::sqlite::Sqlite;
use crate::statement::Statement;
use crate::stream::RowStream;
use crate::{ComposedQuery, DatabaseError, Query, Row, Value};

/// PostgreSQL's own estimate, which autovacuum keeps fresh; -1 until it first looked.
const ESTIMATE: Query = Query::point(
    "estimated_rows",
    "select cast(reltuples as bigint) from pg_class where cast(relname as text) = $1 and pg_table_is_visible(oid)",
);

/// Reads outside of any transaction.
#[derive(Clone, Copy)]
pub struct Read<'a> {
    pub(crate) database: &'a Inner,
    pub(crate) deadline: Deadline,
}

impl Read<'_> {
    /// All rows of the result.
    pub async fn rows(&self, query: &Query, values: impl AsRef<[Value]>) -> Result<Vec<Row>, DatabaseError> {
        let statement = self.database.book.query(query);
        self.run(&statement, query.cost, values.as_ref()).await
    }

    /// The first row of the result.
    pub async fn row(
        &self,
        query: &Query,
        values: impl AsRef<[Value]>,
    ) -> Result<Option<Row>, DatabaseError> {
        self.rows(query, values).await.map(|rows| rows.into_iter().next())
    }

    /// All rows of a statement that was put together at run time.
    pub async fn composed(&self, query: &ComposedQuery) -> Result<Vec<Row>, DatabaseError> {
        let statement = self.database.book.composed(query)?;
        self.run(&statement, query.cost, query.values()).await
    }

    async fn run(
        &self,
        statement: &Arc<Statement>,
        cost: Cost,
        values: &[Value],
    ) -> Result<Vec<Row>, DatabaseError> {
        let (deadline, started) = (self.deadline, Instant::now());
        let result = match &self.database.backend {
            Backend::Sqlite(sqlite) if cost == Cost::Point => {
                sqlite.point_in_turn(statement, values, deadline, started).await
            }
            backend => rows_of(backend, statement, cost, values, deadline).await,
        };
        statement.record(started, result.as_ref().err());
        result
    }

    /// The rows of a statement one after the other, for a result that need not fit into memory. It holds a connection until it is
    /// dropped or at its end, at the latest until the deadline. A result of more than `limit` rows ends with an error.
    pub fn stream<'a>(
        &'a self,
        query: &'a ComposedQuery,
        limit: usize,
    ) -> BoxFuture<'a, Result<RowStream, DatabaseError>> {
        Box::pin(async move {
            let statement = self.database.book.composed(query)?;
            let (started, values) = (Instant::now(), query.values());
            let opening = async {
                let place = self.deadline.bound(Arc::clone(&self.database.streams).acquire_owned()).await?;
                let place = place.map_err(|_| DatabaseError::closed())?;
                let rows = match &self.database.backend {
                    Backend::Sqlite(sqlite) => sqlite.stream(&statement, values, self.deadline).await?,
                    Backend::Postgres(postgres) => postgres.stream(&statement, values, self.deadline).await?,
                };
                Ok((rows, place))
            };
            match opening.await {
                Ok((rows, place)) => Ok(RowStream::new(rows, (statement, started.elapsed()), limit, place)),
                Err(error) => {
                    statement.record(started, Some(&error));
                    Err(error)
                }
            }
        })
    }

    /// Roughly how many rows a table has, from the engine's statistics, where it has any.
    pub fn estimated_rows<'a>(&'a self, table: &'a str) -> BoxFuture<'a, Result<Option<i64>, DatabaseError>> {
        Box::pin(async move {
            let Backend::Postgres(_) = self.database.backend else { return Ok(None) };
            let estimate = self.row(&ESTIMATE, [table.into()]).await?.map(|row| row.get(0)).transpose()?;
            Ok(estimate.filter(|estimate| *estimate >= 0))
        })
    }

    /// The row with this key; reads that happen at the same time travel together.
    pub async fn by_key(
        &self,
        query: &KeyedQuery,
        key: impl Into<Value>,
    ) -> Result<Option<Row>, DatabaseError> {
        self.keyed(query, None, key.into()).await
    }

    /// The row of a tenant with this key; reads of one tenant that happen at the same time travel together.
    pub async fn by_key_of(
        &self,
        query: &OwnedQuery,
        tenant: &Tenant,
        key: impl Into<Value>,
    ) -> Result<Option<Row>, DatabaseError> {
        self.keyed(&query.0, Some(tenant), key.into()).await
    }

    async fn keyed(
        &self,
        query: &KeyedQuery,
        owner: Option<&Tenant>,
        key: Value,
    ) -> Result<Option<Row>, DatabaseError> {
        let statement = self.database.book.keyed(query);
        let started = Instant::now();
        let result = match &self.database.backend {
            Backend::Sqlite(sqlite) => match check_key(query.name, &key) {
                Ok(()) => row_here(sqlite, &statement, (owner, key), (self.deadline, started)).await,
                Err(error) => Err(error),
            },
            Backend::Postgres(postgres) => {
                row_there(postgres, &statement, (owner, &key), self.deadline).await
            }
        };
        statement.record(started, result.as_ref().err());
        result
    }
}

fn rows_of<'a>(
    backend: &'a Backend,
    statement: &'a Arc<Statement>,
    cost: Cost,
    values: &'a [Value],
    deadline: Deadline,
) -> BoxFuture<'a, Result<Vec<Row>, DatabaseError>> {
    match backend {
        Backend::Sqlite(sqlite) => Box::pin(sqlite.scan(statement, values, deadline)),
        Backend::Postgres(postgres) => Box::pin(postgres.rows(statement, cost, values, deadline)),
    }
}

async fn row_here(
    sqlite: &Sqlite,
    statement: &Arc<Statement>,
    (owner, key): (Option<&Tenant>, Value),
    (deadline, started): (Deadline, Instant),
) -> Result<Option<Row>, DatabaseError> {
    let found = match owner {
        None => sqlite.point_in_turn(statement, &[key], deadline, started).await,
        Some(owner) => sqlite.point_in_turn(statement, &[key, owner.into()], deadline, started).await,
    };
    found.map(|rows| rows.into_iter().next())
}

fn row_there<'a>(
    postgres: &'a Postgres,
    statement: &'a Arc<Statement>,
    key: (Option<&'a Tenant>, &'a Value),
    deadline: Deadline,
) -> BoxFuture<'a, Result<Option<Row>, DatabaseError>> {
    Box::pin(postgres.by_key(statement, key, deadline))
}
