//! Precision and recall of the screening, and of plain Jaro-Winkler, on one set.

use std::fmt::Write as _;
use std::sync::Arc;

use pando_risk::screening::{Index, List, Query};

use crate::quality_set::{QualitySet, VARIANTS};

/// The scores that one way of matching gives to a sample.
#[derive(Clone, Copy)]
struct Scores {
    /// Of the right entry; 0 for a name that is not on the list.
    right: f64,
    /// The best of any entry.
    best: f64,
}

/// The scores that one way of matching gives to all samples of a set.
pub(crate) struct Measured {
    title: &'static str,
    scores: Vec<Scores>,
}

/// A threshold, and how good the matches from it on are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    /// Scores from here on are matches.
    pub(crate) threshold: f64,
    /// The share of names with a match that are on the list.
    pub(crate) precision: f64,
    /// The share of names on the list that match their entry.
    pub(crate) recall: f64,
}

impl Point {
    /// The harmonic mean of both.
    pub(crate) fn f1(&self) -> f64 {
        let sum = self.precision + self.recall;
        if sum > 0.0 { 2.0 * self.precision * self.recall / sum } else { 0.0 }
    }
}

/// Searches every sample with the index.
pub(crate) fn screening(set: &QualitySet) -> Measured {
    let index = Index::build(Arc::new(set.list.clone()));
    let scores = set.samples.iter().map(|sample| {
        let query = Query { threshold: 0.4, limit: 100, ..Query::new(&sample.name) };
        let matches = index.search(&query).unwrap_or_default();
        let score = |id: &String| matches.iter().find(|it| it.entry.id == *id).map_or(0.0, |it| it.score);
        Scores {
            right: sample.entry.as_ref().map_or(0.0, score),
            best: matches.first().map_or(0.0, |it| it.score),
        }
    });
    Measured { title: "Pando", scores: scores.collect() }
}

/// Compares every sample with every name of the list: lower case, no index, the best alias.
pub(crate) fn plain_jaro_winkler(set: &QualitySet) -> Measured {
    let letters = |text: &str| text.to_lowercase().chars().collect::<Vec<char>>();
    let list: &List = &set.list;
    let names: Vec<(&str, Vec<Vec<char>>)> = list
        .entries()
        .iter()
        .map(|entry| (entry.id.as_str(), entry.names().map(letters).collect()))
        .collect();
    let scores = set.samples.iter().map(|sample| {
        let name = letters(&sample.name);
        let mut scores = Scores { right: 0.0, best: 0.0 };
        for (id, names) in &names {
            let score = names.iter().map(|other| jaro_winkler(&name, other)).fold(0.0, f64::max);
            scores.best = scores.best.max(score);
            if sample.entry.as_deref() == Some(*id) {
                scores.right = score;
            }
        }
        scores
    });
    Measured { title: "Jaro-Winkler", scores: scores.collect() }
}

impl Measured {
    /// Precision and recall from a threshold on.
    pub(crate) fn at(&self, set: &QualitySet, threshold: f64) -> Point {
        let (mut hits, mut all, mut alarms) = (0.0, 0.0, 0.0);
        for (sample, scores) in set.samples.iter().zip(&self.scores) {
            match sample.entry {
                Some(_) => {
                    all += 1.0;
                    hits += f64::from(u8::from(scores.right >= threshold));
                }
                None => alarms += f64::from(u8::from(scores.best >= threshold)),
            }
        }
        let precision = if hits + alarms > 0.0 { hits / (hits + alarms) } else { 1.0 };
        Point { threshold, precision, recall: hits / all }
    }

    fn curve(&self, set: &QualitySet) -> Vec<Point> {
        (80..200_u32).map(|step| self.at(set, f64::from(step) / 200.0)).collect()
    }

    /// The threshold with the best F1.
    pub(crate) fn best(&self, set: &QualitySet) -> Point {
        let curve = self.curve(set);
        curve.iter().copied().max_by(|one, other| one.f1().total_cmp(&other.f1())).unwrap_or(curve[0])
    }

