//! The settings of customers.

use pando_objects::ArchivePath;
use pando_queue::bad_expression;
use pando_service::prelude::*;
use serde::{Deserialize, Serialize};

/// Settings of the customers service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CustomersOptions {
    /// Whether every change publishes an event.
    pub events: bool,
    /// About how many bytes the history of one customer may take.
    pub history_bytes_max: usize,
    /// How many watches a process serves at once.
    pub watches_max: usize,
    /// How customers are cached.
    pub cache: CacheOptions,
    /// How pages of customers are cached.
    pub pages: CacheOptions,
    /// How customers are archived.
    pub pipeline: PipelineOptions,
}

/// Settings of the pipeline, which writes customers that have changed to the object store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PipelineOptions {
    /// Whether it runs at all by itself.
    pub enabled: bool,
    /// When it runs: five fields of cron in UTC, or `@every 1m`.
    pub schedule: String,
    /// The formats, each in an object of its own.
    pub formats: Vec<ArchiveFormat>,
    /// The folder within the archive.
    pub prefix: String,
    /// How many events are read at once.
    pub batch_max: usize,
    /// A customer whose record would be longer is a dead letter.
    pub record_bytes_max: usize,
    /// The size from which objects are compressed.
    pub zstd_bytes_min: usize,
}

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ArchiveFormat {
    /// Messages `CustomerRecord`, each with its length before it.
    Pb,
    /// A JSON object in each line.
    Ndjson,
}

impl Default for PipelineOptions {
    fn default() -> Self {
        Self {
            enabled: false,
            schedule: "@every 1m".to_owned(),
            formats: vec![ArchiveFormat::Pb, ArchiveFormat::Ndjson],
            prefix: String::new(),
            batch_max: 500,
            record_bytes_max: 1024 * 1024,
            zstd_bytes_min: 4 * 1024,
        }
    }
}

impl PipelineOptions {
    /// Whether the pipeline can run with these.
    pub fn check(&self) -> Result<(), BadSetting> {
        let section = "customers.pipeline";
        let bad = |name, reason: &str| Err(BadSetting::new(section, name, reason));
        BadSetting::check_ranges(
            section,
            [
                ("batch_max", self.batch_max as u64, 1..=10_000),
                ("record_bytes_max", self.record_bytes_max as u64, 1_024..=64 * 1024 * 1024),
            ],
        )?;
        if let Some(reason) = bad_expression(&self.schedule) {
            return bad("schedule", &reason);
        }
        if self.formats.is_empty()
            || (1..self.formats.len()).any(|at| self.formats[..at].contains(&self.formats[at]))
        {
            return bad("formats", "must name \"pb\", \"ndjson\" or both, each once");
        }
        let is_folder = self.prefix.len() <= 200 && ArchivePath::parse(&self.prefix).is_some();
        if !self.prefix.is_empty() && !is_folder {
            return bad("prefix", "must be a folder such as exports/pando: letters, digits, - _ . = and /");
        }
        Ok(())
    }
}

impl ArchiveFormat {
    /// The ending of its objects.
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Self::Pb => "pb",
            Self::Ndjson => "ndjson",
        }
    }

    /// Its media type.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Pb => "application/x-protobuf",
            Self::Ndjson => "application/x-ndjson",
        }
    }
}

impl Default for CustomersOptions {
    fn default() -> Self {
        let minutes = 5 * 60 * 1_000;
        Self {
            events: true,
            history_bytes_max: 1024 * 1024,
            watches_max: 1_000,
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
            pipeline: PipelineOptions::default(),
        }
    }
}

impl CustomersOptions {
    /// Whether the service can run with these.
    pub fn check(&self) -> Result<(), BadSetting> {
        BadSetting::check_ranges(
            "customers",
            [
                ("history_bytes_max", self.history_bytes_max as u64, 16_384..=1_073_741_824),
                ("watches_max", self.watches_max as u64, 1..=100_000),
            ],
        )?;
        for (name, cache) in [("cache", &self.cache), ("pages", &self.pages)] {
            cache.check().map_err(|error| BadSetting::new("customers", name, error))?;
        }
        if self.pipeline.enabled && !self.events {
            return Err(BadSetting::new("customers", "pipeline.enabled", "needs customers.events"));
        }
        self.pipeline.check()
    }
}
