//! The certificate of the HTTP server, if it has one: how long it holds.

use pando_clock::Clock;

use super::Finding;
use crate::config::Config;

const MICROS_PER_DAY: i64 = 24 * 60 * 60 * 1_000_000;
/// With fewer days left, whatever renews it should have done so.
const DAYS_WARN: i64 = 14;

/// `None` without TLS, and if the files cannot be used: then the settings say why.
pub(super) fn examine(config: &Config, clock: &Clock) -> Option<Finding> {
    let end = config.http_options().tls.check().ok()??;
    let left = end.as_micros().saturating_sub(clock.now().as_micros());
    let detail = format!("the certificate of http.tls holds until {end}");
    Some(if left <= 0 {
        Finding::warn("certificate", format!("the certificate of http.tls expired at {end}"), "renew it")
    } else if left < DAYS_WARN * MICROS_PER_DAY {
        Finding::warn("certificate", detail, "renew it; a new file is used without a restart")
    } else {
        Finding::ok("certificate", detail)
    })
}
