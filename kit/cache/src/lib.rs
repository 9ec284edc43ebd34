#![doc = include_str!("../README.md")]

mod cache;
mod caches;
#[cfg(feature = "testing")]
pub mod conformance;
mod entry;
mod error;
mod events;
mod fence;
mod flight;
mod hottest;
mod l2;
mod load;
mod local;
mod lock;
mod many;
mod meters;
mod options;
mod ordered;
mod reach;
mod report;
mod silence;
mod staleness;
mod tags;
mod warm;

pub use cache::Cache;
pub use caches::{Caches, L2Health};
pub use entry::{Found, Loaded, Source, VARIANTS};
pub use error::{CacheError, LoadError};
pub use fence::Ticket;
pub use hottest::HotKey;
pub use options::{CacheOptions, Policy, RedisMode, RedisOptions, WhenL2Down};
pub use pando_telemetry::Secret;
pub use report::{CacheReport, KeyReport};
pub use staleness::Current;
pub use warm::Warmed;
