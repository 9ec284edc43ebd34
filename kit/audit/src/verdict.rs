//! The result of a verification.

use std::fmt;

use pando_resilience::Tenant;
use uuid::Uuid;

use crate::Head;

/// The findings of a verification in the log of one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The tenant.
    pub tenant: Tenant,
    /// How many sealed entries were read.
    pub entries: u64,
    /// The head, which an operator can keep elsewhere; none if nothing was sealed yet, or if the head was removed.
    pub head: Option<Head>,
    /// How many entries were not sealed yet. The verification says nothing about them.
    pub unsealed: u64,
    /// The first findings, in the order of the numbers.
    pub findings: Vec<Finding>,
    /// How many findings there are, including those that are not named.
    pub findings_total: u64,
}

impl Verdict {
    /// Whether the log is as it was written.
    pub fn is_intact(&self) -> bool {
        self.findings_total == 0
    }
}

/// A place where the log is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The number of the entry.
    pub number: i64,
    /// The id of the entry, if there is an entry with this number.
    pub entry_id: Option<Uuid>,
    /// What is wrong.
    pub fault: Fault,
}

/// The faults of an entry, or of the end of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A column of the entry was changed, or another entry was put in its place.
    Changed,
    /// The entries from this number on are missing.
    Missing {
        /// The last number that is missing.
        through: i64,
    },
    /// The entry was added by somebody else than a sealer.
    Inserted,
    /// The entry was written as another number.
    OutOfOrder {
        /// The number that the entry had.
        belongs_at: i64,
    },
    /// The entries from this number on were removed from the end of the log.
    TailRemoved {
        /// The last number that was removed, according to the head.
        through: i64,
    },
    /// The head is missing, or has another hash than the last entry.
    HeadDisagrees,
    /// The log does not contain what it contained when the expected head was kept.
    ExpectedHeadDiffers,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.number;
        match self.fault {
            Fault::Changed => write!(f, "entry {number} was changed"),
            Fault::Missing { through } => write!(f, "entries {number} to {through} are missing"),
            Fault::Inserted => write!(f, "entry {number} was inserted"),
            Fault::OutOfOrder { belongs_at } => {
                write!(f, "entry {number} is out of order: it was written as entry {belongs_at}")
            }
            Fault::TailRemoved { through } => {
                write!(f, "entries {number} to {through} were removed from the end")
            }
            Fault::HeadDisagrees => write!(f, "the head does not agree with the last entry, {number}"),
            Fault::ExpectedHeadDiffers => write!(f, "entry {number} is not the one that was expected"),
        }?;
        match self.entry_id {
            Some(id) => write!(f, " (id {id})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_reads_as_a_sentence() {
        let finding = |fault, entry_id| Finding { number: 3, entry_id, fault }.to_string();
        assert_eq!(
            finding(Fault::OutOfOrder { belongs_at: 9 }, Some(Uuid::nil())),
            "entry 3 is out of order: it was written as entry 9 (id 00000000-0000-0000-0000-000000000000)"
        );
        assert_eq!(finding(Fault::Missing { through: 5 }, None), "entries 3 to 5 are missing");
    }
}
