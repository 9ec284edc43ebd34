//! The conditions that a question for products puts on their rows, which every statement about it calls `p`.

use pando_database::Value;
use pando_service::prelude::*;
use uuid::Uuid;

use crate::catalog::domain::question::ProductQuestion;

/// Each condition with its values, which it counts from `$1`. Tags and words are not among them: an index of its own finds those.
pub(super) fn conditions(
    question: &ProductQuestion,
    categories: Option<&[Uuid]>,
) -> Vec<(&'static str, Vec<Value>)> {
    let mut all: Vec<(&'static str, Vec<Value>)> = Vec::new();
    match categories {
        None => {}
        Some([one]) => all.push(("p.category_id = $1", params![*one].into())),
        Some(many) => all.push(("p.category_id = any($1)", params![many.to_vec()].into())),
    }
    if let Some(brand) = &question.brand {
        all.push(("p.brand = $1", params![brand.as_str()].into()));
    }
    if let Some(least) = question.min_price {
        all.push(("p.price_minor >= $1", params![least].into()));
    }
    if let Some(most) = question.max_price {
        all.push(("p.price_minor <= $1", params![most].into()));
    }
    if question.in_stock {
        all.push(("p.in_stock", Vec::new()));
    }
    all
}
