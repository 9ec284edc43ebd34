//! How many of the products that a question finds have which category, brand and price.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::money::{Currency, Decimal, Money};

/// How many values of one kind an answer has: those of the most products.
const VALUES_MAX: usize = 100;
/// How many bands of prices there are, with about as many products in each.
const BANDS: usize = 5;

/// The counts of the products that a question finds.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Facets {
    /// The categories of the products and those above them; the largest first.
    #[schema(inline, max_items = 100)]
    pub categories: Vec<CategoryFacet>,
    /// The brands; the largest first.
    #[schema(inline, max_items = 100)]
    pub brands: Vec<BrandFacet>,
    /// Bands of prices that do not overlap, with about as many products in each; the cheapest first.
    #[schema(inline, max_items = 5)]
    pub prices: Vec<PriceFacet>,
    /// How many can be sold now.
    pub in_stock: u64,
    /// How many have no unit left.
    pub out_of_stock: u64,
    /// How many products were counted: at most 10,000, and at most 1,000 of a question with words or tags.
    pub counted: u64,
    /// Whether these are all that the question finds.
    pub is_complete: bool,
}

/// A category, and how many of the products it has, with those of all categories below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CategoryFacet {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The category above it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub parent_id: Option<Uuid>,
    /// How many products.
    pub count: u64,
}

/// A brand, and how many of the products it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct BrandFacet {
    /// Its name.
    pub name: String,
    /// How many products.
    pub count: u64,
}

/// A band of prices, and how many of the products are in it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PriceFacet {
    /// The lowest price in it.
    pub min_price: Decimal,
    /// The highest price in it.
    pub max_price: Decimal,
    /// How many products.
    pub count: u64,
}

/// A product, as far as it is counted.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    pub(crate) category: Uuid,
    pub(crate) brand: String,
    pub(crate) price_minor: i64,
    pub(crate) in_stock: bool,
}

/// A category in the tree.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) parent: Option<Uuid>,
}

impl Facets {
    /// The counts of these products. `nodes` are their categories and those above them.
    pub(crate) fn of(
        products: &[Counted],
        nodes: Vec<Node>,
        (currency, is_complete): (Currency, bool),
    ) -> Self {
        let in_stock = products.iter().filter(|product| product.in_stock).count() as u64;
        let counted = products.len() as u64;
        Self {
            categories: categories(products, nodes),
            brands: brands(products),
            prices: prices(products, currency),
            in_stock,
            out_of_stock: counted - in_stock,
            counted,
            is_complete,
        }
    }
}

fn categories(products: &[Counted], nodes: Vec<Node>) -> Vec<CategoryFacet> {
    let parents: BTreeMap<Uuid, Option<Uuid>> = nodes.iter().map(|node| (node.id, node.parent)).collect();
    let mut counts: BTreeMap<Uuid, u64> = BTreeMap::new();
    for product in products {
        // The tree has no more levels than nodes.
        let mut at = Some(product.category);
        for _ in 0..nodes.len() {
            let Some(id) = at else { break };
            *counts.entry(id).or_default() += 1;
            at = parents.get(&id).copied().flatten();
        }
    }
    let facet = |node: Node| CategoryFacet {
        count: counts.get(&node.id).copied().unwrap_or_default(),
        id: node.id,
        name: node.name,
        parent_id: node.parent,
    };
    let mut all: Vec<CategoryFacet> = nodes.into_iter().map(facet).filter(|one| one.count > 0).collect();
    all.sort_by(|one, other| (Reverse(one.count), &one.name).cmp(&(Reverse(other.count), &other.name)));
    all.truncate(VALUES_MAX);
    all
}

fn brands(products: &[Counted]) -> Vec<BrandFacet> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for product in products.iter().filter(|product| !product.brand.is_empty()) {
        *counts.entry(&product.brand).or_default() += 1;
    }
    let mut all: Vec<BrandFacet> =
        counts.into_iter().map(|(name, count)| BrandFacet { name: name.to_owned(), count }).collect();
    // Those of one size stay in the order of their names.
    all.sort_by_key(|brand| Reverse(brand.count));
    all.truncate(VALUES_MAX);
    all
}

fn prices(products: &[Counted], currency: Currency) -> Vec<PriceFacet> {
    let mut sorted: Vec<i64> = products.iter().map(|product| product.price_minor).collect();
    sorted.sort_unstable();
    let size = sorted.len().div_ceil(BANDS).max(1);
    let mut bands = Vec::with_capacity(BANDS);
    let mut rest = sorted.as_slice();
    while let Some(first) = rest.first() {
        let last = rest.get(size - 1).or(rest.last()).unwrap_or(first);
        // Products of one price are in one band.
        let count = rest.partition_point(|price| price <= last);
        let amount = |minor: i64| Money::new(minor, currency).decimal();
        bands.push(PriceFacet { min_price: amount(*first), max_price: amount(*last), count: count as u64 });
        rest = rest.get(count..).unwrap_or_default();
    }
    bands
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(category: u128, brand: &str, price_minor: i64) -> Counted {
        Counted {
            category: Uuid::from_u128(category),
            brand: brand.to_owned(),
            price_minor,
            in_stock: price_minor > 3,
        }
    }

    fn node(id: u128, parent: u128) -> Node {
        let parent = (parent > 0).then(|| Uuid::from_u128(parent));
        Node { id: Uuid::from_u128(id), name: format!("c{id}"), parent }
    }

    #[test]
    fn products_count_for_their_category_and_all_above_it() {
        let products = [product(2, "b", 1), product(2, "a", 5), product(3, "", 7)];
        let nodes = vec![node(1, 0), node(2, 1), node(3, 1)];
        let facets = Facets::of(&products, nodes, (Currency::parse("USD").unwrap(), true));
        let counts: Vec<(&str, u64)> =
            facets.categories.iter().map(|one| (one.name.as_str(), one.count)).collect();
        assert_eq!(counts, [("c1", 3), ("c2", 2), ("c3", 1)]);
        let brands: Vec<(&str, u64)> =
            facets.brands.iter().map(|one| (one.name.as_str(), one.count)).collect();
        assert_eq!(brands, [("a", 1), ("b", 1)]);
        assert_eq!((facets.in_stock, facets.out_of_stock, facets.counted), (2, 1, 3));
    }

    #[test]
    fn bands_of_prices_do_not_overlap_and_have_every_product() {
        for prices in [vec![], vec![1], vec![5; 9], (0..10).collect(), vec![1, 1, 1, 1, 1, 1, 2, 3, 900]] {
            let products: Vec<Counted> = prices.iter().map(|price| product(1, "", *price)).collect();
            let bands = super::prices(&products, Currency::parse("JPY").unwrap());
            assert!(bands.len() <= BANDS, "{bands:?}");
            assert_eq!(bands.iter().map(|band| band.count).sum::<u64>(), prices.len() as u64);
            let edges: Vec<i64> = bands
                .iter()
                .flat_map(|band| [&band.min_price, &band.max_price])
                .map(|price| price.to_string().parse().unwrap())
                .collect();
            assert!(edges.is_sorted(), "{edges:?}");
            assert!(edges.chunks(2).map(|band| band[1]).is_sorted_by(|one, other| one < other), "{edges:?}");
        }
    }
}
