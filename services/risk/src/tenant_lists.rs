//! The lists of one tenant, ready to be searched, and the matches that it remembers as false.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use pando_service::prelude::*;
use uuid::Uuid;

use crate::domain::business::Business;
use crate::domain::facts::{ListHit, ListSeen};
use crate::domain::ids;
use crate::domain::list::{FalsePositive, ListEntry, ListKind, ListRecord};
use crate::screening::{Contact, Entry, Index, List, ListFormat, Match, Query, QueryError};

/// The lists of a tenant. They never change: a later decision gets others.
#[derive(Debug, Default)]
pub(crate) struct TenantLists {
    lists: Vec<Held>,
    /// The business, the list and the entry of each false match, and what the entry said.
    false_positives: HashMap<(Uuid, String, String), String>,
}

#[derive(Debug)]
struct Held {
    id: Uuid,
    kind: ListKind,
    /// The version of the list in which each entry came to be as it is.
    changed_in: HashMap<String, i64>,
    seen: ListSeen,
    index: Index,
    /// The first entry that names each business, address, phone number and e-mail address.
    contacts: HashMap<(&'static str, Uuid), String>,
}

impl TenantLists {
    /// The lists with these entries.
    pub(crate) fn new(
        lists: Vec<(ListRecord, Vec<ListEntry>)>,
        remembered: Vec<(Uuid, FalsePositive)>,
    ) -> Result<Self, Fault> {
        let lists = lists.into_iter().map(|(list, entries)| Held::new(&list, &entries));
        let false_positives = remembered
            .into_iter()
            .map(|(business, it)| ((business, it.source, it.entry_id), it.entry_version));
        Ok(Self { lists: lists.collect::<Result<_, _>>()?, false_positives: false_positives.collect() })
    }

    /// Whether there is a name to screen others against.
    pub(crate) fn has_names(&self) -> bool {
        self.watched().any(|list| list.index.names() > 0)
    }

    /// The lists that are screened, with their versions.
    pub(crate) fn seen(&self) -> impl Iterator<Item = ListSeen> + '_ {
        self.watched().map(|list| list.seen.clone())
    }

