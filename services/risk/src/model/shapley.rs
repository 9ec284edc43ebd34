//! Contributions of features: exact Shapley values of every tree, in whole units.
//!
//! For one leaf the game is a product: each feature of its path either leads to the leaf (1) or does not (0) if its value
//! is known, and leads there with the share of the training rows that went that way if it is not known. So the Shapley
//! values of a leaf depend only on which of its features lead to it, and a table made when the model is loaded holds them
//! for every such case: this is path-dependent TreeSHAP with all its arithmetic done ahead. A prediction then costs one
//! row of the table for each leaf.
//!
//! Each row of the table adds up to the leaf's units minus its share of the base, to the unit: rounding is made up for in
//! its last feature. Therefore base + contributions = log-odds holds exactly, in any order of adding.
//!
//! The cheaper attribution of each step to the feature of its split (Saabas) also adds up, but gives a feature less for
//! being asked nearer to the root. `cargo run --release -p pando-risk --example model_speed` shows the costs.

use super::feature_list::{FEATURE_COUNT, Features};
use super::trees::{Child, Tree, TreesFile, child, goes_left, index};

/// Numbers in the table, eight bytes each. The shipped models need about 300,000.
const TABLE_MAX: usize = 4_000_000;

/// The tables of a model.
#[derive(Debug)]
pub(super) struct Shapley {
    base: i64,
    trees: Vec<TreeTable>,
    table: Vec<i64>,
}

#[derive(Debug)]
struct TreeTable {
    splits: Vec<Split>,
    leaves: Vec<LeafTable>,
}

#[derive(Debug)]
struct Split {
    threshold: f64,
    feature: u8,
    missing_left: bool,
}

#[derive(Debug)]
struct LeafTable {
    conditions: Vec<Condition>,
    /// The leaf's first row in the table.
    start: u32,
}

/// A feature leads to the leaf if its splits on the path went the way of the path.
#[derive(Debug)]
struct Condition {
    feature: u8,
    splits: u64,
    left: u64,
}

/// A feature on the path to a leaf.
#[derive(Clone)]
struct PathFeature {
    condition: (u8, u64, u64),
    /// The share of training rows that went on towards the leaf at its splits.
    share: f64,
}

impl Shapley {
    /// The tables for a file that was checked.
    pub(super) fn of(file: &TreesFile) -> Result<Self, String> {
        let mut tables = Self { base: file.offset, trees: Vec::new(), table: Vec::new() };
        for tree in &file.trees {
            let splits = (0..tree.feature.len()).map(|node| Split {
                threshold: tree.threshold[node],
                feature: tree.feature[node],
                missing_left: tree.missing_left[node] == 1,
            });
            let mut leaves = Vec::with_capacity(tree.leaf.len());
            tables.descend(tree, &rows_below(tree), Child::Node(0), &[], &mut leaves)?;
            tables.trees.push(TreeTable { splits: splits.collect(), leaves });
        }
        Ok(tables)
    }

    /// The part of every prediction that no feature contributes: the mean of the training rows.
    pub(super) fn base(&self) -> i64 {
        self.base
    }

    /// Units of each feature.
    pub(super) fn contributions(&self, values: &Features) -> [i64; FEATURE_COUNT] {
        let mut sums = [0; FEATURE_COUNT];
        for tree in &self.trees {
            let mut went_left = 0_u64;
            for (number, split) in tree.splits.iter().enumerate() {
                let value = values[usize::from(split.feature)];
                went_left |= u64::from(goes_left(value, split.threshold, split.missing_left)) << number;
            }
            for leaf in &tree.leaves {
                let mut case = 0;
                for (place, condition) in leaf.conditions.iter().enumerate() {
                    let leads = (went_left ^ condition.left) & condition.splits == 0;
                    case |= usize::from(leads) << place;
                }
                let row = leaf.start as usize + case * leaf.conditions.len();
                for (condition, units) in leaf.conditions.iter().zip(&self.table[row..]) {
                    sums[usize::from(condition.feature)] += units;
                }
            }
        }
        sums
    }

