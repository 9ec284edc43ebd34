//! Says whether a person may be sold to: whether the names that it gave are on a list.

use pando_service::prelude::*;

use crate::Risk;
use crate::domain::countries::country;
use crate::domain::list::ListKind;
use crate::screening::{Query, QueryError};

/// How many characters of a name are compared.
const NAME_CHARS_MAX: usize = 200;

/// A party to a deal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// The names that it gave.
    pub names: Vec<String>,
    /// Its country, as it wrote it. One that is unknown counts for nothing.
    pub country: String,
}

/// The verdict about a party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartyVerdict {
    /// No list has anything against it.
    Clear,
    /// A name matches an entry of a list for screening: a person should look at it.
    Match(String),
    /// A name is on a block list.
    Blocked(String),
}

impl Risk {
    /// Compares the names of a party with the lists of the operator and of the tenant. A name on an allow list is clear, unless it is on a
    /// block list as well.
    pub async fn check_party(&self, call: &Call, party: &Party) -> Result<PartyVerdict, Fault> {
        let ground = self.present_ground(call).await?;
        let country = country(&party.country);
        let country = country.as_deref();
        let mut verdict = PartyVerdict::Clear;
        for name in &party.names {
            let name: String = name.chars().take(NAME_CHARS_MAX).collect();
            let on = ground.tenant.lists.with_name((&name, country), self.0.options.block_percent_min)?;
            if let Some((_, list)) = on.iter().find(|(kind, _)| *kind == ListKind::Block) {
                return Ok(PartyVerdict::Blocked(format!("a name is on the list {list}")));
            }
            if on.iter().any(|(kind, _)| *kind == ListKind::Allow) || !ground.can_screen() {
                continue;
            }
            let threshold = f64::from(self.0.options.match_percent_min) / 100.0;
            let query = Query { country, threshold, limit: 1, ..Query::new(&name) };
            match ground.search(&query) {
                Ok(found) => {
                    if let Some(best) = found.first() {
                        let (list, id) = (&best.entry.source, &best.entry.id);
                        verdict =
                            PartyVerdict::Match(format!("a name matches entry {id} of the list {list}"));
                    }
                }
                Err(QueryError::NoWords) => {}
                Err(error) => return Err(Fault::internal(error)),
            }
        }
        Ok(verdict)
    }
}
