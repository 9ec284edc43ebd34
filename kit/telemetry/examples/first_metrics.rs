//! Starts the log, counts something, and prints what a scraper would read.

use std::time::Duration;

use pando_telemetry::{LATENCY_BUCKETS, LogOptions, Metrics, start_logging};

#[expect(clippy::print_stdout, reason = "an example speaks to a person")]
#[tokio::main]
async fn main() -> Result<(), pando_telemetry::TelemetryError> {
    let log = start_logging(&LogOptions::default())?;
    let metrics = Metrics::new();
    let orders = metrics.counter("orders", "Orders taken.", &[("channel", "shop")]);
    let waits = metrics.histogram("order_wait_seconds", "From cart to order.", &[], LATENCY_BUCKETS);

    let _ = pando_telemetry::spawn("order", async move {
        orders.inc();
        waits.observe_duration(Duration::from_millis(3));
        tracing::info!(channel = "shop", "order taken");
    })
    .await;

    log.set_level("warn")?;
    tracing::info!("nobody reads this");
    println!("{}", metrics.render());
    Ok(())
}
