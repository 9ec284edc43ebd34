//! Keeps the models and rulesets that decide by their hashes, and finds them again for replays.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pando_clock::Clock;
use pando_database::Database;
use pando_service::prelude::*;

use crate::model::{Model, ModelFiles, ModelType};
use crate::rules::Ruleset;
use crate::store::evidence::{self, ModelRow};

/// How many hashes a process remembers to be kept already; it then begins anew.
const KNOWN_MAX: usize = 10_000;
/// How many models, and how many rulesets, are held for replays; the process then begins anew.
const HELD_MAX: usize = 16;

/// The kept models and rulesets of all tenants. A process writes each of them once.
pub(crate) struct Evidence {
    database: Database,
    clock: Clock,
    /// The hashes that are in the database for certain: of rulesets with their tenants, of models with their cards.
    known: Mutex<HashSet<(String, String)>>,
    models: Mutex<HashMap<(String, String), Arc<Model>>>,
    rulesets: Mutex<HashMap<(Tenant, String), Arc<Ruleset>>>,
}

impl Evidence {
    pub(crate) fn new(database: &Database, clock: &Clock) -> Self {
        Self {
            database: database.clone(),
            clock: clock.clone(),
            known: Mutex::default(),
            models: Mutex::default(),
            rulesets: Mutex::default(),
        }
    }

    /// Keeps models with their members, and the document of a ruleset that is not kept for certain. If all are known to be kept, nothing is asked or written.
    pub(crate) async fn keep(
        &self,
        call: &Call,
        models: impl Iterator<Item = &Arc<Model>>,
        (hash, document): (&str, Option<&str>),
    ) -> Result<(), Fault> {
        let mut new: Vec<&Arc<Model>> =
            models.flat_map(|model| model.members().iter().chain([model])).collect();
        let of_ruleset = (hash.to_owned(), call.tenant().as_str().to_owned());
        let has_ruleset = {
            let known = lock(&self.known);
            new.retain(|model| !known.contains(&key(model)));
            document.is_none() || known.contains(&of_ruleset)
        };
        if new.is_empty() && has_ruleset {
            return Ok(());
        }
        let (mut tx, now) = (self.database.transaction(call).await?, self.clock.now());
        for model in &new {
            let files = model.files();
            let row = ModelRow {
                kind: model.kind().name().to_owned(),
                version: model.version(),
                file: files.model.clone(),
                card: files.card.clone(),
                members: model.members().iter().map(key).collect(),
            };
            evidence::keep_model(&mut tx, (model.hash(), model.card_hash()), &row, now)?;
        }
        if let Some(document) = document {
            evidence::keep_ruleset(&mut tx, call.tenant(), (hash, document), now);
        }
        tx.commit().await?;
        let mut known = lock(&self.known);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.extend(new.into_iter().map(key));
        known.extend(document.map(|_| of_ruleset));
        Ok(())
    }

    /// The model whose file and card have these hashes, if it was kept.
    pub(crate) async fn model(
        &self,
        call: &Call,
        hashes: (String, String),
    ) -> Result<Option<Arc<Model>>, Fault> {
        if let Some(held) = lock(&self.models).get(&hashes) {
            return Ok(Some(Arc::clone(held)));
        }
        let read = self.database.read(call);
        let Some(row) = evidence::find_model(&read, (&hashes.0, &hashes.1)).await? else { return Ok(None) };
        let mut members = Vec::with_capacity(row.members.len());
        for (hash, card_hash) in &row.members {
            let member = evidence::find_model(&read, (hash, card_hash)).await?;
            members.push(Arc::new(opened(member.ok_or_else(no_member)?, &[])?));
        }
        let model = Arc::new(opened(row, &members)?);
        hold(&self.models, hashes, &model);
        Ok(Some(model))
    }

    /// The ruleset of a tenant whose document has this hash, if it was kept.
    pub(crate) async fn ruleset(&self, call: &Call, hash: &str) -> Result<Option<Arc<Ruleset>>, Fault> {
        let key = (call.tenant().clone(), hash.to_owned());
        if let Some(held) = lock(&self.rulesets).get(&key) {
            return Ok(Some(Arc::clone(held)));
        }
        let document = evidence::find_ruleset(&self.database.read(call), call.tenant(), hash).await?;
        let Some(document) = document else { return Ok(None) };
        let ruleset = Ruleset::parse(&document).map_err(|faults| {
            Fault::internal(format!("the kept ruleset {hash} has {} faults", faults.len()))
        })?;
        let ruleset = Arc::new(ruleset);
        hold(&self.rulesets, key, &ruleset);
        Ok(Some(ruleset))
    }
}

fn opened(row: ModelRow, members: &[Arc<Model>]) -> Result<Model, Fault> {
    let kind: ModelType = row.kind.parse().map_err(Fault::internal)?;
    let files = ModelFiles { model: row.file, card: row.card };
    Model::of_files(kind, &row.version, files, members).map_err(Fault::internal)
}

fn no_member() -> Fault {
    Fault::internal("a kept ensemble lacks one of its models")
}

fn key(model: &Arc<Model>) -> (String, String) {
    (model.hash().to_owned(), model.card_hash().to_owned())
}

fn hold<K: Eq + std::hash::Hash, V>(held: &Mutex<HashMap<K, Arc<V>>>, key: K, value: &Arc<V>) {
    let mut held = lock(held);
    if held.len() >= HELD_MAX {
        held.clear();
    }
    held.insert(key, Arc::clone(value));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Under these locks whole entries are put in or taken out, so a panic leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
