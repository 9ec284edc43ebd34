//! Consistency tokens: a write returns one, and a later read with the token sees that write.

use std::fmt;
use std::str::FromStr;

use crate::{DatabaseError, Engine};

/// Where the log stood after a write. Opaque: store it, send it, give it back with a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(Position);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Position {
    /// How many commits the SQLite file has had.
    Sqlite(u64),
    /// The position in PostgreSQL's write-ahead log.
    Postgres(u64),
}

impl Token {
    pub(crate) fn sqlite(commits: u64) -> Self {
        Self(Position::Sqlite(commits))
    }

    /// Every state of a PostgreSQL database is at or after it.
    pub(crate) fn start_of_log() -> Self {
        Self(Position::Postgres(0))
    }

    /// Where on the log of its database it stands. Positions of one database can be compared, and only those.
    pub fn position(self) -> u64 {
        match self.0 {
            Position::Sqlite(commits) => commits,
            Position::Postgres(position) => position,
        }
    }

    /// Whether it is of this engine: one of the other tells nothing about this database.
    pub fn is_of(self, engine: Engine) -> bool {
        matches!(
            (self.0, engine),
            (Position::Sqlite(_), Engine::Sqlite) | (Position::Postgres(_), Engine::Postgres)
        )
    }

    /// Reads PostgreSQL's own writing of a log position: two halves in hexadecimal.
    pub(crate) fn from_lsn(text: &str) -> Option<Self> {
        let (high, low) = text.split_once('/')?;
        let high = u32::from_str_radix(high, 16).ok()?;
        let low = u32::from_str_radix(low, 16).ok()?;
        Some(Self(Position::Postgres(u64::from(high) << 32 | u64::from(low))))
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Position::Sqlite(commits) => write!(f, "s1-{commits:x}"),
            Position::Postgres(position) => write!(f, "p1-{position:x}"),
        }
    }
}

impl FromStr for Token {
    type Err = DatabaseError;

    fn from_str(text: &str) -> Result<Self, DatabaseError> {
        let digits = |digits: &str| {
            let hexadecimal = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            u64::from_str_radix(digits, 16).ok().filter(|_| hexadecimal).ok_or(DatabaseError::BadToken)
        };
        match text.split_once('-') {
            Some(("s1", rest)) => Ok(Self(Position::Sqlite(digits(rest)?))),
            Some(("p1", rest)) => Ok(Self(Position::Postgres(digits(rest)?))),
            _ => Err(DatabaseError::BadToken),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_the_trip_and_garbage_does_not() {
        for token in [Token::sqlite(0), Token::sqlite(u64::MAX), Token::from_lsn("16/B374D848").unwrap()] {
            assert_eq!(token.to_string().parse::<Token>().unwrap(), token);
        }
        for garbage in ["", "s1", "s1-", "s1-+1", "s1-A", "p1-zz", "p2-1", "s1-11112222333344445", " s1-1"] {
            assert!(garbage.parse::<Token>().is_err(), "{garbage:?}");
        }
    }

    #[test]
    fn later_positions_are_greater() {
        assert!(Token::from_lsn("1/0").unwrap() > Token::from_lsn("0/FFFFFFFF").unwrap());
        assert!(Token::from_lsn("1").is_none());
        assert_eq!(Token::from_lsn("1/2").unwrap().position(), (1 << 32) + 2);
        assert!(Token::sqlite(1).is_of(Engine::Sqlite) && !Token::sqlite(1).is_of(Engine::Postgres));
    }
}
