#![doc = include_str!("../README.md")]

mod create_profile;
mod delete_profile;
mod error;
mod export_profiles;
mod find_profiles;
mod get_full_profile;
mod get_profile;
mod history;
mod http;
mod import_profiles;
mod list_changes;
mod list_profiles;
mod options;
mod parts;
mod profile;
mod put_part;
mod random_profile;
mod records;
mod restore_profile;
mod store;
mod update_profile;
mod violations;
mod write_batch;

use std::sync::Arc;

use pando_clock::Clock;
use pando_database::{Database, Migration, MigrationSet, Token};

pub use error::ProfileError;
pub use get_full_profile::FetchMode;
pub use history::{Change, Operation};
pub use http::{description, limits, routes};
pub use import_profiles::{Import, ImportRequest, ImportState};
pub use list_profiles::{ProfileFilter, ProfilePage};
pub use options::ProfilesOptions;
pub use parts::{Address, FullProfile, Preferences, Theme};
pub use profile::{AttributeRules, Email, Name, Profile, ProfileDraft, ProfileId};
pub use records::RecordFormat;
pub use store::lists::Order;
pub use update_profile::Expected;
pub use violations::Violations;
pub use write_batch::{BATCH_ITEMS_MAX, Item, ItemOutcome, ItemStatus};

/// The schema of this service, in the order it came to be.
pub const MIGRATIONS: MigrationSet = MigrationSet {
    service: "profiles",
    migrations: &[Migration {
        version: 1,
        name: "profiles",
        sql: include_str!("../migrations/0001_profiles.sql"),
    }],
};

/// What the service is made of.
#[derive(Clone, Debug)]
pub struct ProfilesParts {
    /// Where profiles are kept.
    pub database: Database,
    /// Where times and ids come from.
    pub clock: Clock,
}

/// The profiles service: each operation is a method, and a file of that name. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Profiles(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    database: Database,
    clock: Clock,
    rules: AttributeRules,
    options: ProfilesOptions,
}

/// The result of a write, and the token that makes sure a later read sees it.
#[derive(Clone, Debug)]
pub struct Written<T> {
    /// What was written.
    pub value: T,
    /// Send it back as `Pando-Consistency` to read at least this write.
    pub token: Token,
}

/// The service cannot start with these options.
#[derive(Debug, thiserror::Error)]
#[error("profiles.attributes_schema_file {file}: {reason}")]
pub struct BadAttributesSchema {
    file: String,
    reason: String,
}

impl Profiles {
    /// Builds the service; reads and compiles the schema of attributes when one is configured.
    pub fn new(parts: ProfilesParts, options: ProfilesOptions) -> Result<Self, BadAttributesSchema> {
        let ProfilesParts { database, clock } = parts;
        let rules = attribute_rules(&options)
            .map_err(|reason| BadAttributesSchema { file: options.attributes_schema_file.clone(), reason })?;
        Ok(Self(Arc::new(Inner { database, clock, rules, options })))
    }
}

fn attribute_rules(options: &ProfilesOptions) -> Result<AttributeRules, String> {
    let file = &options.attributes_schema_file;
    if file.is_empty() {
        return AttributeRules::new(options.attributes_bytes_max, None);
    }
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let schema: serde_json::Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    AttributeRules::new(options.attributes_bytes_max, Some(&schema))
}
