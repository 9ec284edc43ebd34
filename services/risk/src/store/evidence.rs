//! The statements about models and rulesets that are kept by their hashes.

use pando_service::prelude::*;

/// A model as it is kept.
pub(crate) struct ModelRow {
    pub(crate) kind: String,
    pub(crate) version: String,
    pub(crate) file: Vec<u8>,
    pub(crate) card: Vec<u8>,
    /// The models that an ensemble weighs, each by its hash and that of its card.
    pub(crate) members: Vec<(String, String)>,
}

static KEEP_MODEL: Query = Query::write(
    "risk.keep_model",
    "insert into risk_models (hash, card_hash, kind, version, file, card, members, kept_at) \
     values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (hash, card_hash) do nothing",
);

static FIND_MODEL: Query = Query::point(
    "risk.find_model",
    "select kind, version, file, card, members from risk_models where hash = $1 and card_hash = $2",
);

static KEEP_RULESET: Query = Query::write(
    "risk.keep_ruleset",
    "insert into risk_rulesets (hash, tenant, document, kept_at) values ($1, $2, $3, $4) \
     on conflict (hash, tenant) do nothing",
);

static FIND_RULESET: Query =
    Query::point("risk.find_ruleset", "select document from risk_rulesets where hash = $1 and tenant = $2");

/// Keeps a model, unless it is kept already.
pub(crate) fn keep_model(
    tx: &mut Transaction,
    (hash, card_hash): (&str, &str),
    row: &ModelRow,
    now: Timestamp,
) -> Result<(), Fault> {
    let members = pando_database::Value::json(&row.members).map_err(Fault::internal)?;
    let values = params![
        hash,
        card_hash,
        row.kind.as_str(),
        row.version.as_str(),
        row.file.clone(),
        row.card.clone(),
        members,
        now
    ];
    tx.execute_later(&KEEP_MODEL, values);
    Ok(())
}

/// The model with these hashes of its file and of its card.
pub(crate) async fn find_model(
    read: &Read<'_>,
    (hash, card_hash): (&str, &str),
) -> Result<Option<ModelRow>, Fault> {
    let row = read.row(&FIND_MODEL, params![hash, card_hash]).await?;
    let model = |row: Row| {
        Ok(ModelRow {
            kind: row.get("kind")?,
            version: row.get("version")?,
            file: row.get("file")?,
            card: row.get("card")?,
            members: row.get::<Json<_>>("members")?.0,
        })
    };
    row.map(model).transpose()
}

/// Keeps the document of a ruleset of a tenant, unless it is kept already.
pub(crate) fn keep_ruleset(
    tx: &mut Transaction,
    tenant: &Tenant,
    (hash, document): (&str, &str),
    now: Timestamp,
) {
    tx.execute_later(&KEEP_RULESET, params![hash, tenant, document, now]);
}

/// The document with this hash that a tenant has used or written.
pub(crate) async fn find_ruleset(
    read: &Read<'_>,
    tenant: &Tenant,
    hash: &str,
) -> Result<Option<String>, Fault> {
    let row = read.row(&FIND_RULESET, params![hash, tenant]).await?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}
