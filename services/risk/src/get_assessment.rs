//! Reads an assessment.

use pando_service::prelude::*;
use uuid::Uuid;

use crate::domain::assessment::{Assessed, Assessment};
use crate::{Risk, no_assessment, store};

impl Risk {
    /// An assessment.
    pub async fn get_assessment(&self, call: &Call, id: Uuid) -> Result<Assessment, Fault> {
        Ok(self.assessed(call, id).await?.shown())
    }

    /// An assessment with everything that it stands on.
    pub(crate) async fn assessed(&self, call: &Call, id: Uuid) -> Result<Assessed, Fault> {
        let read = self.0.parts.database.read(call);
        store::find(&read, call.tenant(), id).await?.ok_or_else(no_assessment)
    }
}
