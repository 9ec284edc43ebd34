//! A moment in UTC, to the microsecond.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment in UTC: microseconds since 1970. Six decimals are always written, so that texts sort as times do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 0001-01-01T00:00:00Z: the first moment that RFC 3339 and both engines can write.
    pub const MIN: Self = Self(-62_135_596_800_000_000);
    /// The last microsecond of 9999 at which jiff still writes a time.
    pub const MAX: Self = Self(253_402_207_200_999_999);

    /// The moment this many microseconds after 1970-01-01T00:00:00Z, kept within [`Self::MIN`] and [`Self::MAX`].
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(Self::MIN.0, Self::MAX.0))
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// This moment, moved by a number of microseconds (negative: into the past).
    pub fn plus_micros(self, micros: i64) -> Self {
        Self::from_micros(self.0.saturating_add(micros))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(moment) => write!(f, "{moment:.6}"),
            Err(_) => Err(fmt::Error),
        }
    }
}

impl FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let micros = text.parse::<jiff::Timestamp>()?.as_microsecond();
        if (Self::MIN.0..=Self::MAX.0).contains(&micros) {
            return Ok(Self(micros));
        }
        Err(jiff::Error::from_args(format_args!("{text} is not within the years 1 and 9999")))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_keeps_every_microsecond_and_nothing_finer() {
        for (given, written) in [
            ("2026-11-20T18:17:55Z", "2026-11-20T18:17:55.000000Z"),
            ("2026-11-20T18:17:55.123456789Z", "2026-11-20T18:17:55.123456Z"),
            ("2026-11-20T20:17:55.5+02:00", "2026-11-20T18:17:55.500000Z"),
            ("1969-12-31T23:59:59.000001Z", "1969-12-31T23:59:59.000001Z"),
        ] {
            let moment: Timestamp = given.parse().unwrap();
            assert_eq!(moment.to_string(), written);
            assert_eq!(written.parse::<Timestamp>().unwrap(), moment);
        }
    }

    #[test]
    fn moments_past_the_calendar_are_clamped() {
        assert_eq!(
            Timestamp::from_micros(i64::MAX),
            Timestamp::from_micros(i64::MAX - 1).plus_micros(i64::MAX)
        );
        assert_eq!(Timestamp::MIN.to_string(), "0001-01-01T00:00:00.000000Z");
        assert_eq!(Timestamp::MAX.as_micros(), jiff::Timestamp::MAX.as_microsecond());
        assert_eq!(Timestamp::from_micros(i64::MIN), Timestamp::MIN);
        for beyond in ["-009999-01-02T01:59:59Z", "0000-12-31T23:59:59Z"] {
            assert!(beyond.parse::<Timestamp>().is_err(), "{beyond}");
        }
    }
}
