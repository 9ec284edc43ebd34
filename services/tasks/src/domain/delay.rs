//! Parses delays: `10s`, `250ms`, `1h30m`, `PT10S`, or a number of seconds.

use std::time::Duration;

use pando_clock::parse_duration;
use serde_json::Value;

/// The time that a value says; nothing when it says none, or one that is negative.
pub(crate) fn parse(value: &Value) -> Option<Duration> {
    match value {
        Value::Number(seconds) => Duration::try_from_secs_f64(seconds.as_f64()?).ok(),
        Value::String(text) => parse_duration(text.trim()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_ways_to_say_it() {
        for (value, millis) in [
            (json!("10s"), Some(10_000)),
            (json!("250ms"), Some(250)),
            (json!("1h30m"), Some(5_400_000)),
            (json!("2d"), Some(172_800_000)),
            (json!("PT10S"), Some(10_000)),
            (json!("P1DT1H"), Some(90_000_000)),
            (json!("PT0.25S"), Some(250)),
            (json!(1.5), Some(1_500)),
            (json!(0), Some(0)),
            (json!("3"), Some(3_000)),
            (json!(-1), None),
            (json!("-5s"), None),
            (json!("P1M"), None),
            (json!("soon"), None),
            (json!(""), None),
            (json!("NaN"), None),
            (json!([1]), None),
        ] {
            assert_eq!(parse(&value).map(|it| it.as_millis()), millis, "{value}");
        }
    }
}
