//! Statements over many rows of parameters at once.

use crate::{ColumnType, DatabaseError, Engine, Value};

/// A batch has at most so many rows.
const ROWS_MAX: usize = 10_000;

/// A statement that is run over many rows of parameters. It reads them as the table `batch`:
///
/// ```
/// # use pando_database::{BatchQuery, ColumnType};
/// const TAKE: BatchQuery = BatchQuery {
///     name: "stock.take",
///     columns: &[("sku", ColumnType::Text), ("wanted", ColumnType::Bigint)],
///     sql: "update stock set quantity = quantity - batch.wanted from batch \
///           where stock.sku = batch.sku and quantity >= batch.wanted returning stock.sku",
/// };
/// ```
///
/// PostgreSQL runs one statement, which takes a list of each column; SQLite runs a prepared statement for each row. So no row of a
/// batch may depend on another: the first column decides which row of the table is meant, and two rows with the same one are
/// refused.
#[derive(Clone, Copy, Debug)]
pub struct BatchQuery {
    /// The name in metrics and logs.
    pub name: &'static str,
    /// The columns of `batch`, in the order of the values of a row. The first says which row it is.
    pub columns: &'static [(&'static str, ColumnType)],
    /// The statement, which reads `batch`.
    pub sql: &'static str,
}

impl BatchQuery {
    /// The statement for this engine.
    pub(crate) fn text_for(&self, engine: Engine) -> String {
        let names: Vec<String> = self.columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let part = |(index, (_, kind)): (usize, &(&str, ColumnType))| match engine {
            Engine::Sqlite => format!("${}", index + 1),
            Engine::Postgres => format!("cast(${} as {}[])", index + 1, kind.type_name()),
        };
        let parts: Vec<String> = self.columns.iter().enumerate().map(part).collect();
        let rows = match engine {
            Engine::Sqlite => format!("select {}", parts.join(", ")),
            Engine::Postgres => format!("select * from unnest({})", parts.join(", ")),
        };
        format!("with batch ({}) as ({rows}) {}", names.join(", "), self.sql)
    }

    /// A list of each column: the parameters of the statement on PostgreSQL.
    pub(crate) fn columns_of(&self, rows: Vec<Vec<Value>>) -> Vec<Value> {
        let mut columns: Vec<Vec<Value>> =
            self.columns.iter().map(|_| Vec::with_capacity(rows.len())).collect();
        for row in rows {
            columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
        }
        self.columns.iter().zip(columns).map(|((_, kind), column)| Value::List(*kind, column)).collect()
    }

    /// Refuses rows that are not as wide as the batch, and a second row with the same key.
    pub(crate) fn check(&self, rows: &[Vec<Value>]) -> Result<(), DatabaseError> {
        let bad = |reason| Err(DatabaseError::BadParameter { name: self.name, parameter: 1, reason });
        if rows.len() > ROWS_MAX {
            return bad(format!("a batch has at most {ROWS_MAX} rows, but {} were given", rows.len()));
        }
        for (index, row) in rows.iter().enumerate() {
            if row.len() != self.columns.len() {
                let (needed, given) = (self.columns.len(), row.len());
                return bad(format!("row {index} has {given} values, but the batch has {needed} columns"));
            }
        }
        let keyed = rows.iter().enumerate().filter_map(|(index, row)| match row.first()? {
            Value::Null => None,
            key => Some((format!("{key:?}"), index)),
        });
        let mut keys: Vec<(String, usize)> = keyed.collect();
        keys.sort_unstable();
        match keys.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => bad(format!("rows {} and {} have the same key", pair[0].1, pair[1].1)),
            None => Ok(()),
        }
    }
}
