//! Five fields of cron, in UTC.

use pando_clock::Timestamp;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// How far ahead a moment is looked for: 29 February comes within eight years.
const DAYS_MAX: i64 = 8 * 366;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// When a schedule comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cron {
    /// Every so many seconds, counted from 1970.
    Every(i64),
    /// At the minutes whose fields all fit.
    Fields(Fields),
}

/// One bit for each value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fields {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// When both days are restricted, either will do: so it has always been.
    either_day: bool,
}

impl Cron {
    /// Parses an expression, or says why it is not a schedule.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = match text.trim() {
            "@hourly" => "0 * * * *",
            "@daily" => "0 0 * * *",
            "@weekly" => "0 0 * * 0",
            "@monthly" => "0 0 1 * *",
            other => other,
        };
        if let Some(period) = text.strip_prefix("@every ") {
            return every(period.trim());
        }
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields[..] else {
            return Err(format!("{text:?} has {} fields, not five", fields.len()));
        };
        let weekdays_set = field(weekdays, 0, 7, &WEEKDAYS, 0)?;
        Ok(Self::Fields(Fields {
            minutes: field(minutes, 0, 59, &[], 0)?,
            hours: field(hours, 0, 23, &[], 0)?,
            days: field(days, 1, 31, &[], 0)?,
            months: field(months, 1, 12, &MONTHS, 1)?,
            // 7 is Sunday too.
            weekdays: weekdays_set & 0x7f | weekdays_set >> 7 & 1,
            either_day: !days.starts_with('*') && !weekdays.starts_with('*'),
        }))
    }

    /// The first moment after `now`, if there is one.
    pub(crate) fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        let seconds = now.as_micros().div_euclid(1_000_000);
        let next = match self {
            Self::Every(period) => (seconds.div_euclid(*period) + 1) * period,
            Self::Fields(fields) => fields.next_after(seconds)?,
        };
        Some(Timestamp::from_micros(next.saturating_mul(1_000_000)))
    }
}

impl Fields {
    fn next_after(&self, seconds: i64) -> Option<i64> {
        let start = (seconds.div_euclid(MINUTE) + 1) * MINUTE;
        let first_day = start.div_euclid(DAY);
        (first_day..first_day + DAYS_MAX).filter(|day| self.has_day(*day)).find_map(|day| {
            let from = if day == first_day { start.rem_euclid(DAY) } else { 0 };
            (from / MINUTE..24 * 60)
                .find(|minute| has(self.hours, minute / 60) && has(self.minutes, minute % 60))
                .map(|minute| day * DAY + minute * MINUTE)
        })
    }

    fn has_day(&self, day: i64) -> bool {
        let (month, day_of_month) = date(day);
        // 1970-01-01 was a Thursday.
        let (by_month, by_week) = (has(self.days, day_of_month), has(self.weekdays, (day + 4).rem_euclid(7)));
        let fits = if self.either_day { by_month || by_week } else { by_month && by_week };
        has(self.months, month) && fits
    }
}

fn has(set: u64, value: i64) -> bool {
    set >> value & 1 == 1
}

/// Month and day of the month of a day counted from 1970, by the era method: 400 years always have 146,097 days.
fn date(day: i64) -> (i64, i64) {
    let shifted = day + 719_468;
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    (if month < 10 { month + 3 } else { month - 9 }, of_year - (153 * month + 2) / 5 + 1)
}

fn every(period: &str) -> Result<Cron, String> {
    let digits = period.len() - period.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = period.split_at(digits);
    let unit = match unit {
        "s" => 1,
        "m" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        _ => return Err(format!("{period:?} is no period: a number and s, m, h or d")),
    };
    let number: i64 = number.parse().map_err(|_| format!("{period:?} is no period"))?;
    if !(1..=1_000_000).contains(&number) {
        return Err(format!("{period:?} is not within 1 and 1000000"));
    }
    Ok(Cron::Every(number * unit))
}

/// `*`, `*/5`, `3`, `1-5`, `1-9/2`, names where there are some, and lists of these.
fn field(text: &str, min: i64, max: i64, names: &[&str], names_from: i64) -> Result<u64, String> {
    let value = |text: &str| {
        let named = names.iter().position(|name| text.eq_ignore_ascii_case(name));
        let value = match named {
            Some(place) => i64::try_from(place).unwrap_or(0) + names_from,
            None => text.parse().map_err(|_| format!("{text:?} is no value of a field"))?,
        };
        if (min..=max).contains(&value) {
            Ok(value)
        } else {
            Err(format!("{value} is not within {min} and {max}"))
        }
    };
    let mut set = 0;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (
                range,
                step.parse::<i64>()
                    .ok()
                    .filter(|step| *step > 0)
                    .ok_or(format!("{part:?} has a bad step"))?,
            ),
            None => (part, 1),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (min, max),
            Some((first, last)) => (value(first)?, value(last)?),
            None if part.contains('/') => (value(range)?, max),
            None => (value(range)?, value(range)?),
        };
        if first > last {
            return Err(format!("{part:?} ends before it begins"));
        }
        let mut at = first;
        while at <= last {
            set |= 1 << at;
            at += step;
        }
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(expression: &str, now: &str) -> String {
        let now: Timestamp = now.parse().unwrap();
        Cron::parse(expression).unwrap().next_after(now).map_or("never".into(), |at| at.to_string())
    }

    #[test]
    fn the_next_moment_fits_every_field() {
        for (expression, now, expected) in [
            ("* * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00.000000Z"),
            ("*/15 * * * *", "2026-01-01T10:46:03Z", "2026-01-01T11:00:00.000000Z"),
            ("30 2 * * *", "2026-01-01T02:30:00Z", "2026-01-02T02:30:00.000000Z"),
            ("0 9 * * mon-fri", "2026-01-02T09:00:00Z", "2026-01-05T09:00:00.000000Z"),
            ("0 0 31 * *", "2026-01-31T00:00:00Z", "2026-03-31T00:00:00.000000Z"),
            ("0 0 29 feb *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00.000000Z"),
            ("0 0 13 * 5", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00.000000Z"),
            ("5,10-12/2 23 31 12 *", "2026-12-31T23:11:00Z", "2026-12-31T23:12:00.000000Z"),
            ("0 0 * * 7", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00.000000Z"),
            ("@monthly", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00.000000Z"),
            ("@every 90s", "1970-01-01T00:01:00Z", "1970-01-01T00:01:30.000000Z"),
            ("0 0 30 2 *", "2026-01-01T00:00:00Z", "never"),
        ] {
            assert_eq!(next(expression, now), expected, "{expression}");
        }
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for bad in [
            "",
            "* * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "5-1 * * * *",
            "*/0 * * * *",
            "x * * * *",
            "@every 5",
            "@every 0s",
            "@often",
        ] {
            assert!(Cron::parse(bad).is_err(), "{bad:?}");
        }
    }
}
