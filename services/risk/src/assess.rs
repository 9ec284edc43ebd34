//! Assesses a business.

use pando_service::prelude::*;
use serde_json::{Map, Value};

use crate::Risk;
use crate::domain::assessment::Assessment;
use crate::domain::business::Business;
use crate::domain::events;
use crate::store;

impl Risk {
    /// Assesses a business, and keeps the assessment with everything that it stands on.
    pub async fn assess(
        &self,
        call: &Call,
        fields: &Map<String, Value>,
    ) -> Result<Written<Assessment>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let business = Business::read(fields)?;
            let now = self.0.parts.clock.now();
            let history = self.history(call, &[&business], now).await?;
            let ground = self.ground(call).await?;
            let history = history.into_iter().next().unwrap_or_default();
            let assessed = self.decide((call, &ground), business, history, now)?;
            let mut write = turn.begin().await?;
            store::insert(&mut write.tx, call.tenant(), std::slice::from_ref(&assessed)).await?;
            self.open_cases(&mut write, std::slice::from_ref(&assessed)).await?;
            self.compare_with_shadow(&mut write, &ground, std::slice::from_ref(&assessed));
            write.created(events::completed(&assessed));
            write.done(assessed.shown())
        });
        write.await
    }
}
