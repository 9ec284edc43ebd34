//! The jobs of this service.

use pando_queue::{JobContext, JobKind, NoPayload, QueueError, Registry};
use pando_service::Fault;
use serde_json::json;

use crate::Profiles;
use crate::domain::profile::UUID_PATTERN;
use crate::erase_profile::{AboutProfile, ERASE};
use crate::export_task::EXPORT;
use crate::import_task::IMPORT;
use crate::reindex_profiles::REINDEX;

impl Profiles {
    /// Adds the jobs of profiles to what a program can run. They write their results in the transactions of their effects.
    pub fn add_kinds(&self, registry: &mut Registry) -> Result<(), QueueError> {
        registry.add(JobKind {
            public: true,
            scope: Some("profiles:delete"),
            summary: "Erases a person; the result is the receipt".to_owned(),
            schema: Some(json!({
                "type": "object",
                "properties": {"profile_id": {"type": "string", "format": "uuid"}},
                "required": ["profile_id"],
            })),
            ..ERASE.run_by(self, Self::run_erasure)
        })?;
        registry.add(JobKind {
            public: true,
            scope: Some("profiles:read"),
            summary:
                "Writes what is known of a person, or all profiles, to be fetched; the result is the receipt"
                    .to_owned(),
            schema: Some(json!({
                "type": "object",
                "properties": {
                    "profile_id": {"type": "string", "pattern": UUID_PATTERN},
                    "format": {"enum": ["ndjson", "csv"]},
                },
            })),
            ..EXPORT.run_by(self, Self::run_export)
        })?;
        registry.add(JobKind {
            public: true,
            scope: Some("profiles:write"),
            summary: "Imports profiles from an upload that was sent with Prefer: respond-async".to_owned(),
            schema: Some(json!({
                "type": "object",
                "properties": {
                    "upload": {"type": "string", "pattern": UUID_PATTERN},
                    "token": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
                    "format": {"enum": ["ndjson", "csv"]},
                    "dry_run": {"type": "boolean"},
                },
                "required": ["upload", "token", "format"],
            })),
            ..IMPORT.run_by(self, Self::run_import)
        })?;
        registry.add(JobKind {
            public: true,
            scope: Some("profiles:write"),
            summary: "Checks every profile and repairs the values that are derived from it".to_owned(),
            schema: Some(json!({"type": "object"})),
            ..REINDEX.run_by(self, Self::run_reindex)
        })
    }

    async fn run_erasure(self, context: JobContext, about: AboutProfile) -> Result<(), Fault> {
        self.erase_profile(&context, about.profile_id).await
    }

    async fn run_reindex(self, context: JobContext, _: NoPayload) -> Result<(), Fault> {
        self.reindex(&context).await
    }
}
