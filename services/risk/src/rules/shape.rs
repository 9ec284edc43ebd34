//! The shape of a graph: its order, and which nodes lead to which.

use std::collections::BTreeSet;

/// Nodes by their numbers, and the edges between them.
#[derive(Debug)]
pub(crate) struct Shape {
    after: Vec<Vec<usize>>,
    before: Vec<Vec<usize>>,
}

impl Shape {
    pub(crate) fn new(nodes: usize, edges: impl Iterator<Item = (usize, usize)>) -> Self {
        let mut shape = Self { after: vec![Vec::new(); nodes], before: vec![Vec::new(); nodes] };
        for (from, to) in edges {
            shape.after[from].push(to);
            shape.before[to].push(from);
        }
        shape
    }

    /// All nodes, each behind those that lead to it, and otherwise as they stand in the document. Nodes on a cycle,
    /// and those behind one, are missing.
    pub(crate) fn order(&self) -> Vec<usize> {
        let mut waits: Vec<usize> = self.before.iter().map(Vec::len).collect();
        let mut ready: BTreeSet<usize> = (0..waits.len()).filter(|node| waits[*node] == 0).collect();
        let mut order = Vec::with_capacity(waits.len());
        while let Some(node) = ready.pop_first() {
            order.push(node);
            for after in &self.after[node] {
                waits[*after] -= 1;
                if waits[*after] == 0 {
                    ready.insert(*after);
                }
            }
        }
        order
    }

    /// For each node, whether the path from `start` leads to it.
    pub(crate) fn reached_from(&self, start: usize) -> Vec<bool> {
        walk(&self.after, start)
    }

    /// For each node, whether a path leads from it to `end`. A node leads to itself only on a cycle.
    pub(crate) fn leading_to(&self, end: usize) -> Vec<bool> {
        walk(&self.before, end)
    }
}

fn walk(steps: &[Vec<usize>], start: usize) -> Vec<bool> {
    let (mut seen, mut left) = (vec![false; steps.len()], vec![start]);
    while let Some(node) = left.pop() {
        for next in &steps[node] {
            if !seen[*next] {
                seen[*next] = true;
                left.push(*next);
            }
        }
    }
    seen
}
