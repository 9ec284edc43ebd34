#![doc = include_str!("../README.md")]

mod bulk;
mod channel;
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
#[cfg(feature = "testing")]
pub mod testing;
mod token;
mod transaction;
mod value;

pub use bulk::{BulkInsert, ColumnType, OnConflict};
pub use channel::{Channel, ChannelSender, Signal};
pub use database::{Database, Engine, Read};
pub use error::{DatabaseError, Refusal};
pub use migrate::{AppliedMigration, Migration, MigrationSet, PendingMigration};
pub use options::{DatabaseOptions, PoolOptions, ReadOptions, SqliteOptions, StatementOptions, Synchronous};
pub use pando_telemetry::Secret;
pub use query::{KeyedQuery, OwnedQuery, Query};
pub use row::{Column, FromColumn, Json, Row};
pub use statistics::Statistics;
pub use token::Token;
pub use transaction::Transaction;
pub use value::Value;
