//! The jobs of this service.

use pando_queue::{JobContext, JobError, JobKind, JobResult, QueueError, Registry, Settings};
use serde_json::{Value, json};

use crate::Profiles;
use crate::domain::profile::ProfileId;
use crate::erase_profile::KIND as ERASE;
use crate::export_task::{KIND as EXPORT, Wanted};
use crate::files::file_settings;
use crate::import_task::{KIND as IMPORT, WaitingImport};
use crate::reindex_profiles::KIND as REINDEX;

/// How long one attempt to erase somebody may take: it looks at every job there is.
const ERASE_MS: u64 = 600_000;

/// The pattern of a profile's id.
const UUID_PATTERN: &str = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$";

impl Profiles {
    /// Adds the jobs of profiles to what a program can run.
    pub fn add_kinds(&self, registry: &mut Registry) -> Result<(), QueueError> {
        self.add_erase(registry)?;
        self.add_export(registry)?;
        self.add_import(registry)?;
        self.add_reindex(registry)
    }

    fn add_erase(&self, registry: &mut Registry) -> Result<(), QueueError> {
        let profiles = self.clone();
        let handler = move |context, payload| {
            let profiles = profiles.clone();
            async move { profiles.run_erasure(&context, &payload).await }
        };
        registry.add(JobKind {
            public: true,
            summary: "Erases a person; the result is the receipt".to_owned(),
            settings: Settings { timeout_ms: Some(ERASE_MS), ..Settings::default() },
            schema: Some(json!({
                "type": "object",
                "properties": {"profile_id": {"type": "string", "format": "uuid"}},
                "required": ["profile_id"],
            })),
            ..JobKind::new(ERASE, handler)
        })
    }

    fn add_export(&self, registry: &mut Registry) -> Result<(), QueueError> {
        let profiles = self.clone();
        let handler = move |context: JobContext, payload: Value| {
            let profiles = profiles.clone();
            async move {
                let wanted = Wanted::of(&payload).map_err(JobError::give_up)?;
                profiles.run_export(&context, wanted).await?;
                // The receipt was written with the file.
                Ok(Value::Null)
            }
        };
        registry.add(JobKind {
            public: true,
            summary:
                "Writes what is known of a person, or all profiles, to be fetched; the result is the receipt"
                    .to_owned(),
            settings: file_settings(),
            schema: Some(json!({
                "type": "object",
                "properties": {
                    "profile_id": {"type": "string", "pattern": UUID_PATTERN},
                    "format": {"enum": ["ndjson", "csv"]},
                },
            })),
            ..JobKind::new(EXPORT, handler)
        })
    }

    fn add_import(&self, registry: &mut Registry) -> Result<(), QueueError> {
        let profiles = self.clone();
        let handler = move |context: JobContext, payload: Value| {
            let profiles = profiles.clone();
            async move {
                let waiting = WaitingImport::of(&payload).map_err(JobError::give_up)?;
                profiles.run_import(&context, waiting).await?;
                // The counts were written with the last batch.
                Ok(Value::Null)
            }
        };
        registry.add(JobKind {
            public: true,
            summary: "Imports profiles from an upload that was sent with Prefer: respond-async".to_owned(),
            settings: file_settings(),
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
            ..JobKind::new(IMPORT, handler)
        })
    }

    fn add_reindex(&self, registry: &mut Registry) -> Result<(), QueueError> {
        let profiles = self.clone();
        let handler = move |context: JobContext, _payload: Value| {
            let profiles = profiles.clone();
            async move {
                profiles.reindex(&context).await?;
                // The counts were stored with the last batch.
                Ok(Value::Null)
            }
        };
        registry.add(JobKind {
            public: true,
            summary: "Checks every profile and repairs the values that are derived from it".to_owned(),
            settings: file_settings(),
            schema: Some(json!({"type": "object"})),
            ..JobKind::new(REINDEX, handler)
        })
    }

    async fn run_erasure(&self, context: &JobContext, payload: &Value) -> JobResult {
        let Some(id) = payload["profile_id"].as_str().and_then(ProfileId::parse) else {
            return Err(JobError::give_up("profile_id is no UUID"));
        };
        self.erase_profile(context, id).await?;
        // The receipt was written with the effect.
        Ok(Value::Null)
    }
}
