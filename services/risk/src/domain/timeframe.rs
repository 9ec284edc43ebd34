//! The times over which assessments are summed.

use pando_service::prelude::*;

const DAY_MICROS: i64 = 86_400_000_000;

/// A time that ends now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeframe {
    /// Seven days.
    Week,
    /// 30 days.
    Month,
    /// 90 days.
    Quarter,
    /// 365 days.
    Year,
}

impl Timeframe {
    /// The published names.
    pub(crate) const ALL: [(&'static str, Self); 4] =
        [("7d", Self::Week), ("30d", Self::Month), ("90d", Self::Quarter), ("1y", Self::Year)];

    /// The beginning, and the middle.
    pub(crate) fn before(self, now: Timestamp) -> (Timestamp, Timestamp) {
        let days = match self {
            Self::Week => 7,
            Self::Month => 30,
            Self::Quarter => 90,
            Self::Year => 365,
        };
        (now.plus_micros(-days * DAY_MICROS), now.plus_micros(-days * DAY_MICROS / 2))
    }
}
