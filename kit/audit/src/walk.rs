//! Walking along a chain, entry by entry, in bounded memory.

use pando_database::{DatabaseError, Row};
use pando_resilience::Tenant;
use uuid::Uuid;

use crate::chain::{GENESIS, encode, hash_of};
use crate::entry::StoredEntry;
use crate::{Fault, Finding, Head, Verdict, store};

/// The first changed entries, so many of them, are compared with each other to see whether they only changed places.
const COMPARED_MAX: usize = 100;

/// A walk along the chain of one tenant.
pub(crate) struct Walk {
    expected: Option<Head>,
    findings_max: usize,
    /// The number that the next entry must have.
    next: i64,
    /// The entry before the next one, where it is there.
    prior: Option<Link>,
    entries: u64,
    /// Entries whose hash is not theirs: changed, or moved.
    suspects: Vec<Suspect>,
    findings: Vec<Finding>,
    findings_total: u64,
}

/// A row of the chain.
struct Link {
    number: i64,
    id: Uuid,
    previous: [u8; 32],
    hash: [u8; 32],
    /// The hash is the one of the entry, its number and `previous`.
    is_sound: bool,
}

struct Suspect {
    number: i64,
    id: Uuid,
    previous: [u8; 32],
    hash: [u8; 32],
    encoded: Vec<u8>,
}

impl Walk {
    pub(crate) fn new(expected: Option<Head>, findings_max: usize) -> Self {
        Self {
            expected,
            findings_max,
            next: 1,
            prior: None,
            entries: 0,
            suspects: Vec::new(),
            findings: Vec::new(),
            findings_total: 0,
        }
    }

    /// Goes on to the next entry. `head` is the head at the same moment.
    pub(crate) fn step(&mut self, row: &Row, head: Option<Head>) {
        self.entries += 1;
        let id = row.get("id").ok();
        // On SQLite a column may hold another type than its table declares.
        let Ok(number) = row.get::<i64>("number") else { return self.add(self.next, id, Fault::Inserted) };
        let hash = store::hash_from(row, "hash").ok();
        if let Some(expected) = self.expected.take_if(|expected| expected.number == number)
            && hash != Some(expected.hash)
        {
            self.add(number, id, Fault::ExpectedHeadDiffers);
        }
        if number < self.next || head.is_some_and(|head| number > head.number) {
            return self.add(number, id, Fault::Inserted);
        }
        self.go_to(number);
        match read(row) {
            Ok((link, encoded)) => self.check(link, encoded),
            Err(_) => {
                self.add(number, id, Fault::Changed);
                self.prior = None;
            }
        }
    }

    /// Goes past an entry that the engine cannot read.
    pub(crate) fn pass(&mut self, number: i64) {
        self.entries += 1;
        self.go_to(number);
        self.add(number, None, Fault::Changed);
        self.prior = None;
    }

    /// Goes to the entry of this number; those in between are missing.
    fn go_to(&mut self, number: i64) {
        if number > self.next {
            self.add(self.next, None, Fault::Missing { through: number - 1 });
            self.prior = None;
        }
        self.next = number.saturating_add(1);
    }

    /// Checks an entry against its own hash, and against the entry before it.
    fn check(&mut self, mut link: Link, encoded: Vec<u8>) {
        let is_sound = link.is_sound;
        if let Some(prior) = self.prior.take().filter(|prior| prior.is_sound && prior.hash != link.previous) {
            // The entry before was hashed anew after it had been changed; or it stands between two that belong together.
            if prior.previous == link.previous {
                self.add(prior.number, Some(prior.id), Fault::Inserted);
            } else if is_sound {
                self.add(prior.number, Some(prior.id), Fault::Changed);
            }
        } else if is_sound && link.number == 1 && link.previous != GENESIS {
            self.add(1, Some(link.id), Fault::Changed);
            // The entry behind it has nothing to agree with.
            link.is_sound = false;
        }
        if !is_sound {
            self.findings_total += 1;
            if self.findings.len() + self.suspects.len() < self.findings_max {
                let Link { number, id, previous, hash, .. } = link;
                self.suspects.push(Suspect { number, id, previous, hash, encoded });
            }
        }
        self.prior = Some(link);
    }

    /// Compares the end of the chain with its head.
    pub(crate) fn finish(mut self, tenant: Tenant, head: Option<Head>, unsealed: i64) -> Verdict {
        let last = self.next - 1;
        let (id, hash) = match &self.prior {
            Some(link) => (Some(link.id), Some(link.hash)),
            None => (None, (last == 0).then_some(GENESIS)),
        };
        match head {
            Some(head) if head.number > last => {
                self.add(self.next, None, Fault::TailRemoved { through: head.number });
            }
            Some(head) if hash.is_some_and(|hash| hash != head.hash) => {
                self.add(last, id, Fault::HeadDisagrees);
            }
            None if self.entries > 0 => self.add(last, id, Fault::HeadDisagrees),
            _ => {}
        }
        if let Some(expected) = self.expected.take_if(|expected| *expected != Head::EMPTY) {
            self.add(expected.number, None, Fault::ExpectedHeadDiffers);
        }
        let suspects = std::mem::take(&mut self.suspects);
        let judged = suspects.iter().map(|suspect| Finding {
            number: suspect.number,
            entry_id: Some(suspect.id),
            fault: suspect.fault_among(&suspects[..suspects.len().min(COMPARED_MAX)]),
        });
        self.findings.extend(judged);
        self.findings.sort_by_key(|finding| finding.number);
        Verdict {
            tenant,
            entries: self.entries,
            head,
            unsealed: u64::try_from(unsealed).unwrap_or(0),
            findings: self.findings,
            findings_total: self.findings_total,
        }
    }

    fn add(&mut self, number: i64, entry_id: Option<Uuid>, fault: Fault) {
        self.findings_total += 1;
        if self.findings.len() + self.suspects.len() < self.findings_max {
            self.findings.push(Finding { number, entry_id, fault });
        }
    }
}

impl Suspect {
    /// Whether this entry has the hash of another place: with its hash it was moved there, or its content was put into this place.
    fn fault_among(&self, others: &[Self]) -> Fault {
        let numbers = others.iter().map(|other| other.number);
        let mut near = numbers.chain([self.number.saturating_sub(1), self.number.saturating_add(1)]);
        let moved = near.find(|number| hash_of(&self.previous, *number, &self.encoded) == self.hash);
        let exchanged = || {
            let place = others
                .iter()
                .find(|other| hash_of(&other.previous, other.number, &self.encoded) == other.hash)?;
            Some(place.number)
        };
        moved.or_else(exchanged).map_or(Fault::Changed, |belongs_at| Fault::OutOfOrder { belongs_at })
    }
}

/// The link that a row holds, and the encoding of its entry.
fn read(row: &Row) -> Result<(Link, Vec<u8>), DatabaseError> {
    let entry = StoredEntry::from_row(row)?;
    let (number, previous) = (row.get("number")?, store::hash_from(row, "previous")?);
    let (encoded, hash) = (encode(&entry), store::hash_from(row, "hash")?);
    let is_sound = hash_of(&previous, number, &encoded) == hash;
    Ok((Link { number, id: entry.id, previous, hash, is_sound }, encoded))
}
