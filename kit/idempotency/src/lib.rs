#![doc = include_str!("../README.md")]

#[cfg(feature = "testing")]
pub mod conformance;
mod earlier;
mod idempotency;
mod options;
mod request;
mod store;
mod ticket;

use pando_database::{Migration, MigrationSet};

pub use idempotency::{Admission, Idempotency, IdempotencyError, Rewrite};
pub use options::IdempotencyOptions;
pub use request::{BadKey, Key, Outcome, Request, Scope, hash_of};
pub use ticket::{Claim, Ticket};

/// The table of outcomes.
pub const MIGRATIONS: MigrationSet = MigrationSet {
    service: "idempotency",
    migrations: &[
        Migration::new(1, "idempotency", include_str!("../migrations/0001_idempotency.sql")),
        Migration::new(2, "subjects", include_str!("../migrations/0002_subjects.sql")),
    ],
};
