//! The trees: their file, its checks, and the walk to a leaf of each.
//!
//! A leaf is a whole number of units, 2^-40 of a log-odds each. Sums of whole numbers are exact in any order, and so are
//! the sums of the `f64` that they become, because the checks hold them below 2^53 quarters of a unit.

use serde::Deserialize;

use super::feature_list::{FEATURES, Features};

/// Units of a leaf in one log-odds.
const UNITS: f64 = (1_u64 << 40) as f64;
/// Quarters of a unit in one log-odds. All sums are in quarters, so that the weights of an ensemble keep them whole.
pub(super) const QUARTERS: f64 = 4.0 * UNITS;

const TREES_MAX: usize = 2_000;
const LEAVES_MAX: usize = 64;
/// Each split of a leaf's path doubles its rows in the table of contributions.
pub(super) const DEPTH_MAX: usize = 8;
/// Trees that are walked at the same time: each step waits for memory, and the processor overlaps the waits.
const ABREAST: usize = 8;

/// A model of trees as its file has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TreesFile {
    pub(super) format: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) version: String,
    /// The names of all features, whether or not a tree reads them.
    pub(super) features: Vec<String>,
    /// Units that every prediction begins with.
    pub(super) offset: i64,
    pub(super) trees: Vec<Tree>,
}

/// One tree. The first node is its root. A child is the index of a node, or -1 minus the index of a leaf.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tree {
    pub(super) feature: Vec<u8>,
    /// A value up to the threshold goes left.
    pub(super) threshold: Vec<f64>,
    /// 1 if a missing value goes left.
    pub(super) missing_left: Vec<u8>,
    pub(super) left: Vec<i16>,
    pub(super) right: Vec<i16>,
    /// Units of each leaf.
    pub(super) leaf: Vec<i64>,
    /// Training rows in each leaf.
    pub(super) rows: Vec<u32>,
}

/// The end of an arrow of a tree.
#[derive(Clone, Copy)]
pub(super) enum Child {
    Node(usize),
    Leaf(usize),
}

pub(super) fn child(arrow: i16) -> Child {
    match usize::try_from(arrow) {
        Ok(node) => Child::Node(node),
        Err(_) => Child::Leaf(usize::from(arrow.unsigned_abs()) - 1),
    }
}

impl TreesFile {
    /// The fault of the file, if it has one.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.format != "pando.risk.trees/1" {
            return Err(format!("its format is {:?}, not pando.risk.trees/1", self.format));
        }
        let names = FEATURES.iter().map(|spec| spec.name);
        if !self.features.iter().map(String::as_str).eq(names) {
            return Err("its features are not those of this program, in the same order".to_owned());
        }
        if self.trees.is_empty() || self.trees.len() > TREES_MAX {
            return Err(format!("it has {} trees, not 1 to {TREES_MAX}", self.trees.len()));
        }
        let mut greatest = u128::from(self.offset.unsigned_abs());
        for (number, tree) in self.trees.iter().enumerate() {
            tree.check().map_err(|fault| format!("tree {number}: {fault}"))?;
            // A feature of a tree contributes at most the difference of two leaves.
            let leaf = tree.leaf.iter().map(|leaf| u128::from(leaf.unsigned_abs())).max().unwrap_or(0);
            greatest += leaf * 2 * (tree.feature.len() as u128 + 1);
        }
        if greatest >= 1 << 51 {
            return Err("its leaves are so great that sums would not be exact".to_owned());
        }
        Ok(())
    }
}

impl Tree {
    fn check(&self) -> Result<(), String> {
        let nodes = self.feature.len();
        let lengths = [self.threshold.len(), self.missing_left.len(), self.left.len(), self.right.len()];
        if nodes == 0 || nodes >= LEAVES_MAX || lengths.iter().any(|length| *length != nodes) {
            return Err(format!("it has {nodes} features and {lengths:?} of what belongs to each"));
        }
        if self.leaf.len() != nodes + 1 || self.rows.len() != nodes + 1 {
            return Err(format!("it has {} leaves for {nodes} splits", self.leaf.len()));
        }
        if let Some(feature) = self.feature.iter().find(|feature| usize::from(**feature) >= FEATURES.len()) {
            return Err(format!("it reads feature {feature}, and there are {}", FEATURES.len()));
        }
        if self.threshold.iter().any(|threshold| !threshold.is_finite()) {
            return Err("a threshold is no finite number".to_owned());
        }
        if self.missing_left.iter().any(|left| *left > 1) {
            return Err("missing_left is neither 0 nor 1".to_owned());
        }
        if self.rows.contains(&0) {
            return Err("a leaf has no training rows".to_owned());
        }
        self.check_arrows()
    }

