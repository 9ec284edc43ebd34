//! What can be set about profiles.

use serde::{Deserialize, Serialize};

/// Settings of the profiles service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProfilesOptions {
    /// Refuse changes that do not say which version they change (428).
    pub require_if_match: bool,
    /// Most bytes of JSON the `attributes` of one profile may take.
    pub attributes_bytes_max: usize,
    /// A file with the JSON Schema that `attributes` must follow; empty for none.
    pub attributes_schema_file: String,
    /// How many days a deleted profile can be restored.
    pub restore_days: u32,
    /// Most records of an import that are written in one transaction.
    pub import_batch_records_max: usize,
    /// Longest record of an import, in bytes.
    pub import_record_bytes_max: usize,
}

impl Default for ProfilesOptions {
    fn default() -> Self {
        Self {
            require_if_match: false,
            attributes_bytes_max: 16 * 1024,
            attributes_schema_file: String::new(),
            restore_days: 30,
            import_batch_records_max: 1000,
            import_record_bytes_max: 256 * 1024,
        }
    }
}
