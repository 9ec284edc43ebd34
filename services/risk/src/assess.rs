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
            let (of_call, history) = (call.clone(), history.into_iter().next().unwrap_or_default());
            let decide = move |risk: &Self| risk.decide(&of_call, business, history, now);
            let assessed = self.searching(decide).await?;
            let mut write = turn.begin().await?;
            store::insert(&mut write.tx, call.tenant(), std::slice::from_ref(&assessed)).await?;
            write.created(events::completed(&assessed));
            write.done(assessed.shown())
        });
        write.await
    }
}
