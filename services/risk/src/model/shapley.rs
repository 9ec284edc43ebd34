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
//! Saabas's attribution, which gives each step to the feature of its split, adds up as well, but gives a feature less for
//! being asked nearer to the root. It is no cheaper: on 2026-11-28, on two busy cores, a walk that collected it took 12 to
//! 16 microseconds, and these tables 10 to 16 (`cargo run --release -p pando-risk --example model_speed`).

use super::feature_list::{FEATURE_COUNT, Features};
use super::trees::{Child, DEPTH_MAX, Tree, TreesFile, child, goes_left, index};

/// Numbers in the table, eight bytes each. The shipped models need about 115,000 each.
const TABLE_MAX: usize = 4_000_000;

/// The tables of a model.
#[derive(Debug)]
pub(super) struct Shapley {
    base: i64,
    /// The splits of all trees, one tree after the other.
    splits: Vec<Split>,
    /// How many splits each tree has.
    split_counts: Vec<usize>,
    /// Leaves by the number of their features, less one: each group runs in a loop of its own length. The order of adding
    /// does not matter.
    groups: [Group; DEPTH_MAX],
}

#[derive(Debug)]
struct Split {
    threshold: f64,
    feature: u8,
    missing_left: bool,
}

/// Leaves whose paths have equally many features.
#[derive(Debug, Default)]
struct Group {
    leaves: Vec<Leaf>,
    /// As many for each leaf as its path has features.
    conditions: Vec<Condition>,
    /// As many units in each row, and two to that power rows for each leaf.
    table: Vec<i64>,
}

#[derive(Debug)]
struct Leaf {
    tree: u32,
    /// Its first row.
    start: u32,
}

/// A feature leads to the leaf if its splits on the path went the way of the path.
#[derive(Clone, Debug)]
struct Condition {
    splits: u64,
    left: u64,
    feature: u8,
}

/// A feature on the path to a leaf.
#[derive(Clone)]
struct PathFeature {
    condition: Condition,
    /// The share of training rows that went on towards the leaf at its splits.
    share: f64,
}

impl Shapley {
    /// The tables for a file that was checked.
    pub(super) fn of(file: &TreesFile) -> Result<Self, String> {
        let mut tables = Self {
            base: file.offset,
            splits: Vec::new(),
            split_counts: Vec::new(),
            groups: std::array::from_fn(|_| Group::default()),
        };
        for (number, tree) in file.trees.iter().enumerate() {
            tables.split_counts.push(tree.feature.len());
            tables.splits.extend((0..tree.feature.len()).map(|node| Split {
                threshold: tree.threshold[node],
                feature: tree.feature[node],
                missing_left: tree.missing_left[node] == 1,
            }));
            let rows = rows_below(tree);
            tables.descend(&Descent { tree, number, rows: &rows }, Child::Node(0), &[]);
            if tables.groups.iter().map(|group| group.table.len()).sum::<usize>() > TABLE_MAX {
                return Err(format!("its contributions would need more than {TABLE_MAX} numbers"));
            }
        }
        Ok(tables)
    }

    /// The part of every prediction that no feature contributes: the mean of the training rows.
    pub(super) fn base(&self) -> i64 {
        self.base
    }

    /// Units of each feature.
    pub(super) fn contributions(&self, values: &Features) -> [i64; FEATURE_COUNT] {
        let mut splits = self.splits.as_slice();
        let went_left = self.split_counts.iter().map(|count| {
            let (tree, rest) = splits.split_at(*count);
            splits = rest;
            tree.iter().rev().fold(0, |bits, split| {
                let value = values[usize::from(split.feature)];
                bits << 1 | u64::from(goes_left(value, split.threshold, split.missing_left))
            })
        });
        let went_left: Vec<u64> = went_left.collect();
        let mut sums = [0; FEATURE_COUNT];
        let [one, two, three, four, five, six, seven, eight] = &self.groups;
        one.add::<1>(&went_left, &mut sums);
        two.add::<2>(&went_left, &mut sums);
        three.add::<3>(&went_left, &mut sums);
        four.add::<4>(&went_left, &mut sums);
        five.add::<5>(&went_left, &mut sums);
        six.add::<6>(&went_left, &mut sums);
        seven.add::<7>(&went_left, &mut sums);
        eight.add::<8>(&went_left, &mut sums);
        sums
    }

    fn descend(&mut self, of: &Descent<'_>, place: Child, path: &[PathFeature]) {
        let node = match place {
            Child::Leaf(leaf) => return self.tabulate(of.number, of.tree.leaf[leaf], path),
            Child::Node(node) => node,
        };
        for (arrow, goes_left) in [(of.tree.left[node], true), (of.tree.right[node], false)] {
            let below = match child(arrow) {
                Child::Node(below) => of.rows[below],
                Child::Leaf(leaf) => f64::from(of.tree.rows[leaf]),
            };
            let mut longer = path.to_vec();
            let feature = of.tree.feature[node];
            let place =
                longer.iter().position(|step| step.condition.feature == feature).unwrap_or_else(|| {
                    longer.push(PathFeature {
                        condition: Condition { splits: 0, left: 0, feature },
                        share: 1.0,
                    });
                    longer.len() - 1
                });
            longer[place].condition.splits |= 1 << node;
            longer[place].condition.left |= u64::from(goes_left) << node;
            longer[place].share *= below / of.rows[node];
            self.descend(of, child(arrow), &longer);
        }
    }

    /// Adds the rows of one leaf: for every set of its features that lead to it, the units of each.
    fn tabulate(&mut self, tree: usize, leaf: i64, path: &[PathFeature]) {
        let group = &mut self.groups[path.len() - 1];
        group.leaves.push(Leaf { tree: index(tree), start: index(group.table.len() / path.len()) });
        group.conditions.extend(path.iter().map(|step| step.condition.clone()));
        let base = round(as_float(leaf) * path.iter().map(|step| step.share).product::<f64>());
        self.base += base;
        for case in 0..1_usize << path.len() {
            let leads = |place: usize| case >> place & 1 == 1;
            let total = if case + 1 == 1 << path.len() { leaf } else { 0 } - base;
            let mut sum = 0;
            for place in 0..path.len() - 1 {
                let units = round(as_float(leaf) * shapley_value(path, place, &leads));
                group.table.push(units);
                sum += units;
            }
            group.table.push(total - sum);
        }
    }
}

/// A tree whose leaves are tabulated.
struct Descent<'a> {
    tree: &'a Tree,
    number: usize,
    /// Training rows below each node.
    rows: &'a [f64],
}

impl Group {
    /// Adds what these leaves contribute, if `N` is the number of their features.
    fn add<const N: usize>(&self, went_left: &[u64], sums: &mut [i64; FEATURE_COUNT]) {
        let (conditions, _) = self.conditions.as_chunks::<N>();
        let (rows, _) = self.table.as_chunks::<N>();
        for (leaf, conditions) in self.leaves.iter().zip(conditions) {
            let went_left = went_left[leaf.tree as usize];
            let mut case = 0;
            for (place, condition) in conditions.iter().enumerate() {
                let leads = (went_left ^ condition.left) & condition.splits == 0;
                case |= usize::from(leads) << place;
            }
            for (condition, units) in conditions.iter().zip(&rows[leaf.start as usize + case]) {
                sums[usize::from(condition.feature)] += units;
            }
        }
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
