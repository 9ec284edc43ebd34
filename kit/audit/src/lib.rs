#![doc = include_str!("../README.md")]

mod audit;
mod chain;
mod entry;
mod options;
mod refusals;
mod seal;
mod store;
mod verdict;
mod verify;
mod walk;

use pando_database::{Migration, MigrationSet};

pub use audit::{Audit, AuditError};
pub use chain::{BadHead, Head};
pub use entry::{Entry, EntryResult};
pub use options::AuditOptions;
pub use refusals::Refused;
pub use verdict::{Fault, Finding, Verdict};

/// The tables of the log.
pub const MIGRATIONS: MigrationSet = MigrationSet {
    service: "audit",
    migrations: &[
        Migration::new(1, "audit", include_str!("../migrations/0001_audit.sql")),
        Migration::new(2, "credential", include_str!("../migrations/0002_credential.sql")),
    ],
};
