//! Follows the books of the shop: every number must be the sum of the things that it counts. It reads only, and its memory does not
//! grow with the shop.

mod checks;

use pando_database::Database;
use pando_service::prelude::*;
use serde::Serialize;

use crate::Commerce;
pub(crate) use checks::CHECKS;

/// How many examples of one mistake are shown.
const EXAMPLES_MAX: i64 = 20;

/// Something that must hold in the books, and a statement that finds where it does not.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) name: &'static str,
    /// It holds if this sentence is true.
    pub(crate) rule: &'static str,
    /// Answers tenant, id and a text for each place where the rule is broken, at most `$1` of them.
    pub(crate) find: Query,
}

/// A place where the books are wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// The name of the rule.
    pub rule: &'static str,
    /// The tenant whose books they are.
    pub tenant: String,
    /// The product, order or payment.
    pub id: String,
    /// The numbers that do not agree.
    pub detail: String,
}

/// Follows all books, of every tenant; each place where a rule is broken, but at most 20 for each rule.
pub async fn verify_books(database: &Database, call: &Call) -> Result<Vec<Mistake>, Fault> {
    let mut mistakes = Vec::new();
    for check in CHECKS {
        let read = database.read_primary(call);
        for row in read.rows(&check.find, params![EXAMPLES_MAX]).await? {
            mistakes.push(Mistake {
                rule: check.name,
                tenant: row.get(0)?,
                id: row.get::<uuid::Uuid>(1)?.to_string(),
                detail: format!("{}: {}", check.rule, row.get::<String>(2)?),
            });
        }
    }
    Ok(mistakes)
}

/// How many rules there are.
pub fn rules_of_books() -> usize {
    CHECKS.len()
}

impl Commerce {
    /// The same, with the figure that operators watch.
    pub(crate) async fn verify(&self, call: &Call) -> Result<Vec<Mistake>, Fault> {
        let mistakes = verify_books(&self.0.parts.database, call).await?;
        self.0.meters.mistakes(mistakes.len());
        for Mistake { rule, tenant, id, detail } in &mistakes {
            tracing::error!(rule, tenant, id, detail, "the books of the shop are wrong");
        }
        Ok(mistakes)
    }
}
