//! Fills the catalog of the shop with invented products.

use std::collections::BTreeMap;

use anyhow::Result;
use pando_commerce::{Commerce, PRODUCTS_AT_ONCE_MAX};
use pando_resilience::Call;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::goods::{CATEGORIES, product};
use super::{BATCH_BUDGET, Seeded};

/// How many categories are read at once.
const PAGE: usize = 100;

/// Adds the first `count` products of the shop that grows from `seed`, and reports each batch to `progress`. A batch is all that is in
/// memory.
pub async fn seed_products(
    commerce: &Commerce,
    count: u64,
    seed: u64,
    progress: impl Fn(u64),
) -> Result<Seeded> {
    make_categories(commerce).await?;
    let mut seeded = Seeded::default();
    let mut next = 0;
    while next < count {
        let end = count.min(next + PRODUCTS_AT_ONCE_MAX as u64);
        let items: Vec<Map<String, Value>> = (next..end).map(|index| product(seed, index)).collect();
        let added = commerce.add_products(&call(), &items).await? as u64;
        seeded.created += added;
        seeded.present += end - next - added;
        progress(end - next);
        next = end;
    }
    Ok(seeded)
}

/// Makes those of the categories that are not there. Those that are there stay where they are in the tree.
async fn make_categories(commerce: &Commerce) -> Result<()> {
    let mut there: BTreeMap<String, Uuid> = BTreeMap::new();
    let mut after = None;
    loop {
        let page = commerce.list_categories(&call(), None, (after.as_ref(), 0, PAGE)).await?;
        there.extend(page.categories.into_iter().map(|one| (one.name.to_lowercase(), one.id)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    for (name, above) in CATEGORIES {
        if there.contains_key(&name.to_lowercase()) {
            continue;
        }
        let above = above.and_then(|above| there.get(&above.to_lowercase()));
        let fields = json!({"name": name, "parentId": above});
        let Value::Object(fields) = fields else { continue };
        let made = commerce.create_category(&call(), &fields).await?;
        there.insert(name.to_lowercase(), made.value.id);
    }
    Ok(())
}

fn call() -> Call {
    Call::internal("seed", BATCH_BUDGET)
}
