//! Creates, changes and deletes lists of a tenant.

use std::collections::BTreeMap;

use pando_service::prelude::*;
use pando_service::{FieldError, value_in};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::Risk;
use crate::domain::business;
use crate::domain::ids;
use crate::domain::list::{ListEntry, ListKind, ListRecord, ListShown, no_list};
use crate::domain::monitored::ListMoved;
use crate::screening::{Entry, List, ListFormat};
use crate::store::rulesets;
use crate::store::tenant_lists::{self, Counts};

/// How many lists a tenant may have.
pub(crate) const LISTS_MAX: usize = 100;
/// How many bad records of an upload are named.
const FAULTS_SHOWN: usize = 100;
const NAME_CHARS_MAX: usize = 100;

/// A change of the entries of a list.
pub(crate) enum Entries<'a> {
    /// Adds these, in the place of those with the same ids.
    Add(&'a [u8], ListFormat),
    /// The list has these alone from now on.
    Replace(&'a [u8], ListFormat),
    /// Takes one away.
    Remove(&'a str),
}

impl Risk {
    /// Creates a list without entries.
    pub async fn create_list(
        &self,
        call: &Call,
        fields: &Map<String, Value>,
    ) -> Result<Written<ListShown>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let (name, kind) = named(fields)?;
            let (tenant, now) = (call.tenant(), self.0.parts.clock.now());
            let mut write = turn.begin().await?;
            let ground = rulesets::lock_ground(&mut write.tx, tenant).await?;
            let all = tenant_lists::all_locked(&mut write.tx, tenant, LISTS_MAX).await?;
            if all.len() >= LISTS_MAX {
                return Err(Fault::conflict(format!("there are {LISTS_MAX} lists already")));
            }
            if all.iter().any(|list| list.name == name) {
                let fault = Fault::conflict("another list has this name");
                return Err(fault.with_field("name", "INVALID_INPUT", "another list has this name"));
            }
            let list = ListRecord {
                id: self.0.parts.clock.fresh_id(),
                name,
                kind,
                entries: 0,
                version: 1,
                created_by: call.actor().to_owned(),
                created_at: now,
                updated_at: now,
            };
            tenant_lists::insert(&mut write.tx, tenant, &list);
            rulesets::move_ground(&mut write.tx, tenant, ground.shadow);
            self.forget_ground_after(&mut write);
            write.acted(list.act("lists.created", json!({"kind": list.kind})));
            write.done(list.shown())
        });
        write.await
    }

    /// Adds, replaces or removes entries. Either all of them are taken, or none.
    pub(crate) async fn change_list(
        &self,
        call: &Call,
        (expected, id): (&Expected, Uuid),
        entries: Entries<'_>,
    ) -> Result<Written<ListShown>, Fault> {
        let (expected, entries) = (&expected, &entries);
        let write = self.0.writes.once(call, |turn| async move {
            let (tenant, now) = (call.tenant(), self.0.parts.clock.now());
            let given = match entries {
                Entries::Add(bytes, format) | Entries::Replace(bytes, format) => read(bytes, *format)?,
                Entries::Remove(_) => Vec::new(),
            };
            let mut write = turn.begin().await?;
            let ground = rulesets::lock_ground(&mut write.tx, tenant).await?;
            let all = tenant_lists::all_locked(&mut write.tx, tenant, LISTS_MAX).await?;
            let others: i64 = all.iter().filter(|list| list.id != id).map(|list| list.entries).sum();
            let mut list = all.into_iter().find(|list| list.id == id).ok_or_else(no_list)?;
            expected.check("list", list.version)?;
            let count = self.0.options.list_entries_max;
            let before = tenant_lists::entries_locked(&mut write.tx, (tenant, id), count).await?;
            let before: BTreeMap<String, String> =
                before.into_iter().map(|entry| (entry.entry_id, entry.entry_version)).collect();
            let next = list.version + 1;
            let new = changed(given, &before, (&list.name, next))?;
            let gone = gone(entries, &new, &before)?;
            let counts = counts(&new.rows, &gone, &before);
            if counts == Counts::default() {
                return write.done(list.shown());
            }
            list.entries += counts.added - counts.removed;
            let max = i64::try_from(count).unwrap_or(i64::MAX);
            if others.saturating_add(list.entries) > max {
                return Err(Fault::conflict(format!(
                    "the lists of a tenant have at most {max} entries together"
                )));
            }
            (list.version, list.updated_at) = (next, now);
            tenant_lists::put(&mut write.tx, (tenant, id), (&new.rows, gone)).await?;
            tenant_lists::change(&mut write.tx, tenant, &list, (counts, call.actor()));
            rulesets::move_ground(&mut write.tx, tenant, ground.shadow);
            self.forget_ground_after(&mut write);
            if list.kind == ListKind::Watch && !new.rows.is_empty() {
                let moved = ListMoved::OfTenant { list: id, after: next - 1, to: next };
                self.rescreen_after(&mut write, &moved).await?;
            }
            let Counts { added, changed, removed } = counts;
            let data = json!({"added": added, "changed": changed, "removed": removed});
            write.acted(list.act("lists.changed", data));
            write.done(list.shown())
        });
        write.await
    }

    /// Deletes a list with its entries.
    pub async fn delete_list(
        &self,
        call: &Call,
        expected: &Expected,
        id: Uuid,
    ) -> Result<Written<()>, Fault> {
        let write = self.0.writes.once(call, |turn| async move {
            let tenant = call.tenant();
            let mut write = turn.begin().await?;
            let ground = rulesets::lock_ground(&mut write.tx, tenant).await?;
            let all = tenant_lists::all_locked(&mut write.tx, tenant, LISTS_MAX).await?;
            let list = all.into_iter().find(|list| list.id == id).ok_or_else(no_list)?;
            expected.check("list", list.version)?;
            tenant_lists::delete(&mut write.tx, tenant, id);
            rulesets::move_ground(&mut write.tx, tenant, ground.shadow);
            self.forget_ground_after(&mut write);
            write.acted(list.act("lists.deleted", json!({"entries": list.entries})));
            write.done(())
        });
        write.await
    }
}

