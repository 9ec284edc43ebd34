//! The questions that the catalog answers.

use pando_service::prelude::*;
use serde::Serialize;
use uuid::Uuid;

use super::search::{Search, Tag};

/// A question for a page of products.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ProductQuestion {
    /// How many products.
    pub size: usize,
    /// How many to step over.
    pub offset: usize,
    /// The end of the page before.
    pub after: Option<PageEnd>,
    /// The order. If there is none, a search has the best first, and other questions are answered by name.
    pub sort: Option<ProductSort>,
    /// Only products with these words.
    pub search: Option<Search>,
    /// Only products of the category with this name.
    pub category: Option<String>,
    /// Only products of this category.
    pub category_id: Option<Uuid>,
    /// Only products of this brand.
    pub brand: Option<String>,
    /// Only products with all these tags.
    pub tags: Vec<Tag>,
    /// Only products of which there is a unit.
    pub in_stock: bool,
    /// Only products that cost at least so much, in the smallest unit of the currency.
    pub min_price: Option<i64>,
    /// Only products that cost at most so much.
    pub max_price: Option<i64>,
}

impl ProductQuestion {
    /// Whether the index of words answers it.
    pub(crate) fn is_search(&self) -> bool {
        self.search.is_some() || !self.tags.is_empty()
    }
}

/// The orders of the catalog, each of which an index serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum ProductSort {
    /// By name.
    #[default]
    Name,
    /// By name, from the end.
    NameDescending,
    /// The cheapest first.
    Price,
    /// The dearest first.
    PriceDescending,
    /// The oldest first.
    Created,
    /// The newest first.
    CreatedDescending,
    /// The longest unchanged first.
    Updated,
    /// The latest changed first.
    UpdatedDescending,
}

impl ProductSort {
    /// The order of a published name and direction.
    pub(crate) fn named(by: SortWord, descending: bool) -> Self {
        match (by, descending) {
            (SortWord::Name, false) => Self::Name,
            (SortWord::Name, true) => Self::NameDescending,
            (SortWord::Price, false) => Self::Price,
            (SortWord::Price, true) => Self::PriceDescending,
            (SortWord::CreatedAt, false) => Self::Created,
            (SortWord::CreatedAt, true) => Self::CreatedDescending,
            (SortWord::UpdatedAt, false) => Self::Updated,
            (SortWord::UpdatedAt, true) => Self::UpdatedDescending,
        }
    }

    pub(crate) fn order(self) -> Order {
        let (name, column, kind, descending) = match self {
            Self::Name => ("name", "name_key", KeyKind::Text, false),
            Self::NameDescending => ("-name", "name_key", KeyKind::Text, true),
            Self::Price => ("price", "price_minor", KeyKind::Integer, false),
            Self::PriceDescending => ("-price", "price_minor", KeyKind::Integer, true),
            Self::Created => ("createdAt", "created_at", KeyKind::Time, false),
            Self::CreatedDescending => ("-createdAt", "created_at", KeyKind::Time, true),
            Self::Updated => ("updatedAt", "updated_at", KeyKind::Time, false),
            Self::UpdatedDescending => ("-updatedAt", "updated_at", KeyKind::Time, true),
        };
        Order { name, column, kind, descending }
    }
}

/// The columns by which the catalog is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SortWord {
    Name,
    Price,
    CreatedAt,
    UpdatedAt,
}
