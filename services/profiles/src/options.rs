//! The settings of profiles.

use pando_cache::CacheOptions;
use pando_service::{BadSetting, CacheWrites};
use serde::{Deserialize, Serialize};

use crate::AttributeRules;
use crate::images::options::ImagesOptions;

/// Settings of the profiles service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProfilesOptions {
    /// Refuse changes that do not say which version they change (428).
    pub require_if_match: bool,
    /// Most bytes of JSON the `attributes` of one profile may take.
    pub attributes_bytes_max: usize,
    /// About how many bytes the history of one profile may take.
    pub history_bytes_max: usize,
    /// A file with the JSON Schema that `attributes` must follow; empty for none.
    pub attributes_schema_file: String,
    /// How many days a deleted profile can be restored.
    pub restore_days: u32,
    /// Most records of an import that are written in one transaction.
    pub import_batch_records_max: usize,
    /// Longest record of an import, in bytes.
    pub import_record_bytes_max: usize,
    /// How many searches run at once in a process.
    pub searches_max: usize,
    /// Most bytes of all uploads together that wait for their import.
    pub uploads_bytes_max: u64,
    /// How many hours an export can be fetched.
    pub export_hours: u32,
    /// The effect of a write on the cache, besides making the old version invalid.
    pub cache_writes: CacheWrites,
    /// Whether every change publishes an event.
    pub events: bool,
    /// How many of the newest profiles are read into the cache at the start.
    pub cache_warm_profiles: usize,
    /// Images of profiles.
    pub images: ImagesOptions,
    /// How profiles are cached.
    pub cache: CacheOptions,
    /// How pages of profiles are cached.
    pub pages: CacheOptions,
}

impl ProfilesOptions {
    /// Whether the service can run with these; the rules for attributes that they stand for.
    pub fn check(&self) -> Result<AttributeRules, BadSetting> {
        let bad = |name: &str, reason: String| BadSetting::new("profiles", name, reason);
        BadSetting::check_ranges(
            "profiles",
            [
                ("attributes_bytes_max", self.attributes_bytes_max as u64, 2..=1_048_576),
                ("history_bytes_max", self.history_bytes_max as u64, 16_384..=1_073_741_824),
                ("restore_days", self.restore_days.into(), 0..=36_500),
                ("import_batch_records_max", self.import_batch_records_max as u64, 1..=10_000),
                ("import_record_bytes_max", self.import_record_bytes_max as u64, 1_024..=16_777_216),
                ("searches_max", self.searches_max as u64, 1..=1_000),
                ("export_hours", self.export_hours.into(), 1..=8_760),
                ("cache_warm_profiles", self.cache_warm_profiles as u64, 0..=1_000_000),
            ],
        )?;
        self.images.check()?;
        for (name, cache) in [("cache", &self.cache), ("pages", &self.pages)] {
            cache.check().map_err(|error| bad(name, error.to_string()))?;
        }
        let file = &self.attributes_schema_file;
        self.attribute_rules().map_err(|reason| bad("attributes_schema_file", format!("{file}: {reason}")))
    }

    fn attribute_rules(&self) -> Result<AttributeRules, String> {
        if self.attributes_schema_file.is_empty() {
            return AttributeRules::new(self.attributes_bytes_max, None);
        }
        let text =
            std::fs::read_to_string(&self.attributes_schema_file).map_err(|error| error.to_string())?;
        let schema: serde_json::Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        AttributeRules::new(self.attributes_bytes_max, Some(&schema))
    }
}

impl Default for ProfilesOptions {
    fn default() -> Self {
        Self {
            require_if_match: false,
            attributes_bytes_max: 16 * 1024,
            history_bytes_max: 1024 * 1024,
            attributes_schema_file: String::new(),
            restore_days: 30,
            import_batch_records_max: 1000,
            import_record_bytes_max: 256 * 1024,
            searches_max: 4,
            uploads_bytes_max: 16 * 1024 * 1024 * 1024,
            export_hours: 24,
            cache_writes: CacheWrites::default(),
            events: true,
            cache_warm_profiles: 0,
            images: ImagesOptions::default(),
            // Every version is fenced, and every write invalidates: a day in Redis is safe.
            cache: CacheOptions {
                l2_ttl_ms: 24 * 60 * 60 * 1000,
                keep_compressed: true,
                ..CacheOptions::default()
            },
            // Any write may change any page: they are kept for moments of many reads, in this process only.
            pages: CacheOptions {
                l2: false,
                l1_ttl_ms: 5_000,
                stale_window_ms: 60_000,
                bytes_max: 16 * 1024 * 1024,
                entries_max: 1_000,
                ..CacheOptions::default()
            },
        }
    }
}
