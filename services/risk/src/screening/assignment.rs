//! The best way to pair rows with columns: the assignment problem, solved exactly.

/// Pairs of a row and a column, each at most once, with the largest sum of profits. No pair is without profit.
///
/// `profit` holds the rows one after the other; no profit is negative.
pub(crate) fn best_pairs(profit: &[f64], rows: usize, columns: usize) -> Vec<(usize, usize)> {
    // Each row with the column it likes best cannot be beaten, if no two rows like the same.
    let mut favourites = Vec::with_capacity(rows);
    for (row, profits) in profit.chunks_exact(columns.max(1)).enumerate() {
        let best = (0..columns).rev().max_by(|a, b| profits[*a].total_cmp(&profits[*b]));
        favourites.extend(best.filter(|column| profits[*column] > 0.0).map(|column| (row, column)));
    }
    let conflicts = |at: usize| favourites[..at].iter().any(|(_, column)| *column == favourites[at].1);
    if !(0..favourites.len()).any(conflicts) {
        return favourites;
    }
    let mut pairs = if rows <= columns {
        hungarian(rows, columns, |row, column| -profit[row * columns + column])
    } else {
        let turned = hungarian(columns, rows, |row, column| -profit[column * columns + row]);
        turned.into_iter().map(|(column, row)| (row, column)).collect()
    };
    pairs.retain(|(row, column)| profit[row * columns + column] > 0.0);
    pairs
}

/// The method of Kuhn and Munkres with potentials, one row after the other; for at most as many rows as columns.
///
/// Rows and columns count from 1 inside; 0 stands for none.
fn hungarian(rows: usize, columns: usize, cost: impl Fn(usize, usize) -> f64) -> Vec<(usize, usize)> {
    let (mut of_row, mut of_column) = (vec![0.0; rows + 1], vec![0.0; columns + 1]);
    let mut row_of = vec![0; columns + 1];
    for row in 1..=rows {
        row_of[0] = row;
        let (mut least, mut before) = (vec![f64::INFINITY; columns + 1], vec![0; columns + 1]);
        let mut done = vec![false; columns + 1];
        let mut column = 0;
        while row_of[column] != 0 {
            done[column] = true;
            let (from, mut delta, mut next) = (row_of[column], f64::INFINITY, 0);
            for to in (1..=columns).filter(|to| !done[*to]) {
                let reduced = cost(from - 1, to - 1) - of_row[from] - of_column[to];
                if reduced < least[to] {
                    (least[to], before[to]) = (reduced, column);
                }
                if least[to] < delta {
                    (delta, next) = (least[to], to);
                }
            }
            for to in 0..=columns {
                if done[to] {
                    of_row[row_of[to]] += delta;
                    of_column[to] -= delta;
                } else {
                    least[to] -= delta;
                }
            }
            column = next;
        }
        while column != 0 {
            row_of[column] = row_of[before[column]];
            column = before[column];
        }
    }
    (1..=columns)
        .filter(|column| row_of[*column] != 0)
        .map(|column| (row_of[column] - 1, column - 1))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn best_sum(profit: &[f64], columns: usize, row: usize, taken: u32) -> f64 {
        let Some(profits) = profit.chunks_exact(columns).nth(row) else { return 0.0 };
        let skipped = best_sum(profit, columns, row + 1, taken);
        (0..columns)
            .filter(|column| taken >> column & 1 == 0)
            .map(|column| profits[column] + best_sum(profit, columns, row + 1, taken | 1 << column))
            .fold(skipped, f64::max)
    }

    proptest! {
        #[test]
        fn no_other_pairing_is_better(rows in 1..5_usize, columns in 1..5_usize, values in proptest::collection::vec(0..9_u8, 16)) {
            let profit: Vec<f64> = values[..rows * columns].iter().map(|value| f64::from(*value)).collect();
            let pairs = best_pairs(&profit, rows, columns);
            let sum: f64 = pairs.iter().map(|(row, column)| profit[row * columns + column]).sum();
            prop_assert!((sum - best_sum(&profit, columns, 0, 0)).abs() < 1e-9);
            for (at, (row, column)) in pairs.iter().enumerate() {
                prop_assert!(!pairs[..at].iter().any(|(other, another)| other == row || another == column));
            }
        }
    }
}
