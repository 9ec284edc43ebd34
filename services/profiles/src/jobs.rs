//! The jobs of this service.

use std::time::Duration;

use pando_queue::{JobContext, JobError, JobKind, JobResult, QueueError, Registry, Settings};
use serde_json::{Value, json};

use crate::erase_profile::KIND as ERASE;
use crate::profile::ProfileId;
use crate::{ProfileError, Profiles};

/// How long one attempt to erase somebody may take: it looks at every job there is.
const ERASE_MS: u64 = 600_000;

impl Profiles {
    /// Adds the jobs of profiles to what a program can run.
    pub fn add_kinds(&self, registry: &mut Registry) -> Result<(), QueueError> {
        let profiles = self.clone();
        let handler = move |context, payload| {
            let profiles = profiles.clone();
            async move { profiles.run_erasure(&context, &payload).await }
        };
        registry.add(JobKind {
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

    async fn run_erasure(&self, context: &JobContext, payload: &Value) -> JobResult {
        let Some(id) = payload["profile_id"].as_str().and_then(ProfileId::parse) else {
            return Err(JobError::give_up("profile_id is no UUID"));
        };
        self.erase_profile(context, id).await?;
        // The receipt was written with the effect.
        Ok(Value::Null)
    }
}

/// For how long a request to look at one person may hold a worker up before it is tried again.
pub(crate) const READ_BUDGET: Duration = Duration::from_secs(10);

impl From<ProfileError> for JobError {
    fn from(error: ProfileError) -> Self {
        match error {
            ProfileError::Database(error) => error.into(),
            ProfileError::Queue(error) => error.into(),
            error => Self::retry(error),
        }
    }
}
