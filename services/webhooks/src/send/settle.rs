//! Notes what became of attempts, and what that means for their endpoint.

use pando_queue::JobContext;
use pando_service::prelude::*;
use serde_json::json;
use uuid::Uuid;

use crate::domain::endpoint::{Endpoint, LastDelivery, Record, WebhookStatus};
use crate::domain::events::DISABLED;
use crate::store::deliveries::{self, Attempted, DeliveryStatus};
use crate::{Webhooks, WebhooksOptions, store};

impl Webhooks {
    /// Notes what became of some attempts, unless another job has taken the place of this one.
    pub(super) async fn settle(
        &self,
        context: &JobContext,
        id: Uuid,
        (ended, next_slot): (Vec<Attempted>, Option<Timestamp>),
    ) -> Result<(), Fault> {
        let tenant = context.tenant();
        let mut write = self.0.writes.begin(context.call()).await?;
        context.fence(&mut write.tx).await?;
        deliveries::attempted(&mut write.tx, (tenant, id), &ended).await?;
        // It may have been deleted or changed meanwhile.
        if let Some(mut endpoint) = self.0.store.lock(&mut write.tx, tenant, id).await? {
            let was = endpoint.status;
            endpoint.record.next_slot = next_slot.or(endpoint.record.next_slot);
            for attempted in &ended {
                endpoint.learn(attempted, &self.0.options);
            }
            if endpoint.status != was {
                endpoint.version += 1;
                tracing::warn!(webhook = %id, "a webhook failed for too long and is switched off");
                write.changed(Change { event: DISABLED, id, version: endpoint.version, data: json!({}) });
            }
            store::record(&mut write.tx, tenant, &endpoint)?;
        }
        write.end().await?;
        Ok(())
    }
}

impl Endpoint {
    fn learn(&mut self, attempted: &Attempted, options: &WebhooksOptions) {
        let arrived = attempted.status == DeliveryStatus::Delivered;
        #[expect(clippy::cast_precision_loss, reason = "microseconds of seconds")]
        let response_time = attempted.latency_micros as f64 / 1_000.0;
        self.record.last_delivery = Some(LastDelivery {
            timestamp: attempted.ended_at,
            status: if arrived { "success" } else { "failed" }.to_owned(),
            response_time,
        });
        match attempted.status {
            DeliveryStatus::Delivered => self.record.arrived(),
            DeliveryStatus::Dead => self.record.failed += 1,
            DeliveryStatus::Pending => {}
        }
        if !arrived {
            self.record.failed_once(attempted.ended_at, options);
            let micros = i64::from(options.disable_after_hours) * 3_600_000_000;
            let failing = self
                .record
                .failing_since
                .map_or(0, |since| attempted.ended_at.as_micros() - since.as_micros());
            if failing >= micros && self.status == WebhookStatus::Active {
                self.status = WebhookStatus::Disabled;
            }
        }
    }
}

impl Record {
    fn arrived(&mut self) {
        self.delivered += 1;
        self.failures = 0;
        self.failing_since = None;
        self.closed_until = None;
        self.opened = 0;
    }

    /// Closes the endpoint for a while when too many attempts have failed in a row; each time for twice as long.
    fn failed_once(&mut self, at: Timestamp, options: &WebhooksOptions) {
        self.failures += 1;
        self.failing_since.get_or_insert(at);
        let is_closed = self.closed_until.is_some_and(|until| until > at);
        if self.failures < i64::from(options.breaker_failures) || is_closed {
            return;
        }
        let doubled = options.breaker_ms.saturating_mul(1 << self.opened.clamp(0, 30));
        let pause = i64::try_from(doubled.min(options.breaker_max_ms)).unwrap_or(i64::MAX);
        self.closed_until = Some(at.plus_micros(pause.saturating_mul(1_000)));
        self.opened += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_breaker_stays_open_for_twice_as_long_each_time_until_an_attempt_succeeds() {
        let (options, mut record) = (WebhooksOptions::default(), Record::default());
        let mut now = Timestamp::from_micros(0);
        let mut pauses = Vec::new();
        for _ in 0..10 {
            record.failed_once(now, &options);
            if let Some(until) = record.closed_until {
                pauses.push((until.as_micros() - now.as_micros()) / 1_000_000);
                now = until;
            }
        }
        assert_eq!(pauses, [5, 10, 20, 40, 60, 60]);
        record.arrived();
        record.failed_once(now, &options);
        assert_eq!((record.closed_until, record.failures), (None, 1));
    }

    #[test]
    fn failures_at_the_same_time_close_an_endpoint_once() {
        let (options, mut record) = (WebhooksOptions::default(), Record::default());
        for _ in 0..20 {
            record.failed_once(Timestamp::from_micros(7), &options);
        }
        assert_eq!((record.opened, record.closed_until), (1, Some(Timestamp::from_micros(5_000_007))));
    }
}
