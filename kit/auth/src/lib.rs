#![doc = include_str!("../README.md")]

mod credentials;
mod development;
mod error;
mod issuer;
mod key_set;
mod keys;
mod options;
mod remembered;
mod ring_provider;
mod store;
mod token;

use pando_database::{Migration, MigrationSet};

pub use credentials::Credentials;
pub use development::DevelopmentIssuer;
pub use error::{AuthError, Refusal};
pub use key_set::Fetch;
pub use keys::{ApiKey, ApiKeys, NewKey, Secret};
pub use options::{AuthMode, AuthOptions, IssuerOptions, TokenAlgorithm};

/// The table of API keys.
pub const MIGRATIONS: MigrationSet = MigrationSet {
    service: "auth",
    migrations: &[Migration::new(1, "keys", include_str!("../migrations/0001_keys.sql"))],
};
