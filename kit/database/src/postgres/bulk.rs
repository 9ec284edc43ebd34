//! Inserts many rows with PostgreSQL's binary COPY.

use std::pin::pin;

use futures_util::TryStreamExt;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::binary::{Bound, check};
use super::fault::fault;
use super::pool::Checkout;
use crate::bulk::{BulkInsert, OnConflict};
use crate::{ColumnType, DatabaseError, Row, Value};

/// Copies the rows in, past or over those that are there already if that is wanted; the keys of those that went in.
pub(crate) async fn insert(
    checkout: &Checkout,
    bulk: &BulkInsert,
    rows: &[Vec<Value>],
) -> Result<Vec<Uuid>, DatabaseError> {
    let columns = bulk.column_list();
    match bulk.on_conflict {
        OnConflict::Fail => {
            copy(checkout, bulk, &format!("copy \"{}\" ({columns}) from stdin binary", bulk.table), rows)
                .await?;
            bulk.keys_of(rows)
        }
        // Rows that are all new, as most are, go straight in. One that is there already takes the long way for all.
        OnConflict::Skip(_) | OnConflict::Change(_) => {
            let connection = &checkout.connection;
            connection.batch(bulk.name, "savepoint pando_bulk").await?;
            match copy(
                checkout,
                bulk,
                &format!("copy \"{}\" ({columns}) from stdin binary", bulk.table),
                rows,
            )
            .await
            {
                Ok(()) => {
                    connection.batch(bulk.name, "release savepoint pando_bulk").await?;
                    bulk.keys_of(rows)
                }
                Err(DatabaseError::UniqueViolation { .. }) => {
                    let back = "rollback to savepoint pando_bulk; release savepoint pando_bulk";
                    connection.batch(bulk.name, back).await?;
                    past_conflicts(checkout, bulk, rows).await
                }
                Err(error) => Err(error),
            }
        }
    }
}

/// Copies into a table of this transaction's own first, and from there what finds its place.
async fn past_conflicts(
    checkout: &Checkout,
    bulk: &BulkInsert,
    rows: &[Vec<Value>],
) -> Result<Vec<Uuid>, DatabaseError> {
    let (name, table, key, columns) = (bulk.name, bulk.table, bulk.key, bulk.column_list());
    let stage = format!(
        "create temporary table pando_bulk on commit drop as select {columns} from \"{table}\" with no data"
    );
    checkout.connection.batch(name, &stage).await?;
    copy(checkout, bulk, &format!("copy pando_bulk ({columns}) from stdin binary"), rows).await?;
    let insert = format!(
        "insert into \"{table}\" ({columns}) select {columns} from pando_bulk \
         {} returning \"{key}\"",
        bulk.on_conflict_text()
    );
    let inserted = keys(checkout, name, &insert).await?;
    checkout.connection.batch(name, "drop table pando_bulk").await?;
    Ok(inserted)
}

async fn copy(
    checkout: &Checkout,
    bulk: &BulkInsert,
    text: &str,
    rows: &[Vec<Value>],
) -> Result<(), DatabaseError> {
    let failed = |error: tokio_postgres::Error| fault(bulk.name, &error);
    let types: Vec<Type> = bulk.columns.iter().map(|(_, kind)| wire_type(*kind)).collect();
    for row in rows {
        check(bulk.name, &types, row)?;
    }
    let sink = checkout.connection.client().copy_in(text).await.map_err(failed)?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
    for row in rows {
        // A list, because the compiler cannot see that a mapping iterator held over an await may change threads.
        let bound: Vec<Bound<'_>> = row.iter().map(Bound).collect();
        writer.as_mut().write_raw(bound).await.map_err(failed)?;
    }
    writer.finish().await.map_err(failed).map(|_| ())
}

async fn keys(checkout: &Checkout, name: &'static str, text: &str) -> Result<Vec<Uuid>, DatabaseError> {
    let failed = |error: tokio_postgres::Error| fault(name, &error);
    let nothing: [(Bound<'_>, Type); 0] = [];
    let rows = checkout.connection.client().query_typed_raw(text, nothing).await.map_err(failed)?;
    let rows: Vec<Row> = rows.map_ok(Row::from_postgres).try_collect().await.map_err(failed)?;
    rows.iter().map(|row| row.get(0)).collect()
}

fn wire_type(kind: ColumnType) -> Type {
    match kind {
        ColumnType::Boolean => Type::BOOL,
        ColumnType::Smallint => Type::INT2,
        ColumnType::Integer => Type::INT4,
        ColumnType::Bigint => Type::INT8,
        ColumnType::Double => Type::FLOAT8,
        ColumnType::Text => Type::TEXT,
        ColumnType::Bytes => Type::BYTEA,
        ColumnType::Uuid => Type::UUID,
        ColumnType::Timestamp => Type::TIMESTAMPTZ,
        ColumnType::Json => Type::JSONB,
    }
}