    /// The matches of a query on the lists that are screened.
    pub(crate) fn search(&self, query: &Query<'_>) -> Result<Vec<Match<'_>>, QueryError> {
        let mut found = Vec::new();
        for list in self.watched() {
            found.extend(list.index.search(query)?);
        }
        Ok(found)
    }

    /// An index of the entries of a screened list that changed after a version and up to another one; none if there is no such list.
    pub(crate) fn changed(&self, id: Uuid, (after, to): (i64, i64)) -> Option<Index> {
        let list = self.watched().find(|list| list.id == id)?;
        let is_changed = |entry: &&Entry| {
            list.changed_in.get(&entry.id).is_some_and(|version| after < *version && *version <= to)
        };
        Some(list.index.of(list.index.list().entries().iter().filter(is_changed).cloned().collect()))
    }

    /// Whether the match of a business with an entry is remembered as false, for what the entry says now.
    pub(crate) fn is_false(&self, business: Uuid, entry: &Entry) -> bool {
        let key = (business, entry.source.clone(), entry.id.clone());
        self.false_positives.get(&key).is_some_and(|version| *version == entry.version())
    }

    /// Whether a list that is screened has this entry with this version.
    pub(crate) fn has_entry(&self, it: &FalsePositive) -> bool {
        let mut entries = self.watched().filter_map(|list| list.index.list().get(&it.entry_id));
        entries.any(|entry| entry.source == it.source && entry.version() == it.entry_version)
    }

    /// How many false matches are remembered.
    pub(crate) fn false_count(&self) -> usize {
        self.false_positives.len()
    }

    /// How many false matches of a business may stand before true ones.
    pub(crate) fn false_count_of(&self, business: Uuid) -> usize {
        self.false_positives.keys().filter(|(of, ..)| *of == business).count()
    }

    /// The entries that a business hits on lists that allow or block: by a contact exactly, or by a name that matches well enough.
    pub(crate) fn hits(&self, business: &Business, name_percent_min: u8) -> Result<Vec<ListHit>, Fault> {
        let traces = business.traces();
        let places = [
            ("business_id", Some(business.id())),
            ("address", Some(traces.address)),
            ("phone", traces.phone),
            ("email", traces.email),
        ];
        let mut hits = Vec::new();
        for list in self.lists.iter().filter(|list| list.kind != ListKind::Watch) {
            let hit = |by: &str, entry_id: &str, score: f64| ListHit {
                list: list.seen.name.clone(),
                kind: list.kind,
                version: list.seen.version.clone(),
                entry_id: entry_id.to_owned(),
                by: by.to_owned(),
                score,
            };
            let of_contact = places.iter().find_map(|(by, id)| {
                let entry = list.contacts.get(&(*by, (*id)?))?;
                Some(hit(by, entry, 1.0))
            });
            let best = list.best((&business.business_name, Some(&business.country)), name_percent_min)?;
            let of_name = best.map(|best| hit("name", &best.entry.id, best.score));
            hits.extend(of_contact.or(of_name));
        }
        Ok(hits)
    }

    /// The lists that allow or block on which a name is.
    pub(crate) fn with_name(
        &self,
        name: (&str, Option<&str>),
        percent_min: u8,
    ) -> Result<Vec<(ListKind, &str)>, Fault> {
        let mut on = Vec::new();
        for list in self.lists.iter().filter(|list| list.kind != ListKind::Watch) {
            if list.best(name, percent_min)?.is_some() {
                on.push((list.kind, list.seen.name.as_str()));
            }
        }
        Ok(on)
    }

    fn watched(&self) -> impl Iterator<Item = &Held> {
        self.lists.iter().filter(|list| list.kind == ListKind::Watch)
    }
}

impl Held {
    /// The entry that matches a name best, if one matches well enough. A name of signs alone is on no list.
    fn best(
        &self,
        (name, country): (&str, Option<&str>),
        percent_min: u8,
    ) -> Result<Option<Match<'_>>, Fault> {
        let threshold = f64::from(percent_min) / 100.0;
        let query = Query { country, threshold, limit: 1, ..Query::new(name) };
        match self.index.search(&query) {
            Ok(found) => Ok(found.into_iter().next()),
            Err(QueryError::NoWords) => Ok(None),
            Err(error) => Err(Fault::internal(error)),
        }
    }

    fn new(list: &ListRecord, entries: &[ListEntry]) -> Result<Self, Fault> {
        let mut text = Vec::new();
        for entry in entries {
            serde_json::to_writer(&mut text, &entry.content)?;
            text.push(b'\n');
        }
        let (read, faults) =
            List::read(text.as_slice(), ListFormat::Json, &list.name).map_err(Fault::internal)?;
        if let Some(fault) = faults.first() {
            return Err(Fault::internal(format!("the list {} has a bad entry: {}", list.name, fault.reason)));
        }
        let mut contacts = HashMap::new();
        for entry in read.entries() {
            if let Some(contact) = &entry.contact {
                for key in keys(contact, &entry.countries) {
                    contacts.entry(key).or_insert_with(|| entry.id.clone());
                }
            }
        }
        let seen = ListSeen { name: list.name.clone(), version: list.version.to_string() };
        let changed_in = entries.iter().map(|entry| (entry.entry_id.clone(), entry.changed_in)).collect();
        Ok(Self {
            id: list.id,
            changed_in,
            kind: list.kind,
            seen,
            index: Index::build(Arc::new(read)),
            contacts,
        })
    }
}

/// The businesses, addresses, phone numbers and e-mail addresses that a contact names.
fn keys(contact: &Contact, countries: &[String]) -> HashSet<(&'static str, Uuid)> {
    let mut keys = HashSet::new();
    keys.extend(ids::BUSINESS.parse(&contact.business_id).map(|id| ("business_id", id)));
    for (place, text) in [("phone", &contact.phone), ("email", &contact.email)] {
        if !text.is_empty() {
            keys.insert((place, ids::of_business("", text, "")));
        }
    }
    if !contact.address.is_empty() {
        keys.extend(countries.iter().map(|it| ("address", ids::of_business("", &contact.address, it))));
    }
    keys
}
