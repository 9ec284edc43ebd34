#![doc = include_str!("../README.md")]

mod batch;
mod bulk;
mod channel;
mod composed;
#[cfg(feature = "testing")]
pub mod conformance;
mod database;
mod error;
mod later;
mod migrate;
mod options;
mod parameters;
mod postgres;
mod query;
mod row;
mod sql;
mod sqlite;
mod statement;
mod statistics;
mod stream;
#[cfg(feature = "testing")]
pub mod testing;
mod token;
mod transaction;
mod value;

pub use batch::BatchQuery;
pub use bulk::{BulkInsert, ColumnType, OnConflict};
pub use channel::{Channel, ChannelSender, Signal};
pub use composed::ComposedQuery;
pub use database::{Database, Engine, Read};
pub use error::{DatabaseError, Refusal};
pub use migrate::{AppliedMigration, Migration, MigrationSet, PendingMigration};
pub use options::{DatabaseOptions, PoolOptions, ReadOptions, SqliteOptions, StatementOptions, Synchronous};
pub use pando_telemetry::Secret;
pub use query::{KeyedQuery, OwnedQuery, Query};
pub use row::{Column, ColumnPlace, FromColumn, Json, Row};
pub use statistics::Statistics;
pub use stream::RowStream;
pub use token::Token;
pub use transaction::Transaction;
pub use value::Value;
