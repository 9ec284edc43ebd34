#![doc = include_str!("../README.md")]

mod credentials;
mod development;
mod error;
mod issuer;
mod key_set;
mod keys;
mod options;
mod people;
mod remembered;
mod ring_provider;
mod routes;
mod store;
mod token;
mod token_cipher;

use pando_database::{Migration, MigrationSet};

pub use credentials::Credentials;
pub use development::DevelopmentIssuer;
pub use error::{AuthError, Refusal};
pub use key_set::Fetch;
pub use keys::{ApiKey, ApiKeys, NewKey, Secret};
pub use options::{AuthMode, AuthOptions, IssuerOptions, LoginOptions, TokenAlgorithm};
pub use people::{LoginError, LoginWay, NewOperator, Operator, Operators};
pub use routes::{described_session_routes, session_routes};
pub use token_cipher::token_cover;

/// The tables of API keys, of operators, of their sessions, and of secrets.
pub const MIGRATIONS: MigrationSet = MigrationSet {
    service: "auth",
    migrations: &[
        Migration::new(1, "keys", include_str!("../migrations/0001_keys.sql")),
        Migration::new(2, "operators", include_str!("../migrations/0002_operators.sql")),
        Migration::new(3, "secrets", include_str!("../migrations/0003_secrets.sql")),
    ],
};