    /// Every node but the root and every leaf has one arrow to it, from a node before it: so there is no circle.
    fn check_arrows(&self) -> Result<(), String> {
        let nodes = self.feature.len();
        let mut depth = vec![0; nodes];
        let mut leaves = vec![false; nodes + 1];
        depth[0] = 1;
        for node in 0..nodes {
            if depth[node] == 0 || depth[node] > DEPTH_MAX {
                return Err(format!("node {node} is not reached, or deeper than {DEPTH_MAX}"));
            }
            for arrow in [self.left[node], self.right[node]] {
                match child(arrow) {
                    Child::Node(to) if to > node && to < nodes && depth[to] == 0 => {
                        depth[to] = depth[node] + 1
                    }
                    Child::Leaf(to) if leaves.get(to) == Some(&false) => leaves[to] = true,
                    Child::Node(_) | Child::Leaf(_) => {
                        return Err(format!(
                            "the arrow {arrow} of node {node} leads back, twice to one place, or nowhere"
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    fn depth(&self) -> usize {
        let mut depth = vec![1; self.feature.len()];
        for node in 0..depth.len() {
            for arrow in [self.left[node], self.right[node]] {
                if let Child::Node(to) = child(arrow) {
                    depth[to] = depth[node] + 1;
                }
            }
        }
        depth.into_iter().max().unwrap_or(0)
    }
}

/// All trees in one array. A leaf is a node whose arrows lead to itself, so that all trees take the same number of steps.
#[derive(Debug)]
pub(super) struct Forest {
    offset: i64,
    nodes: Vec<Node>,
    /// Units of each node; 0 for those that are no leaves.
    leaves: Vec<i64>,
    roots: Vec<u32>,
    steps: usize,
}

#[derive(Debug)]
struct Node {
    threshold: f64,
    /// The nodes to the right and to the left, in the order of `false` and `true`.
    children: [u32; 2],
    feature: u8,
    missing_left: bool,
}

impl Forest {
    /// The trees of a file that was checked.
    pub(super) fn of(file: &TreesFile) -> Self {
        let mut forest = Self { offset: file.offset, nodes: vec![], leaves: vec![], roots: vec![], steps: 0 };
        for tree in &file.trees {
            let root = forest.nodes.len();
            forest.roots.push(index(root));
            forest.steps = forest.steps.max(tree.depth());
            let inner = tree.feature.len();
            let place = |arrow: i16| match child(arrow) {
                Child::Node(node) => index(root + node),
                Child::Leaf(leaf) => index(root + inner + leaf),
            };
            for node in 0..inner {
                forest.nodes.push(Node {
                    threshold: tree.threshold[node],
                    children: [place(tree.right[node]), place(tree.left[node])],
                    feature: tree.feature[node],
                    missing_left: tree.missing_left[node] == 1,
                });
                forest.leaves.push(0);
            }
            for (leaf, units) in tree.leaf.iter().enumerate() {
                let itself = index(root + inner + leaf);
                let children = [itself, itself];
                forest.nodes.push(Node { threshold: 0.0, children, feature: 0, missing_left: true });
                forest.leaves.push(*units);
            }
        }
        forest
    }

    /// The log-odds in units.
    pub(super) fn units(&self, values: &Features) -> i64 {
        let mut total = self.offset;
        let mut groups = self.roots.chunks_exact(ABREAST);
        for group in &mut groups {
            let mut at = [0_u32; ABREAST];
            at.copy_from_slice(group);
            for _ in 0..self.steps {
                for place in &mut at {
                    *place = self.step(*place, values);
                }
            }
            total += at.iter().map(|place| self.leaves[*place as usize]).sum::<i64>();
        }
        for root in groups.remainder() {
            let leaf = (0..self.steps).fold(*root, |place, _| self.step(place, values));
            total += self.leaves[leaf as usize];
        }
        total
    }

    fn step(&self, place: u32, values: &Features) -> u32 {
        let node = &self.nodes[place as usize];
        let goes_left = goes_left(values[usize::from(node.feature)], node.threshold, node.missing_left);
        node.children[usize::from(goes_left)]
    }
}

/// NaN is not up to any threshold. Both sides are computed: a branch would be guessed wrong half of the time.
pub(super) fn goes_left(value: f64, threshold: f64, missing_left: bool) -> bool {
    (value <= threshold) | (value.is_nan() & missing_left)
}

/// The number of a place in an array that the checks keep far below 2^32.
pub(super) fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
