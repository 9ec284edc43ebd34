//! The names of all settings, and the name that a misspelt one probably meant.

use figment::value::{Dict, Value};
use serde_json::Value as Json;

use crate::Config;

/// Every setting of [`Config`], found by walking its default: there is no second list to keep up.
pub(super) struct Known(Json);

impl Known {
    pub(super) fn settings() -> Self {
        Self(serde_json::to_value(Config::default()).expect("the options are plain data"))
    }

    /// Whether there is such a setting. Below a setting that holds free-form data everything is one.
    pub(super) fn contains(&self, key: &str) -> bool {
        let mut here = &self.0;
        for part in key.split('.') {
            match here {
                Json::Object(fields) if fields.is_empty() => return true,
                Json::Object(fields) => match fields.get(part) {
                    Some(next) => here = next,
                    None => return false,
                },
                _ => return false,
            }
        }
        true
    }

    /// The default of a setting, which also tells what kind of value it takes.
    pub(super) fn default_of(&self, key: &str) -> &Json {
        self.0.pointer(&format!("/{}", key.replace('.', "/"))).unwrap_or(&Json::Null)
    }

    /// The keys of `dict` that are no setting, from the root.
    pub(super) fn strangers(&self, dict: &Dict) -> Vec<String> {
        let mut found = Vec::new();
        self.walk("", dict, &mut found);
        found
    }

    fn walk(&self, prefix: &str, dict: &Dict, found: &mut Vec<String>) {
        for (key, value) in dict {
            let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            match value {
                _ if !self.contains(&path) => found.push(path),
                Value::Dict(_, inner) => self.walk(&path, inner, found),
                _ => {}
            }
        }
    }

    /// The setting or the section that looks most like `key`; a setting of another section counts as one letter further
    /// away.
    pub(super) fn nearest(&self, key: &str) -> String {
        let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
        let distance = |known: &String| edits(key, known).min(edits(&last(key), &last(known)) + 1);
        let leaves = self.leaves();
        let sections = leaves.iter().filter_map(|(path, _)| Some(path.rsplit_once('.')?.0.to_owned()));
        let known = sections.chain(leaves.iter().map(|(path, _)| path.clone()));
        known.min_by_key(distance).unwrap_or_default()
    }

    /// Every setting with its default.
    pub(super) fn leaves(&self) -> Vec<(String, Json)> {
        leaves(&self.0)
    }
}

/// Every value of a tree with its path.
pub(super) fn leaves(tree: &Json) -> Vec<(String, Json)> {
    match tree {
        Json::Object(fields) if !fields.is_empty() => {
            let below = fields.iter().flat_map(|(key, value)| {
                leaves(value).into_iter().map(move |(path, leaf)| match path.as_str() {
                    "" => (key.clone(), leaf),
                    path => (format!("{key}.{path}"), leaf),
                })
            });
            below.collect()
        }
        leaf => vec![(String::new(), leaf.clone())],
    }
}

/// Letters to add, drop or change to get from one word to the other (Levenshtein).
fn edits(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, target) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *target);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (one, other, count) in [("", "", 0), ("listen", "listn", 1), ("port", "pool", 2), ("", "abc", 3)]
        {
            assert_eq!(edits(one, other), count);
        }
    }

    #[test]
    fn the_setting_that_was_meant_is_named() {
        let known = Known::settings();
        for (given, meant) in [
            ("http.listn", "http.listen"),
            ("deadline_m", "http.deadline_ms"),
            ("datadir", "data_dir"),
            ("htp", "http"),
        ] {
            assert_eq!(known.nearest(given), meant);
        }
    }
}
