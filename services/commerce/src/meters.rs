//! The figures of the shop that its operators watch.

use std::time::Duration;

use pando_telemetry::{Counter, Gauge, Histogram, LATENCY_BUCKETS, Metrics};

use crate::orders::OrderStatus;

/// The counters and the times of orders and payments.
#[derive(Debug)]
pub(crate) struct Meters {
    created: Counter,
    processed: Counter,
    failed: Counter,
    processing: Histogram,
    reservation: Histogram,
    payment: Histogram,
    mistakes: Gauge,
    moved: Vec<(OrderStatus, Counter)>,
}

impl Meters {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let histogram = |name: &str, help: &str| metrics.histogram(name, help, &[], LATENCY_BUCKETS);
        let moved = OrderStatus::words().iter().map(|(name, status)| {
            let help = "Orders that came into a state";
            (*status, metrics.counter("order_status", help, &[("status", *name)]))
        });
        Self {
            created: metrics.counter("orders_created", "Orders that were placed", &[]),
            processed: metrics.counter("orders_processed", "Orders that were paid", &[]),
            failed: metrics.counter("orders_failed", "Payments of orders that failed", &[]),
            processing: histogram(
                "orders_processing_time_seconds",
                "From the start of the job of an order to its end",
            ),
            reservation: histogram("inventory_reservation_time_seconds", "To reserve the units of an order"),
            payment: histogram(
                "payment_processing_time_seconds",
                "To get the answer of the provider of payments",
            ),
            mistakes: metrics.gauge(
                "commerce_books_mistakes",
                "Places where the books of the shop are wrong, as last seen",
                &[],
            ),
            moved: moved.collect(),
        }
    }

    pub(crate) fn created(&self) {
        self.created.inc();
    }

    pub(crate) fn processed(&self) {
        self.processed.inc();
    }

    pub(crate) fn failed(&self) {
        self.failed.inc();
    }

    pub(crate) fn advanced(&self, took: Duration) {
        self.processing.observe_duration(took);
    }

    pub(crate) fn reserved(&self, took: Duration) {
        self.reservation.observe_duration(took);
    }

    pub(crate) fn charged(&self, took: Duration) {
        self.payment.observe_duration(took);
    }

    pub(crate) fn mistakes(&self, count: usize) {
        self.mistakes.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(crate) fn moved(&self, to: OrderStatus) {
        if let Some((_, counter)) = self.moved.iter().find(|(status, _)| *status == to) {
            counter.inc();
        }
    }
}