    /// The best recall at this precision or a better one.
    pub(crate) fn recall_at(&self, set: &QualitySet, precision: f64) -> f64 {
        self.curve(set)
            .iter()
            .filter(|point| point.precision >= precision)
            .map(|point| point.recall)
            .fold(0.0, f64::max)
    }

    /// The share of each way of varying a name that is found from a threshold on.
    fn recall_of_variants(&self, set: &QualitySet, threshold: f64) -> Vec<f64> {
        let of = |variant: usize| {
            let samples = set.samples.iter().zip(&self.scores);
            let right: Vec<f64> = samples
                .filter(|(sample, _)| sample.entry.is_some() && sample.variant == variant)
                .map(|(_, scores)| f64::from(u8::from(scores.right >= threshold)))
                .collect();
            right.iter().sum::<f64>() / right.iter().map(|_| 1.0).sum::<f64>()
        };
        (0..VARIANTS.len()).map(of).collect()
    }
}

/// The tables of `docs-screening.md`.
pub(crate) fn tables(set: &QualitySet, measured: &[Measured]) -> String {
    let mut text = String::from("| | threshold | precision | recall | F1 |\n|---|---|---|---|---|\n");
    for way in measured {
        let steps = [0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95];
        for point in steps.map(|threshold| way.at(set, threshold)) {
            row(&mut text, way.title, &point);
        }
        row(&mut text, &format!("{}, best F1", way.title), &way.best(set));
    }
    text.push_str("\n| recall at a precision of | 0.90 | 0.95 | 0.99 |\n|---|---|---|---|\n");
    for way in measured {
        let recall = [0.9, 0.95, 0.99].map(|precision| way.recall_at(set, precision));
        let _ = writeln!(text, "| {} | {:.3} | {:.3} | {:.3} |", way.title, recall[0], recall[1], recall[2]);
    }
    let _ = writeln!(
        text,
        "\n| recall at best F1 | {} |\n|---|{}",
        VARIANTS.join(" | "),
        "---|".repeat(VARIANTS.len())
    );
    for way in measured {
        let recall = way.recall_of_variants(set, way.best(set).threshold);
        let cells: Vec<String> = recall.iter().map(|it| format!("{it:.3}")).collect();
        let _ = writeln!(text, "| {} | {} |", way.title, cells.join(" | "));
    }
    text
}

fn row(text: &mut String, title: &str, point: &Point) {
    let Point { threshold, precision, recall } = point;
    let _ = writeln!(text, "| {title} | {threshold:.3} | {precision:.3} | {recall:.3} | {:.3} |", point.f1());
}

/// The similarity of Jaro and Winkler of two whole names, written anew so that nothing is shared with the crate.
fn jaro_winkler(one: &[char], other: &[char]) -> f64 {
    let window = (one.len().max(other.len()) / 2).saturating_sub(1);
    let mut taken = vec![false; other.len()];
    let mut matched = Vec::new();
    for (at, letter) in one.iter().enumerate() {
        let end = (at + window + 1).min(other.len());
        if let Some(to) = (at.saturating_sub(window)..end).find(|to| !taken[*to] && other[*to] == *letter) {
            taken[to] = true;
            matched.push(*letter);
        }
    }
    if matched.is_empty() {
        return 0.0;
    }
    let others = other.iter().zip(&taken).filter(|(_, taken)| **taken).map(|(letter, _)| letter);
    let count = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    let moved = count(matched.iter().zip(others).filter(|(a, b)| a != b).count()) / 2.0;
    let same = count(matched.len());
    let jaro = (same / count(one.len()) + same / count(other.len()) + (same - moved) / same) / 3.0;
    let prefix = count(one.iter().zip(other).take(4).take_while(|(a, b)| a == b).count());
    jaro + prefix * 0.1 * (1.0 - jaro)
}
