//! A place in the log of events.

use std::fmt;
use std::str::FromStr;

use pando_service::{BadText, Fault, Violations};

/// A place in the log: the number of a row, and the place of an event among those that share the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub(crate) number: i64,
    pub(crate) place: u32,
}

impl Position {
    /// The position that a caller names; none if the text is empty.
    pub(crate) fn asked(text: &str) -> Result<Option<Self>, Fault> {
        let position = (!text.is_empty()).then(|| text.parse()).transpose();
        position.map_err(|bad: BadText| Violations::one("position", bad.code, bad.message).into())
    }

    /// After all events of a row.
    pub(crate) fn at(number: i64) -> Self {
        Self { number, place: u32::MAX }
    }

    /// The row after which the log must be read to go on from here.
    pub(crate) fn row_before(self) -> i64 {
        if self.place == u32::MAX { self.number } else { self.number - 1 }
    }

    /// The place of the next event, which has this number.
    pub(crate) fn next_of(self, number: i64) -> Self {
        match number == self.number && self.place != u32::MAX {
            true => Self { number, place: self.place + 1 },
            false => Self { number, place: 0 },
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            u32::MAX => write!(f, "{}", self.number),
            place => write!(f, "{}.{place}", self.number),
        }
    }
}

impl FromStr for Position {
    type Err = BadText;

    fn from_str(text: &str) -> Result<Self, BadText> {
        let bad = || BadText::value("is not one that this server gave");
        let (number, place) =
            text.split_once('.').map_or((text, None), |(number, place)| (number, Some(place)));
        let number: i64 = number.parse().map_err(|_| bad())?;
        let place = place.map(str::parse).transpose().map_err(|_| bad())?.unwrap_or(u32::MAX);
        if number < i64::from(place != u32::MAX) { Err(bad()) } else { Ok(Self { number, place }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_written_and_read_back() {
        for text in ["0", "17", "17.0", "17.499"] {
            assert_eq!(text.parse::<Position>().unwrap().to_string(), text);
        }
        for bad in ["", "-1", "0.5", "1.", ".1", "1.x", "now"] {
            assert!(bad.parse::<Position>().is_err(), "{bad}");
        }
        let last: Position = "17.499".parse().unwrap();
        assert!(last < Position::at(17) && Position::at(16) < "17.0".parse().unwrap());
        assert_eq!((last.row_before(), Position::at(17).row_before()), (16, 17));
    }
}
