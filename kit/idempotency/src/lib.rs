#![doc = include_str!("../README.md")]

#[cfg(feature = "testing")]
pub mod conformance;
mod idempotency;
mod once;
mod options;
mod request;
mod store;
mod ticket;

use pando_database::{Migration, MigrationSet};

pub use idempotency::{Admission, Idempotency, IdempotencyError, Rewrite};
pub use once::{Once, OnceError};
pub use options::IdempotencyOptions;
pub use request::{Answer, BadKey, KEPT_HEADERS, Key, REPLAYED_HEADER, Request, Scope, hash_of};
pub use ticket::{Claim, Ticket};

/// The table of answers.
pub const MIGRATIONS: MigrationSet = MigrationSet {
    service: "idempotency",
    migrations: &[
        Migration {
            version: 1,
            name: "idempotency",
            sql: include_str!("../migrations/0001_idempotency.sql"),
        },
        Migration { version: 2, name: "subjects", sql: include_str!("../migrations/0002_subjects.sql") },
    ],
};
