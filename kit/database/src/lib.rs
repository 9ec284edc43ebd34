#![doc = include_str!("../README.md")]

mod batch;
mod bulk;
mod channel;
mod composed;
#[cfg(feature = "testing")]
pub mod conformance;
mod database;
mod engine;
mod error;
mod inner;
mod later;
mod migrate;
mod options;
mod parameters;
mod partitions;
mod postgres;
mod query;
mod read;
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
pub use bulk::{BulkInsert, OnConflict};
pub use channel::{Channel, ChannelSender, Signal};
pub use composed::ComposedQuery;
pub use database::Database;
pub use engine::Engine;
pub use error::{DatabaseError, Refusal};
pub use migrate::{AppliedMigration, Migration, MigrationSet, PendingMigration};
pub use options::{DatabaseOptions, PoolOptions, ReadOptions, SqliteOptions, StatementOptions, Synchronous};
pub use pando_telemetry::Secret;
pub use partitions::{MonthlyTable, PartitionsMade};
pub use query::{KeyedQuery, OwnedQuery, Query};
pub use read::Read;
pub use row::{Column, ColumnPlace, FromColumn, Json, Row};
pub use statistics::Statistics;
pub use stream::RowStream;
pub use token::Token;
pub use transaction::Transaction;
pub use value::{ColumnType, Value};