    fn descend(
        &mut self,
        tree: &Tree,
        rows: &[f64],
        place: Child,
        path: &[PathFeature],
        leaves: &mut Vec<LeafTable>,
    ) -> Result<(), String> {
        let node = match place {
            Child::Leaf(leaf) => {
                leaves.push(self.tabulate(tree.leaf[leaf], path)?);
                return Ok(());
            }
            Child::Node(node) => node,
        };
        for (arrow, goes_left) in [(tree.left[node], true), (tree.right[node], false)] {
            let below = match child(arrow) {
                Child::Node(below) => rows[below],
                Child::Leaf(leaf) => f64::from(tree.rows[leaf]),
            };
            let mut longer = path.to_vec();
            let feature = tree.feature[node];
            let place = longer.iter().position(|step| step.condition.0 == feature).unwrap_or_else(|| {
                longer.push(PathFeature { condition: (feature, 0, 0), share: 1.0 });
                longer.len() - 1
            });
            longer[place].condition.1 |= 1 << node;
            longer[place].condition.2 |= u64::from(goes_left) << node;
            longer[place].share *= below / rows[node];
            self.descend(tree, rows, child(arrow), &longer, leaves)?;
        }
        Ok(())
    }

    /// Adds the rows of one leaf: for every set of its features that lead to it, the units of each.
    fn tabulate(&mut self, leaf: i64, path: &[PathFeature]) -> Result<LeafTable, String> {
        let start = self.table.len();
        if start + (path.len() << path.len()) > TABLE_MAX {
            return Err(format!("its contributions would need more than {TABLE_MAX} numbers"));
        }
        let base = round(as_float(leaf) * path.iter().map(|step| step.share).product::<f64>());
        self.base += base;
        for case in 0..1_usize << path.len() {
            let leads = |place: usize| case >> place & 1 == 1;
            let total = if case + 1 == 1 << path.len() { leaf } else { 0 } - base;
            let mut sum = 0;
            for place in 0..path.len() - 1 {
                let units = round(as_float(leaf) * shapley_value(path, place, &leads));
                self.table.push(units);
                sum += units;
            }
            self.table.push(total - sum);
        }
        let conditions = path.iter().map(|step| {
            let (feature, splits, left) = step.condition;
            Condition { feature, splits, left }
        });
        Ok(LeafTable { conditions: conditions.collect(), start: index(start) })
    }
}

/// The Shapley value of one feature in the game of a leaf that is worth 1: the mean, over all orders of the features, of
/// the difference that knowing this one makes once those before it are known.
fn shapley_value(path: &[PathFeature], place: usize, leads: &dyn Fn(usize) -> bool) -> f64 {
    let known = |place: usize| f64::from(u8::from(leads(place)));
    // The coefficient of x^k is the sum over all sets of k known features.
    let mut sets = vec![1.0];
    for other in (0..path.len()).filter(|other| *other != place) {
        sets.push(0.0);
        for k in (0..sets.len()).rev() {
            let with = if k > 0 { sets[k - 1] * known(other) } else { 0.0 };
            sets[k] = sets[k] * path[other].share + with;
        }
    }
    // k!(n-1-k)!/n!, which is 1/n for k = 0.
    let others = path.len() - 1;
    let mut weight = 1.0 / as_float_of(path.len());
    let mut sum = 0.0;
    for (k, set) in sets.iter().enumerate() {
        sum += weight * set;
        if k < others {
            weight *= as_float_of(k + 1) / as_float_of(others - k);
        }
    }
    sum * (known(place) - path[place].share)
}

