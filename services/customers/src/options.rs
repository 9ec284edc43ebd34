//! The settings of customers.

use pando_service::prelude::*;
use serde::{Deserialize, Serialize};

/// Settings of the customers service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CustomersOptions {
    /// Whether every change publishes an event.
    pub events: bool,
    /// How customers are cached.
    pub cache: CacheOptions,
    /// How pages of customers are cached.
    pub pages: CacheOptions,
}

impl Default for CustomersOptions {
    fn default() -> Self {
        let minutes = 5 * 60 * 1_000;
        Self {
            events: true,
            cache: CacheOptions { l1_ttl_ms: minutes, l2_ttl_ms: minutes, ..CacheOptions::default() },
            // Any write may change any page: each process keeps its own.
            pages: CacheOptions {
                l2: false,
                l1_ttl_ms: minutes,
                l2_ttl_ms: minutes,
                bytes_max: 16 * 1024 * 1024,
                entries_max: 1_000,
                ..CacheOptions::default()
            },
        }
    }
}

impl CustomersOptions {
    /// Whether the service can run with these.
    pub fn check(&self) -> Result<(), BadSetting> {
        for (name, cache) in [("cache", &self.cache), ("pages", &self.pages)] {
            cache.check().map_err(|error| BadSetting::new("customers", name, error))?;
        }
        Ok(())
    }
}
