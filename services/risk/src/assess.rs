//! Assesses a business.

use std::sync::Arc;

use pando_service::prelude::*;
use serde_json::{Map, Value};

use crate::Risk;
use crate::domain::assessment::Assessment;
use crate::domain::business::Business;

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
            let ground = Arc::new(self.ground(call).await?);
            let history = history.into_iter().next().unwrap_or_default();
            let (of_call, of_ground) = (call.clone(), Arc::clone(&ground));
            let decide = move |risk: &Self| risk.decide((&of_call, &of_ground), business, history, now);
            let assessed = self.searching(decide).await?;
            let mut write = turn.begin().await?;
            self.keep((&mut write, &ground), std::slice::from_ref(&assessed)).await?;
            write.done(assessed.shown())
        });
        write.await
    }
}