/// Training rows below each node.
fn rows_below(tree: &Tree) -> Vec<f64> {
    let mut rows = vec![0.0; tree.feature.len()];
    for node in (0..rows.len()).rev() {
        for arrow in [tree.left[node], tree.right[node]] {
            rows[node] += match child(arrow) {
                // Arrows lead to later nodes, whose sums are complete.
                Child::Node(below) => rows[below],
                Child::Leaf(leaf) => f64::from(tree.rows[leaf]),
            };
        }
    }
    rows
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the checks hold leaves below 2^51, which an i64 and an f64 hold exactly"
)]
fn round(units: f64) -> i64 {
    units.round_ties_even() as i64
}

#[expect(clippy::cast_precision_loss, reason = "the checks hold leaves below 2^51")]
fn as_float(units: i64) -> f64 {
    units as f64
}

fn as_float_of(count: usize) -> f64 {
    f64::from(index(count))
}

#[cfg(test)]
mod tests {
    use super::super::feature_list::FEATURES;
    use super::*;

    /// Two features, one of which is asked twice on a path.
    fn tree() -> Tree {
        Tree {
            feature: vec![0, 1, 0, 2],
            threshold: vec![5.0, 0.5, 2.0, 0.5],
            missing_left: vec![0, 1, 0, 1],
            left: vec![1, 2, -1, -4],
            right: vec![3, -3, -2, -5],
            leaf: vec![1 << 40, -3 << 39, 5 << 38, 7 << 36, -(9 << 37)],
            rows: vec![10, 25, 40, 5, 20],
        }
    }

    /// The mean of the training rows' leaves, if only the features of a set are known.
    fn expected(tree: &Tree, rows: &[f64], place: Child, values: &Features, known: usize) -> f64 {
        let node = match place {
            Child::Leaf(leaf) => return as_float(tree.leaf[leaf]),
            Child::Node(node) => node,
        };
        let [left, right] = [tree.left[node], tree.right[node]].map(child);
        let feature = usize::from(tree.feature[node]);
        let missing_left = tree.missing_left[node] == 1;
        if known >> feature & 1 == 1 {
            let goes_left = goes_left(values[feature], tree.threshold[node], missing_left);
            return expected(tree, rows, if goes_left { left } else { right }, values, known);
        }
        let below = |place: Child| match place {
            Child::Node(below) => rows[below],
            Child::Leaf(leaf) => f64::from(tree.rows[leaf]),
        };
        let of = |place: Child| below(place) / rows[node] * expected(tree, rows, place, values, known);
        of(left) + of(right)
    }

    #[test]
    fn contributions_are_the_shapley_values_of_the_tree() {
        let file = TreesFile {
            format: String::new(),
            kind: String::new(),
            version: String::new(),
            features: Vec::new(),
            offset: 12_345,
            trees: vec![tree()],
        };
        let (tree, tables) = (&file.trees[0], Shapley::of(&file).unwrap());
        let rows = rows_below(tree);
        let mut values: Features = [f64::NAN; FEATURES.len()];
        for case in 0..36 {
            values[0] = [1.0, 4.0, 9.0, f64::NAN][case % 4];
            values[1] = [0.0, 1.0, f64::NAN][case / 4 % 3];
            values[2] = [0.0, 1.0, f64::NAN][case / 12];
            let of = |known| expected(tree, &rows, Child::Node(0), &values, known);
            let found = tables.contributions(&values);
            for (feature, units) in found[..3].iter().enumerate() {
                let mut others = (0..3).filter(|other| *other != feature).map(|other| 1_usize << other);
                let (a, b) = (others.next().unwrap(), others.next().unwrap());
                let gain = |known: usize| of(known | 1 << feature) - of(known);
                let exact = (2.0 * gain(0) + gain(a) + gain(b) + 2.0 * gain(a | b)) / 6.0;
                assert!((as_float(*units) - exact).abs() < 8.0, "{values:?} {feature}");
            }
            assert!(found[3..].iter().all(|units| *units == 0));
            assert!((as_float(tables.base() - 12_345) - of(0)).abs() < 8.0);
        }
    }
}