fn named(fields: &Map<String, Value>) -> Result<(String, ListKind), Fault> {
    let mut reader = FieldReader::new(fields);
    let name = reader.required_text("name").unwrap_or_default().trim().to_owned();
    if fields.get("name").is_some_and(Value::is_string)
        && (name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.contains('\0'))
    {
        reader.refuse("name", "INVALID_INPUT", "must have 1 to 100 characters");
    }
    let kind = reader.required_text("kind").unwrap_or_default();
    let found = value_in(&ListKind::ALL, kind);
    if found.is_none() && fields.get("kind").is_some_and(Value::is_string) {
        reader.refuse("kind", "INVALID_INPUT", "must be block, allow or watch");
    }
    reader.finish()?;
    Ok((name, found.unwrap_or(ListKind::Block)))
}

/// The entries of an upload, with contacts in one form; every bad record is named with its line.
fn read(bytes: &[u8], format: ListFormat) -> Result<Vec<Entry>, Fault> {
    let bad = |field: String, message: String| FieldError::new(field, "INVALID_INPUT", message);
    let (list, faults) = List::read(bytes, format, "list")
        .map_err(|error| Fault::invalid(vec![bad("entries".to_owned(), error.to_string())]))?;
    let mut errors: Vec<FieldError> =
        faults.into_iter().map(|fault| bad(format!("line {}", fault.line), fault.reason)).collect();
    let mut entries = list.entries().to_vec();
    for entry in &mut entries {
        if entry.id.contains('\0') {
            errors.push(bad("entries".to_owned(), "the id of an entry has a NUL character".to_owned()));
        }
        let Some(contact) = &mut entry.contact else { continue };
        let mut refuse = |field: &str, message: &str| {
            errors.push(bad(format!("entry {}.{field}", entry.id), message.to_owned()));
        };
        for (field, text, form) in [
            ("phone", &mut contact.phone, business::phone as fn(&str) -> Result<String, &'static str>),
            ("email", &mut contact.email, business::email),
        ] {
            if !text.is_empty() {
                match form(text.trim()) {
                    Ok(formed) => *text = formed,
                    Err(message) => refuse(field, message),
                }
            }
        }
        if !contact.business_id.is_empty() && ids::BUSINESS.parse(&contact.business_id).is_none() {
            refuse("business_id", "must be the id of a business, such as assessments have it");
        }
        if !contact.address.is_empty() && entry.countries.is_empty() {
            refuse("address", "needs at least one of countries: an address is that of one country");
        }
    }
    errors.truncate(FAULTS_SHOWN);
    if errors.is_empty() { Ok(entries) } else { Err(Fault::invalid(errors)) }
}

/// The given entries: the ids of all, and the rows of those that differ from what the list has.
struct Given {
    ids: Vec<String>,
    rows: Vec<ListEntry>,
}

fn changed(
    given: Vec<Entry>,
    before: &BTreeMap<String, String>,
    (source, version): (&str, i64),
) -> Result<Given, Fault> {
    let ids = given.iter().map(|entry| entry.id.clone()).collect();
    let mut rows = Vec::new();
    for entry in given {
        // Matches name the list, whatever an upload says.
        let entry = Entry { source: source.to_owned(), ..entry };
        let entry_version = entry.version();
        if before.get(&entry.id) != Some(&entry_version) {
            let (entry_id, content) = (entry.id.clone(), serde_json::to_value(&entry)?);
            rows.push(ListEntry { entry_id, entry_version, content, changed_in: version });
        }
    }
    Ok(Given { ids, rows })
}

/// The ids of entries that go away.
fn gone(entries: &Entries<'_>, new: &Given, before: &BTreeMap<String, String>) -> Result<Vec<String>, Fault> {
    match entries {
        Entries::Add(..) => Ok(Vec::new()),
        Entries::Replace(..) => {
            let kept: std::collections::HashSet<&String> = new.ids.iter().collect();
            Ok(before.keys().filter(|id| !kept.contains(id)).cloned().collect())
        }
        Entries::Remove(id) if before.contains_key(*id) => Ok(vec![(*id).to_owned()]),
        Entries::Remove(_) => Err(Fault::not_found("entry of the list")),
    }
}

fn counts(new: &[ListEntry], gone: &[String], before: &BTreeMap<String, String>) -> Counts {
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let changed = new.iter().filter(|entry| before.contains_key(&entry.entry_id)).count();
    Counts { added: count(new.len() - changed), changed: count(changed), removed: count(gone.len()) }
}
