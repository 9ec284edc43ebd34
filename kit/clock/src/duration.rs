//! Times as people write them: `10s`, `250ms`, `1h30m`, `2d`, `PT10S`, or a number of seconds.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

/// The time that a text says; nothing if it says none, or one that is negative.
pub fn parse_duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let span: Span = text.parse().ok()?;
    // A month is not accepted, because its length differs.
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    Duration::try_from(duration).ok()
}
